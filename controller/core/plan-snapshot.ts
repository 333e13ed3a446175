// One snapshot: who owns it, what was rolled to it, and whether anybody needs it still.

import { type Action, NOTHING, type Plan } from './actions.ts';
import { OWNERS_ANNOTATION, REASONS, ROLLED_RECORD_PREFIX, readRolled } from './names.ts';
import { warn } from './plan-source.ts';
import { isNameOf, ownerReference } from './snapshot.ts';
import {
  type ConfigObject,
  configRef,
  display,
  mention,
  type OwnerReference,
  type Revision,
  type SnapshotInfo,
  type Workload,
} from './types.ts';

export interface SnapshotObservation {
  readonly snapshot: ConfigObject & { readonly snapshot: SnapshotInfo };
  /** The hash of the source's content now; undefined when the source is gone, or opts no workload in. */
  readonly currentHash: string | undefined;
  /** Workloads whose template names the snapshot. */
  readonly users: readonly Workload[];
  /** Workloads that the source opts in. */
  readonly optedIn: readonly Workload[];
  /** Other workloads that own the snapshot, by reference. */
  readonly strangers: readonly Workload[];
  /** Workloads that exclude the source, and run on it raw. */
  readonly left: readonly Workload[];
  /** Revisions, of any workload, that mount it. */
  readonly revisions: readonly Revision[];
  /** The highest record of each workload (by uid) among all snapshots of the source, and the content it speaks of. */
  readonly highestRecords: Readonly<Record<string, { readonly generation: number; readonly hash: string }>>;
  /** The uids among the snapshot's records that are of no workload any more. */
  readonly gone: readonly string[];
  readonly graceMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

// The revision shows up within moments of the patch. A record waits for it, so that both are one write.
const REVISION_WAIT_MS = 5000;
const SWEEP_AGAIN_MS = 60_000;

/** What to do about one snapshot. */
export function planSnapshot(observed: SnapshotObservation): Plan {
  const { snapshot, now, graceMs } = observed;
  if (snapshot.deleting) return NOTHING;
  const age = now - snapshot.createdAt;
  if (isUnused(observed)) {
    // A clock that was set back, by an hour, may be right again in a minute.
    if (age < graceMs) return { actions: [], requeueAfterMs: Math.min(graceMs, graceMs - age) };
    return {
      actions: [
        {
          type: 'DeleteSnapshot',
          target: configRef(snapshot),
          resourceVersion: snapshot.resourceVersion,
          why: 'nothing mounts it',
        },
      ],
      // For when the live cluster shows a pod that still does.
      requeueAfterMs: Math.max(graceMs, SWEEP_AGAIN_MS),
    };
  }
  const owners = desiredOwners(observed);
  const records = { ...missingRecords(observed), ...spentRecords(observed, owners ?? snapshot.owners) };
  const actions = byHand(observed);
  if (owners === undefined) {
    if (Object.keys(records).length === 0) return { actions };
    // Where the clocks differ, better too soon than never.
    if (awaitsRevision(observed, records) && age >= 0 && age < REVISION_WAIT_MS)
      return { actions, requeueAfterMs: REVISION_WAIT_MS - age };
  }
  const annotations = Object.fromEntries(
    Object.entries({ ...goneRecords(observed), ...records }).map(([uid, generation]) => [
      `${ROLLED_RECORD_PREFIX}${uid}`,
      generation === null ? null : `${generation}`,
    ]),
  );
  const write: Action = {
    type: 'PatchMetadata',
    target: configRef(snapshot),
    resourceVersion: snapshot.resourceVersion,
    ...(owners && { ownerReferences: owners }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
    why: whyWritten(owners, records),
  };
  return { actions: [write, ...actions] };
}

/**
 * What makes a workload an owner of a snapshot that it was rolled to once, and that its template is about to name again;
 * undefined: it is one. Where the template is refused after all, the workload is taken from the owners again.
 */
export function planOwnership(snapshot: ConfigObject, workload: Workload): Action | undefined {
  if (snapshot.deleting || snapshot.snapshot?.records[workload.uid] === undefined) return undefined;
  if (snapshot.owners.some(({ uid }) => uid === workload.uid)) return undefined;
  return {
    type: 'PatchMetadata',
    target: configRef(snapshot),
    resourceVersion: snapshot.resourceVersion,
    ownerReferences: [...snapshot.owners, ownerReference(workload)],
    why: `${mention(workload)} is about to mount it`,
  };
}

function whyWritten(
  owners: readonly OwnerReference[] | undefined,
  records: Readonly<Record<string, number | null>>,
): string {
  if (owners) return ownedBy(owners);
  return Object.values(records).includes(null) ? 'a workload was taken out, and runs on the source' : 'rolled out';
}

const MOST_NAMED = 4;

function ownedBy(owners: readonly OwnerReference[]): string {
  const named = owners.slice(-MOST_NAMED).map(display).join(', ');
  return owners.length > MOST_NAMED ? `owned by ${owners.length}, the latest ${named}` : `owned by ${named}`;
}

// Undefined when the owners are right. Only ever adds, and drops workloads whose template has moved on: what else is
// there is the garbage collector's business, and never are all owners dropped, which would keep the snapshot for ever.
function desiredOwners(observed: SnapshotObservation): readonly OwnerReference[] | undefined {
  const { snapshot, users, revisions } = observed;
  const dropped = new Set(movedOn(observed).map(({ uid }) => uid));
  const present = new Set(snapshot.owners.map(({ uid }) => uid));
  const missing = [...revisions, ...users].filter(({ uid, deleting }) => !present.has(uid) && !deleting);
  const kept = snapshot.owners.filter(({ uid }) => !dropped.has(uid));
  const owners = [...kept, ...missing.map(ownerReference)];
  return owners.length === 0 || (missing.length === 0 && dropped.size === 0) ? undefined : owners;
}

// Owners that the controller once set, whose template names the snapshot no more, and who are not about to roll to it.
function movedOn(observed: SnapshotObservation): readonly Workload[] {
  const { snapshot, users, optedIn, strangers } = observed;
  const using = new Set(users.map(({ uid }) => uid));
  const owning = new Set(snapshot.owners.map(({ uid }) => uid));
  const rolledOnce = strangers.filter(({ uid }) => snapshot.snapshot.records[uid] !== undefined);
  return [...optedIn, ...rolledOnce].filter(
    (workload) => owning.has(workload.uid) && !using.has(workload.uid) && !isPending(observed, workload),
  );
}

function isPending({ snapshot, currentHash }: SnapshotObservation, workload: Workload): boolean {
  const { source, hash } = snapshot.snapshot;
  return hash === currentHash && readRolled(workload.labels, snapshot.kind, source)?.hash !== hash;
}

// The state label is the truth; the record is there for when the label is lost.
function missingRecords({ snapshot, users, optedIn, highestRecords }: SnapshotObservation): Record<string, number> {
  const { source, hash } = snapshot.snapshot;
  const missing: Record<string, number> = {};
  for (const workload of [...users, ...optedIn]) {
    const highest = highestRecords[workload.uid];
    // By content, not by object: two copies of one content must not outbid each other.
    if (readRolled(workload.labels, snapshot.kind, source)?.hash !== hash || highest?.hash === hash) continue;
    missing[workload.uid] = Math.max(workload.generation, (highest?.generation ?? 0) + 1);
  }
  return missing;
}

// Who runs on the source itself, as a person wants it, has rolled to none of its contents. With a record, the next opt-in
// would take the raw template for one that an apply has just made, and pin it to what ran before.
function spentRecords(
  { snapshot, left }: SnapshotObservation,
  owners: readonly OwnerReference[],
): Record<string, null> {
  const spent = left.filter(
    ({ uid }) => snapshot.snapshot.records[uid] !== undefined && !owners.some((owner) => owner.uid === uid),
  );
  return Object.fromEntries(spent.map(({ uid }) => [uid, null]));
}

// With whatever else is written: so what workloads that come and go leave on a snapshot that stays does not add up.
function goneRecords({ snapshot, revisions, gone }: SnapshotObservation): Record<string, null> {
  const held = new Set([...snapshot.owners.map(({ uid }) => uid), ...revisions.map(({ workload }) => workload?.uid)]);
  return Object.fromEntries(gone.filter((uid) => !held.has(uid)).map((uid) => [uid, null]));
}

function awaitsRevision(
  { users, revisions }: SnapshotObservation,
  records: Readonly<Record<string, number | null>>,
): boolean {
  return users.some(({ uid }) => uid in records && !revisions.some((revision) => revision.workload?.uid === uid));
}

// Not current, mounted nowhere, and owned by nobody but workloads that have moved on, or by nobody at all. The caller
// looks once more at the live cluster, pods included, before it deletes.
function isUnused(observed: SnapshotObservation): boolean {
  const { snapshot, users, revisions, currentHash } = observed;
  const { source, hash } = snapshot.snapshot;
  if (users.length > 0 || revisions.length > 0 || hash === currentHash) return false;
  if (!isNameOf(snapshot.name, source, hash)) return false;
  const dropped = new Set(movedOn(observed).map(({ uid }) => uid));
  return snapshot.owners.every(({ uid }) => dropped.has(uid));
}

function byHand({ snapshot, strangers, users }: SnapshotObservation): Action[] {
  const using = new Set(users.map(({ uid }) => uid));
  const given = strangers
    .filter(({ uid }) => !using.has(uid) && snapshot.snapshot.records[uid] === undefined)
    .map(mention);
  if (snapshot.declaredOwners !== undefined) given.push(`annotation ${OWNERS_ANNOTATION}`);
  if (given.length === 0) return [];
  const source = mention({ kind: snapshot.kind, name: snapshot.snapshot.source });
  const note = `${mention(snapshot)} is a snapshot of ${source}, and was given an owner by hand (${given.slice(0, 3).join(', ')}); nothing rolls out from a snapshot: undo that, and set the owner of ${source}`;
  return [warn(snapshot, { reason: REASONS.snapshotOwned, note })];
}
