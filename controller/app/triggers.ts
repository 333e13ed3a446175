// Which keys have to be looked at after a change. Handlers add keys and decide nothing: a key too many costs an index
// look-up, a key too few breaks a promise.

import { isDeepStrictEqual } from 'node:util';
import { readRolled } from '../core/names.ts';
import type { ConfigRollout } from '../core/policy.ts';
import { type ConfigObject, objectKey, type Revision, type Workload } from '../core/types.ts';
import { type Change, EVERYWHERE, type Store, type Stored } from '../runtime/store.ts';
import { WorkQueue } from '../runtime/work-queue.ts';
import type { ContentIndex } from './content-index.ts';
import { isSnapshot, type SnapshotObject, type World } from './world.ts';

// Owners and problems are bookkeeping: a moment's wait turns the events of one rollout, or of two hundred, into one look.
const BOOKKEEPING_MS = 150;

const IRRELEVANT = { resourceVersion: '', claims: [] };

/** Of keys as `objectKey` makes them. */
export interface Queues {
  readonly sources: WorkQueue;
  readonly workloads: WorkQueue;
  readonly snapshots: WorkQueue;
  /** Of workloads, whose ConfigRollouts are to be kept up. */
  readonly statuses: WorkQueue;
}

export function makeQueues(): Queues {
  return {
    sources: new WorkQueue(),
    workloads: new WorkQueue(),
    snapshots: new WorkQueue(),
    statuses: new WorkQueue(),
  };
}

/**
 * Connects the caches to the queues, and wakes all that they hold already. `forget` is called for workloads that are gone.
 * To be called when the work begins: nobody would empty the queues of a replica that stands by.
 */
export function connect(world: World, index: ContentIndex, queues: Queues, forget: (workload: Workload) => void): void {
  for (const store of world.sources.values()) listen(store, (change) => onSource(world, index, queues, change));
  for (const store of world.workloads.values()) listen(store, (change) => onWorkload(world, queues, forget, change));
  for (const store of world.revisions.values()) listen(store, (change) => onRevision(world, queues, change));
  listen(world.configRollouts, (change) => onConfigRollout(queues, change));
  world.whenConfigRolloutsServed((scope) => {
    for (const store of world.workloads.values())
      for (const workload of store.all())
        if ([EVERYWHERE, workload.namespace].includes(scope)) enqueueStatus(queues, objectKey(workload));
  });
  if (world.scope.selected) listen(world.scope.selected, (change) => onNamespace(world, queues, change));
}

function listen<T extends Stored>(store: Store<T>, listener: (change: Change<T>) => void): void {
  store.subscribe(listener);
  for (const after of store.all()) listener({ before: undefined, after });
}

// One write for the moments of a quick rollout.
const STATUS_MS = 500;

function onConfigRollout(queues: Queues, { before, after }: Change<ConfigRollout>): void {
  const object = after ?? before;
  if (object === undefined) return;
  const key = objectKey({ ...object.workload, namespace: object.namespace });
  if (!isDeepStrictEqual(before?.policy, after?.policy)) queues.workloads.add(key);
  queues.statuses.addAfter(key, after === undefined ? STATUS_MS : BOOKKEEPING_MS);
}

/** After a workload, or one of its sources, was looked at. */
export function enqueueStatus(queues: Queues, workload: string): void {
  queues.statuses.addAfter(workload, STATUS_MS);
}

// Objects of a namespace that comes into scope have been there all the time.
function onNamespace(world: World, queues: Queues, { before, after }: Change<Stored>): void {
  if (before !== undefined || after === undefined) return;
  for (const object of world.objectsIn(after.name)) {
    if (isSnapshot(object)) {
      queues.snapshots.addAfter(objectKey(object), BOOKKEEPING_MS);
    } else if (optsIn(world, object)) {
      queues.sources.add(objectKey(object));
      for (const workload of workloadsOf(world, object)) queues.workloads.add(workload);
    }
  }
}

function onSource(world: World, index: ContentIndex, queues: Queues, { before, after }: Change<ConfigObject>): void {
  const object = after ?? before;
  if (object === undefined) return;
  if (after === undefined) index.forget(object.uid);
  if (isSnapshot(object)) {
    onSnapshot(world, queues, object, after === undefined, before === undefined);
    return;
  }
  if ([before, after].some((side) => side !== undefined && optsIn(world, side))) queues.sources.add(objectKey(object));
  // Those that waited for it wait no more.
  const asking = after && !after.ignored ? workloadsOf(world, after) : [];
  const asked = before && !before.ignored ? workloadsOf(world, before) : [];
  for (const key of asked) if (!asking.includes(key)) queues.workloads.add(key);
  // The source came or went: its snapshots may be current no more.
  if (before === undefined || after === undefined) enqueueSnapshots(world, queues, object);
}

function onSnapshot(world: World, queues: Queues, snapshot: SnapshotObject, isGone: boolean, isNew: boolean): void {
  queues.snapshots.addAfter(objectKey(snapshot), BOOKKEEPING_MS);
  const source = world.sourceOf(snapshot);
  if (source === undefined || !(isGone || isNew)) return;
  if (isGone) queues.sources.add(objectKey(source));
  for (const workload of workloadsOf(world, source)) {
    queues.workloads.add(workload);
    enqueueStatus(queues, workload);
  }
}

function onWorkload(
  world: World,
  queues: Queues,
  forget: (workload: Workload) => void,
  { before, after }: Change<Workload>,
): void {
  const workload = after ?? before;
  if (workload === undefined) return;
  // Most events of a workload are about its status.
  if (isUnchanged(before, after)) return;
  if (after === undefined) forget(workload);
  else queues.workloads.add(objectKey(workload));
  enqueueStatus(queues, objectKey(workload));
  // Its pods alone concern nobody else.
  if (isUnchanged(before, after && before && { ...after, progress: before.progress })) return;
  // Of both: what it asks for no more has to be looked at once, too.
  const sides = [before, after].filter((side) => side !== undefined);
  for (const source of sides.flatMap((side) => [...world.sourcesNaming(side), ...world.sourcesOf(side)]))
    queues.sources.addAfter(objectKey(source), before === undefined ? 0 : BOOKKEEPING_MS);
  enqueueMounted(world, queues, sides);
}

function onRevision(world: World, queues: Queues, { before, after }: Change<Revision>): void {
  if (isUnchanged(before, after)) return;
  const owner = (after ?? before)?.workload;
  const namespace = (after ?? before)?.namespace ?? '';
  if (owner) queues.workloads.add(objectKey({ ...owner, namespace }));
  const sides = [before, after].filter((side) => side !== undefined);
  enqueueMounted(world, queues, sides);
}

// But for the version, which each write to the object counts up, for who wrote what when, and for the count of its pods.
function isUnchanged(before: Workload | Revision | undefined, after: Workload | Revision | undefined): boolean {
  return before !== undefined && after !== undefined && isDeepStrictEqual(relevant(before), relevant(after));
}

function relevant(object: Workload | Revision): object {
  const counts = 'progress' in object && { progress: { ...object.progress, updated: 0, desired: 0 } };
  return { ...object, ...IRRELEVANT, ...counts };
}

function enqueueMounted(world: World, queues: Queues, holders: readonly (Workload | Revision)[]): void {
  for (const holder of holders) {
    for (const { kind, name } of holder.references) {
      const object = world.object({ kind, namespace: holder.namespace, name });
      if (object && isSnapshot(object))
        queues.snapshots.addAfter(objectKey(object), isUndoneTo(holder, object) ? 0 : BOOKKEEPING_MS);
    }
  }
}

// The revision that owns it may be the oldest, which Kubernetes is pruning: the workload has to own it, too, before the
// garbage collector finds that nobody does. What a rollout mounts is current, and would be made again.
function isUndoneTo(holder: Revision | Workload, { kind, owners, snapshot }: SnapshotObject): boolean {
  // The owners last: a snapshot that two hundred workloads roll to has as many.
  if (!('labels' in holder) || readRolled(holder.labels, kind, snapshot.source)?.hash === snapshot.hash) return false;
  return !owners.some(({ uid }) => uid === holder.uid);
}

/** After a source was looked at: its content may make a snapshot current, or superfluous. */
export function enqueueSnapshots(world: World, queues: Queues, source: ConfigObject): void {
  for (const snapshot of world.snapshotsOf(source)) queues.snapshots.addAfter(objectKey(snapshot), BOOKKEEPING_MS);
}

function optsIn(world: World, source: ConfigObject): boolean {
  return source.declaredOwners !== undefined || source.owners.length > 0 || world.workloadsAskingFor(source).length > 0;
}

function workloadsOf(world: World, source: ConfigObject): string[] {
  const named = world.declarations
    .of(source)
    .optIns.map(({ kind, name }) => objectKey({ kind, namespace: source.namespace, name }));
  const asking = world.workloadsAskingFor(source).map(objectKey);
  return [...new Set([...named, ...asking])];
}
