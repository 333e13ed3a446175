import { describe, expect, test } from '@jest/globals';
import type { Operation } from 'fast-json-patch';
import jsonPatch from 'fast-json-patch';
import type { Action, EventAction } from '../../controller/core/actions.ts';
import type { Pacing } from '../../controller/core/pacing.ts';
import { freshPacing, settleMsLeft, takeToken, throttleMs } from '../../controller/core/pacing.ts';
import { planWorkload, type WorkloadObservation } from '../../controller/core/plan-workload.ts';
import { NO_POLICY, type Policy } from '../../controller/core/policy.ts';
import {
  aDeployment,
  aRevision,
  aSource,
  aTemplate,
  aWorkload,
  H1,
  H2,
  NOON,
  namesOf,
  pinned,
  pinsOf,
  projected,
} from '../support/builders.ts';

const FOO1 = pinned('foo', H1);
const FOO2 = pinned('foo', H2);
const BAR1 = pinned('bar', H1);
const BAR2 = pinned('bar', H2);
const FOO_LABEL = 'configmap.configrollout.dev/foo';
const BAR_LABEL = 'configmap.configrollout.dev/bar';
const CAUSE = 'kubernetes.io/change-cause';
const OWN_CAUSE = 'configrollout.dev/change-cause';
const PINS = pinsOf(['foo', H1], ['foo', H2], ['bar', H1], ['bar', H2]);

const plan = (overrides: Partial<WorkloadObservation> = {}) =>
  planWorkload({
    workload: aWorkload(),
    sources: [aSource()],
    revisions: [],
    pins: PINS,
    policy: NO_POLICY,
    pacing: freshPacing(NOON),
    settleMs: 1000,
    admission: false,
    now: NOON,
    ...overrides,
  });
const empty: Pacing = {
  bucket: { tokens: 0, at: NOON },
  pendingSince: undefined,
  heldSince: undefined,
  rolledAt: undefined,
  slowed: false,
  awaitsSnapshot: false,
};
const ownCause = (cause: string) => ({ [CAUSE]: cause, [OWN_CAUSE]: cause });
const typesOf = (actions: readonly Action[]) => actions.map(({ type }) => type);
const eventsOf = (actions: readonly Action[]) =>
  actions.filter((action): action is EventAction => action.type === 'Event');
const patchesOf = (actions: readonly Action[]) =>
  actions.flatMap((action): readonly Operation[][] =>
    action.type === 'PatchWorkload' ? [[...action.operations]] : [],
  );

type Raw = ReturnType<typeof aDeployment>;

/** What becomes of the raw JSON when all patches of the plan for it are applied; throws when a test in one fails. */
function carriedOut(raw: Raw, observed: Partial<WorkloadObservation> = {}, stored: Raw = raw) {
  const { actions } = plan({ workload: projected(raw), ...observed });
  const copy = structuredClone(stored);
  for (const operations of patchesOf(actions)) jsonPatch.applyPatch(copy, operations, true);
  const { metadata, spec } = copy;
  return {
    labels: metadata['labels'],
    annotations: metadata['annotations'],
    mounts: namesOf(projected(copy).references),
    spec,
    copy,
  };
}

const AFTER = { 'configrollout.dev/after-revision': '0' };

describe('a rollout', () => {
  test('pins every reference, writes the state label and the cause, and leaves all else as it was', () => {
    const raw = aDeployment({ mounts: ['foo', 'other'], metadata: { labels: { app: 'web', [FOO_LABEL]: H1 } } });
    const { labels, annotations, mounts, spec } = carriedOut(raw, { sources: [aSource({ changedKeys: ['a', 'b'] })] });
    expect(mounts).toEqual([FOO2, 'other']);
    expect(labels).toEqual({ app: 'web', [FOO_LABEL]: H2, 'configrollout.dev/managed': 'owned', ...AFTER });
    expect(annotations).toEqual({
      'deployment.kubernetes.io/revision': '1',
      [CAUSE]: 'configmap/foo: a, b',
      [OWN_CAUSE]: 'configmap/foo: a, b',
    });
    expect(spec).toEqual({ ...raw.spec, template: aTemplate([FOO2, 'other']) });
  });

  test('is one patch for several sources', () => {
    const raw = aDeployment({
      mounts: ['foo', BAR1],
      metadata: { labels: { [FOO_LABEL]: H1, [BAR_LABEL]: H1 } },
    });
    const sources = [aSource(), aSource({ name: 'bar' })];
    const { actions } = plan({ workload: projected(raw), sources });
    expect(typesOf(actions)).toEqual(['PatchWorkload', 'Event']);
    const { mounts, labels, annotations } = carriedOut(raw, { sources });
    expect(mounts).toEqual([FOO2, BAR2]);
    expect(labels).toEqual({ [FOO_LABEL]: H2, [BAR_LABEL]: H2, 'configrollout.dev/managed': 'owned', ...AFTER });
    expect(annotations).toMatchObject({ [CAUSE]: 'configmap/foo: content changed; configmap/bar: content changed' });
  });

  test('speaks only of the source that changed, and leaves the other one undone', () => {
    const raw = aDeployment({ mounts: [FOO1, BAR1], metadata: { labels: { [FOO_LABEL]: H1, [BAR_LABEL]: H2 } } });
    const sources = [aSource(), aSource({ name: 'bar' })];
    const { mounts, annotations } = carriedOut(raw, { sources });
    expect(mounts).toEqual([FOO2, BAR1]);
    expect(annotations).toMatchObject({ [CAUSE]: 'configmap/foo: content changed' });
  });

  test('makes the maps of labels and annotations where there are none', () => {
    const raw = aDeployment({ metadata: { labels: undefined, annotations: undefined } });
    delete raw.metadata['labels'];
    delete raw.metadata['annotations'];
    const { labels, annotations } = carriedOut(raw);
    expect(labels).toEqual({ [FOO_LABEL]: H2, 'configrollout.dev/managed': 'owned', ...AFTER });
    expect(annotations).toEqual({
      [CAUSE]: 'configmap/foo: first snapshot',
      [OWN_CAUSE]: 'configmap/foo: first snapshot',
    });
  });

  test('leaves `managed: all`, that a person wrote', () => {
    const raw = aDeployment({ metadata: { labels: { 'configrollout.dev/managed': 'all' } } });
    expect(carriedOut(raw).labels).toEqual({ [FOO_LABEL]: H2, 'configrollout.dev/managed': 'all', ...AFTER });
  });

  test('carried out and planned again comes to nothing', () => {
    const { copy } = carriedOut(aDeployment());
    expect(plan({ workload: projected(copy) }).actions).toEqual([]);
  });

  test('escapes the slash in the keys of labels, as JSON Pointer asks', () => {
    const [operations = []] = patchesOf(plan().actions);
    const paths = operations.map(({ path }) => path);
    expect(paths).toContain('/metadata/labels/configmap.configrollout.dev~1foo');
  });

  test('names at most five keys, and says how many more there are', () => {
    const changedKeys = ['1', '2', '3', '4', '5', '6', '7'];
    const workload = aWorkload({ rolled: { foo: H1 } });
    const [event] = eventsOf(plan({ workload, sources: [aSource({ changedKeys })] }).actions);
    expect(event?.note).toBe(`configmap/foo: 1, 2, 3, 4, 5 and 2 more; pinned to configmap/${FOO2}`);
    expect(event?.reason).toBe('ConfigRolledOut');
  });
});

describe('a patch is refused', () => {
  const MANAGED = 'configrollout.dev/managed';
  const raw = aDeployment({ metadata: { labels: { [FOO_LABEL]: H1, [MANAGED]: 'owned' } } });
  const label = (stored: Raw, key: string, value: string) =>
    Object.assign(stored.metadata['labels'] as object, { [key]: value });
  const refused = (edit: (stored: Raw) => void, planned = raw) => {
    const stored = structuredClone(planned);
    edit(stored);
    return () => carriedOut(planned, {}, stored);
  };

  test('not, when nothing changed since it was planned', () => {
    expect(refused(() => undefined)).not.toThrow();
  });

  test('not, for another label, a status or a resourceVersion: those come all the time', () => {
    expect(
      refused((stored) => {
        Object.assign(stored.metadata, { resourceVersion: '999' });
        Object.assign(stored.metadata['labels'] as object, { team: 'a' });
        stored['status'] = { replicas: 3 };
      }),
    ).not.toThrow();
  });

  test.each<[what: string, edit: (stored: Raw) => void]>([
    ['when the Deployment was made anew', ({ metadata }) => Object.assign(metadata, { uid: 'another' })],
    ['when its spec changed', ({ metadata }) => Object.assign(metadata, { generation: 4 })],
    ['when a reference has another value', ({ spec }) => Object.assign(spec, { template: aTemplate([FOO1]) })],
    ['when a reference is gone', ({ spec }) => Object.assign(spec, { template: aTemplate([]) })],
    ['when a person excluded the source', (stored) => label(stored, FOO_LABEL, 'excluded')],
    ['when a person excluded the workload', (stored) => label(stored, MANAGED, 'none')],
  ])('%s', (_, edit) => {
    expect(refused(edit)).toThrow();
  });

  test('when a person excluded what had no label before', () => {
    const first = aDeployment({ metadata: { labels: { [MANAGED]: 'all' } } });
    const excluded = (stored: Raw) => {
      label(stored, FOO_LABEL, 'excluded');
      Object.assign(stored.metadata, { resourceVersion: '999' });
    };
    expect(refused(excluded, first)).toThrow();
  });

  test.each(['labels', 'annotations'])('when a map of %s came into being that it would overwrite', (map) => {
    const without = structuredClone(raw);
    delete without.metadata[map];
    const edit = (stored: Raw) => Object.assign(stored.metadata, { [map]: { some: 'body' }, resourceVersion: '101' });
    expect(refused(edit, without)).toThrow();
  });
});

test('a lost mark by which admission finds the workload is put back, once', () => {
  const workload = (labels: Record<string, string>) =>
    aWorkload({ mounts: [FOO2], labels: { [FOO_LABEL]: H2, ...labels } });
  const [action, ...more] = plan({ workload: workload({}) }).actions;
  expect(more).toEqual([]);
  expect(action).toMatchObject({ type: 'PatchWorkload', why: 'marked, for admission to find it' });
  expect(plan({ workload: workload({ 'configrollout.dev/managed': 'owned' }) }).actions).toEqual([]);
});

describe('a change cause', () => {
  const withCause = (annotations: Record<string, string>, labels: Record<string, string> = { [FOO_LABEL]: H1 }) =>
    aDeployment({ mounts: [FOO1], metadata: { annotations, labels } });

  test('that a person wrote is never overwritten', () => {
    expect(carriedOut(withCause({ [CAUSE]: 'mine' })).annotations).toEqual({ [CAUSE]: 'mine' });
  });

  test('that a person wrote over the controller’s is never overwritten', () => {
    const annotations = { [CAUSE]: 'mine', [OWN_CAUSE]: 'configmap/foo: a' };
    expect(carriedOut(withCause(annotations)).annotations).toEqual(annotations);
  });

  test('of the controller makes place for its next one', () => {
    const annotations = { [CAUSE]: 'configmap/foo: a', [OWN_CAUSE]: 'configmap/foo: a' };
    const { annotations: after } = carriedOut(withCause(annotations));
    expect(after).toEqual({ [CAUSE]: 'configmap/foo: content changed', [OWN_CAUSE]: 'configmap/foo: content changed' });
  });

  const own = { [CAUSE]: 'configmap/foo: a', [OWN_CAUSE]: 'configmap/foo: a', kept: 'yes' };
  const resting = (annotations: Record<string, string>) =>
    withCause(annotations, { [FOO_LABEL]: H2, 'configrollout.dev/managed': 'owned' });

  test('of the controller is dropped once the current revision carries it', () => {
    const revisions = [aRevision({ mounts: [FOO1], cause: 'configmap/foo: a', scaledDown: false })];
    expect(carriedOut(resting(own), { revisions }).annotations).toEqual({ kept: 'yes' });
  });

  test('of the controller is left for admission to take away, where that is served', () => {
    const revisions = [aRevision({ mounts: [FOO1], cause: 'configmap/foo: a', scaledDown: false })];
    expect(plan({ workload: projected(resting(own)), revisions, admission: true }).actions).toEqual([]);
  });

  test.each<[what: string, annotations: Record<string, string>, revision: Parameters<typeof aRevision>[0]]>([
    ['while no revision of the template is there', own, { mounts: [FOO2], cause: 'configmap/foo: a' }],
    ['while the revision does not carry it', own, { mounts: [FOO1] }],
    ['while the revision carries an older one', own, { mounts: [FOO1], cause: 'configmap/foo: b' }],
    ['when a person wrote it', { [CAUSE]: 'mine' }, { mounts: [FOO1], cause: 'mine' }],
    ['when a person wrote another', { ...own, [CAUSE]: 'mine' }, { mounts: [FOO1], cause: 'mine' }],
  ])('stays %s', (_, annotations, revision) => {
    const workload = projected(resting(annotations));
    expect(plan({ workload, revisions: [aRevision(revision)] }).actions).toEqual([]);
  });

  test.each(['configmap/foo: a', 'configmap/foo: content changed'])(
    'that is spent ("%s") makes place for the next one in one patch, of which nothing is taken away again',
    (cause) => {
      const raw = withCause({ [CAUSE]: cause, [OWN_CAUSE]: cause });
      const revisions = [aRevision({ mounts: [FOO1], cause, scaledDown: false })];
      expect(typesOf(plan({ workload: projected(raw), revisions }).actions)).toEqual(['PatchWorkload', 'Event']);
      expect(carriedOut(raw, { revisions }).annotations).toMatchObject({ [CAUSE]: 'configmap/foo: content changed' });
    },
  );

  test('is not taken away before the Deployment controller has seen the template that it is about', () => {
    const status = { observedGeneration: 2 };
    const workload = projected(aDeployment({ mounts: [FOO1], metadata: { annotations: ownCause('a') }, status }));
    const revisions = [aRevision({ mounts: [FOO1], cause: 'a' })];
    const settled = aWorkload({ mounts: [FOO1], rolled: { foo: H1 }, ...{ cause: 'a', ownCause: 'a' } });
    const sources = [aSource({ hash: H1 })];
    const labels = settled.labels;
    expect(plan({ workload: { ...workload, labels }, sources, revisions }).actions).toEqual([]);
    expect(plan({ workload: settled, sources, revisions }).actions).toHaveLength(1);
  });

  test('is not taken away when a person writes one at that moment', () => {
    const raw = resting(own);
    const stored = resting({ ...own, [CAUSE]: 'mine' });
    const revisions = [aRevision({ mounts: [FOO1], cause: 'configmap/foo: a' })];
    expect(() => carriedOut(raw, { revisions }, stored)).toThrow();
  });

  test('is not written when raw references are only pinned again', () => {
    const raw = aDeployment({ metadata: { labels: { [FOO_LABEL]: H2 } } });
    const { annotations, mounts } = carriedOut(raw, { revisions: [aRevision({ mounts: [FOO1] })] });
    expect(mounts).toEqual([FOO1]);
    expect(annotations).toEqual({ 'deployment.kubernetes.io/revision': '1' });
  });
});

describe('nothing is planned', () => {
  test.each<[what: string, observed: Partial<WorkloadObservation>]>([
    ['for a workload that is being deleted', { workload: aWorkload({ deleting: true }) }],
    ['without sources', { sources: [] }],
    [
      'before a source was read',
      { sources: [aSource(), aSource({ name: 'bar', hash: undefined, snapshot: undefined })] },
    ],
    ['at rest', { workload: aWorkload({ mounts: [FOO2], rolled: { foo: H2 } }) }],
    ['while undone', { workload: aWorkload({ mounts: [FOO1], rolled: { foo: H2 } }) }],
  ])('%s', (_, observed) => {
    expect(plan(observed)).toMatchObject({ actions: [], pending: false, rolls: false });
  });

  test.each<[what: string, snapshot: ReturnType<typeof aSource>['snapshot']]>([
    ['while the snapshot is not made', { name: FOO2, ready: false }],
    ['while every name of the snapshot is taken', undefined],
  ])('%s, and the rollout stays due', (_, snapshot) => {
    expect(plan({ sources: [aSource({ snapshot })] })).toEqual({
      awaits: 'snapshot',
      actions: [],
      pending: true,
      rolls: false,
      slowed: false,
      held: false,
    });
  });

  test('while the snapshot of one of two sources is not made', () => {
    const sources = [aSource(), aSource({ name: 'bar', snapshot: { name: BAR2, ready: false } })];
    expect(plan({ workload: aWorkload({ mounts: ['foo', 'bar'] }), sources }).actions).toEqual([]);
  });
});

describe('settling', () => {
  const workload = aWorkload({ mounts: [FOO1, BAR1], rolled: { foo: H1, bar: H1 } });
  const settle = (foo: number, bar: number, pacing = freshPacing(NOON)) =>
    plan({ workload, sources: [aSource({ since: foo }), aSource({ name: 'bar', since: bar })], pacing });

  test('waits until the last of several sources has been quiet for the settle time', () => {
    expect(settle(NOON - 900, NOON - 300)).toEqual({
      actions: [],
      pending: true,
      rolls: false,
      slowed: false,
      held: false,
      requeueAfterMs: 700,
    });
    expect(settle(NOON - 1000, NOON - 1000).rolls).toBe(true);
  });

  test('does not wait for the first snapshot of an only source', () => {
    expect(plan({ sources: [aSource({ since: NOON })] }).rolls).toBe(true);
  });

  test('waits for an only source that changed: the workload may be part of the same apply', () => {
    const only = aWorkload({ mounts: [FOO1], rolled: { foo: H1 } });
    expect(plan({ workload: only, sources: [aSource({ since: NOON - 300 })] })).toMatchObject({
      actions: [],
      pending: true,
      requeueAfterMs: 700,
    });
  });

  test('ends after ten settle times, whatever the sources do', () => {
    const due = (pendingSince: number) => settle(NOON, NOON, { ...freshPacing(NOON), pendingSince });
    expect(due(NOON - 9_900).requeueAfterMs).toBe(100);
    expect(due(NOON - 10_000).rolls).toBe(true);
  });

  test('does not begin when nothing is due', () => {
    const resting = aWorkload({ mounts: [FOO2, BAR2], rolled: { foo: H2, bar: H2 } });
    const sources = [aSource({ since: NOON }), aSource({ name: 'bar', since: NOON })];
    expect(plan({ workload: resting, sources })).toEqual({
      actions: [],
      pending: false,
      rolls: false,
      slowed: false,
      held: false,
    });
  });

  test.each([
    [NOON, NOON, 1000, NOON, 1000],
    [NOON - 400, NOON - 400, 1000, NOON, 600],
    [NOON - 5000, NOON - 5000, 1000, NOON, 0],
    [NOON, NOON - 9999, 1000, NOON, 1],
    [NOON, NOON, 0, NOON, 0],
  ])('last change %d, due since %d, settle time %d, now %d: %d ms left', (last, since, settleMs, now, left) => {
    expect(settleMsLeft(last, since, settleMs, now)).toBe(left);
  });
});

describe('a runaway writer', () => {
  test('gets five rollouts at once, then one each half minute', () => {
    let { bucket } = freshPacing(NOON);
    const waits: number[] = [];
    for (let i = 0; i < 7; i += 1) {
      waits.push(throttleMs(bucket, NOON));
      bucket = takeToken(bucket, NOON);
    }
    expect(waits).toEqual([0, 0, 0, 0, 0, 30_000, 30_000]);
    expect(throttleMs(bucket, NOON + 12_000)).toBe(18_000);
    expect(throttleMs(bucket, NOON + 30_000)).toBe(0);
    expect(throttleMs(takeToken(bucket, NOON + 30_000), NOON + 30_000)).toBe(30_000);
  });

  test('has no more than five in store, however long it was quiet', () => {
    let { bucket } = freshPacing(NOON - 86_400_000);
    for (let i = 0; i < 5; i += 1) bucket = takeToken(bucket, NOON);
    expect(throttleMs(bucket, NOON)).toBe(30_000);
  });

  test('is neither helped nor punished by a clock that is set back', () => {
    const bucket = takeToken(freshPacing(NOON).bucket, NOON);
    expect(throttleMs(bucket, NOON - 3_600_000)).toBe(0);
  });

  const due = aWorkload({ mounts: [FOO1], rolled: { foo: H1 } });

  test('is told so in one Event, with the wait and the next step', () => {
    const first = plan({ workload: due, pacing: empty });
    expect(typesOf(first.actions)).toEqual(['Event']);
    expect(first).toMatchObject({ pending: true, rolls: false, slowed: true, requeueAfterMs: 30_000 });
    const [event] = eventsOf(first.actions);
    expect(event).toMatchObject({ severity: 'Warning', reason: 'ConfigRolloutsSlowed' });
    expect(event?.note).toContain('configmap/foo changes too often');
    expect(event?.note).toContain('30 s');
    expect(plan({ workload: due, pacing: { ...empty, slowed: true } }).actions).toEqual([]);
  });

  test('does not keep raw references raw: they are pinned to what ran before', () => {
    const raw = aDeployment({ metadata: { labels: { [FOO_LABEL]: H1, 'configrollout.dev/managed': 'owned' } } });
    const revisions = [aRevision({ mounts: [FOO1] })];
    const { mounts, labels, annotations } = carriedOut(raw, { revisions, pacing: { ...empty, slowed: true } });
    expect(mounts).toEqual([FOO1]);
    expect(labels).toEqual({ [FOO_LABEL]: H1, 'configrollout.dev/managed': 'owned' });
    expect(annotations).toEqual({ 'deployment.kubernetes.io/revision': '1' });
  });

  test.each<[what: string, source: Parameters<typeof aSource>[0]]>([
    ['a source has changed and is not read yet', { hash: undefined, snapshot: undefined }],
    ['a snapshot is not made yet', { snapshot: { name: FOO2, ready: false } }],
  ])('is not forgotten, nor since when a rollout is due, while %s', (_, source) => {
    const pacing = { ...empty, bucket: freshPacing(NOON).bucket, pendingSince: NOON - 500, slowed: true };
    expect(plan({ workload: due, sources: [aSource(source)], pacing })).toMatchObject({
      actions: [],
      pending: true,
      rolls: false,
      slowed: true,
    });
  });

  test('does not slow a workload that has nothing due', () => {
    const workload = aWorkload({ mounts: [FOO2], rolled: { foo: H2 } });
    expect(plan({ workload, pacing: empty })).toMatchObject({ actions: [], slowed: false });
  });
});

describe('a policy', () => {
  const due = aWorkload({ mounts: [FOO1, BAR1], rolled: { foo: H1, bar: H1 } });
  const sources = [aSource(), aSource({ name: 'bar', hash: H1 })];
  const PAUSED = { ...NO_POLICY, paused: true };
  const INTERVAL: Policy = {
    ...NO_POLICY,
    minIntervalMs: 60_000,
    lastRollout: { time: new Date(NOON - 20_000).toISOString(), outcome: 'Complete', sources: [] },
  };

  test('that pauses holds what changed, and looks again when a person says so', () => {
    const held = plan({ workload: due, sources, policy: PAUSED });
    expect(held).toEqual({ actions: [], pending: true, rolls: false, slowed: false, held: true });
  });

  test('that wants more time between rollouts holds what changed until then', () => {
    const held = plan({ workload: due, sources, policy: INTERVAL });
    expect(held).toMatchObject({ actions: [], pending: true, rolls: false, slowed: false, held: true });
    expect(held.requeueAfterMs).toBe(40_000);
    const over = { ...freshPacing(NOON), pendingSince: NOON, heldSince: NOON };
    expect(plan({ workload: due, sources, policy: INTERVAL, pacing: over, now: NOON + 40_000 })).toMatchObject({
      rolls: true,
      held: false,
    });
  });

  test.each([
    ['pauses', PAUSED],
    ['wants more time', INTERVAL],
  ])('that %s does not keep raw references raw, and holds back no source that has not changed', (_, policy) => {
    const labels = { [FOO_LABEL]: H1, [BAR_LABEL]: H1, 'configrollout.dev/managed': 'owned' };
    const raw = aDeployment({ metadata: { labels }, mounts: ['foo', 'bar'] });
    const { mounts, labels: after } = carriedOut(raw, { revisions: [aRevision({ mounts: [FOO1] })], sources, policy });
    expect(mounts).toEqual([FOO1, BAR1]);
    expect(after).toEqual(labels);
  });

  test('lets what changed settle once it holds no more: what is changed with it rolls out with it', () => {
    const hour = 3_600_000;
    const pacing = { ...freshPacing(NOON), pendingSince: NOON - hour, heldSince: NOON - hour };
    const changed = [aSource({ since: NOON - hour }), aSource({ name: 'bar', since: NOON - 5 })];
    expect(plan({ workload: due, sources: changed, pacing })).toMatchObject({ held: false, requeueAfterMs: 995 });
    const settled = { ...freshPacing(NOON), pendingSince: NOON };
    expect(plan({ workload: due, sources: changed, pacing: settled, now: NOON + 995 })).toMatchObject({ rolls: true });
  });

  test('goes on holding while a source is read', () => {
    const pacing = { ...freshPacing(NOON), pendingSince: NOON, heldSince: NOON };
    const unread = [aSource({ hash: undefined, snapshot: undefined })];
    expect(plan({ workload: due, sources: unread, policy: PAUSED, pacing })).toMatchObject({
      pending: true,
      held: true,
    });
  });

  test('of its own settle time wins over that of all', () => {
    const policy = { ...NO_POLICY, settleMs: 5000 };
    const changed = [aSource({ since: NOON }), aSource({ name: 'bar', hash: H1 })];
    expect(plan({ workload: due, sources: changed, policy }).requeueAfterMs).toBe(5000);
  });
});

describe('the history', () => {
  const resting = aWorkload({ mounts: [FOO2], rolled: { foo: H2 } });
  const current = aRevision({ number: 3, mounts: [FOO2], scaledDown: false });
  const twin = aRevision({ number: 2, mounts: [FOO1] });
  const raw = aRevision({ number: 1, mounts: ['foo'] });
  const deleted = (revisions: WorkloadObservation['revisions'], workload = resting, pins = PINS) =>
    plan({ workload, revisions, pins }).actions.flatMap((action) =>
      action.type === 'DeleteRevision' ? [action.target.name] : [],
    );

  test('loses a raw revision that is scaled down and has a pinned twin', () => {
    expect(deleted([raw, twin, current])).toEqual([raw.name]);
    expect(plan({ workload: resting, revisions: [raw, twin, current] }).actions).toMatchObject([
      { type: 'DeleteRevision', resourceVersion: raw.resourceVersion, target: { uid: raw.uid } },
    ]);
  });

  test.each<[what: string, revisions: WorkloadObservation['revisions']]>([
    ['with pods', [{ ...raw, scaledDown: false }, twin, current]],
    ['that is being deleted', [{ ...raw, deleting: true }, twin, current]],
    ['without a twin', [aRevision({ number: 1, image: 'nginx:0' }), twin, current]],
    ['that mounts something else besides', [aRevision({ number: 1, mounts: ['foo', 'other'] }), twin, current]],
    ['that is pinned', [twin, current]],
    ['of which the only twin is pinned to another source', [raw, aRevision({ number: 2, mounts: [BAR1] })]],
    [
      'that mounts no source',
      [aRevision({ number: 1, mounts: ['other'] }), aRevision({ number: 2, mounts: ['other'] })],
    ],
  ])('keeps a raw revision %s', (_, revisions) => {
    expect(deleted(revisions)).toEqual([]);
  });

  test('keeps the raw revision that the workload runs, until it is pinned', () => {
    const { actions } = plan({
      workload: aWorkload({ rolled: { foo: H2 } }),
      revisions: [{ ...raw, number: 9 }, twin],
    });
    expect(typesOf(actions)).toEqual(['PatchWorkload', 'Event']);
  });

  test('keeps what may be used again, until the current revision is known: by its template, or by its number', () => {
    const workload = aWorkload({ mounts: [FOO2], image: 'as written', rolled: { foo: H2 } });
    const left = (currentRevision?: number) =>
      typesOf(plan({ workload: { ...workload, currentRevision }, revisions: [raw, twin, current] }).actions);
    expect(left()).toEqual([]);
    expect(left(current.number)).toEqual(['DeleteRevision']);
  });

  test('loses a raw revision also between two of the template that stands, of which Kubernetes uses the newest', () => {
    const older = aRevision({ number: 0, mounts: [FOO2] });
    expect(deleted([older, raw, current])).toEqual([raw.name]);
  });

  test('keeps a raw revision while the current one has not shown up', () => {
    expect(deleted([raw, twin])).toEqual([]);
  });

  test('loses a revision that was half raw, when a twin agrees in the pinned half', () => {
    const half = aRevision({ number: 1, mounts: ['foo', BAR1] });
    const agrees = aRevision({ number: 2, mounts: [FOO1, BAR1] });
    const differs = aRevision({ number: 2, mounts: [FOO1, BAR2] });
    const workload = aWorkload({ mounts: [FOO2, BAR2], rolled: { foo: H2, bar: H2 } });
    const sources = [aSource(), aSource({ name: 'bar' })];
    const now = aRevision({ number: 3, mounts: [FOO2, BAR2] });
    const left = (other: typeof agrees) => typesOf(plan({ workload, sources, revisions: [half, other, now] }).actions);
    expect(left(agrees)).toEqual(['DeleteRevision']);
    expect(left(differs)).toEqual([]);
  });
});

// They keep the annotations of the day they were made, and do not say whether they have pods.
describe('of ControllerRevisions,', () => {
  const aControllerRevision = (overrides: Parameters<typeof aRevision>[0]) =>
    aRevision({ kind: 'ControllerRevision', keepsCause: true, scaledDown: true, ...overrides });
  const cause = 'configmap/foo: a';
  const aSet = (overrides: Parameters<typeof aWorkload>[0] = {}) =>
    aWorkload({ kind: 'StatefulSet', mounts: [FOO2], rolled: { foo: H2 }, ...overrides });

  describe('one that is used again', () => {
    const ofController = { cause, ownCause: cause };
    const older = aControllerRevision({ number: 4, mounts: [FOO1] });

    test.each([['configmap/foo: b'], [undefined]])('for another cause (than %s) is given it', (before) => {
      const again = aControllerRevision({ number: 5, mounts: [FOO2], cause: before, resourceVersion: '205' });
      const { actions } = plan({ workload: aSet(ofController), revisions: [older, again] });
      expect(actions).toMatchObject([
        {
          type: 'AnnotateRevision',
          target: { kind: 'ControllerRevision', name: again.name, uid: again.uid },
          resourceVersion: '205',
          annotations: { [CAUSE]: cause },
        },
      ]);
    });

    test('and bears the cause takes it from the workload', () => {
      const again = aControllerRevision({ number: 5, mounts: [FOO2], cause });
      const labels = { [FOO_LABEL]: H2, 'configrollout.dev/managed': 'owned' };
      const workload = projected(aDeployment({ mounts: [FOO2], metadata: { labels, annotations: ownCause(cause) } }));
      const [operations = []] = patchesOf(plan({ workload, revisions: [older, again] }).actions);
      expect(operations.filter(({ op }) => op === 'remove')).toHaveLength(2);
    });

    test.each<[what: string, workload: ReturnType<typeof aSet>, again: Parameters<typeof aRevision>[0]]>([
      ['before its number is the highest', aSet(ofController), { number: 3 }],
      ['for a cause that a person wrote', aSet({ cause: 'mine', ownCause: cause }), { number: 5 }],
      ['for no cause', aSet(), { number: 5 }],
      ['for a cause that the controller once wrote, and a person took away', aSet({ ownCause: cause }), { number: 5 }],
    ])('is not annotated %s', (_, workload, again) => {
      const revision = aControllerRevision({ mounts: [FOO2], cause: 'configmap/foo: b', ...again });
      expect(plan({ workload, revisions: [older, revision] }).actions).toEqual([]);
    });

    test('is not annotated beside a rollout, which brings another look', () => {
      const again = aControllerRevision({ number: 5, mounts: [FOO2] });
      const { actions } = plan({ workload: aSet({ ...ofController, rolled: { foo: H1 } }), revisions: [again] });
      expect(typesOf(actions)).not.toContain('AnnotateRevision');
    });
  });

  describe('a raw one with a pinned twin', () => {
    const current = aControllerRevision({ number: 9, mounts: [FOO2] });
    const twin = aControllerRevision({ number: 7, mounts: [FOO1] });
    const raw = aControllerRevision({ number: 8, mounts: ['foo'] });
    const deleted = (inUse: readonly string[] | undefined, revisions = [twin, raw, current]) =>
      plan({ workload: aSet({ inUse }), revisions }).actions.flatMap((action) =>
        action.type === 'DeleteRevision' ? [action.target.name] : [],
      );

    test.each<[what: string, inUse: readonly string[]]>([
      ['of which the workload uses none', []],
      ['of which the workload uses another', [current.name, twin.name]],
    ])('%s is deleted', (_, inUse) => {
      expect(deleted(inUse)).toEqual([raw.name]);
    });

    test.each<[what: string, inUse: readonly string[] | undefined]>([
      ['while a rollout goes on', undefined],
      ['that pods run on, or may come to', [current.name, raw.name]],
    ])('stays %s', (_, inUse) => {
      expect(deleted(inUse)).toEqual([]);
    });

    test('stays while it is newer than the current one: it is being used again, as the workload will show', () => {
      expect(deleted([current.name], [twin, aControllerRevision({ number: 10, mounts: ['foo'] }), current])).toEqual(
        [],
      );
    });

    test('stays when the twin is of another shape, or pinned to a namesake of another kind', () => {
      const secret = { ...twin, references: twin.references.map((each) => ({ ...each, kind: 'Secret' as const })) };
      for (const other of [aControllerRevision({ number: 7, mounts: [FOO1], image: 'nginx:0' }), secret])
        expect(deleted([], [other, raw, aControllerRevision({ number: 9, mounts: [FOO2], image: 'nginx:2' })])).toEqual(
          [],
        );
    });
  });
});

describe('a snapshot that was deleted', () => {
  const undone = aWorkload({ mounts: [FOO1], rolled: { foo: H2 } });

  test('and that nobody can make again is told in one Event, with the next step', () => {
    const { actions } = plan({ workload: undone, pins: pinsOf(['foo', H1, 'gone']) });
    expect(actions).toMatchObject([
      { type: 'Event', severity: 'Warning', reason: 'ConfigSnapshotMissing', once: true, regarding: { name: 'web' } },
    ]);
    const [event] = eventsOf(actions);
    expect(event?.note).toContain(`configmap/${FOO1}`);
    expect(event?.note).toContain('kubectl rollout undo deployment/web');
  });

  test('is told once, though mounted twice', () => {
    const workload = aWorkload({ mounts: [FOO1, FOO1], rolled: { foo: H2 } });
    expect(plan({ workload, pins: pinsOf(['foo', H1, 'gone']) }).actions).toHaveLength(1);
  });

  test('is not told when the template moves on anyway', () => {
    const workload = aWorkload({ mounts: [FOO1], rolled: { foo: H1 } });
    const { actions } = plan({ workload, pins: pinsOf(['foo', H1, 'gone'], ['foo', H2]) });
    expect(eventsOf(actions).map(({ reason }) => reason)).toEqual(['ConfigRolledOut']);
  });
});
