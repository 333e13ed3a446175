// A workload as the controller sees it, and what a person wants to know besides: when its revisions came, what they ran
// with, and what a snapshot says. Reads the content of ConfigMaps and Secrets where that is asked for, and only then.

import { ContentIndex } from '../../app/content-index.ts';
import { Observer } from '../../app/observe.ts';
import type { SourceName, SourceRead } from '../../app/ports.ts';
import { SourceViews } from '../../app/source-views.ts';
import type { SnapshotObject, World } from '../../app/world.ts';
import type { Pins } from '../../core/decide.ts';
import { currentOf } from '../../core/history.ts';
import { readRolled, rolledHashLabel, SOURCE_KINDS } from '../../core/names.ts';
import type { WorkloadObservation } from '../../core/plan-workload.ts';
import type { ConfigRollout } from '../../core/policy.ts';
import { byAge } from '../../core/revision-order.ts';
import { type ConfigObject, display, objectKey, type Revision, type Workload } from '../../core/types.ts';
import { CONFIG_ROLLOUTS } from '../../workloads/config-rollout.ts';
import { rawObject } from '../../workloads/raw.ts';
import type { Cluster, Json } from '../cluster.ts';
import { CommandError } from '../errors.ts';
import { inOrder } from '../reading.ts';
import { type Target, typed, WORKLOADS } from '../resources.ts';
import { optsIn } from '../sources.ts';
import { ReadingPort } from './port.ts';
import { type Unmanaged, unmanagedOf } from './unmanaged.ts';

export type { SourceName } from '../../app/ports.ts';

/** A workload in its namespace. */
export interface Located extends Target {
  readonly namespace: string;
}

/** What is known without reading any content. */
export interface WorkloadLook extends Located {
  readonly workload: Workload;
  /** The object as the server sent it. */
  readonly raw: Json;
  /** The sources that roll out to it, as far as that can be told without knowing the controller's flags. */
  readonly managed: readonly ConfigObject[];
  /** These, and those that are no longer managed, or gone, of which the template or a revision names a snapshot. */
  readonly sources: readonly SourceName[];
  /** Of these, those that a person took out of management, or never put in. */
  readonly unmanaged: readonly Unmanaged[];
  /** Those that reference configuration, oldest first. */
  readonly revisions: readonly Revision[];
  /** The revision that the template is that of now. */
  readonly current: Revision | undefined;
  /** Of the template's references, and of the revisions'. */
  readonly pins: Pins;
  /** What of it could not be seen, for warnings. */
  readonly refusals: readonly string[];
}

/** The same, with what the controller plans on; of sources, those that are `managed`. */
export interface WorkloadView extends WorkloadLook {
  readonly observation: Omit<WorkloadObservation, 'pacing' | 'settleMs' | 'admission'>;
}

export class NamespaceView {
  /** What was selected: as it was named, or by type, namespace and name. */
  readonly targets: readonly Located[];
  readonly #world: World;
  readonly #raws: ReadonlyMap<string, Json>;
  readonly #refusals: ReadonlyMap<string, string>;
  readonly #port: ReadingPort;
  readonly #views: SourceViews;
  readonly #observer: Observer;
  readonly #reads = new Map<string, Promise<SourceRead | undefined>>();

  /** @param raws by uid, of workloads and of revisions @param refusals by kind */
  constructor(
    cluster: Cluster,
    targets: readonly Located[],
    world: World,
    raws: ReadonlyMap<string, Json>,
    refusals: ReadonlyMap<string, string>,
  ) {
    const index = new ContentIndex();
    this.targets = targets;
    this.#world = world;
    this.#raws = raws;
    this.#refusals = refusals;
    this.#port = new ReadingPort(cluster);
    this.#views = new SourceViews(world, index, this.#port, Date.now);
    this.#observer = new Observer(world, index, this.#port, Date.now);
  }

  /** The types of workload that could not be listed, for warnings. */
  get refusals(): string[] {
    return WORKLOADS.flatMap(({ kind, resource }) => {
      const said = this.#refusals.get(kind);
      return said === undefined ? [] : [`${resource} are not looked at: ${said}`];
    });
  }

  /** @throws CommandError for what was not selected */
  look(target: Located): WorkloadLook {
    const { resource, namespace, name } = target;
    const workload = this.#world.workload(resource.kind, namespace, name);
    const raw = workload && this.#raws.get(workload.uid);
    if (workload === undefined || raw === undefined) throw new CommandError(`${typed(target)} was not read`);
    const managed = this.#world.sourcesOf(workload).filter((source) => isManaged(workload, source));
    const revisions = this.#world.revisionsOf(workload).toSorted(byAge);
    const pins = this.#world.pins(namespace, [workload, ...revisions], managed);
    const sources = sourcesIn(namespace, managed, pins);
    return {
      ...target,
      workload,
      raw,
      managed,
      sources,
      unmanaged: unmanagedOf(workload, managed, sources, (source) => this.object(source)),
      revisions,
      current: currentOf(workload, revisions),
      pins,
      refusals: this.#unseen(workload),
    };
  }

  /** Reads what has to be read to know whether the content of now runs. */
  async observe(target: Located): Promise<WorkloadView> {
    const look = this.look(target);
    await inOrder(look.managed.map((source) => this.#views.content(source)));
    const observation = await this.#observer.workload(objectKey(look.workload));
    if (observation === undefined) throw new CommandError(`${typed(target)} was not read`);
    const isOurs = ({ uid }: { readonly uid: string }) => look.managed.some((source) => source.uid === uid);
    const policy = this.#refusals.get(CONFIG_ROLLOUTS.kind);
    const refusals = policy === undefined ? [] : [`whether rollouts are paused is not known: ${policy}`];
    return {
      ...look,
      refusals: [...look.refusals, ...refusals],
      observation: { ...observation, sources: observation.sources.filter(isOurs) },
    };
  }

  /** Of a source, as far as it is there. */
  object(name: SourceName): ConfigObject | undefined {
    return this.#world.object(name);
  }

  snapshotsOf(source: SourceName): readonly SnapshotObject[] {
    return this.#world.snapshotsOf(source);
  }

  /** What a person said of its rollouts, and what the controller reports; undefined when there is none. */
  configRolloutOf(workload: Workload): ConfigRollout | undefined {
    return this.#world.configRolloutOf(workload);
  }

  /** A workload, a revision or a ConfigRollout as the server sent it. */
  raw({ uid }: { readonly uid: string }): Json {
    return this.#raws.get(uid) ?? {};
  }

  /** When a workload or a revision was created, in milliseconds since the epoch; undefined when it does not say. */
  createdAt(object: { readonly uid: string }): number | undefined {
    return Date.parse(rawObject(this.raw(object))?.metadata.creationTimestamp ?? '') || undefined;
  }

  /** The content of a source or a snapshot, read once; undefined when it is gone, or may not be read. */
  content(name: SourceName): Promise<SourceRead | undefined> {
    const key = objectKey(name);
    const reading = this.#reads.get(key) ?? this.#port.readSource(name);
    this.#reads.set(key, reading);
    return reading;
  }

  /** Of the kinds of source that may not be listed, those that were rolled out to the workload. */
  #unseen({ labels }: Workload): string[] {
    return SOURCE_KINDS.flatMap((kind) => {
      const said = this.#refusals.get(kind);
      const wasRolled = Object.keys(labels).some((key) => key.startsWith(rolledHashLabel(kind, '')));
      return said !== undefined && wasRolled ? [`${kind}s are not looked at: ${said}`] : [];
    });
  }
}

// Whether the controller heeds Reloader's annotations, and manages the Secrets that nobody named, only what it did shows.
function isManaged(workload: Workload, source: ConfigObject): boolean {
  if (readRolled(workload.labels, source.kind, source.name) !== undefined) return true;
  const way = optsIn(source, workload);
  return way !== undefined && (way !== 'label' || source.kind === 'ConfigMap');
}

function sourcesIn(namespace: string, managed: readonly ConfigObject[], pins: Pins): SourceName[] {
  const pinned = [...pins].map(([key, { source }]) => ({
    kind: SOURCE_KINDS.find((kind) => key.startsWith(`${kind}/`)) ?? 'ConfigMap',
    name: source,
  }));
  const all = [...managed, ...pinned].map(({ kind, name }) => ({ kind, namespace, name }));
  return [...new Map(all.map((source) => [display(source), source])).values()].sort((a, b) =>
    compare(display(a), display(b)),
  );
}

// By bytes, as the API server sorts.
export function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
