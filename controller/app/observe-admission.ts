// The world as it matters to a workload that is about to be stored. The caches may be behind what the same `kubectl apply`
// wrote a moment ago: whatever would be decided on news, or on a new template, is looked up live first.

import { decide, type Pins, type SourceView } from '../core/decide.ts';
import { readRolled } from '../core/names.ts';
import { type AdmissionObservation, withState } from '../core/plan-admission.ts';
import type { Reference, Workload } from '../core/types.ts';
import type { ContentIndex } from './content-index.ts';
import type { ClusterPort, ConfigMapRead } from './ports.ts';
import { SourceViews } from './source-views.ts';
import type { World } from './world.ts';

type Observed = Pick<AdmissionObservation, 'workload' | 'replaced' | 'optedIn' | 'sources' | 'revisions' | 'pins'>;

export class AdmissionObserver {
  readonly #world: World;
  readonly #views: SourceViews;

  constructor(world: World, index: ContentIndex, port: ClusterPort, now: () => number) {
    this.#world = world;
    this.#views = new SourceViews(world, index, port, now);
  }

  async workload(workload: Workload, replaced: Workload | undefined): Promise<Observed> {
    const seen = await this.#look(workload, replaced);
    if (!mayBeStale(seen)) return seen;
    const names = new Set([...this.#raw(workload), ...this.#unknown(replaced)].map(({ name }) => name));
    await Promise.all([...names].map((name) => this.#views.refresh(workload.namespace, name)));
    return this.#look(workload, replaced);
  }

  /** Which of the names in both templates, and in the history, are pins. */
  pins(workload: Workload, replaced: Workload | undefined): Pins {
    const holders = [workload, ...(replaced ? [replaced] : []), ...this.#world.revisionsOf(workload)];
    return this.#world.pins(workload.namespace, holders, this.#world.sourcesOf(workload));
  }

  /** What a snapshot of the source has to copy; `ready` when it exists, undefined when the source is no longer what was seen. */
  async copyOf(namespace: string, { name, hash }: SourceView): Promise<ConfigMapRead | 'ready' | undefined> {
    const source = this.#world.configMap(namespace, name);
    if (source === undefined || hash === undefined) return undefined;
    await this.#views.verifyExisting(source, hash);
    if (this.#views.snapshot(source, hash)?.ready) return 'ready';
    return this.#views.readAgain(source, hash);
  }

  async #look(workload: Workload, replaced: Workload | undefined): Promise<Observed> {
    const state = withState(workload, replaced);
    const optedIn = this.#world.sourcesOf(state);
    const raw = this.#raw(workload);
    const named = optedIn.filter((source) =>
      raw.some(({ kind, name }) => kind === source.kind && name === source.name),
    );
    const views = await Promise.all(named.map((source) => this.#views.viewWithKeys(state, source)));
    const gone = this.#gone(state, raw);
    return {
      workload,
      replaced,
      optedIn: optedIn.length + gone.length > 0,
      sources: [...views, ...gone],
      revisions: this.#world.revisionsOf(workload),
      pins: this.pins(workload, replaced),
    };
  }

  #raw({ namespace, references }: Workload): readonly Reference[] {
    return references.filter(({ name }) => this.#world.configMap(namespace, name)?.snapshot === undefined);
  }

  #unknown(replaced: Workload | undefined): readonly Reference[] {
    return (replaced?.references ?? []).filter(
      ({ name }) => this.#world.configMap(replaced?.namespace ?? '', name) === undefined,
    );
  }

  // A source that was deleted changes no more: its workloads go on with what they have.
  #gone(workload: Workload, raw: readonly Reference[]): SourceView[] {
    const { namespace, labels } = workload;
    const names = new Map(raw.map((reference) => [reference.name, reference.kind]));
    return [...names].flatMap(([name, kind]): SourceView[] => {
      const rolled = readRolled(labels, kind, name);
      if (rolled === undefined || this.#world.configMap(namespace, name) !== undefined) return [];
      const unknown = { snapshot: undefined, recorded: undefined, since: 0, changedKeys: undefined };
      return [{ kind, name, uid: '', hash: rolled.hash, ...unknown }];
    });
  }
}

function mayBeStale({ workload, replaced, sources, revisions, pins }: Observed): boolean {
  if (replaced === undefined) return workload.references.length > 0;
  const state = withState(workload, replaced);
  const isNews = (source: SourceView) =>
    source.hash === undefined || decide(state, source, revisions, pins, { replaced }).rolls;
  return sources.some(isNews) || (sources.length > 0 && replaced.shape !== workload.shape);
}
