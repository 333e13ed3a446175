import { describe, expect, test } from '@jest/globals';
import { neededBy, type PodSpec, runningStatus, waitingStatus } from '../../hack/embedded/pods.ts';

const spec: PodSpec = {
  containers: [
    {
      name: 'app',
      image: 'app:1',
      env: [{ valueFrom: { configMapKeyRef: { name: 'env' } } }, { valueFrom: { secretKeyRef: { name: 'env' } } }, {}],
      envFrom: [{ configMapRef: { name: 'from' } }, { secretRef: { name: 'maybe', optional: true } }],
    },
  ],
  initContainers: [{ name: 'init', envFrom: [{ secretRef: { name: 'init' } }] }],
  volumes: [
    { configMap: { name: 'files' } },
    { configMap: { name: 'files' } },
    { configMap: { name: 'maybe', optional: true } },
    { secret: { secretName: 'keys' } },
    { projected: { sources: [{ configMap: { name: 'projected' } }, { secret: { name: 'projected' } }, {}] } },
    {},
  ],
};
const pod = { metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec };

describe('what a pod needs before it starts', () => {
  test('are the ConfigMaps and Secrets of volumes and of all containers, each once, without the optional ones', () => {
    expect(neededBy(spec).map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      'configmaps/files',
      'secrets/keys',
      'configmaps/projected',
      'secrets/projected',
      'secrets/init',
      'configmaps/env',
      'secrets/env',
      'configmaps/from',
    ]);
  });

  test('is nothing for a plain pod', () => {
    expect(neededBy({ containers: [{ name: 'app' }] })).toEqual([]);
  });
});

describe('the status of a pod', () => {
  const now = '2026-01-01T00:00:00Z';

  test('when it runs: ready, with its init containers done', () => {
    expect(runningStatus(pod, '10.0.0.1', '10.0.0.0', now)).toMatchObject({
      phase: 'Running',
      podIP: '10.0.0.1',
      initContainerStatuses: [{ name: 'init', state: { terminated: { exitCode: 0 } } }],
      containerStatuses: [{ name: 'app', ready: true, started: true, state: { running: { startedAt: now } } }],
      conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', status: 'True' })]),
    });
  });

  test('when a ConfigMap is missing: says which, as a kubelet does', () => {
    expect(waitingStatus(pod, { kind: 'configmaps', name: 'files' }, '10.0.0.0', now)).toMatchObject({
      phase: 'Pending',
      containerStatuses: [
        {
          ready: false,
          state: { waiting: { reason: 'CreateContainerConfigError', message: 'configmap "files" not found' } },
        },
      ],
      conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', status: 'False' })]),
    });
  });
});
