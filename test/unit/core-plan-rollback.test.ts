import { describe, expect, test } from '@jest/globals';
import jsonPatch from 'fast-json-patch';
import { freshPacing } from '../../controller/core/pacing.ts';
import { planRollback } from '../../controller/core/plan-rollback.ts';
import { planWorkload } from '../../controller/core/plan-workload.ts';
import { type LastRollout, NO_POLICY, type Policy } from '../../controller/core/policy.ts';
import {
  aDeployment,
  aRevision,
  aSource,
  aTemplate,
  H1,
  H2,
  NOON,
  pinned,
  pinsOf,
  projected,
} from '../support/builders.ts';

const FOO1 = pinned('foo', H1);
const FOO2 = pinned('foo', H2);
const MISSED = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' };
const at = (ms: number) => new Date(ms).toISOString();

/** Content H2 was rolled out at noon, after revision 1, which ran H1; ten minutes later the deadline is missed. */
function raw({ labels = {}, mounts = [FOO2], failedRevision = 'web-rs2', observedGeneration = 3 } = {}) {
  return {
    ...aDeployment({
      metadata: {
        labels: {
          'configmap.configrollout.dev/foo': H2,
          'configrollout.dev/managed': 'owned',
          'configrollout.dev/after-revision': '1',
          ...labels,
        },
      },
      template: aTemplate(mounts),
    }),
    status: {
      observedGeneration,
      conditions: [{ ...MISSED, message: `ReplicaSet "${failedRevision}" has timed out progressing.` }],
    },
  };
}

const LAST: LastRollout = {
  time: at(NOON),
  outcome: 'Progressing',
  sources: [{ kind: 'ConfigMap', name: 'foo', from: H1, to: H2 }],
};
const POLICY: Policy = { ...NO_POLICY, rollsBack: true, lastRollout: LAST, seen: { 'ConfigMap/foo': H2 } };
const revision = (number: number) => aRevision({ mounts: [number === 1 ? FOO1 : FOO2], number });
const failed = (overrides: object = {}, deployment = raw()) => ({
  workload: projected(deployment),
  sources: [aSource()],
  revisions: [1, 2].map(revision),
  pins: pinsOf(['foo', H1], ['foo', H2]),
  policy: POLICY,
  ...overrides,
});

describe('a rollout that missed its deadline', () => {
  test('goes back to the snapshot of the revision before it, says so, and keeps the state label', () => {
    const [patch, event, ...more] = planRollback(failed());
    expect(more).toEqual([]);
    if (patch?.type !== 'PatchWorkload') throw new Error('no patch');
    const { newDocument } = jsonPatch.applyPatch(raw(), patch.operations, true, false);
    expect(newDocument.spec.template).toEqual(aTemplate([FOO1]));
    expect(newDocument.metadata).toMatchObject({
      labels: { 'configmap.configrollout.dev/foo': H2, 'configrollout.dev/failed-rollout': '1' },
      annotations: {
        'kubernetes.io/change-cause': `configmap/foo: no progress within the deadline; back to configmap/${FOO1}`,
      },
    });
    expect(event).toMatchObject({ type: 'Event', severity: 'Warning', reason: 'ConfigRolledBack', once: false });
  });

  test('goes back once: what it has become is left alone, and so is a later choice of the failed one', () => {
    const labels = { 'configrollout.dev/failed-rollout': '1' };
    expect(planRollback(failed({}, raw({ labels, mounts: [FOO1] })))).toEqual([]);
    expect(planRollback(failed({}, raw({ labels })))).toEqual([]);
  });

  test('goes back again after the next change of the source', () => {
    const labels = { 'configrollout.dev/failed-rollout': '1', 'configrollout.dev/after-revision': '3' };
    const revisions = [aRevision({ mounts: [FOO1], number: 3 }), aRevision({ mounts: [FOO2], number: 4 })];
    expect(planRollback(failed({ revisions }, raw({ labels, failedRevision: 'web-rs4' })))).toHaveLength(2);
  });

  test.each([
    ['the policy keeps it', failed({ policy: { ...POLICY, rollsBack: false } })],
    ['rollouts are paused', failed({ policy: { ...POLICY, paused: true } })],
    ['the verdict is about the rollout before', failed({}, raw({ failedRevision: 'web-rs1' }))],
    ['the verdict is about an older template', failed({}, raw({ observedGeneration: 2 }))],
    ['nobody saw it roll', failed({ policy: { ...POLICY, lastRollout: undefined } })],
    ['the status speaks of a rollout before', failed({ policy: { ...POLICY, seen: { 'ConfigMap/foo': H1 } } })],
    ['the rollout was done', failed({ policy: { ...POLICY, lastRollout: { ...LAST, outcome: 'Complete' } } })],
    ['a person has set another image since', failed({ revisions: [1, 2, 3].map(revision) })],
    [
      'it was another source that rolled out last',
      failed({ policy: { ...POLICY, lastRollout: { ...LAST, sources: [] } } }),
    ],
    ['a person went elsewhere', failed({}, raw({ mounts: [FOO1] }))],
    ['the template is raw', failed({}, raw({ mounts: ['foo'] }))],
  ])('stays as it is when %s', (_, observed) => {
    expect(planRollback(observed)).toEqual([]);
  });

  test.each([
    ['no revision before it is left', { revisions: [aRevision({ mounts: [FOO2], number: 2 })] }],
    ['the one before ran raw', { revisions: [aRevision({ mounts: ['foo'], number: 1 }), revision(2)] }],
    ['its snapshot is gone', { pins: pinsOf(['foo', H1, 'gone'], ['foo', H2]) }],
  ])('cannot go back where %s, and an Event says so once', (_, overrides) => {
    expect(planRollback(failed(overrides))).toEqual([
      expect.objectContaining({ type: 'Event', reason: 'ConfigRollbackImpossible', once: true }),
    ]);
  });

  test('is taken back also when another source of the workload was taken back before it', () => {
    const deployment = raw({ mounts: [FOO2, pinned('bar', H1)], labels: { 'configmap.configrollout.dev/bar': H2 } });
    const policy = { ...POLICY, seen: { 'ConfigMap/foo': H2, 'ConfigMap/bar': H2 } };
    const sources = [aSource(), aSource({ name: 'bar', hash: H2 })];
    const pins = pinsOf(['foo', H1], ['foo', H2], ['bar', H1], ['bar', H2]);
    const revisions = [
      aRevision({ mounts: [FOO1, pinned('bar', H1)], number: 1 }),
      aRevision({ mounts: [FOO2, pinned('bar', H1)], number: 2 }),
    ];
    const [patch] = planRollback(failed({ policy, sources, pins, revisions }, deployment));
    expect(patch).toMatchObject({ type: 'PatchWorkload', why: expect.stringContaining(`back to configmap/${FOO1}`) });
  });

  test('waits for nothing else that is due: a newer change rolls out instead', () => {
    const common = { pacing: freshPacing(NOON), settleMs: 0, admission: false, now: NOON + 700_000 };
    const back = planWorkload({ ...failed(), ...common });
    expect(back.actions.map(({ type }) => type)).toEqual(['PatchWorkload', 'Event']);
    const h3 = 'h5bcdfghkm';
    const pins = pinsOf(['foo', H1], ['foo', H2], ['foo', h3]);
    const onward = planWorkload({ ...failed({ sources: [aSource({ hash: h3 })], pins }), ...common });
    expect(JSON.stringify(onward.actions)).toContain(pinned('foo', h3));
  });
});
