// Lists of the API server → the controller's own caches, so that a command sees a workload as the controller does. All
// lists run at the same time, and of ConfigMaps and Secrets they ask for metadata alone.

import { isFailure } from '../../app/errors.ts';
import { NamespaceScope } from '../../app/scope.ts';
import { World } from '../../app/world.ts';
import { SOURCE_KINDS } from '../../core/names.ts';
import { configRolloutName } from '../../core/policy.ts';
import type { ConfigObject, SourceKind } from '../../core/types.ts';
import { EVERYWHERE, type Store, type Stored } from '../../runtime/store.ts';
import { CONFIG_ROLLOUTS, projectConfigRollout } from '../../workloads/config-rollout.ts';
import type { ResourceName, WorkloadKind } from '../../workloads/kind.ts';
import { revisionKinds, WORKLOAD_KINDS } from '../../workloads/kinds.ts';
import { projectSource, rawObject } from '../../workloads/raw.ts';
import type { Cluster, Json, ListOptions } from '../cluster.ts';
import { inOrder } from '../reading.ts';
import { SOURCES, type Target, WORKLOADS } from '../resources.ts';
import { compare, type Located, NamespaceView } from './namespace-view.ts';
import type { Selection } from './selection.ts';

export type ViewOptions = Selection & { readonly allNamespaces?: boolean };

/** What may not be listed, in the server's words. */
type Refusals = Map<string, string>;

interface Lists {
  readonly workloads: readonly (readonly [WorkloadKind, readonly Json[]])[];
  readonly revisions: readonly Json[];
}

/**
 * Reads the workloads that were selected, with their revisions, and what ConfigMaps and Secrets there are. Without the
 * Secrets where they may not be listed, and without the kinds of workload that may not be, unless that leaves nothing.
 *
 * @throws ServerError NotFound for a target that does not exist
 */
export async function viewNamespace(cluster: Cluster, options: ViewOptions): Promise<NamespaceView> {
  const allNamespaces = options.allNamespaces ?? false;
  const refusals: Refusals = new Map();
  const reading = [
    'targets' in options
      ? readTargets(cluster, options.targets)
      : listKinds(cluster, { ...options, allNamespaces }, refusals),
    'targets' in options
      ? readPolicies(cluster, options.targets, refusals)
      : listPolicies(cluster, allNamespaces, refusals),
    inOrder(SOURCE_KINDS.map((kind) => listSources(cluster, kind, allNamespaces, refusals))),
  ] as const;
  // Of several failures the first in the list is told, not the first in time.
  await Promise.allSettled(reading);
  const [lists, policies, sources] = await Promise.all(reading);
  const world = new World(
    { kinds: WORKLOAD_KINDS, sourceKinds: SOURCE_KINDS, scope: new NamespaceScope([], false), reloader: true },
    // Nobody listens to these stores, so there is no failure of a listener to tell.
    () => undefined,
  );
  const scope = allNamespaces ? EVERYWHERE : cluster.namespace;
  SOURCE_KINDS.forEach((kind, i) => {
    fill(world.sources.get(kind), scope, sources[i] ?? []);
  });
  const raws = new Map<string, Json>();
  fill(world.configRollouts, scope, projectAll(policies, projectConfigRollout, raws));
  for (const [kind, items] of lists.workloads) {
    fill(world.workloads.get(kind.kind), scope, projectAll(items, kind.project, raws));
  }
  for (const kind of revisionKinds(WORKLOAD_KINDS)) {
    const items = lists.revisions.filter((raw) => raw['kind'] === kind.kind);
    fill(world.revisions.get(kind.kind), scope, projectAll(items, kind.project, raws));
  }
  const targets = 'targets' in options ? locate(options.targets, cluster) : listed(world);
  return new NamespaceView(cluster, targets, world, raws, refusals);
}

function locate(targets: readonly Target[], { namespace }: Cluster): Located[] {
  return targets.map((target) => ({ ...target, namespace }));
}

function listed(world: World): Located[] {
  return WORKLOADS.flatMap((resource) =>
    [...(world.workloads.get(resource.kind)?.all() ?? [])]
      .map(({ namespace, name }) => ({ resource, namespace, name }))
      .sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name)),
  );
}

/** A list's version is not needed: what a command reads later is newer than any of them. */
function fill<T extends Stored>(store: Store<T> | undefined, scope: string, items: readonly T[]): void {
  store?.replace(scope, items, '0');
}

function projectAll<T extends Stored>(
  items: readonly Json[],
  project: (raw: unknown) => T | undefined,
  raws: Map<string, Json>,
): T[] {
  return items.flatMap((raw) => {
    const object = project(raw);
    if (object === undefined) return [];
    raws.set(object.uid, raw);
    return [object];
  });
}

async function readTargets(cluster: Cluster, targets: readonly Target[]): Promise<Lists> {
  const found = await inOrder(targets.map((target) => readTarget(cluster, target)));
  return {
    workloads: WORKLOAD_KINDS.map((kind) => [
      kind,
      found.flatMap(({ raw, target }) => (target.resource.kind === kind.kind ? [raw] : [])),
    ]),
    revisions: found.flatMap(({ revisions }) => revisions),
  };
}

// A namespace may have thousands of revisions: those of one workload bear the labels that it selects its pods by.
async function readTarget(cluster: Cluster, target: Target) {
  const raw = await cluster.get(target.resource, target.name);
  const kind = WORKLOAD_KINDS.find((each) => each.kind === target.resource.kind);
  const labelSelector = selectorOf(raw);
  const options = labelSelector === '' ? {} : { labelSelector };
  return { raw, target, revisions: kind ? await list(cluster, kind.revisions, options) : [] };
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/** `spec.selector` as the API takes it; empty where there is none. */
function selectorOf(raw: Json): string {
  const spec = raw['spec'] as { readonly selector?: unknown } | undefined;
  const { matchLabels = {}, matchExpressions = [] } = (spec?.selector ?? {}) as {
    readonly matchLabels?: Readonly<Record<string, string>>;
    readonly matchExpressions?: readonly Requirement[];
  };
  return [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(term),
  ].join();
}

function term({ key, operator, values = [] }: Requirement): string {
  switch (operator) {
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      return `${key} ${operator.toLowerCase()} (${values.join()})`;
  }
}

type KindsToList = Extract<Selection, { kinds: unknown }> & { readonly allNamespaces: boolean };

async function listKinds(cluster: Cluster, options: KindsToList, refusals: Refusals): Promise<Lists> {
  const kinds = WORKLOAD_KINDS.filter(({ kind }) => options.kinds.some((each) => each.kind === kind));
  const { allNamespaces } = options;
  const reading = [
    listAllWorkloads(cluster, kinds, options, refusals),
    inOrder(revisionKinds(kinds).map((kind) => list(cluster, kind, { allNamespaces }))),
  ] as const;
  await Promise.allSettled(reading);
  const [workloads, revisions] = await Promise.all(reading);
  return { workloads, revisions: revisions.flat() };
}

async function listAllWorkloads(
  cluster: Cluster,
  kinds: readonly WorkloadKind[],
  { allNamespaces, labelSelector }: KindsToList,
  refusals: Refusals,
): Promise<Lists['workloads']> {
  const options = { allNamespaces, ...(labelSelector && { labelSelector }) };
  const lists = await inOrder(kinds.map((kind) => listWorkloads(cluster, kind, options)));
  const refused = lists.filter((each) => each instanceof Error);
  // An empty answer would say that there is nothing.
  if (refused[0] !== undefined && !lists.some(Array.isArray)) throw refused[0];
  return kinds.map((kind, i) => {
    const items = lists[i];
    if (items instanceof Error) refusals.set(kind.kind, items.message);
    return [kind, Array.isArray(items) ? items : []];
  });
}

/** The error when they may not be listed, undefined when there is no such kind. */
async function listWorkloads(
  cluster: Cluster,
  kind: WorkloadKind,
  options: ListOptions,
): Promise<Json[] | Error | undefined> {
  try {
    return await list(cluster, kind, options);
  } catch (error) {
    if (isFailure(error, 'NotFound')) return undefined;
    if (!isFailure(error, 'Forbidden')) throw error;
    // Where a kind is not installed, those who have no right to it are told that, and not that it is not there.
    const isThere = kind.optional !== true || (await cluster.serves(kind));
    return isThere ? (error as Error) : undefined;
  }
}

function listPolicies(cluster: Cluster, allNamespaces: boolean, refusals: Refusals): Promise<Json[]> {
  return unlessRefused(cluster, refusals, () => list(cluster, CONFIG_ROLLOUTS, { allNamespaces }));
}

async function readPolicies(cluster: Cluster, targets: readonly Target[], refusals: Refusals): Promise<Json[]> {
  const reading = targets.map(({ resource: { kind }, name }) =>
    unlessRefused(cluster, refusals, async () => [
      await cluster.get(CONFIG_ROLLOUTS, configRolloutName({ kind, name })),
    ]),
  );
  return (await inOrder(reading)).flat();
}

/** None where there is none, and where the server does not know ConfigRollouts. */
async function unlessRefused(cluster: Cluster, refusals: Refusals, read: () => Promise<Json[]>): Promise<Json[]> {
  try {
    return await read();
  } catch (error) {
    if (isFailure(error, 'NotFound')) return [];
    if (!isFailure(error, 'Forbidden')) throw error;
    if (await cluster.serves(CONFIG_ROLLOUTS)) refusals.set(CONFIG_ROLLOUTS.kind, (error as Error).message);
    return [];
  }
}

async function listSources(
  cluster: Cluster,
  kind: SourceKind,
  allNamespaces: boolean,
  refusals: Refusals,
): Promise<ConfigObject[]> {
  try {
    const items = await list(cluster, SOURCES[kind], { allNamespaces, metadataOnly: true });
    return items.flatMap((raw) => projectSource(kind, raw) ?? []);
  } catch (error) {
    if (kind !== 'Secret' || !isFailure(error, 'Forbidden')) throw error;
    refusals.set(kind, (error as Error).message);
    return [];
  }
}

/** With what a list leaves out of its items. */
async function list(cluster: Cluster, resource: ResourceName, options: ListOptions): Promise<Json[]> {
  const { apiVersion, kind } = resource;
  const found: Json[] = [];
  for await (const raw of cluster.list(resource, options)) {
    if (rawObject(raw) !== undefined) found.push({ ...raw, apiVersion, kind });
  }
  return found;
}
