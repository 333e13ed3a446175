// What each kind makes of raw JSON; that the rest of the program treats them alike follows from there being one type.

import { describe, expect, test } from '@jest/globals';
import { sameTemplate } from '../../controller/core/history.ts';
import { daemonSet } from '../../controller/workloads/daemon-set.ts';
import { deployment } from '../../controller/workloads/deployment.ts';
import type { WorkloadKind } from '../../controller/workloads/kind.ts';
import { revisionKinds, WORKLOAD_KINDS } from '../../controller/workloads/kinds.ts';
import { projectSource } from '../../controller/workloads/raw.ts';
import { rollout } from '../../controller/workloads/rollout.ts';
import { statefulSet } from '../../controller/workloads/stateful-set.ts';
import { aTemplate, namesOf } from '../support/builders.ts';

// biome-ignore lint/suspicious/noExplicitAny: raw JSON, as an API server sends it
type Json = any;

const META = { namespace: 'shop', name: 'web', uid: 'uid-web', resourceVersion: '7', generation: 3 };
const raw = (more: Json = {}): Json => ({
  metadata: { ...META, labels: { app: 'web', 'configmap.configrollout.dev/foo': 'h1' }, ...more.metadata },
  spec: { template: aTemplate(['foo']), ...more.spec },
  status: more.status,
});

function projected(kind: WorkloadKind, object: Json) {
  const workload = kind.project(object);
  if (workload === undefined) throw new Error('not projected');
  return workload;
}

describe.each(WORKLOAD_KINDS.map((kind) => [kind.kind, kind] as const))('a %s', (name, kind) => {
  test('is projected with its template, its generation and our labels only', () => {
    const workload = projected(kind, raw());
    expect(workload).toMatchObject({ kind: name, apiVersion: kind.apiVersion, name: 'web', generation: 3 });
    expect(namesOf(workload.references)).toEqual(['foo']);
    expect(workload.labels).toEqual({ 'configmap.configrollout.dev/foo': 'h1' });
  });

  test('is nothing when it has no metadata', () => {
    expect([kind.project({}), kind.project(undefined), kind.project('text')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('has the names that kubectl knows it by', () => {
    expect(kind.aliases).toEqual(expect.arrayContaining([name.toLowerCase(), kind.resource]));
  });
});

test('a Rollout that takes its template from a Deployment references nothing', () => {
  const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  expect(projected(rollout, raw({ spec: { template: undefined, workloadRef } })).references).toEqual([]);
});

describe('which revisions may have pods', () => {
  const set = (status: Json, spec: Json = {}) =>
    projected(
      statefulSet,
      raw({ spec, status: { observedGeneration: 3, currentRevision: 'a', updateRevision: 'b', ...status } }),
    ).inUse;

  test.each<[what: string, status: Json, spec: Json, inUse: readonly string[] | undefined]>([
    [
      'of a StatefulSet with pods of a third revision',
      { replicas: 3, currentReplicas: 1, updatedReplicas: 1 },
      {},
      undefined,
    ],
    [
      'of one that rolls, or waits at a partition',
      { replicas: 3, currentReplicas: 2, updatedReplicas: 1 },
      {},
      ['a', 'b'],
    ],
    [
      'of one whose status is of a generation before',
      { observedGeneration: 2, replicas: 3, updatedReplicas: 3 },
      {},
      undefined,
    ],
    ['of one without a status', { observedGeneration: undefined }, {}, undefined],
    ['of one that is through', { replicas: 3, updatedReplicas: 3, currentRevision: 'b' }, {}, ['b', 'b']],
    // The next pod below the partition is made of the current revision.
    [
      'of one with a partition that is scaled to none',
      { replicas: 0 },
      { updateStrategy: { type: 'RollingUpdate' } },
      ['a', 'b'],
    ],
    [
      'of one that is through, with OnDelete',
      { replicas: 3, updatedReplicas: 3 },
      { updateStrategy: { type: 'OnDelete' } },
      ['b'],
    ],
  ])('%s', (_, status, spec, inUse) => {
    expect(set(status, spec)).toEqual(inUse);
  });

  test.each<[what: string, status: Json, inUse: readonly string[] | undefined]>([
    ['of a DaemonSet that rolls', { currentNumberScheduled: 3, updatedNumberScheduled: 1 }, undefined],
    ['of one that is through', { currentNumberScheduled: 3, updatedNumberScheduled: 3 }, []],
    [
      'of one with pods where none belong',
      { currentNumberScheduled: 3, updatedNumberScheduled: 3, numberMisscheduled: 1 },
      undefined,
    ],
  ])('%s', (_, status, inUse) => {
    expect(projected(daemonSet, raw({ status: { observedGeneration: 3, ...status } })).inUse).toEqual(inUse);
  });

  test('a ReplicaSet says itself', () => {
    expect([projected(deployment, raw()).inUse, projected(rollout, raw()).inUse]).toEqual([[], []]);
  });
});

describe('revisions', () => {
  const owner = (kind: string) => ({ apiVersion: 'x', kind, name: 'web', uid: 'uid-web', controller: true });
  const kinds = revisionKinds(WORKLOAD_KINDS);
  const project = (kind: string, object: Json) => kinds.find((each) => each.kind === kind)?.project(object);
  const template = { ...aTemplate(['foo']), $patch: 'replace' };

  test('are ReplicaSets and ControllerRevisions, each watched once', () => {
    expect(kinds.map(({ resource }) => resource)).toEqual(['replicasets', 'controllerrevisions']);
  });

  test.each([
    ['Deployment', 'deployment.kubernetes.io/revision'],
    ['Rollout', 'rollout.argoproj.io/revision'],
  ])('a ReplicaSet of a %s is numbered by its own controller', (kind, annotation) => {
    const annotations = { [annotation]: '4', 'kubernetes.io/change-cause': 'because' };
    const metadata = { ...META, annotations, ownerReferences: [owner(kind)] };
    expect(project('ReplicaSet', { ...raw({ spec: { replicas: 0 } }), metadata })).toMatchObject({
      workload: { kind, name: 'web', uid: 'uid-web' },
      number: 4,
      cause: 'because',
      keepsCause: false,
      scaledDown: true,
    });
  });

  test.each(['StatefulSet', 'DaemonSet'])('a ControllerRevision of a %s carries the template as a patch', (kind) => {
    const metadata = { ...META, ownerReferences: [owner(kind)], creationTimestamp: '2026-01-01T00:00:02Z' };
    const revision = project('ControllerRevision', { metadata, revision: 4, data: { spec: { template } } });
    expect(revision).toMatchObject({ workload: { kind, name: 'web' }, number: 4, keepsCause: true });
    expect(revision).toHaveProperty('createdAt', Date.parse('2026-01-01T00:00:02Z'));
    expect(revision && sameTemplate(revision, projected(statefulSet, raw()))).toBe(true);
  });

  test('that nobody controls are kept in mind: their pods may run still', () => {
    expect(project('ReplicaSet', raw())?.workload).toBeUndefined();
    expect(project('ControllerRevision', { metadata: META, revision: 1, data: { spec: { template } } })).toMatchObject({
      workload: undefined,
    });
  });

  test('that reference nothing are nothing', () => {
    expect(project('ReplicaSet', raw({ spec: { template: aTemplate([]) } }))).toBeUndefined();
    expect(
      project('ControllerRevision', { metadata: META, revision: 1, data: { raw: 'of somebody else' } }),
    ).toBeUndefined();
    expect(project('ControllerRevision', { metadata: META, revision: 1 })).toBeUndefined();
  });
});

describe('a source', () => {
  const object = (labels: Json) => ({ metadata: { ...META, labels } });

  test('is ignored by its label, or when the selector does not match', () => {
    const ignored = (labels: Json) => projectSource('Secret', object(labels), ({ tier }) => tier === 'web')?.ignored;
    expect([
      ignored({ tier: 'web' }),
      ignored({}),
      ignored({ tier: 'web', 'configrollout.dev/managed': 'none' }),
    ]).toEqual([false, true, true]);
  });
});
