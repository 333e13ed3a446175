// The world as it matters to a workload that is about to be stored. The caches may be behind what the same `kubectl apply`
// wrote a moment ago: whatever would be decided on news, or on a new template, is looked up live first.

import type { Action } from '../core/actions.ts';
import { decide, type Pins, pinKey, type SourceView } from '../core/decide.ts';
import { MANAGED_LABEL, readRolled } from '../core/names.ts';
import { type AdmissionObservation, withState } from '../core/plan-admission.ts';
import { planOwnership } from '../core/plan-snapshot.ts';
import { intervalMsLeft } from '../core/policy.ts';
import { type Claim, type ConfigObject, display, type Reference, type Workload } from '../core/types.ts';
import type { Log } from '../runtime/log.ts';
import type { ContentIndex } from './content-index.ts';
import { ClusterError } from './errors.ts';
import type { SourceName, SourceRead, SourceReader } from './ports.ts';
import { SourceViews } from './source-views.ts';
import type { World } from './world.ts';

type Observed = Pick<AdmissionObservation, 'workload' | 'replaced' | 'optedIn' | 'sources' | 'revisions' | 'pins'>;

// A source may change while it is read; one that never rests is left at what ran before.
const MOST_READS = 3;

export class AdmissionObserver {
  readonly #world: World;
  readonly #index: ContentIndex;
  readonly #views: SourceViews;
  readonly #now: () => number;
  readonly #log: Log;

  constructor(world: World, index: ContentIndex, port: SourceReader, now: () => number, log: Log) {
    this.#world = world;
    this.#index = index;
    this.#views = new SourceViews(world, index, port, now);
    this.#now = now;
    this.#log = log;
  }

  async workload(workload: Workload, replaced: Workload | undefined): Promise<Observed> {
    const absent = new Set<string>();
    let seen = await this.#look(workload, replaced, absent);
    const names = this.#isOurs(workload) && this.#mayBeStale(seen) ? this.#namesToRead(seen) : [];
    for (let reads = 0; names.length > 0 && reads < MOST_READS; reads += 1) {
      await Promise.all(names.map((name) => this.#read(seen, name, absent)));
      seen = await this.#look(workload, replaced, absent);
      if (unread(seen).length === 0) break;
    }
    if (unread(seen).length === 0) return seen;
    for (const source of unread(seen)) absent.add(pinKey(source));
    return this.#look(workload, replaced, absent);
  }

  /** Which of the names in both templates, and in the history, are pins. */
  pins(workload: Workload, replaced: Workload | undefined): Pins {
    const holders = [workload, ...(replaced ? [replaced] : []), ...this.#world.revisionsOf(workload)];
    return this.#world.pins(workload.namespace, holders, this.#world.sourcesOf(workload));
  }

  /** Why a person's policy makes changes of its sources wait; undefined: it does not. */
  waitOf(workload: Workload): AdmissionObservation['wait'] {
    const policy = this.#world.policyOf(workload);
    if (policy.paused) return 'paused';
    return intervalMsLeft(policy, {}, this.#now()) > 0 ? 'interval' : undefined;
  }

  /** Who owns which fields of what is replaced. API servers leave that out of their question; the cache may know. */
  claims(replaced: Workload | undefined): readonly Claim[] {
    const cached = replaced && this.#world.workload(replaced.kind, replaced.namespace, replaced.name);
    return cached?.uid === replaced?.uid ? (cached?.claims ?? []) : [];
  }

  /** What makes the workload an owner of what it is about to mount again; undefined: nothing is to be done. */
  ownership(workload: Workload, { kind, name }: Pick<Reference, 'kind' | 'name'>): Action | undefined {
    const snapshot = this.#world.object({ kind, namespace: workload.namespace, name });
    return snapshot && planOwnership(snapshot, workload);
  }

  /** What a snapshot of the source has to copy; `ready` when it exists, undefined when the source is no longer what was seen. */
  async copyOf(namespace: string, { kind, name, hash }: SourceView): Promise<SourceRead | 'ready' | undefined> {
    const source = this.#world.object({ kind, namespace, name });
    if (source === undefined || hash === undefined) return undefined;
    await this.#views.verifyExisting(source, hash);
    if (this.#views.snapshot(source, hash)?.ready) return 'ready';
    return this.#views.readAgain(source, hash);
  }

  async #look(workload: Workload, replaced: Workload | undefined, absent: ReadonlySet<string>): Promise<Observed> {
    const state = withState(workload, replaced);
    const optedIn = this.#world.sourcesOf(state);
    const raw = this.#raw(workload);
    const rawNames = new Set(raw.map(pinKey));
    const named = optedIn.filter(
      (source) =>
        rawNames.has(pinKey(source)) && !absent.has(pinKey(source)) && this.#index.peek(source)?.obstacle === undefined,
    );
    const views = await Promise.all(named.map((source) => this.#view(state, source)));
    const gone = this.#gone(state, raw, absent, optedIn);
    return {
      workload,
      replaced,
      optedIn: optedIn.length + gone.length > 0,
      sources: [...views, ...gone],
      revisions: this.#world.revisionsOf(workload),
      pins: this.pins(workload, replaced),
    };
  }

  // The keys are for the change cause only.
  async #view(workload: Workload, source: ConfigObject): Promise<SourceView> {
    try {
      return await this.#views.viewWithKeys(workload, source);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      return this.#views.view(workload, source);
    }
  }

  #mayBeStale({ workload, replaced, sources, revisions, pins }: Observed): boolean {
    if (replaced === undefined) return true;
    const state = withState(workload, replaced);
    const isNews = (source: SourceView) =>
      source.hash === undefined || decide(state, source, revisions, pins, { replaced }).rolls;
    const isNew = sources.length > 0 && replaced.shape !== workload.shape;
    return isNew || sources.some(isNews) || this.#unknown(workload).length > 0;
  }

  #namesToRead({ workload, replaced }: Observed): readonly SourceName[] {
    const references = [...this.#raw(workload), ...(replaced ? this.#unknown(replaced) : [])];
    const { namespace } = workload;
    return [
      ...new Map(references.map(({ kind, name }) => [pinKey({ kind, name }), { kind, namespace, name }])).values(),
    ];
  }

  async #read({ workload, replaced }: Observed, source: SourceName, absent: Set<string>): Promise<void> {
    const isOptedIn = (object: ConfigObject) =>
      this.#world.sourcesOf(withState(workload, replaced)).some(({ uid }) => uid === object.uid);
    try {
      if (!(await this.#views.refresh(source, isOptedIn))) absent.add(pinKey(source));
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      this.#log('error', `${display(source)} in ${source.namespace} cannot be read at admission: ${error.message}`);
      absent.add(pinKey(source));
    }
  }

  #raw(workload: Workload): readonly Reference[] {
    return this.#watched(workload)
      .filter(({ object }) => !object?.snapshot)
      .map(({ reference }) => reference);
  }

  #unknown(workload: Workload): readonly Reference[] {
    return this.#watched(workload)
      .filter(({ object }) => !object)
      .map(({ reference }) => reference);
  }

  // References to kinds that are watched, and what the caches know of each.
  #watched({ namespace, references }: Workload) {
    return references
      .filter(({ kind }) => this.#world.sources.has(kind))
      .map((reference) => ({ reference, object: this.#world.object({ ...reference, namespace }) }));
  }

  #isOurs({ namespace, labels }: Workload): boolean {
    return this.#world.inScope(namespace) && labels[MANAGED_LABEL] !== 'none';
  }

  // A source that was deleted, or that cannot be read, is taken for unchanged: its workloads go on with what they have.
  #gone(
    workload: Workload,
    raw: readonly Reference[],
    absent: ReadonlySet<string>,
    optedIn: readonly ConfigObject[],
  ): SourceView[] {
    const { namespace, labels } = workload;
    if (!this.#isOurs(workload)) return [];
    const names = new Map(raw.map((reference) => [pinKey(reference), reference]));
    return [...names].flatMap(([key, { kind, name }]): SourceView[] => {
      const rolled = readRolled(labels, kind, name);
      const cached = this.#world.object({ kind, namespace, name });
      const isThere = cached !== undefined && !absent.has(key);
      const isOptedOut = cached !== undefined && !optedIn.includes(cached);
      if (rolled === undefined || isThere || isOptedOut) return [];
      const { hash } = rolled;
      const kept = this.#world
        .snapshotsOf({ kind, namespace, name })
        .find((each) => each.snapshot.hash === hash && this.#index.verdict(each.uid) === true);
      const snapshot = kept && { name: kept.name, ready: true };
      return [{ kind, name, uid: '', hash, snapshot, recorded: undefined, since: 0, changedKeys: undefined }];
    });
  }
}

function unread({ sources }: Observed): readonly SourceView[] {
  return sources.filter(({ hash }) => hash === undefined);
}
