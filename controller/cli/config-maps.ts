// What the ConfigMaps are that pod templates name: sources, snapshots, gone, or hidden by RBAC. By their marks if they can
// be read; a snapshot that cannot is known by its name, as the controller does.

import { isFailure } from '../app/errors.ts';
import { managesAll, optIns } from '../core/opt-in.ts';
import { hashInName } from '../core/snapshot.ts';
import type { ConfigObject, Workload } from '../core/types.ts';
import { WORKLOAD_KINDS } from '../workloads/kinds.ts';
import { projectConfigMap } from '../workloads/raw.ts';
import type { Cluster } from './cluster.ts';
import { CONFIG_MAPS } from './resources.ts';

/** `missing`: there is none of that name. `hidden`: the user may not read it. */
export type Known = ConfigObject | 'missing' | 'hidden';

export class ConfigMaps {
  readonly #known: ReadonlyMap<string, Known>;

  constructor(known: ReadonlyMap<string, Known>) {
    this.#known = known;
  }

  /** Each name that was read, and what came of it. */
  entries(): Iterable<readonly [string, Known]> {
    return this.#known;
  }

  /** `hidden` also for what was not read. */
  get(name: string): Known {
    return this.#known.get(name) ?? 'hidden';
  }

  /** The name of the source whose snapshot this is; undefined when it is none, as far as its marks say. */
  sourceOf(name: string): string | undefined {
    const known = this.get(name);
    return typeof known === 'object' ? known.snapshot?.source : undefined;
  }

  isSnapshotOf(source: string, name: string): boolean {
    const known = this.get(name);
    return typeof known === 'object' ? known.snapshot?.source === source : hashInName(source, name) !== undefined;
  }

  /** True when `name` is the source itself, or a snapshot of it. */
  leadsTo(source: string, name: string): boolean {
    return name === source || this.isSnapshotOf(source, name);
  }
}

/** Reads the metadata of each, at the same time. What the user may not see is passed over. */
export async function readConfigMaps(cluster: Cluster, names: Iterable<string>): Promise<ConfigMaps> {
  const entries = [...new Set(names)].map(async (name) => [name, await readOne(cluster, name)] as const);
  return new ConfigMaps(new Map(await Promise.all(entries)));
}

/** Reads the sources of the snapshots too: they say who opted in. */
export async function withSources(cluster: Cluster, configMaps: ConfigMaps): Promise<ConfigMaps> {
  const known = new Map(configMaps.entries());
  const sources = [...known.keys()].map((name) => configMaps.sourceOf(name)).filter((name) => name !== undefined);
  const read = await readConfigMaps(
    cluster,
    sources.filter((name) => !known.has(name)),
  );
  return new ConfigMaps(new Map([...known, ...read.entries()]));
}

async function readOne(cluster: Cluster, name: string): Promise<Known> {
  try {
    return projectConfigMap(await cluster.getMetadata(CONFIG_MAPS, name)) ?? 'hidden';
  } catch (error) {
    if (isFailure(error, 'NotFound')) return 'missing';
    if (isFailure(error, 'Forbidden')) return 'hidden';
    throw error;
  }
}

/** How the source opts this workload in, if it does. */
export function optsIn(source: ConfigObject, workload: Workload): 'reference' | 'annotation' | 'label' | undefined {
  const named = optIns(source, WORKLOAD_KINDS).optIns.filter(
    ({ kind, name, uid }) =>
      kind === workload.kind && name === workload.name && (uid === undefined || uid === workload.uid),
  );
  if (named.some(({ uid }) => uid !== undefined)) return 'reference';
  if (named.length > 0) return 'annotation';
  return managesAll(workload) ? 'label' : undefined;
}
