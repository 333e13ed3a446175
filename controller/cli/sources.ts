// What the ConfigMaps and Secrets are that pod templates name: sources, snapshots, gone, or hidden by RBAC. By their marks
// if they can be read; a snapshot that cannot is known by its name, as the controller does. Only metadata is read here.

import { isFailure } from '../app/errors.ts';
import { EXCLUDED, MANAGED_LABEL, rolledHashLabel } from '../core/names.ts';
import { asksFor, isExcluded, isOptInOf, optIns } from '../core/opt-in.ts';
import { hashInName } from '../core/snapshot.ts';
import { type ConfigObject, display, type Reference, type Workload } from '../core/types.ts';
import { WORKLOAD_KINDS } from '../workloads/kinds.ts';
import { projectSource } from '../workloads/raw.ts';
import type { Cluster } from './cluster.ts';
import { SOURCES } from './resources.ts';

/** A ConfigMap or a Secret of the namespace: the two may have one name. */
export type SourceName = Pick<Reference, 'kind' | 'name'>;

/** `missing`: there is none of that name. `hidden`: the user may not read it. */
export type Known = ConfigObject | 'missing' | 'hidden';

export class Sources {
  readonly #known: ReadonlyMap<string, Known>;

  /** By `display`: configmap/foo, secret/foo. */
  constructor(known: ReadonlyMap<string, Known> = new Map()) {
    this.#known = known;
  }

  /** With what another look found out. */
  and(others: Sources): Sources {
    return new Sources(new Map([...this.#known, ...others.#known]));
  }

  has(source: SourceName): boolean {
    return this.#known.has(display(source));
  }

  /** `hidden` also for what was not read. */
  get(source: SourceName): Known {
    return this.#known.get(display(source)) ?? 'hidden';
  }

  /** The source whose snapshot this is; undefined when it is none, as far as its marks say. */
  sourceOf(name: SourceName): SourceName | undefined {
    const known = this.get(name);
    if (typeof known !== 'object' || known.snapshot === undefined) return undefined;
    return { kind: name.kind, name: known.snapshot.source };
  }

  isSnapshotOf(source: SourceName, { kind, name }: SourceName): boolean {
    if (kind !== source.kind) return false;
    const known = this.get({ kind, name });
    return typeof known === 'object'
      ? known.snapshot?.source === source.name
      : hashInName(source.name, name) !== undefined;
  }

  /** True when `name` is the source itself, or a snapshot of it. */
  leadsTo(source: SourceName, name: SourceName): boolean {
    return (name.kind === source.kind && name.name === source.name) || this.isSnapshotOf(source, name);
  }

  /** The sources of all snapshots that were read. */
  ofSnapshots(): SourceName[] {
    return [...this.#known.values()].flatMap((known) =>
      typeof known === 'object' && known.snapshot ? [{ kind: known.kind, name: known.snapshot.source }] : [],
    );
  }
}

/** Reads the metadata of each, at the same time. What the user may not see is passed over. */
export async function readSources(cluster: Cluster, names: Iterable<SourceName>): Promise<Sources> {
  const distinct = new Map([...names].map((name) => [display(name), name]));
  const entries = [...distinct].map(async ([key, name]) => [key, await readSource(cluster, name)] as const);
  return new Sources(new Map(await Promise.all(entries)));
}

/** Reads the sources of the snapshots too: they say who opted in. */
export async function withSources(cluster: Cluster, sources: Sources): Promise<Sources> {
  const more = sources.ofSnapshots().filter((name) => !sources.has(name));
  return sources.and(await readSources(cluster, more));
}

export async function readSource(cluster: Cluster, { kind, name }: SourceName): Promise<Known> {
  try {
    return projectSource(kind, await cluster.getMetadata(SOURCES[kind], name)) ?? 'hidden';
  } catch (error) {
    if (isFailure(error, 'NotFound')) return 'missing';
    if (isFailure(error, 'Forbidden')) return 'hidden';
    throw error;
  }
}

/** How the source opts this workload in, if it does. */
export function optsIn(source: ConfigObject, workload: Workload): 'reference' | 'annotation' | 'label' | undefined {
  if (isExcluded(workload, source)) return undefined;
  const named = optIns(source, WORKLOAD_KINDS).optIns.filter((optIn) => isOptInOf(optIn, workload));
  if (named.some(({ uid }) => uid !== undefined)) return 'reference';
  if (named.length > 0) return 'annotation';
  return asksFor(workload, source, { reloader: false }) ? 'label' : undefined;
}

/** The label that keeps the source from rolling out to the workload, as `object label`; undefined when there is none. */
export function exclusion(
  source: ConfigObject,
  workload: Workload,
): { readonly on: 'source' | 'workload'; readonly label: string } | undefined {
  if (!isExcluded(workload, source)) return undefined;
  const own = rolledHashLabel(source.kind, source.name);
  if (workload.labels[MANAGED_LABEL] === 'none') return { on: 'workload', label: MANAGED_LABEL };
  return workload.labels[own] === EXCLUDED ? { on: 'workload', label: own } : { on: 'source', label: MANAGED_LABEL };
}
