// The cluster as the caches know it, and the questions that observations ask of it. Every answer is found by index:
// its cost does not depend on how much else the cluster holds.

import type { Pin, Pins } from '../core/decide.ts';
import { rolledHashLabel } from '../core/names.ts';
import { type KindName, managesAll, optIns } from '../core/opt-in.ts';
import { hashInName } from '../core/snapshot.ts';
import type { ConfigObject, Reference, Revision, SnapshotInfo, Workload } from '../core/types.ts';
import type { Log } from '../runtime/log.ts';
import { keyOf, Store } from '../runtime/store.ts';

export type SnapshotObject = ConfigObject & { readonly snapshot: SnapshotInfo };

export class World {
  readonly kinds: readonly KindName[];
  readonly configMaps: Store<ConfigObject>;
  /** By kind. */
  readonly workloads: ReadonlyMap<string, Store<Workload>>;
  /** By the kind of their workload. */
  readonly revisions: ReadonlyMap<string, Store<Revision>>;

  constructor(kinds: readonly KindName[], log: Log) {
    this.kinds = kinds;
    this.configMaps = new Store<ConfigObject>(
      {
        optIn: (object) =>
          object.snapshot
            ? []
            : optIns(object, kinds).optIns.map(({ kind, name }) => `${object.namespace}/${kind}/${name}`),
        source: (object) => (object.snapshot ? [`${object.namespace}/${object.snapshot.source}`] : []),
      },
      log,
    );
    this.workloads = new Map(
      kinds.map(({ kind }) => [kind, new Store<Workload>({ references: referencedKeys, rolled: rolledKeys }, log)]),
    );
    this.revisions = new Map(
      kinds.map(({ kind }) => [
        kind,
        new Store<Revision>(
          { references: referencedKeys, workload: ({ workload }) => (workload ? [workload.uid] : []) },
          log,
        ),
      ]),
    );
  }

  workload(kind: string, namespace: string, name: string): Workload | undefined {
    return this.workloads.get(kind)?.get(`${namespace}/${name}`);
  }

  configMap(namespace: string, name: string): ConfigObject | undefined {
    return this.configMaps.get(`${namespace}/${name}`);
  }

  revisionsOf(workload: Workload): readonly Revision[] {
    return this.revisions.get(workload.kind)?.by('workload', workload.uid) ?? [];
  }

  /** Workloads of any kind whose template names the ConfigMap. */
  workloadsNaming(configMap: ConfigObject): readonly Workload[] {
    return [...this.workloads.values()].flatMap((store) => store.by('references', keyOf(configMap)));
  }

  /** Revisions of any workload whose template names the ConfigMap. */
  revisionsNaming(configMap: ConfigObject): readonly Revision[] {
    return [...this.revisions.values()].flatMap((store) => store.by('references', keyOf(configMap)));
  }

  snapshotsOf(namespace: string, source: string): readonly SnapshotObject[] {
    return this.configMaps.by('source', `${namespace}/${source}`).filter(isSnapshot);
  }

  /** The sources that name a workload of this kind and name, rightly or wrongly. */
  sourcesNaming({ kind, namespace, name }: Workload): readonly ConfigObject[] {
    return this.configMaps.by('optIn', `${namespace}/${kind}/${name}`);
  }

  /** The sources that opt this workload in: those that name it, and, where a person asked for all, those it references. */
  sourcesOf(workload: Workload): readonly ConfigObject[] {
    const naming = this.sourcesNaming(workload).filter((source) => this.#namesExactly(source, workload));
    const referenced = managesAll(workload)
      ? [
          ...workload.references.map((reference) => this.#sourceNamed(workload, reference)),
          ...this.#sourcesRolled(workload),
        ]
      : [];
    const all = [...naming, ...referenced].filter((source) => source !== undefined && !source.deleting);
    return [...new Map(all.map((source) => [source?.name, source])).values()].filter((source) => source !== undefined);
  }

  /** The workloads that opted in for this source by asking for all that they reference. */
  workloadsAskingForAll(source: ConfigObject): readonly Workload[] {
    const names = [source, ...this.snapshotsOf(source.namespace, source.name)];
    const naming = names.flatMap((object) => this.workloadsNaming(object)).filter(managesAll);
    const rolledKey = `${source.namespace}/${rolledHashLabel(source.kind, source.name)}`;
    const rolled = [...this.workloads.values()].flatMap((store) => store.by('rolled', rolledKey)).filter(managesAll);
    return [...new Map([...naming, ...rolled].map((workload) => [workload.uid, workload])).values()];
  }

  /** Which of the referenced names are pins, and of what. A snapshot that is gone is recognised by its name. */
  pins(
    namespace: string,
    holders: readonly { readonly references: readonly Reference[] }[],
    sources: readonly ConfigObject[],
  ): Pins {
    const names = new Set(holders.flatMap(({ references }) => references.map(({ name }) => name)));
    const pins = new Map<string, Pin>();
    for (const name of names) {
      const object = this.configMap(namespace, name);
      if (object?.snapshot)
        pins.set(name, { source: object.snapshot.source, hash: object.snapshot.hash, exists: true });
      if (object !== undefined) continue;
      for (const source of sources) {
        const hash = hashInName(source.name, name);
        if (hash !== undefined) pins.set(name, { source: source.name, hash, exists: false });
      }
    }
    return pins;
  }

  /** What the records on the snapshots say that a workload was rolled to last. */
  recordedHash(source: ConfigObject, workload: Workload): string | undefined {
    const found = this.snapshotsOf(source.namespace, source.name)
      .map(({ snapshot }) => ({ hash: snapshot.hash, generation: snapshot.records[workload.uid] ?? -1 }))
      .filter(({ generation }) => generation > 0)
      .sort((a, b) => b.generation - a.generation);
    return found[0]?.hash;
  }

  #namesExactly(source: ConfigObject, workload: Workload): boolean {
    return optIns(source, this.kinds).optIns.some(
      ({ kind, name, uid }) =>
        kind === workload.kind && name === workload.name && (uid === undefined || uid === workload.uid),
    );
  }

  // A snapshot that was deleted says no more whose it was; the state label does.
  #sourcesRolled({ namespace, labels }: Workload): (ConfigObject | undefined)[] {
    return Object.keys(labels)
      .map((key) => this.configMap(namespace, key.slice(key.indexOf('/') + 1)))
      .filter((source) => source && !source.snapshot && rolledHashLabel(source.kind, source.name) in labels);
  }

  #sourceNamed(workload: Workload, { name }: Reference): ConfigObject | undefined {
    const object = this.configMap(workload.namespace, name);
    return object?.snapshot ? this.configMap(workload.namespace, object.snapshot.source) : object;
  }
}

export function isSnapshot(object: ConfigObject): object is SnapshotObject {
  return object.snapshot !== undefined;
}

function referencedKeys({
  namespace,
  references,
}: {
  readonly namespace: string;
  readonly references: readonly Reference[];
}): string[] {
  return [...new Set(references.map(({ name }) => `${namespace}/${name}`))];
}

function rolledKeys({ namespace, labels }: Workload): string[] {
  return Object.keys(labels).map((key) => `${namespace}/${key}`);
}
