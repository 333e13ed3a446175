// Which keys have to be looked at after a change. Handlers add keys and decide nothing: a key too many costs an index
// look-up, a key too few breaks a promise.

import { isDeepStrictEqual } from 'node:util';
import { optIns } from '../core/opt-in.ts';
import type { ConfigObject, Revision, Workload } from '../core/types.ts';
import { type Change, keyOf } from '../runtime/store.ts';
import { WorkQueue } from '../runtime/work-queue.ts';
import type { ContentIndex } from './content-index.ts';
import { isSnapshot, type World } from './world.ts';

// Owners and problems are bookkeeping: a moment's wait turns the events of one rollout, or of two hundred, into one look.
const BOOKKEEPING_MS = 150;

const IRRELEVANT = { resourceVersion: '', claims: [] };

export interface Queues {
  readonly sources: WorkQueue;
  readonly workloads: WorkQueue;
  readonly snapshots: WorkQueue;
}

export function makeQueues(): Queues {
  return { sources: new WorkQueue(), workloads: new WorkQueue(), snapshots: new WorkQueue() };
}

/** Kind/namespace/name. */
export function workloadKey({ kind, namespace, name }: { kind: string; namespace: string; name: string }): string {
  return `${kind}/${namespace}/${name}`;
}

/** Connects the caches to the queues. `forget` is called for workloads that are gone. */
export function connect(world: World, index: ContentIndex, queues: Queues, forget: (workload: Workload) => void): void {
  world.configMaps.subscribe((change) => onConfigMap(world, index, queues, change));
  for (const store of world.workloads.values()) store.subscribe((change) => onWorkload(world, queues, forget, change));
  for (const store of world.revisions.values()) store.subscribe((change) => onRevision(world, queues, change));
}

function onConfigMap(world: World, index: ContentIndex, queues: Queues, { before, after }: Change<ConfigObject>): void {
  const object = after ?? before;
  if (object === undefined) return;
  if (after === undefined) index.forget(object.uid);
  if (isSnapshot(object)) {
    onSnapshot(world, queues, object, after === undefined, before === undefined);
    return;
  }
  if ([before, after].some((side) => side !== undefined && optsIn(world, side))) queues.sources.add(keyOf(object));
  // The source came or went: its snapshots may be current no more.
  if (before === undefined || after === undefined) enqueueSnapshots(world, queues, object);
}

function onSnapshot(world: World, queues: Queues, snapshot: ConfigObject, isGone: boolean, isNew: boolean): void {
  queues.snapshots.addAfter(keyOf(snapshot), BOOKKEEPING_MS);
  const source = snapshot.snapshot && world.configMap(snapshot.namespace, snapshot.snapshot.source);
  if (source === undefined || !(isGone || isNew)) return;
  if (isGone) queues.sources.add(keyOf(source));
  for (const workload of workloadsOf(world, source)) queues.workloads.add(workload);
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
  else queues.workloads.add(workloadKey(workload));
  for (const source of [...world.sourcesNaming(workload), ...world.sourcesOf(workload)])
    queues.sources.addAfter(keyOf(source), before === undefined ? 0 : BOOKKEEPING_MS);
  enqueueMounted(world, queues, [before, after]);
}

function onRevision(world: World, queues: Queues, { before, after }: Change<Revision>): void {
  if (isUnchanged(before, after)) return;
  const owner = (after ?? before)?.workload;
  const namespace = (after ?? before)?.namespace ?? '';
  if (owner) queues.workloads.add(workloadKey({ ...owner, namespace }));
  enqueueMounted(world, queues, [before, after]);
}

// But for the version, which each write to the object counts up, and for who wrote what when.
function isUnchanged<T extends object>(before: T | undefined, after: T | undefined): boolean {
  return (
    before !== undefined &&
    after !== undefined &&
    isDeepStrictEqual({ ...before, ...IRRELEVANT }, { ...after, ...IRRELEVANT })
  );
}

function enqueueMounted(world: World, queues: Queues, holders: readonly (Workload | Revision | undefined)[]): void {
  for (const holder of holders) {
    for (const { name } of holder?.references ?? []) {
      const object = holder && world.configMap(holder.namespace, name);
      if (object && isSnapshot(object)) queues.snapshots.addAfter(keyOf(object), BOOKKEEPING_MS);
    }
  }
}

/** After a source was looked at: its content may make a snapshot current, or superfluous. */
export function enqueueSnapshots(
  world: World,
  queues: Queues,
  { namespace, name }: { namespace: string; name: string },
): void {
  for (const snapshot of world.snapshotsOf(namespace, name)) queues.snapshots.addAfter(keyOf(snapshot), BOOKKEEPING_MS);
}

function optsIn(world: World, source: ConfigObject): boolean {
  return (
    source.declaredOwners !== undefined || source.owners.length > 0 || world.workloadsAskingForAll(source).length > 0
  );
}

function workloadsOf(world: World, source: ConfigObject): string[] {
  const named = optIns(source, world.kinds).optIns.map(({ kind, name }) =>
    workloadKey({ kind, namespace: source.namespace, name }),
  );
  const asking = world.workloadsAskingForAll(source).map(workloadKey);
  return [...new Set([...named, ...asking])];
}
