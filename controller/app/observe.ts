// Key → Observation: gathers from the caches what a plan needs, and reads content where it has to be read. The only reads
// are one GET of a source whose version is new, and one of a snapshot that is about to be mounted without having been
// made, or seen, by this process.

import { decide, referencesTo } from '../core/decide.ts';
import { REASONS, readRolled, sourceLabelValue } from '../core/names.ts';
import { isExcluded, type OptIn, type Problem, problemOf } from '../core/opt-in.ts';
import type { SnapshotObservation } from '../core/plan-snapshot.ts';
import { awaitsSnapshot, type SourceObservation } from '../core/plan-source.ts';
import type { Bereft, ConfigRolloutObservation } from '../core/plan-status.ts';
import type { WorkloadObservation } from '../core/plan-workload.ts';
import { type ConfigObject, configRef, type ObjectRef, parseKey, type Workload } from '../core/types.ts';
import type { ContentIndex } from './content-index.ts';
import type { SourceName, SourceRead, SourceReader } from './ports.ts';
import { SourceViews } from './source-views.ts';
import { isSnapshot, type World } from './world.ts';

export type IsSlowed = (workload: Workload, now: number) => boolean;

export class Observer {
  readonly #world: World;
  readonly #index: ContentIndex;
  readonly #views: SourceViews;
  readonly #now: () => number;
  readonly #isDryRun: boolean;

  /** @param isDryRun shows what follows from writes that are not done: the label on a source, and its snapshots. */
  constructor(world: World, index: ContentIndex, port: SourceReader, now: () => number, isDryRun = false) {
    this.#world = world;
    this.#index = index;
    this.#views = new SourceViews(world, index, port, now);
    this.#now = now;
    this.#isDryRun = isDryRun;
  }

  /** Undefined when there is no such source. */
  sourceRef(key: string): ObjectRef | undefined {
    const cached = this.#world.objectAt(key);
    return cached && !isSnapshot(cached) ? configRef(cached) : undefined;
  }

  /** Undefined when there is no such source. `isSlowed` says whether a workload's rollout has to wait. */
  async source(key: string, isSlowed: IsSlowed): Promise<SourceObservation | undefined> {
    const cached = this.#world.objectAt(key);
    if (cached === undefined || isSnapshot(cached)) return undefined;
    const nothing = {
      obstacle: undefined,
      users: [],
      waiting: [],
      hash: undefined,
      snapshot: undefined,
      content: undefined,
      now: this.#now(),
    };
    const before = this.#optIns(cached);
    if (before.workloads.length === 0) return { ...nothing, ...before.said, source: cached };

    const found = await this.#views.content(cached);
    if (found === undefined) return undefined;
    const { known, source } = found;
    let { read } = found;
    // What was read may be newer than the caches, and opt in no more.
    const { said, workloads: users } = this.#optIns(source);
    if (users.length === 0) return { ...nothing, ...said, source };
    const { hash, obstacle } = known;
    const now = this.#now();
    const look = () => {
      const snapshot = this.#views.snapshot(source, hash);
      // Of two hundred workloads that are pinned one after the other, none has to be asked.
      const asked = snapshot?.ready || obstacle ? [] : users;
      const waiting = asked.filter((workload) =>
        awaitsSnapshot(this.#decision(workload, source), isSlowed(workload, now)),
      );
      return { snapshot, waiting };
    };
    let seen = look();
    // Finding a forged or broken one changes which name is free; there are as many names as it can take turns.
    while (seen.waiting.length > 0 && (await this.#views.verifyExisting(source, hash))) seen = look();
    if (seen.waiting.length > 0) {
      read ??= await this.#readToCopy(source, hash);
      if (read === undefined) return undefined;
    }
    const labelled = this.#labelled(read?.object ?? source);
    return { ...said, ...seen, source: labelled, users, obstacle, hash, content: read?.content, now };
  }

  /** Undefined when there is no such workload. */
  async workload(key: string): Promise<Omit<WorkloadObservation, 'pacing' | 'settleMs' | 'admission'> | undefined> {
    const { kind, namespace, name } = parseKey(key);
    const workload = this.#world.workload(kind, namespace, name);
    if (workload === undefined) return undefined;
    const sources = this.#world.sourcesOf(workload);
    const revisions = this.#world.revisionsOf(workload);
    const pins = this.#world.pins(namespace, [workload, ...revisions], sources);
    const mutable = sources.filter((source) => this.#index.peek(source)?.obstacle === undefined);
    // One that the template mentions no more is kept up with: an undo may bring it back.
    const relevant = mutable.filter(
      (source) =>
        referencesTo(workload.references, source, pins).length > 0 ||
        readRolled(workload.labels, source.kind, source.name) !== undefined,
    );
    const views = (await Promise.all(relevant.map((source) => this.#views.viewWithKeys(workload, source)))).map(
      (view) => (this.#isDryRun && view.snapshot ? { ...view, snapshot: { ...view.snapshot, ready: true } } : view),
    );
    return { workload, sources: views, revisions, pins, policy: this.#world.policyOf(workload), now: this.#now() };
  }

  /** Undefined when there is nothing to speak of: no ConfigRollouts on this server, or not yet enough known. */
  async status(key: string): Promise<ConfigRolloutObservation | Bereft | undefined> {
    const { namespace } = parseKey(key);
    // Where it may not work, another may.
    if (!this.#world.hasConfigRollouts(namespace) || !this.#world.inScope(namespace)) return undefined;
    const configRollout = this.#world.configRolloutOf(parseKey(key));
    const observed = await this.workload(key);
    if (observed === undefined) return configRollout && { workload: undefined, configRollout, now: this.#now() };
    if (observed.sources.some(({ hash }) => hash === undefined)) return undefined;
    return { ...observed, configRollout };
  }

  /** Undefined when there is no such snapshot, or one that only bears the marks. */
  snapshot(key: string): Omit<SnapshotObservation, 'graceMs'> | undefined {
    const snapshot = this.#world.objectAt(key);
    // Also where the namespace is out of scope: the revisions there that mount it go on needing it.
    if (snapshot === undefined || !isSnapshot(snapshot)) return undefined;
    if (this.#index.verdict(snapshot.uid) === false) return undefined;
    const source = this.#world.sourceOf(snapshot);
    const known = source && this.#index.peek(source);
    const optedIn = source ? this.#optIns(source).workloads : [];
    const users = this.#world.workloadsNaming(snapshot);
    return {
      snapshot,
      // A source that has not been read is treated as current: its reading ends with another look at its snapshots.
      currentHash: optedIn.length > 0 ? (known?.hash ?? snapshot.snapshot.hash) : undefined,
      users,
      optedIn,
      strangers: this.#owners(snapshot).filter(({ uid }) => !optedIn.some((workload) => workload.uid === uid)),
      left: source ? this.#world.workloadsNaming(source).filter((workload) => isExcluded(workload, source)) : [],
      revisions: this.#world.revisionsNaming(snapshot),
      gone: Object.keys(snapshot.snapshot.records).filter((uid) => !this.#world.hasWorkload(uid)),
      highestRecords: this.#highestRecords({ ...snapshot, name: snapshot.snapshot.source }),
      now: this.#now(),
    };
  }

  /** Undefined when it has another content by now, or opts in no more. */
  async #readToCopy(source: ConfigObject, hash: string): Promise<SourceRead | undefined> {
    const read = await this.#views.readAgain(source, hash);
    return read && this.#optIns(read.object).workloads.length > 0 ? read : undefined;
  }

  #labelled(source: ConfigObject): ConfigObject {
    return this.#isDryRun ? { ...source, sourceLabel: sourceLabelValue(source.name) } : source;
  }

  #optIns(source: ConfigObject): {
    said: Pick<SourceObservation, 'problems' | 'optsIn'>;
    workloads: readonly Workload[];
  } {
    if (!this.#world.isOurs(source)) return { said: { problems: [], optsIn: false }, workloads: [] };
    const parsed = this.#world.declarations.of(source);
    const named = parsed.optIns.map((optIn) => this.#optIn(source, optIn));
    const workloads = [
      ...named.flatMap(({ workload }) => workload ?? []),
      ...this.#world.workloadsAskingFor(source),
    ].filter(({ deleting }) => !deleting);
    const problems = [...parsed.problems, ...named.flatMap(({ problem }) => problem ?? [])];
    return {
      said: { problems, optsIn: parsed.optIns.length > 0 },
      workloads: [...new Map(workloads.map((workload) => [workload.uid, workload])).values()],
    };
  }

  #optIn(source: ConfigObject, optIn: OptIn): { workload?: Workload; problem?: Problem } {
    const workload = this.#world.workload(optIn.kind, source.namespace, optIn.name);
    if (workload && isExcluded(workload, source)) return {};
    const problem = problemOf(source, optIn, workload, workload !== undefined && this.#references(workload, source));
    const wasRolled = workload && readRolled(workload.labels, source.kind, source.name) !== undefined;
    const isKeptUpWith = problem?.reason === REASONS.notReferenced && wasRolled;
    return {
      ...(problem && { problem }),
      ...(workload && (problem === undefined || isKeptUpWith) && { workload }),
    };
  }

  #references(workload: Workload, source: ConfigObject): boolean {
    const pins = this.#world.pins(workload.namespace, [workload], [source]);
    return referencesTo(workload.references, source, pins).length > 0;
  }

  #decision(workload: Workload, source: ConfigObject) {
    const revisions = this.#world.revisionsOf(workload);
    const pins = this.#world.pins(workload.namespace, [workload, ...revisions], [source]);
    return decide(workload, this.#views.view(workload, source), revisions, pins);
  }

  #owners(snapshot: ConfigObject): readonly Workload[] {
    return snapshot.owners.flatMap(({ kind, name, uid }) => {
      const workload = this.#world.workload(kind, snapshot.namespace, name);
      return workload?.uid === uid ? [workload] : [];
    });
  }

  #highestRecords(source: SourceName): SnapshotObservation['highestRecords'] {
    const highest: Record<string, { generation: number; hash: string }> = {};
    for (const { snapshot } of this.#world.snapshotsOf(source)) {
      for (const [uid, generation] of Object.entries(snapshot.records)) {
        if (generation > (highest[uid]?.generation ?? 0)) highest[uid] = { generation, hash: snapshot.hash };
      }
    }
    return highest;
  }
}
