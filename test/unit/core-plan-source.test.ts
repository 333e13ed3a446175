import { describe, expect, test } from '@jest/globals';
import { type Action, describeAction } from '../../controller/core/actions.ts';
import type { Decision } from '../../controller/core/decide.ts';
import { writeKeyDigests } from '../../controller/core/key-digests.ts';
import { obstacleOf } from '../../controller/core/opt-in.ts';
import { awaitsSnapshot, planSource, type SourceObservation } from '../../controller/core/plan-source.ts';
import { isSnapshotOf, snapshotInfo, snapshotManifest } from '../../controller/core/snapshot.ts';
import { aConfigMap, aSnapshot, aSource, aWorkload, H1, H2, NOON, ownedBy, pinned } from '../support/builders.ts';

const SECRET = 'hunter2';
const CONTENT = { data: { 'app.yml': SECRET }, binaryData: {} };
const FREE = { name: pinned('foo', H2), ready: false };
const web = aWorkload({ name: 'web' });
const api = aWorkload({ name: 'api' });

const decision = (overrides: Partial<Decision> = {}): Decision => ({
  source: aSource({ snapshot: FREE }),
  rolled: undefined,
  rolls: true,
  needsSnapshot: true,
  changes: [],
  label: undefined,
  ...overrides,
});

const plan = (overrides: Partial<SourceObservation> = {}): readonly Action[] =>
  planSource({
    source: aConfigMap(),
    problems: [],
    optsIn: true,
    obstacle: undefined,
    users: [web],
    waiting: [web],
    hash: H2,
    snapshot: FREE,
    content: CONTENT,
    now: NOON + 3_600_000,
    ...overrides,
  }).actions;
const IMMUTABLE = obstacleOf(aConfigMap(), true, undefined);
const typesOf = (actions: readonly Action[]) => actions.map(({ type }) => type);

describe('the plan for a source', () => {
  test('makes the snapshot, owned by the workloads that wait for it and nobody else', () => {
    const resting = aWorkload({ name: 'resting' });
    expect(plan({ users: [web, resting, api], waiting: [web, api] })).toEqual([
      {
        type: 'CreateSnapshot',
        manifest: snapshotManifest(aConfigMap(), pinned('foo', H2), H2, CONTENT, [web, api]),
        why: 'content of configmap/foo',
      },
    ]);
  });

  test('labels the source first, and makes the snapshot at the next look', () => {
    const source = aConfigMap({ sourceLabel: undefined });
    expect(plan({ source })).toMatchObject([
      {
        type: 'PatchMetadata',
        target: { kind: 'ConfigMap', name: 'foo', uid: source.uid },
        labels: { 'configrollout.dev/source': 'foo' },
      },
    ]);
  });

  test('labels a source of 253 characters with what fits', () => {
    const [patch] = plan({ source: aConfigMap({ name: 'n'.repeat(253), sourceLabel: undefined }) });
    expect(patch).toMatchObject({
      labels: { 'configrollout.dev/source': expect.stringMatching(/^n{52}-[0-9a-f]{10}$/) },
    });
  });

  test.each<[what: string, observed: Partial<SourceObservation>]>([
    ['that is being deleted', { source: aConfigMap({ deleting: true }) }],
    ['that nobody uses, not even a label', { source: aConfigMap({ sourceLabel: undefined }), users: [] }],
    ['that nobody waits for', { waiting: [] }],
    ['that was not read', { hash: undefined, content: undefined }],
    ['that is immutable, under `managed: all`', { obstacle: IMMUTABLE, optsIn: false }],
  ])('is nothing for one %s', (_, observed) => {
    expect(plan(observed)).toEqual([]);
  });

  test('says that an immutable source which opts in never rolls out', () => {
    expect(plan({ obstacle: IMMUTABLE })).toMatchObject([
      { type: 'Event', severity: 'Warning', reason: 'ConfigSourceImmutable', once: true, regarding: { name: 'foo' } },
    ]);
  });

  test('says that every name of the snapshot is taken, and which one to free', () => {
    const [event, ...more] = plan({ snapshot: undefined });
    expect(more).toEqual([]);
    expect(event).toMatchObject({ reason: 'ConfigSnapshotNameTaken', once: true });
    expect(event).toHaveProperty('note', expect.stringContaining(`delete or rename configmap/${pinned('foo', H2)}`));
  });

  test('says what is wrong with opt-ins, once, whatever else there is to do', () => {
    const problems = [{ reason: 'ConfigNotReferenced', note: 'web does not mount it' } as const];
    const event = { type: 'Event', severity: 'Warning', ...problems[0], once: true };
    expect(plan({ problems, users: [] })).toMatchObject([event]);
    expect(plan({ problems })).toMatchObject([{ type: 'CreateSnapshot' }, event]);
    expect(plan({ problems, source: aConfigMap({ sourceLabel: undefined }) })).toMatchObject([
      { type: 'PatchMetadata' },
      event,
    ]);
    expect(typesOf(plan({ problems, obstacle: IMMUTABLE }))).toEqual(['Event', 'Event']);
  });
});

describe('a workload', () => {
  test.each<[is: boolean, what: string, made: Partial<Decision>, slowed: boolean]>([
    [true, 'that rolls', {}, false],
    [false, 'whose snapshot is there', { source: aSource() }, false],
    [false, 'that mounts another', { needsSnapshot: false }, false],
    [false, 'whose rollout waits', {}, true],
    [true, 'whose rollout waits, and that has to be pinned to that content all the same', { rolls: false }, true],
  ])('awaits the snapshot: %s, for one %s', (is, _, made, slowed) => {
    expect(awaitsSnapshot(decision(made), slowed)).toBe(is);
  });
});

describe('a problem that the rest of one apply may solve', () => {
  const problems = [{ reason: 'ConfigOwnerNotFound', note: 'web does not exist', graceMs: 5000 } as const];
  const observed = (ageMs: number): SourceObservation => ({
    source: aConfigMap(),
    problems,
    optsIn: true,
    obstacle: undefined,
    users: [],
    waiting: [],
    hash: undefined,
    snapshot: undefined,
    content: undefined,
    now: NOON + ageMs,
  });

  test('is said when the source is old enough, and looked at again then', () => {
    expect(planSource(observed(2000))).toEqual({ actions: [], requeueAfterMs: 3000 });
    expect(typesOf(planSource(observed(5000)).actions)).toEqual(['Event']);
    expect(planSource(observed(5000)).requeueAfterMs).toBeUndefined();
  });

  test('is said at once when the clocks differ', () => {
    expect(typesOf(planSource(observed(-1)).actions)).toEqual(['Event']);
  });
});

describe('a snapshot’s manifest', () => {
  const source = aConfigMap({
    owners: [ownedBy(api)],
    declaredOwners: 'deployment/web',
    uid: 'uid-1',
    resourceVersion: '42',
  });

  test('holds the content, its provenance and its owners, and nothing else of the source', () => {
    const content = { data: { a: '1' }, binaryData: { b: 'AA==' } };
    expect(snapshotManifest(source, 'foo-x', H2, content, [web])).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        namespace: 'shop',
        name: 'foo-x',
        labels: {
          'app.kubernetes.io/managed-by': 'config-rollout',
          'configrollout.dev/source': 'foo',
          'configrollout.dev/content-hash': H2,
        },
        annotations: {
          'configrollout.dev/source-name': 'foo',
          'configrollout.dev/source-uid': 'uid-1',
          'configrollout.dev/source-resource-version': '42',
          'configrollout.dev/key-digests': writeKeyDigests('ConfigMap', content),
          'rolled.configrollout.dev/uid-web': '0',
        },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'uid-web' }],
      },
      immutable: true,
      data: { a: '1' },
      binaryData: { b: 'AA==' },
    });
  });

  test('of an empty source has neither data nor binaryData, as kubectl would write it', () => {
    const manifest = snapshotManifest(source, 'foo-x', H2, { data: {}, binaryData: {} }, [web]);
    expect(Object.keys(manifest)).toEqual(['apiVersion', 'kind', 'metadata', 'immutable']);
  });
});

describe('an object is the snapshot of a content', () => {
  test('by its marks', () => {
    expect(isSnapshotOf(aSnapshot({ hash: H1 }), 'foo', H1)).toBe(true);
  });

  test.each([
    ['another content', aSnapshot({ hash: H2 })],
    ['another source', aSnapshot({ source: 'bar', hash: H1 })],
    ['no marks', aConfigMap({ name: pinned('foo', H1) })],
    ['the marks, but on its way out', aSnapshot({ hash: H1, deleting: true })],
  ])('not with %s', (_, object) => {
    expect(isSnapshotOf(object, 'foo', H1)).toBe(false);
  });

  const labels = { 'app.kubernetes.io/managed-by': 'config-rollout', 'configrollout.dev/content-hash': H1 };
  const annotations = { 'configrollout.dev/source-name': 'foo' };
  const read = (edited: object, other: object = annotations) => snapshotInfo({ ...labels, ...edited }, { ...other });

  test('only when every mark is there, and it is ours', () => {
    expect(read({})).toMatchObject({ source: 'foo', hash: H1 });
    expect(read({ 'app.kubernetes.io/managed-by': 'Helm' })).toBeUndefined();
    expect(read({}, {})).toBeUndefined();
    expect(snapshotInfo({ 'app.kubernetes.io/managed-by': 'config-rollout' }, annotations)).toBeUndefined();
  });

  test('and its records are what has a number for a value', () => {
    const records = {
      'rolled.configrollout.dev/uid-1': '7',
      'rolled.configrollout.dev/uid-2': 'x',
      'rolled.configrollout.dev/uid-3': '-1',
      'other/uid-4': '8',
    };
    expect(read({}, { ...annotations, ...records })?.records).toEqual({ 'uid-1': 7 });
  });
});

test('a plan as text holds names and reasons, and no value of any source', () => {
  const actions = [
    ...plan(),
    ...plan({ source: aConfigMap({ sourceLabel: undefined }) }),
    ...plan({ obstacle: IMMUTABLE }),
  ];
  const lines = actions.map(describeAction);
  expect(lines).toEqual([
    `create configmap/${pinned('foo', H2)}: content of configmap/foo`,
    'patch configmap/foo: its snapshots carry the same label',
    expect.stringMatching(/^event ConfigSourceImmutable on configmap\/foo: /),
  ]);
  expect(lines.join()).not.toContain(SECRET);
});
