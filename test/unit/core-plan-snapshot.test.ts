import { describe, expect, test } from '@jest/globals';
import { planOwnership, planSnapshot, type SnapshotObservation } from '../../controller/core/plan-snapshot.ts';
import { aRevision, aSnapshot, aWorkload, H1, H2, NOON, ownedBy, pinned } from '../support/builders.ts';

const GRACE = 60_000;
const FOO1 = pinned('foo', H1);
const LATER = NOON + 3_600_000;
const RECORD = (uid: string) => `rolled.configrollout.dev/${uid}`;

/** An hour after the snapshot of H1 was made, while the source has H2; nobody uses it. */
const plan = (overrides: Partial<SnapshotObservation> = {}) =>
  planSnapshot({
    snapshot: aSnapshot(),
    currentHash: H2,
    users: [],
    optedIn: [],
    strangers: [],
    left: [],
    revisions: [],
    highestRecords: {},
    gone: [],
    graceMs: GRACE,
    now: LATER,
    ...overrides,
  });
const written = (overrides: Partial<SnapshotObservation>) => {
  const [patch] = plan(overrides).actions;
  if (patch?.type !== 'PatchMetadata') return undefined;
  return {
    ...(patch.ownerReferences && { owners: patch.ownerReferences.map(({ kind, name }) => `${kind}/${name}`) }),
    ...(patch.annotations && { annotations: patch.annotations }),
  };
};

/** Runs the snapshot, and was rolled to it. */
const user = aWorkload({ mounts: [FOO1], rolled: { foo: H1 } });
/** Ran it once, and was rolled to H2. */
const past = aWorkload({ mounts: [pinned('foo', H2)], rolled: { foo: H2 } });
const revision = aRevision({ mounts: [FOO1], number: 1 });
const known = { records: { [user.uid]: 3 } };
const highestRecords = { [user.uid]: { generation: 3, hash: H1 } };

describe('the owners of a snapshot', () => {
  test('are every revision that mounts it, of whatever workload, and each workload whose template names it', () => {
    const other = aWorkload({ name: 'api', mounts: [FOO1] });
    const others = aRevision({ of: 'api', mounts: [FOO1] });
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(user)] });
    expect(
      written({ snapshot, users: [user, other], optedIn: [user], revisions: [revision, others], highestRecords }),
    ).toEqual({ owners: ['Deployment/web', 'ReplicaSet/web-rs1', 'ReplicaSet/api-rs1', 'Deployment/api'] });
  });

  test('are appended to in one write, guarded by the version, with references that block nobody’s deletion', () => {
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(user)], resourceVersion: '77' });
    expect(plan({ snapshot, users: [user], optedIn: [user], revisions: [revision], highestRecords }).actions).toEqual([
      {
        type: 'PatchMetadata',
        target: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'shop', name: FOO1, uid: snapshot.uid },
        resourceVersion: '77',
        ownerReferences: [ownedBy(user), ownedBy(revision)],
        why: 'owned by deployment/web, replicaset/web-rs1',
      },
    ]);
  });

  test('lose the workload when its template has moved on, and keep its revision', () => {
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(past), ownedBy(revision)] });
    expect(written({ snapshot, optedIn: [past], revisions: [revision], highestRecords })).toEqual({
      owners: ['ReplicaSet/web-rs1'],
    });
  });

  test('lose the workload and gain the revision in one write: never through zero', () => {
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(past)] });
    expect(written({ snapshot, optedIn: [past], revisions: [revision], highestRecords })).toEqual({
      owners: ['ReplicaSet/web-rs1'],
    });
  });

  test('keep the workload that has moved on while nobody else is there and the content is current', () => {
    const undone = aWorkload({ mounts: ['other'], rolled: { foo: H2 } });
    const snapshot = aSnapshot({ hash: H2, records: { [undone.uid]: 3 }, owners: [ownedBy(undone)] });
    expect(
      plan({ snapshot, optedIn: [undone], highestRecords: { [undone.uid]: { generation: 3, hash: H2 } } }).actions,
    ).toEqual([]);
  });

  test('keep the workload that is about to roll to it', () => {
    const waiting = aWorkload({ mounts: [FOO1], rolled: { foo: H1 } });
    const snapshot = aSnapshot({ hash: H2, owners: [ownedBy(waiting), ownedBy(revision)] });
    expect(plan({ snapshot, optedIn: [waiting] }).actions).toEqual([]);
  });

  test('lose the undone workload, whose newest content is not what it runs', () => {
    const undone = aWorkload({ mounts: [FOO1], rolled: { foo: H2 } });
    const second = aRevision({ number: 2, mounts: [pinned('foo', H2)] });
    const snapshot = aSnapshot({ hash: H2, records: { [undone.uid]: 3 }, owners: [ownedBy(undone), ownedBy(second)] });
    const newest = { [undone.uid]: { generation: 3, hash: H2 } };
    expect(written({ snapshot, optedIn: [undone], revisions: [second], highestRecords: newest })).toEqual({
      owners: ['ReplicaSet/web-rs2'],
    });
  });

  test('lose a workload that opts in no more, if it was rolled to it once', () => {
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(past), ownedBy(revision)] });
    expect(written({ snapshot, strangers: [past], revisions: [revision], highestRecords })).toEqual({
      owners: ['ReplicaSet/web-rs1'],
    });
  });

  test('leave owners alone that the garbage collector knows more of', () => {
    const unknown = { apiVersion: 'example.com/v1', kind: 'Thing', name: 'x', uid: 'uid-x' };
    const snapshot = aSnapshot({ ...known, owners: [unknown, ownedBy(user)] });
    expect(written({ snapshot, users: [user], optedIn: [user], revisions: [revision], highestRecords })).toEqual({
      owners: ['Thing/x', 'Deployment/web', 'ReplicaSet/web-rs1'],
    });
  });

  test('are found by uid: a ReplicaSet that was made anew under its name is another one', () => {
    const anew = { ...revision, uid: 'uid-of-the-new-one' };
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(user), ownedBy(revision)] });
    expect(
      written({ snapshot, users: [user], optedIn: [user], revisions: [anew], highestRecords })?.owners,
    ).toHaveLength(3);
  });

  test('do not gain what is being deleted', () => {
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(user)] });
    const revisions = [{ ...revision, deleting: true }];
    expect(plan({ snapshot, users: [user], optedIn: [user], revisions, highestRecords }).actions).toEqual([]);
  });

  test('are right already: nothing is written', () => {
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(revision), ownedBy(user)] });
    const observed = { snapshot, users: [user], optedIn: [user], revisions: [revision], highestRecords };
    expect(plan(observed)).toEqual({ actions: [] });
  });
});

describe('the record of a rollout', () => {
  const owned = aSnapshot({ owners: [ownedBy(user), ownedBy(revision)] });
  const rolled = { users: [user], optedIn: [user], revisions: [revision] };

  test('is the workload’s generation, for the workload whose label names this content', () => {
    expect(written({ snapshot: owned, ...rolled })).toEqual({ annotations: { [RECORD(user.uid)]: '3' } });
  });

  test('goes in one write with the owners', () => {
    expect(written({ snapshot: aSnapshot({ owners: [ownedBy(user)] }), ...rolled })).toEqual({
      owners: ['Deployment/web', 'ReplicaSet/web-rs1'],
      annotations: { [RECORD(user.uid)]: '3' },
    });
  });

  test('goes with the owner when the workload is taken out and runs on the source itself, and not before', () => {
    const snapshot = aSnapshot({ owners: [ownedBy(user), ownedBy(revision)], records: { [user.uid]: 3 } });
    const out = { ...user, references: [], labels: { 'configrollout.dev/managed': 'none' } };
    const observed = { snapshot, left: [out], strangers: [out], revisions: [revision] };
    expect(written(observed)).toEqual({ owners: ['ReplicaSet/web-rs1'], annotations: { [RECORD(user.uid)]: null } });
    const alone = aSnapshot({ owners: [ownedBy(user)], records: { [user.uid]: 3 } });
    const other = aWorkload({ name: 'api', mounts: ['foo'] });
    expect(plan({ ...observed, snapshot: alone, revisions: [], optedIn: [other], currentHash: H1 })).toEqual({
      actions: [],
    });
  });

  test('goes once its workload and the revisions are gone, with what is written anyway', () => {
    const records = { [user.uid]: 3, gone: 2, owner: 2, 'uid-api': 2 };
    const owner = aWorkload({ name: 'owner', uid: 'owner' });
    const owners = [ownedBy(user), ownedBy(owner), ownedBy(revision)];
    const others = aRevision({ of: 'api', mounts: [FOO1] });
    const observed = { ...rolled, highestRecords, gone: ['gone', 'owner', 'uid-api'] };
    expect(written({ ...observed, snapshot: aSnapshot({ records, owners }) })).toBeUndefined();
    expect(written({ ...observed, snapshot: aSnapshot({ records, owners }), revisions: [revision, others] })).toEqual({
      owners: ['Deployment/web', 'Deployment/owner', 'ReplicaSet/web-rs1', 'ReplicaSet/api-rs1'],
      annotations: { [RECORD('gone')]: null },
    });
  });

  test('is higher than all older ones, also when the Deployment was made anew from a backup', () => {
    expect(
      written({ snapshot: owned, ...rolled, highestRecords: { [user.uid]: { generation: 41, hash: H2 } } }),
    ).toEqual({
      annotations: { [RECORD(user.uid)]: '42' },
    });
  });

  test('is raised when the content comes back: the highest record says what was rolled last', () => {
    const snapshot = aSnapshot({ owners: [ownedBy(user), ownedBy(revision)], records: { [user.uid]: 2 } });
    const again = { ...user, generation: 7 };
    expect(
      written({
        snapshot,
        ...rolled,
        users: [again],
        optedIn: [again],
        highestRecords: { [user.uid]: { generation: 5, hash: H2 } },
      }),
    ).toEqual({
      annotations: { [RECORD(user.uid)]: '7' },
    });
  });

  test('is not raised while it is the highest, whatever the generation', () => {
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(user), ownedBy(revision)] });
    const later = { ...user, generation: 99 };
    expect(plan({ snapshot, ...rolled, users: [later], optedIn: [later], highestRecords }).actions).toEqual([]);
  });

  test('is not written when another copy of the same content carries it: two copies never outbid each other', () => {
    expect(plan({ snapshot: owned, ...rolled, highestRecords }).actions).toEqual([]);
  });

  test('is not written for a workload whose label names another content, though it mounts this one', () => {
    const undone = aWorkload({ mounts: [FOO1], rolled: { foo: H2 } });
    const snapshot = aSnapshot({ owners: [ownedBy(undone), ownedBy(revision)] });
    expect(plan({ snapshot, users: [undone], optedIn: [undone], revisions: [revision] }).actions).toEqual([]);
  });

  test('waits five seconds for the revision, so that both are one write', () => {
    const snapshot = aSnapshot({ owners: [ownedBy(user)] });
    const observed = { snapshot, users: [user], optedIn: [user] };
    expect(plan({ ...observed, now: NOON + 2000 })).toEqual({ actions: [], requeueAfterMs: 3000 });
    // Not by a clock that was set back.
    expect(plan({ ...observed, now: NOON - 3_600_000 }).actions).toMatchObject([{ type: 'PatchMetadata' }]);
    expect(written({ ...observed, now: NOON + 5000 })).toEqual({ annotations: { [RECORD(user.uid)]: '3' } });
  });
});

describe('a snapshot that nobody needs', () => {
  test('is deleted, at exactly the version that was judged', () => {
    const snapshot = aSnapshot({ resourceVersion: '78' });
    expect(plan({ snapshot }).actions).toMatchObject([
      { type: 'DeleteSnapshot', resourceVersion: '78', target: { name: FOO1, uid: snapshot.uid } },
    ]);
  });

  test('is deleted when its only owners are workloads that have moved on', () => {
    const snapshot = aSnapshot({ ...known, owners: [ownedBy(past)] });
    expect(plan({ snapshot, optedIn: [past], highestRecords }).actions).toMatchObject([{ type: 'DeleteSnapshot' }]);
  });

  test('is deleted when its source is gone', () => {
    expect(plan({ currentHash: undefined }).actions).toMatchObject([{ type: 'DeleteSnapshot' }]);
  });

  test('waits for the grace time', () => {
    expect(plan({ now: NOON + 10_000 })).toEqual({ actions: [], requeueAfterMs: GRACE - 10_000 });
    // By a clock that was set back, no longer.
    expect(plan({ now: NOON - 3_600_000 })).toEqual({ actions: [], requeueAfterMs: GRACE });
    expect(plan({ now: NOON + GRACE }).actions).toHaveLength(1);
  });

  test.each<[what: string, observed: Partial<SnapshotObservation>]>([
    ['is current', { currentHash: H1 }],
    ['is named by a template', { users: [aWorkload({ mounts: [FOO1] })] }],
    ['is mounted by a revision', { revisions: [revision] }],
    ['is mounted by a revision that is being deleted', { revisions: [{ ...revision, deleting: true }] }],
    [
      'has an owner that is no workload of ours',
      { snapshot: aSnapshot({ owners: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'n' }] }) },
    ],
    ['has an owner that somebody gave it', { snapshot: aSnapshot({ owners: [ownedBy(past)] }), strangers: [past] }],
    [
      'is owned by a workload about to roll to it',
      { snapshot: aSnapshot({ hash: H2, owners: [ownedBy(past)] }), optedIn: [aWorkload({ rolled: { foo: H1 } })] },
    ],
    ['has a name that is not its content’s', { snapshot: aSnapshot({ name: 'precious' }) }],
    ['is being deleted already', { snapshot: aSnapshot({ deleting: true }) }],
  ])('is not one that %s', (_, observed) => {
    expect(plan(observed).actions.map(({ type }) => type)).not.toContain('DeleteSnapshot');
  });
});

describe('a workload that is about to mount what it was rolled to once', () => {
  const owners = [ownedBy(revision)];
  const snapshot = aSnapshot({ ...known, owners, resourceVersion: '77' });

  test('is added to the owners, guarded by the version', () => {
    expect(planOwnership(snapshot, past)).toMatchObject({
      type: 'PatchMetadata',
      resourceVersion: '77',
      ownerReferences: [{ kind: 'ReplicaSet' }, { kind: 'Deployment', name: 'web', uid: past.uid }],
    });
  });

  test.each<[what: string, overrides: Partial<typeof snapshot>]>([
    ['is one', { owners: [...owners, ownedBy(past)] }],
    ['was not rolled to it', { snapshot: { ...snapshot.snapshot, records: {} } }],
    ['finds it being deleted', { deleting: true }],
  ])('and that %s is not', (_, overrides) => {
    expect(planOwnership({ ...snapshot, ...overrides }, past)).toBeUndefined();
  });
});

describe('an owner given by hand', () => {
  test.each<[what: string, observed: Partial<SnapshotObservation>, given: string]>([
    ['by reference', { snapshot: aSnapshot({ owners: [ownedBy(past)] }), strangers: [past] }, 'deployment/web'],
    [
      'by annotation',
      { snapshot: aSnapshot({ declaredOwners: 'deployment/web', owners: [ownedBy(revision)] }), revisions: [revision] },
      'annotation configrollout.dev/owners',
    ],
  ])('%s, is answered by one Event that says what to do instead', (_, observed, given) => {
    const { actions } = plan(observed);
    expect(actions).toMatchObject([{ type: 'Event', reason: 'ConfigSnapshotOwnedByHand', once: true }]);
    expect(actions[0]).toHaveProperty('note', expect.stringContaining(given));
    expect(actions[0]).toHaveProperty('note', expect.stringContaining('set the owner of configmap/foo'));
  });

  test('is not what a workload is that mounts the snapshot by hand', () => {
    const byHand = aWorkload({ name: 'other', mounts: [FOO1] });
    const snapshot = aSnapshot({ owners: [ownedBy(byHand)] });
    expect(plan({ snapshot, users: [byHand], strangers: [byHand] }).actions).toEqual([]);
  });
});
