import { describe, expect, test } from '@jest/globals';
import type { ConfigRolloutStatus } from '../../controller/core/config-rollout.ts';
import { type ConfigRolloutObservation, planStatus } from '../../controller/core/plan-status.ts';
import { NO_POLICY } from '../../controller/core/policy.ts';
import { type StatusObservation, statusOf } from '../../controller/core/status.ts';
import type { Progress, Workload } from '../../controller/core/types.ts';
import { aRevision, aSource, aWorkload, H1, H2, H3, NAMESPACE, NOON, pinned, pinsOf } from '../support/builders.ts';

const FOO1 = pinned('foo', H1);
const FOO2 = pinned('foo', H2);
const PINS = pinsOf(['foo', H1], ['foo', H2], ['bar', H1]);
const COMPLETE: Progress = { state: 'Complete', updated: 3, desired: 3 };
const ROLLING: Progress = { state: 'Progressing', updated: 1, desired: 3 };
const missed = (failedRevision: string): Progress => ({ state: 'Failed', failedRevision, updated: 1, desired: 3 });

const observe = (overrides: Partial<StatusObservation> = {}): StatusObservation => ({
  workload: aWorkload({ mounts: [FOO2], rolled: { foo: H2 }, progress: COMPLETE }),
  sources: [aSource()],
  revisions: [aRevision({ mounts: [FOO2], number: 2 })],
  pins: PINS,
  policy: NO_POLICY,
  before: undefined,
  generation: 1,
  now: NOON,
  ...overrides,
});
const reasons = ({ conditions = [] }: ConfigRolloutStatus) =>
  Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
const running = (overrides: Partial<Workload> & { mounts?: string[]; rolled?: Record<string, string> }) =>
  aWorkload({ mounts: [FOO2], rolled: { foo: H2 }, progress: COMPLETE, ...overrides });

describe('a status', () => {
  test('of a workload that runs with the content of now', () => {
    const status = statusOf(observe());
    expect(reasons(status)).toEqual({
      Ready: 'True Current',
      Progressing: 'False Complete',
      Degraded: 'False AsExpected',
    });
    expect(status.sources).toEqual([
      { kind: 'ConfigMap', name: 'foo', hash: H2, rolledHash: H2, snapshot: FOO2, state: 'Current' },
    ]);
    expect(status.lastRollout).toMatchObject({
      time: '2026-06-01T12:00:00Z',
      outcome: 'Complete',
      sources: [{ kind: 'ConfigMap', name: 'foo', to: H2 }],
    });
  });

  test.each<[string, Partial<StatusObservation>, string, string, string]>([
    [
      'whose pods are being replaced',
      { workload: running({ progress: ROLLING }) },
      'Current',
      'False Progressing',
      'True RollingOut',
    ],
    ['whose change is due', { sources: [aSource({ hash: H3 })] }, 'Pending', 'False Pending', 'True Waiting'],
    [
      'that is raw, with the mark of its content',
      { workload: running({ mounts: ['foo'] }) },
      'Pending',
      'False Pending',
      'True Waiting',
    ],
    [
      'whose change is paused',
      { sources: [aSource({ hash: H3 })], policy: { ...NO_POLICY, paused: true } },
      'Paused',
      'False Paused',
      'False Complete',
    ],
    [
      'that a person took back',
      { workload: running({ mounts: [FOO1] }) },
      'RolledBack',
      'True RolledBack',
      'False RolledBack',
    ],
  ])('of a workload %s', (_, overrides, state, ready, progressing) => {
    const status = statusOf(observe(overrides));
    expect(status.sources?.[0]?.state).toBe(state);
    expect(reasons(status)).toMatchObject({ Ready: ready, Progressing: progressing, Degraded: 'False AsExpected' });
  });

  test('of one that missed its deadline, and of one that was taken back for it', () => {
    const before = statusOf(observe({ workload: running({ progress: ROLLING }) }));
    const failed = statusOf(
      observe({ before, workload: running({ progress: missed('web-rs2') }), now: NOON + 61_000 }),
    );
    expect(failed.sources?.[0]?.state).toBe('Failed');
    expect(failed.lastRollout?.outcome).toBe('Failed');
    expect(reasons(failed)).toMatchObject({ Ready: 'False RolloutFailed', Degraded: 'True RolloutFailed' });

    const workload = running({ mounts: [FOO1] });
    const labels = {
      ...workload.labels,
      'configrollout.dev/after-revision': '1',
      'configrollout.dev/failed-rollout': '1',
    };
    const back = statusOf(observe({ before: failed, workload: { ...workload, labels } }));
    expect(back.sources?.[0]?.state).toBe('RolledBack');
    expect(reasons(back)).toMatchObject({
      Ready: 'False RolledBackAfterFailure',
      Degraded: 'True RolledBackAfterFailure',
    });
  });

  test('is not failed by the verdict on a rollout before', () => {
    const before = statusOf(observe({ workload: running({ progress: ROLLING }) }));
    const workload = running({ progress: missed('web-rs1') });
    expect(statusOf(observe({ before, workload })).lastRollout?.outcome).toBe('Progressing');
  });

  test('is failed though nobody looked before the deadline passed', () => {
    const before = statusOf(
      observe({ workload: running({ mounts: [FOO1], rolled: { foo: H1 } }), sources: [aSource({ hash: H1 })] }),
    );
    const workload = running({ progress: missed('web-rs2') });
    expect(statusOf(observe({ before, workload, now: NOON + 3_600_000 })).lastRollout?.outcome).toBe('Failed');
  });

  test('of a rollout that is done stays so when the workload is scaled up, or its pods fail later', () => {
    const before = statusOf(observe());
    for (const progress of [ROLLING, missed('web-rs2')]) {
      expect(statusOf(observe({ before, workload: running({ progress }), now: NOON + 90_000 }))).toEqual(before);
    }
  });

  test('says what a rollout changed, from what, and keeps that until the next', () => {
    const before = statusOf(
      observe({ workload: running({ mounts: [FOO1], rolled: { foo: H1 } }), sources: [aSource({ hash: H1 })] }),
    );
    const workload = running({ progress: ROLLING, cause: 'configmap/foo: config.yml' });
    const during = statusOf(observe({ before, workload, now: NOON + 60_000 }));
    expect(during.lastRollout).toEqual({
      time: '2026-06-01T12:01:00Z',
      outcome: 'Progressing',
      cause: 'configmap/foo: config.yml',
      sources: [{ kind: 'ConfigMap', name: 'foo', from: H1, to: H2 }],
    });
    const after = statusOf(observe({ before: during, now: NOON + 120_000 }));
    expect(after.lastRollout).toEqual({ ...during.lastRollout, outcome: 'Complete' });
  });

  test('of a mounted snapshot that is gone', () => {
    const status = statusOf(observe({ pins: pinsOf(['foo', H2, 'gone']) }));
    expect(reasons(status)).toMatchObject({ Ready: 'False SnapshotMissing', Degraded: 'True SnapshotMissing' });
  });

  test('leaves out a source that the template mentions no more, and does not take it for news at each look', () => {
    const workload = running({ rolled: { foo: H2, bar: H1 } });
    const sources = [aSource(), aSource({ name: 'bar', hash: H1 })];
    const before = statusOf(observe({ workload, sources }));
    expect(before.sources?.map(({ name }) => name)).toEqual(['foo']);
    expect(statusOf(observe({ workload, sources, before, now: NOON + 60_000 }))).toEqual(before);
  });

  test('of one source that rolls out says so, while another one stays taken back', () => {
    const pins = pinsOf(['foo', H1], ['foo', H2], ['bar', H1], ['bar', H2]);
    const sources = [aSource(), aSource({ name: 'bar', hash: H2 })];
    const workload = (bar: string, progress = COMPLETE) =>
      running({ mounts: [FOO1, pinned('bar', bar)], rolled: { foo: H2, bar }, progress });
    const first = [aSource(), aSource({ name: 'bar', hash: H1 })];
    const before = statusOf(observe({ pins, sources: first, workload: workload(H1) }));
    expect(before.lastRollout?.outcome).toBe('RolledBack');
    const rolling = statusOf(observe({ pins, sources, before, workload: workload(H2, ROLLING), now: NOON + 60_000 }));
    expect(reasons(rolling)).toMatchObject({ Ready: 'False Progressing', Progressing: 'True RollingOut' });
    const failed = workload(H2, missed('web-rs2'));
    const revisions = [aRevision({ mounts: [FOO1, pinned('bar', H2)], number: 2 })];
    const after = statusOf(observe({ pins, sources, revisions, before: rolling, workload: failed }));
    expect(reasons(after)).toMatchObject({ Ready: 'False RolloutFailed', Degraded: 'True RolloutFailed' });
    expect(after.sources?.map(({ state }) => state)).toEqual(['Failed', 'RolledBack']);
  });

  test('takes a source that a person mentions again for no rollout, and a new one for one', () => {
    const labels = { 'configrollout.dev/after-revision': '1' };
    const both = running({ mounts: [FOO2, pinned('bar', H1)], rolled: { foo: H2, bar: H1 } });
    const workload = { ...both, labels: { ...both.labels, ...labels } };
    const sources = [aSource(), aSource({ name: 'bar', hash: H1 })];
    const before = statusOf(observe());
    const revisions = [
      aRevision({ mounts: [FOO2], number: 2 }),
      aRevision({ mounts: [FOO2, pinned('bar', H1)], number: 3 }),
    ];
    const again = statusOf(observe({ workload, sources, before, revisions, now: NOON + 60_000 }));
    expect(again.lastRollout).toEqual(before.lastRollout);
    const news = statusOf(observe({ workload, sources, before, revisions: revisions.slice(0, 1), now: NOON + 60_000 }));
    expect(news.lastRollout?.sources).toEqual([{ kind: 'ConfigMap', name: 'bar', to: H1 }]);
  });

  test('of what is managed no more keeps what rolled out last', () => {
    const before = statusOf(observe());
    const gone = statusOf(
      observe({ before, workload: aWorkload({ progress: ROLLING }), sources: [], now: NOON + 60_000 }),
    );
    expect(gone.lastRollout).toEqual(before.lastRollout);
  });

  test('moves the time of a transition only with the status of the condition', () => {
    const before = statusOf(observe());
    const paused = observe({
      before,
      sources: [aSource({ hash: H3 })],
      policy: { ...NO_POLICY, paused: true },
      now: NOON + 60_000,
    });
    const times = (status: ConfigRolloutStatus) =>
      status.conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]);
    expect(times(statusOf(paused))).toEqual([
      ['Ready', '2026-06-01T12:01:00Z'],
      ['Progressing', '2026-06-01T12:00:00Z'],
      ['Degraded', '2026-06-01T12:00:00Z'],
    ]);
  });
});

describe('the plan for a ConfigRollout', () => {
  const { policy: _, before: __, generation: ___, ...world } = observe();
  const planned = (overrides: Partial<ConfigRolloutObservation>, passingSince?: number) =>
    planStatus({ ...world, configRollout: undefined, ...overrides }, 1000, passingSince);
  const meta = { namespace: NAMESPACE, name: 'deployment-web', uid: 'u', resourceVersion: '5', deleting: false };
  const existing = (status?: ConfigRolloutStatus) => ({
    ...meta,
    generation: 1,
    workload: { kind: 'Deployment' as const, name: 'web' },
    policy: NO_POLICY,
    status,
    isOwned: true,
  });

  test('makes a missing one, owned by its workload', () => {
    expect(planned({}).actions).toEqual([
      expect.objectContaining({
        type: 'CreateConfigRollout',
        manifest: expect.objectContaining({
          metadata: expect.objectContaining({
            name: 'deployment-web',
            ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'uid-web' }],
          }),
          spec: { workload: { kind: 'Deployment', name: 'web' } },
        }),
      }),
    ]);
  });

  test('looks again for one that it has made: the answer that there is one already may have been wrong', () => {
    expect(planned({}).requeueAfterMs).toBeGreaterThan(0);
    expect(planned({ configRollout: existing() }).requeueAfterMs).toBeUndefined();
  });

  test.each<[string, Partial<ConfigRolloutObservation>]>([
    ['a workload that is not managed', { workload: aWorkload(), sources: [] }],
    ['one that nobody has marked yet', { workload: aWorkload({ mounts: ['foo'] }) }],
    ['one that is excluded', { workload: { ...aWorkload(), labels: { 'configrollout.dev/managed': 'none' } } }],
    ['one that is being deleted', { workload: running({ deleting: true }) }],
  ])('makes none for %s', (_, overrides) => {
    expect(planned(overrides).actions).toEqual([]);
  });

  test('writes its status once, and not again', () => {
    const [write, ...more] = planned({ configRollout: existing() }).actions;
    expect(more).toEqual([]);
    if (write?.type !== 'WriteStatus') throw new Error('no status');
    expect(write).toMatchObject({ resourceVersion: '5', why: 'unknown → Current' });
    expect(planned({ configRollout: existing(write.status), now: NOON + 3_600_000 }).actions).toEqual([]);
  });

  test('says nothing of what passes, unless it lasts: a quick rollout is one write', () => {
    const changed = (since: number | undefined, policy = NO_POLICY) =>
      planned({ configRollout: { ...existing(), policy }, sources: [aSource({ hash: H3 })] }, since);
    expect(changed(undefined)).toEqual({ actions: [], passes: true, requeueAfterMs: 2000 });
    expect(changed(NOON - 500)).toEqual({ actions: [], passes: true, requeueAfterMs: 1500 });
    const pending = [{ type: 'WriteStatus', why: 'unknown → Pending' }];
    expect(changed(NOON - 6000).actions).toMatchObject(pending);
    // The clock was set back.
    expect(changed(NOON + 500).actions).toMatchObject(pending);
    expect(changed(NOON - 500, { ...NO_POLICY, minIntervalMs: 60_000 }).actions).toMatchObject(pending);
    expect(changed(NOON - 500, { ...NO_POLICY, rollsBack: true }).actions).toMatchObject(pending);
    expect(changed(NOON - 2000, { ...NO_POLICY, settleMs: 60_000 }).actions).toMatchObject(pending);
    const paused = { ...NO_POLICY, paused: true };
    expect(changed(NOON - 500, paused).actions).toMatchObject([{ why: 'unknown → Paused' }]);
  });

  test('says of a person’s own that its workload does not exist, and nothing of one that is about to go with it', () => {
    const bereft = (isOwned: boolean) =>
      planStatus({ workload: undefined, configRollout: { ...existing(), isOwned }, now: NOON }, 1000, undefined)
        .actions;
    expect(bereft(true)).toEqual([]);
    expect(bereft(false)).toMatchObject([
      {
        status: {
          conditions: [{ reason: 'WorkloadNotFound', message: 'there is no deployment/web in this namespace' }, {}, {}],
        },
      },
    ]);
  });

  test('says of one whose workload is managed no more that it is not', () => {
    const [write] = planned({ configRollout: existing(), workload: aWorkload(), sources: [] }).actions;
    expect(write).toMatchObject({
      status: { conditions: [{ type: 'Ready', reason: 'NotManaged' }, {}, {}], sources: [] },
    });
  });
});
