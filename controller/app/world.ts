// The cluster as the caches know it, and the questions that observations ask of it. Every answer is found by index:
// its cost does not depend on how much else the cluster holds.

import { type Pin, type Pins, pinKey } from '../core/decide.ts';
import { rolledHashLabel } from '../core/names.ts';
import { asksFor, asksForSources, isExcluded, isOptInOf, type OptInWays } from '../core/opt-in.ts';
import { type ConfigRollout, configRolloutName, NO_POLICY, type Policy } from '../core/policy.ts';
import { hashInName } from '../core/snapshot.ts';
import {
  type ConfigObject,
  objectKey,
  parseKey,
  type Reference,
  type Revision,
  type SnapshotInfo,
  type SourceKind,
  type Workload,
} from '../core/types.ts';
import type { Log } from '../runtime/log.ts';
import { EVERYWHERE, Store } from '../runtime/store.ts';
import type { WorkloadKind } from '../workloads/kind.ts';
import { revisionKinds } from '../workloads/kinds.ts';
import { Declarations } from './declarations.ts';
import type { SourceName } from './ports.ts';
import type { NamespaceScope } from './scope.ts';

export type SnapshotObject = ConfigObject & { readonly snapshot: SnapshotInfo };

type Holder = { readonly namespace: string; readonly references: readonly Reference[] };

export interface WorldOptions extends OptInWays {
  readonly kinds: readonly WorkloadKind[];
  /** The kinds of source that are watched. */
  readonly sourceKinds: readonly SourceKind[];
  readonly scope: NamespaceScope;
}

export class World {
  readonly kinds: readonly WorkloadKind[];
  readonly declarations: Declarations;
  readonly sources: ReadonlyMap<SourceKind, Store<ConfigObject>>;
  /** By kind. */
  readonly workloads: ReadonlyMap<string, Store<Workload>>;
  /** By kind: of ReplicaSets, of ControllerRevisions. */
  readonly revisions: ReadonlyMap<string, Store<Revision>>;
  readonly configRollouts: Store<ConfigRollout>;
  readonly scope: NamespaceScope;
  readonly #options: WorldOptions;
  readonly #whenServed: ((scope: string) => void)[] = [];
  readonly #configRolloutScopes = new Set<string>();

  constructor(options: WorldOptions, log: Log) {
    const { kinds, sourceKinds } = options;
    this.#options = options;
    this.kinds = kinds;
    this.declarations = new Declarations(kinds);
    this.scope = options.scope;
    const optedIn = (object: ConfigObject) =>
      this.declarations.of(object).optIns.map(({ kind, name }) => objectKey({ ...object, kind, name }));
    const optIn = (object: ConfigObject) => (object.snapshot ? [] : optedIn(object));
    const source = ({ namespace, snapshot }: ConfigObject) => (snapshot ? [`${namespace}/${snapshot.source}`] : []);
    const namespace = (object: ConfigObject) => [object.namespace];
    const label = (object: ConfigObject) =>
      object.snapshot ? [] : [`${object.namespace}/${rolledHashLabel(object.kind, object.name)}`];
    const workload = (revision: Revision) => (revision.workload ? [revision.workload.uid] : []);
    this.sources = new Map(
      sourceKinds.map((kind) => [kind, new Store<ConfigObject>({ optIn, source, namespace, label }, log)]),
    );
    this.workloads = new Map(
      kinds.map(({ kind }) => [
        kind,
        new Store<Workload>({ references: referencedKeys, rolled: rolledKeys, uid: ({ uid }) => [uid] }, log),
      ]),
    );
    this.configRollouts = new Store<ConfigRollout>({}, log);
    this.revisions = new Map(
      revisionKinds(kinds).map(({ kind }) => [
        kind,
        new Store<Revision>({ references: referencedKeys, workload }, log),
      ]),
    );
  }

  /** Whether anything may be done in the namespace. */
  inScope(namespace: string): boolean {
    return this.#options.scope.has(namespace);
  }

  /** Whether the source may roll out at all. */
  isOurs(source: ConfigObject): boolean {
    return !source.ignored && this.inScope(source.namespace);
  }

  workload(kind: string, namespace: string, name: string): Workload | undefined {
    return this.workloads.get(kind)?.get(`${namespace}/${name}`);
  }

  hasWorkload(uid: string): boolean {
    return [...this.workloads.values()].some((store) => store.by('uid', uid).length > 0);
  }

  /** False where the server does not know ConfigRollouts, or they are not ours to read. */
  hasConfigRollouts(namespace: string): boolean {
    return this.#configRolloutScopes.has(EVERYWHERE) || this.#configRolloutScopes.has(namespace);
  }

  /** What a list has shown. `scope` is a namespace, or EVERYWHERE. */
  noteConfigRollouts(scope: string, areServed: boolean): void {
    const areNews = areServed && !this.#configRolloutScopes.has(scope);
    if (areServed) this.#configRolloutScopes.add(scope);
    else this.#configRolloutScopes.delete(scope);
    if (areNews) for (const listener of this.#whenServed) listener(scope);
  }

  /** Calls back whenever the server has come to know ConfigRollouts, in a namespace or EVERYWHERE. */
  whenConfigRolloutsServed(listener: (scope: string) => void): void {
    this.#whenServed.push(listener);
  }

  configRolloutOf({ kind, namespace, name }: Pick<Workload, 'kind' | 'namespace' | 'name'>): ConfigRollout | undefined {
    const found = this.configRollouts.get(`${namespace}/${configRolloutName({ kind, name })}`);
    // A server without rules in CEL takes any name for any workload.
    return found?.workload.kind === kind && found.workload.name === name ? found : undefined;
  }

  policyOf(workload: Workload): Policy {
    return this.configRolloutOf(workload)?.policy ?? NO_POLICY;
  }

  /** A source, a snapshot, or neither. */
  object({ kind, namespace, name }: SourceName): ConfigObject | undefined {
    return this.sources.get(kind)?.get(`${namespace}/${name}`);
  }

  /** By objectKey. */
  objectAt(key: string): ConfigObject | undefined {
    return this.object(parseKey(key) as SourceName);
  }

  objectsIn(namespace: string): readonly ConfigObject[] {
    return [...this.sources.values()].flatMap((store) => store.by('namespace', namespace));
  }

  /** Takes in what was read, or written, before the watch shows it. */
  note(object: ConfigObject): void {
    this.sources.get(object.kind)?.noteWrite(object);
  }

  revisionsOf(workload: Workload): readonly Revision[] {
    return [...this.revisions.values()].flatMap((store) => store.by('workload', workload.uid));
  }

  /** Workloads of any kind whose template names the object. */
  workloadsNaming(object: SourceName): readonly Workload[] {
    return [...this.workloads.values()].flatMap((store) => store.by('references', objectKey(object)));
  }

  /** Revisions of any workload whose template names the object. */
  revisionsNaming(object: SourceName): readonly Revision[] {
    return [...this.revisions.values()].flatMap((store) => store.by('references', objectKey(object)));
  }

  snapshotsOf({ kind, namespace, name }: SourceName): readonly SnapshotObject[] {
    return (this.sources.get(kind)?.by('source', `${namespace}/${name}`) ?? []).filter(isSnapshot);
  }

  /** The source of a snapshot. */
  sourceOf({ kind, namespace, snapshot }: SnapshotObject): ConfigObject | undefined {
    return this.object({ kind, namespace, name: snapshot.source });
  }

  /** The sources that name a workload of this kind and name, rightly or wrongly. */
  sourcesNaming(workload: Workload): readonly ConfigObject[] {
    return [...this.sources.values()].flatMap((store) => store.by('optIn', objectKey(workload)));
  }

  /** The sources that opt this workload in: those that name it, and those that it asks for. */
  sourcesOf(workload: Workload): readonly ConfigObject[] {
    if (!this.inScope(workload.namespace)) return [];
    const naming = this.sourcesNaming(workload).filter((source) => this.#namesExactly(source, workload));
    const referenced = asksForSources(workload, this.#options) ? this.#sourcesMentioned(workload) : [];
    const asked = referenced.filter((source) => asksFor(workload, source, this.#options));
    const all = [...naming, ...asked].filter((source) => !source.deleting && !isExcluded(workload, source));
    return [...new Map(all.map((source) => [source.uid, source])).values()];
  }

  /** The workloads that the source opts in, and those that ask for it. */
  workloadsAskingFor(source: ConfigObject): readonly Workload[] {
    if (!this.inScope(source.namespace)) return [];
    const names = [source, ...this.snapshotsOf(source)];
    const naming = names.flatMap((object) => this.workloadsNaming(object));
    const rolledKey = `${source.namespace}/${rolledHashLabel(source.kind, source.name)}`;
    const rolled = [...this.workloads.values()].flatMap((store) => store.by('rolled', rolledKey));
    const asking = [...naming, ...rolled].filter(
      (workload) => asksFor(workload, source, this.#options) && !isExcluded(workload, source),
    );
    return [...new Map(asking.map((workload) => [workload.uid, workload])).values()];
  }

  /** Which of the references are pins, and of what. A snapshot that is gone is recognised by its name. */
  pins(
    namespace: string,
    holders: readonly { readonly references: readonly Reference[] }[],
    sources: readonly ConfigObject[],
  ): Pins {
    const references = new Map(holders.flatMap(({ references }) => references.map((each) => [pinKey(each), each])));
    const pins = new Map<string, Pin>();
    for (const [key, { kind, name }] of references) {
      const object = this.object({ kind, namespace, name });
      if (object?.snapshot) pins.set(key, { source: object.snapshot.source, hash: object.snapshot.hash, exists: true });
      if (object !== undefined) continue;
      for (const source of sources) {
        const hash = source.kind === kind ? hashInName(source.name, name) : undefined;
        if (hash !== undefined) pins.set(key, { source: source.name, hash, exists: false });
      }
    }
    return pins;
  }

  /** What the records on the snapshots say that a workload was rolled to last. */
  recordedHash(source: ConfigObject, workload: Workload): string | undefined {
    const found = this.snapshotsOf(source)
      .map(({ snapshot }) => ({ hash: snapshot.hash, generation: snapshot.records[workload.uid] ?? -1 }))
      .filter(({ generation }) => generation > 0)
      .sort((a, b) => b.generation - a.generation);
    return found[0]?.hash;
  }

  #namesExactly(source: ConfigObject, workload: Workload): boolean {
    return this.declarations.of(source).optIns.some((optIn) => isOptInOf(optIn, workload));
  }

  // By what the template names; a snapshot that was deleted says no more whose it was, but the state label does.
  #sourcesMentioned({ namespace, references, labels }: Workload): ConfigObject[] {
    const rolled = Object.keys(labels).flatMap((key) =>
      [...this.sources.values()].flatMap((store) => store.by('label', `${namespace}/${key}`)),
    );
    const named = references.flatMap((reference) => {
      const object = this.object({ ...reference, namespace });
      const source = object && isSnapshot(object) ? this.sourceOf(object) : object;
      return source ? [source] : [];
    });
    return [...named, ...rolled];
  }
}

export function isSnapshot(object: ConfigObject): object is SnapshotObject {
  return object.snapshot !== undefined;
}

function referencedKeys({ namespace, references }: Holder): string[] {
  return [...new Set(references.map((reference) => objectKey({ ...reference, namespace })))];
}

function rolledKeys({ namespace, labels }: Workload): string[] {
  return Object.keys(labels).map((key) => `${namespace}/${key}`);
}
