// Admission as people meet it: undo, dry runs, quotas, deleted snapshots, strategy Recreate, and a GitOps controller's loop.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import {
  admin,
  adopted,
  configMapManifest,
  deploymentManifest,
  mountedBy,
  revisionOf,
  runKubectl,
  Scenario,
  sleep,
  until,
  V1,
  V2,
} from '../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

let controller: Controller;
beforeAll(async () => {
  controller = await startController({ admission: true });
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
});

const RAW = deploymentManifest();
const MANAGED = { labels: { 'configrollout.dev/managed': 'all' } };

describe('kubectl rollout undo', () => {
  test('to a revision from before the opt-in keeps the config, and says so', async () => {
    const scenario = await Scenario.start('undo-raw');
    // Another image, so that the raw revision is no twin of the pinned one, and stays.
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest('bar', 'foo', {}));
    await until('a raw revision', async () => (await scenario.revisions()).length === 1);
    await scenario.kubectl('set', 'image', 'deployment/bar', 'app=app:2');
    await until('two raw revisions', async () => (await scenario.revisions()).length === 2);
    await scenario.kubectl('set-owner', 'configmap/foo', 'deployment/bar');
    const pinned = await scenario.runsWith(V1);
    await scenario.quiet();
    const { code, stderr } = await scenario.tryKubectl('rollout', 'undo', 'deployment/bar', '--to-revision=1');
    expect(code).toBe(0);
    expect(stderr).toBe(
      `Warning: revision 1 ran on configmap/foo itself, whose content of then was not kept; deployment/bar goes on with configmap/${pinned}\n`,
    );
    expect(await scenario.runsWith(V1)).toBe(pinned);
    await scenario.quiet();
    const newest = (await scenario.revisions()).at(-1);
    expect([mountedBy(newest), newest.spec.template.spec.containers[0].image]).toEqual([pinned, 'app:1']);
  });

  test('to a pinned revision says nothing, and sticks', async () => {
    const scenario = await adopted('undo-pinned');
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    const { stderr } = await scenario.tryKubectl('rollout', 'undo', 'deployment/bar');
    expect(stderr).toBe('');
    await scenario.runsWith(V1);
    const writes = await scenario.quiet(3000);
    await scenario.runsWith(V1);
    expect((await scenario.quiet()) - writes).toBe(0);
  });

  // Its revision, which owns it, may be the oldest, and Kubernetes may prune it, or make it anew, at this moment.
  test('to a pinned revision makes the workload the snapshot’s owner before it is stored, and not for long if it is refused', async () => {
    const scenario = await adopted('undo-owner');
    const pinned = await scenario.runsWith(V1);
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet();
    const owners = async () => {
      const snapshot = (await scenario.snapshots()).find(({ metadata }: Json) => metadata.name === pinned);
      return snapshot.metadata.ownerReferences.map(({ kind }: Json) => kind);
    };
    expect(await owners()).toEqual(['ReplicaSet']);
    const before = scenario.changes().length;
    const undo = { op: 'replace', path: '/spec/template/spec/volumes/0/configMap/name', value: pinned };
    const forbidden = { op: 'add', path: '/spec/selector/matchLabels/another', value: 'selector' };
    const refused = admin().request('PATCH', `/apis/apps/v1/namespaces/${scenario.namespace}/deployments/bar`, {
      body: [undo, forbidden],
      contentType: 'application/json-patch+json',
    });
    await expect(refused).rejects.toMatchObject({ status: 422 });
    await scenario.quiet();
    const changes = scenario.changes().slice(before);
    expect(changes.map(({ verb, objectRef }) => `${verb} ${objectRef.name}`)).toEqual(Array(2).fill(`patch ${pinned}`));
    expect(await owners()).toEqual(['ReplicaSet']);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    expect((await owners()).sort()).toEqual(['Deployment', 'ReplicaSet']);
    await scenario.runsWith(V1);
  });

  test('brings back a revision whose source was deleted, and an apply of the raw manifest keeps it', async () => {
    const scenario = await Scenario.start('undo-gone');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest('bar', 'foo', {}, MANAGED));
    await scenario.runsWith(V1);
    await scenario.edit(V2);
    const pinned = await scenario.runsWith(V2);
    await scenario.quiet();
    await scenario.kubectl('delete', 'configmap', 'foo');
    await scenario.quiet();
    await scenario.apply(deploymentManifest('bar', 'foo', {}, MANAGED));
    expect(mountedBy(await scenario.deployment())).toBe(pinned);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
  });
});

describe('--dry-run=server', () => {
  test('shows the pin, and makes nothing', async () => {
    const scenario = await Scenario.start('dry-run');
    await scenario.apply(configMapManifest('foo', V1));
    const bar = deploymentManifest('bar', 'foo', {}, MANAGED);
    const shown = JSON.parse(await scenario.kubectlWith(bar, 'apply', '--dry-run=server', '-o', 'json', '-f', '-'));
    expect(mountedBy(shown)).toMatch(/^foo-[a-z0-9]{10}$/);
    await scenario.quiet();
    expect(await scenario.snapshots()).toEqual([]);
    expect(scenario.changes()).toEqual([]);
    await scenario.apply(bar);
    expect(await scenario.runsWith(V1)).toBe(mountedBy(shown));
  });
});

// What GitOps controllers take for drift is what a dry run would change.
test.each(['--server-side=false', '--server-side=true'])(
  'kubectl diff %s of the raw manifest shows nothing',
  async (flag) => {
    const scenario = await Scenario.start('diff');
    await scenario.apply(configMapManifest('foo', V1));
    await scenario.kubectlWith(RAW, 'apply', flag, '-f', '-');
    await scenario.kubectl('set-owner', 'configmap/foo', 'deployment/bar');
    for (const [content, change] of [
      [V1, async () => undefined],
      [V2, () => scenario.edit(V2)],
      [V1, () => scenario.kubectl('rollout', 'undo', 'deployment/bar')],
    ] as const) {
      await change();
      await scenario.runsWith(content);
      await scenario.quiet();
      // It exits with 1 when there is a difference.
      expect(await scenario.kubectlWith(RAW, 'diff', flag, '-f', '-')).toBe('');
    }
  },
);

describe('a snapshot that cannot be made', () => {
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few' } };

  test('leaves a new workload on the source itself, also where the reference is optional, and says so', async () => {
    const scenario = await Scenario.start('quota');
    await scenario.apply(configMapManifest('foo', V1), { ...quota, spec: { hard: { configmaps: '1' } } });
    await until('the quota counts', async () => {
      const { status } = await scenario.get('/api/v1/namespaces/NS/resourcequotas/few');
      return status?.used?.configmaps !== undefined;
    });
    const bar = deploymentManifest('bar', 'foo', {}, MANAGED);
    bar.spec.template.spec.volumes[0].configMap.optional = true;
    const { code, stderr } = await runKubectl(['apply', '-n', scenario.namespace, '-f', '-'], JSON.stringify(bar));
    expect(code).toBe(0);
    expect(stderr).toMatch(/^Warning: configmap\/foo could not be copied now; deployment\/bar runs on it directly/);
    expect(mountedBy(await scenario.deployment())).toBe('foo');
    await scenario.event('ConfigQuotaExceeded', 'foo');
    await scenario.kubectl('delete', 'resourcequota', 'few');
    await scenario.runsWith(V1);
  });

  test('keeps an existing workload on its former content', async () => {
    const scenario = await Scenario.start('quota');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest('bar', 'foo', {}, MANAGED));
    const former = await scenario.runsWith(V1);
    await scenario.quiet();
    const { length } = await scenario.list('/api/v1/namespaces/NS/configmaps');
    await scenario.apply({ ...quota, spec: { hard: { configmaps: `${length}` } } });
    await until('the quota counts', async () => {
      const { status } = await scenario.get('/api/v1/namespaces/NS/resourcequotas/few');
      return status?.used?.configmaps === `${length}`;
    });
    await scenario.apply(configMapManifest('foo', V2), deploymentManifest('bar', 'foo', {}, MANAGED));
    expect(mountedBy(await scenario.deployment())).toBe(former);
    await scenario.kubectl('delete', 'resourcequota', 'few');
    await scenario.runsWith(V2);
  });
});

describe('strategy Recreate', () => {
  test('loses no pod to an apply of the unchanged manifest', async () => {
    const scenario = await adopted('recreate', { strategy: { type: 'Recreate' } });
    const pods = async (): Promise<string[]> =>
      (await scenario.list('/api/v1/namespaces/NS/pods')).map(({ metadata }) => metadata.uid).sort();
    const before = await pods();
    expect(before).toHaveLength(2);
    for (let i = 0; i < 3; i += 1)
      await scenario.apply(deploymentManifest('bar', 'foo', { strategy: { type: 'Recreate' } }));
    await scenario.quiet();
    expect(await pods()).toEqual(before);
  });
});

describe('a snapshot that a revision mounts', () => {
  let scenario: Scenario;
  let old: string;
  let oldRevision: Json;
  beforeAll(async () => {
    scenario = await adopted('protected');
    old = mountedBy(await scenario.deployment());
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet();
    oldRevision = (await scenario.revisions())[0];
  });

  test('is not deleted by people, and they learn which revision it is', async () => {
    const { code, stderr } = await scenario.tryKubectl('delete', 'configmap', old);
    expect(code).toBe(1);
    const { name } = oldRevision.metadata;
    expect(stderr).toContain(
      `configmap/${old} is the configuration of revision ${revisionOf(oldRevision)} of deployment/bar (replicaset/${name}): without it their pods cannot start.`,
    );
    await scenario.configMap(old);
  });

  test('is not deleted with the others of its label', async () => {
    const { code } = await scenario.tryKubectl('delete', 'configmap', '-l', 'configrollout.dev/content-hash');
    expect(code).toBe(1);
    expect(await scenario.snapshots()).toHaveLength(2);
  });

  test.each(['configrollout.dev/content-hash-', 'configrollout.dev/source=other', 'app.kubernetes.io/managed-by-'])(
    'is not relabelled: %s',
    async (label) => {
      const { code, stderr } = await scenario.tryKubectl('label', '--overwrite', 'configmap', old, label);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('have to stay as they are') });
    },
  );

  test('may be given labels of its own', async () => {
    await scenario.kubectl('label', 'configmap', old, 'team=blue');
  });

  test('goes with its revision, by the garbage collector', async () => {
    await scenario.kubectl('delete', 'replicaset', oldRevision.metadata.name);
    await until('the snapshot is gone', async () => (await scenario.snapshots()).length === 1);
  });

  test('goes with its namespace', async () => {
    await scenario.end();
    await until('the namespace is gone', async () => {
      const { code } = await runKubectl(['get', 'namespace', scenario.namespace]);
      return code === 1;
    });
  });
});

test('a loop like that of a GitOps controller ends with as many revisions as there were real changes', async () => {
  const scenario = await adopted('gitops');
  const revision = async () => revisionOf(await scenario.deployment());
  const before = await revision();
  const V3 = { 'config.yml': 'v3' };
  const newImage = structuredClone(RAW);
  newImage.spec.template.spec.containers[0].image = 'app:2';
  let manifest = RAW;
  const changes: (readonly [Record<string, string>, () => Promise<unknown>])[] = [
    [V2, () => scenario.edit(V2)],
    [V1, () => scenario.kubectl('rollout', 'undo', 'deployment/bar')],
    [V3, () => scenario.edit(V3)],
    [
      V3,
      () => {
        manifest = newImage;
        return scenario.apply(manifest);
      },
    ],
    [V3, () => scenario.kubectl('rollout', 'restart', 'deployment/bar')],
    [V2, () => scenario.edit(V2)],
  ];
  const end = performance.now() + 60_000;
  const sync = (async () => {
    while (performance.now() < end) {
      await scenario.apply(manifest);
      await sleep(2000);
    }
  })();
  for (const [index, [content, change]] of changes.entries()) {
    await sleep(8000);
    await change();
    await scenario.runsWith(content);
    expect({ index, revision: await revision() }).toEqual({ index, revision: before + index + 1 });
  }
  await sync;
  await scenario.quiet();
  expect(await revision()).toBe(before + changes.length);
  expect((await scenario.revisions()).map(mountedBy)).not.toContain('foo');
  await scenario.runsWith(V2);
});
