// What is asked about: a ConfigMap or a Secret, of one namespace or of each that has one of that name, with its snapshots.
// Metadata is read alone. The content of a ConfigMap is read where nothing else tells its hash; that of a Secret never.

import { isFailure } from '../../app/errors.ts';
import { contentHash } from '../../core/content-hash.ts';
import { CONTENT_HASH_LABEL, SOURCE_LABEL, sourceLabelValue } from '../../core/names.ts';
import { hashInName } from '../../core/snapshot.ts';
import { type ConfigObject, type Content, display, type SnapshotInfo, type SourceKind } from '../../core/types.ts';
import { projectSource } from '../../workloads/raw.ts';
import type { Cluster } from '../cluster.ts';
import { aFewAtATime } from '../reading.ts';
import { SOURCES } from '../resources.ts';
import { type Known, readSource, type SourceName } from '../sources.ts';
import type { Place } from './places.ts';

/** One source in one namespace. */
export interface Subject {
  readonly namespace: string;
  /** As it was named: a source, or one of the snapshots. */
  readonly named: SourceName;
  readonly source: SourceName;
  /** The metadata of the source. */
  readonly object: Known;
  /** By name. One that was deleted, or may not be seen, is not in it. */
  readonly snapshots: ReadonlyMap<string, SnapshotInfo>;
  /** Names that look like a snapshot's, of objects that are none. */
  readonly strangers: ReadonlySet<string>;
  /** The hash of the content; undefined when it is not known. */
  readonly current: string | undefined;
}

/** True for a place that names the subject, or a snapshot of it. */
export function isNamed(subject: Subject, { kind, name }: SourceName): boolean {
  const { named, source } = subject;
  if (kind !== named.kind) return false;
  return name === named.name || (named.name === source.name && pinnedHash(subject, name) !== undefined);
}

/** The hash of the snapshot of that name, whether it exists or not; undefined for what is no snapshot. */
export function pinnedHash({ source, snapshots, strangers }: Subject, name: string): string | undefined {
  return snapshots.get(name)?.hash ?? (strangers.has(name) ? undefined : hashInName(source.name, name));
}

/** True for what may turn out to be a place that names the subject, before its snapshots are known. */
export function mayName(named: SourceName, { kind, name }: Place): boolean {
  return kind === named.kind && (name === named.name || hashInName(named.name, name) !== undefined);
}

/** Everything about one name that was asked for. */
export class Subjects {
  readonly named: SourceName;
  readonly #cluster: Cluster;
  readonly #allNamespaces: boolean;
  readonly #byNamespace = new Map<string, Subject>();
  /** What is taken for the source where none was seen. */
  #unseen: 'missing' | 'hidden' = 'missing';
  /** What could not be found out, as the server said it. */
  readonly refusals: string[] = [];

  private constructor(cluster: Cluster, named: SourceName, allNamespaces: boolean) {
    this.#cluster = cluster;
    this.named = named;
    this.#allNamespaces = allNamespaces;
  }

  /** Reads the metadata of the source, and of its snapshots. */
  static async read(cluster: Cluster, named: SourceName, allNamespaces: boolean): Promise<Subjects> {
    const subjects = new Subjects(cluster, named, allNamespaces);
    await subjects.#read();
    return subjects;
  }

  /** True when something of that name exists, or may do so unseen. */
  get exists(): boolean {
    return this.refusals.length > 0 || [...this.#byNamespace.values()].some(({ object }) => object !== 'missing');
  }

  in(namespace: string): Subject {
    const { named } = this;
    const nothing = { object: this.#unseen, snapshots: new Map(), strangers: new Set<string>(), current: undefined };
    return this.#byNamespace.get(namespace) ?? { namespace, named, source: named, ...nothing };
  }

  /** Finds out which of these names, that look like snapshots and were not listed, belong to something else. */
  async lookAtStrangers(places: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    const unknown = [...places].flatMap(([namespace, names]) =>
      [...names]
        .filter((name) => name !== this.named.name && !this.in(namespace).snapshots.has(name))
        .map((name) => ({ namespace, name })),
    );
    await aFewAtATime(unknown, async ({ namespace, name }) => {
      const known = await readSource(this.#cluster.inNamespace(namespace), { kind: this.named.kind, name });
      if (typeof known !== 'object') return;
      const subject = this.in(namespace);
      if (known.snapshot?.source === subject.source.name) {
        this.#set({ ...subject, snapshots: new Map([...subject.snapshots, [name, known.snapshot]]) });
      } else {
        this.#set({ ...subject, strangers: new Set([...subject.strangers, name]) });
      }
    });
  }

  /** Finds out the hash of the content in these namespaces, where that is possible. */
  async readHashes(namespaces: Iterable<string>): Promise<void> {
    await aFewAtATime(namespaces, async (namespace) => {
      const subject = this.in(namespace);
      const current = hashNoted(subject) ?? (await readHash(this.#cluster.inNamespace(namespace), subject));
      this.#set({ ...subject, current });
    });
  }

  #set(subject: Subject): void {
    this.#byNamespace.set(subject.namespace, subject);
  }

  async #read(): Promise<void> {
    const { kind, name } = this.named;
    const objects = await this.#metadata(this.named);
    // Where the source is gone, its snapshots may still be there.
    const names = new Set([name, ...[...objects.values()].map((object) => sourceNameOf(object, name))]);
    for (const each of names) await this.#readOne({ kind, name: each }, objects);
  }

  async #readOne(source: SourceName, objects: ReadonlyMap<string, Known>): Promise<void> {
    const { named } = this;
    const isNamed = source.name === named.name;
    const own = isNamed ? objects : await this.#metadata(source);
    const snapshots = await this.#snapshots(source);
    const itsOwn = [...objects].filter(([, object]) => sourceNameOf(object, named.name) === source.name);
    const namespaces = new Set([...itsOwn.map(([namespace]) => namespace), ...(isNamed ? snapshots.keys() : [])]);
    for (const namespace of namespaces) {
      const found = {
        object: own.get(namespace) ?? this.#unseen,
        snapshots: snapshots.get(namespace) ?? new Map<string, SnapshotInfo>(),
      };
      this.#set({ namespace, named, source, ...found, strangers: new Set(), current: undefined });
    }
  }

  /** By namespace; of all of them only those where there is one. */
  async #metadata(name: SourceName): Promise<Map<string, Known>> {
    if (!this.#allNamespaces) {
      const known = await readSource(this.#cluster, name);
      if (known === 'hidden') {
        this.refusals.push(
          `${display(name)} may not be read: whether it exists, and whom it rolls out to, is told from the labels of its users`,
        );
      }
      return new Map([[this.#cluster.namespace, known]]);
    }
    const found = await this.#list(name.kind, { fieldSelector: `metadata.name=${name.name}` });
    if (found === undefined) this.#unseen = 'hidden';
    return new Map(found?.map((object) => [object.namespace, object]));
  }

  /** By namespace and name. */
  async #snapshots({ kind, name }: SourceName): Promise<Map<string, Map<string, SnapshotInfo>>> {
    const labelSelector = `${SOURCE_LABEL}=${sourceLabelValue(name)},${CONTENT_HASH_LABEL}`;
    const byNamespace = new Map<string, Map<string, SnapshotInfo>>();
    for (const { namespace, snapshot, name: own } of (await this.#list(kind, { labelSelector })) ?? []) {
      if (snapshot?.source !== name) continue;
      byNamespace.set(namespace, (byNamespace.get(namespace) ?? new Map<string, SnapshotInfo>()).set(own, snapshot));
    }
    return byNamespace;
  }

  /** Undefined when they may not be listed. */
  async #list(
    kind: SourceKind,
    selector: { readonly labelSelector: string } | { readonly fieldSelector: string },
  ): Promise<ConfigObject[] | undefined> {
    const found: ConfigObject[] = [];
    try {
      const options = { allNamespaces: this.#allNamespaces, metadataOnly: true, ...selector };
      for await (const raw of this.#cluster.list(SOURCES[kind], options)) {
        const object = projectSource(kind, raw);
        if (object !== undefined) found.push(object);
      }
    } catch (error) {
      if (!isFailure(error, 'Forbidden')) throw error;
      const said = error instanceof Error ? error.message : '';
      this.refusals.push(`${said}; snapshots are told by their names, and states from the labels of workloads`);
      return undefined;
    }
    return found;
  }
}

function sourceNameOf(object: Known, otherwise: string): string {
  return (typeof object === 'object' ? object.snapshot?.source : undefined) ?? otherwise;
}

/** A snapshot notes which version of the source it was made of. */
function hashNoted({ object, snapshots }: Subject): string | undefined {
  if (typeof object !== 'object') return undefined;
  const { uid, resourceVersion } = object;
  return [...snapshots.values()].find(
    (info) => info.sourceUid === uid && info.sourceResourceVersion === resourceVersion,
  )?.hash;
}

async function readHash(cluster: Cluster, { source, object }: Subject): Promise<string | undefined> {
  if (source.kind === 'Secret' || typeof object !== 'object') return undefined;
  try {
    const { data, binaryData } = (await cluster.get(SOURCES.ConfigMap, source.name)) as Partial<Content>;
    return contentHash('ConfigMap', source.name, { data: data ?? {}, binaryData: binaryData ?? {} });
  } catch (error) {
    if (isFailure(error, 'NotFound') || isFailure(error, 'Forbidden')) return undefined;
    throw error;
  }
}
