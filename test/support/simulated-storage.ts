// The storage of the simulated cluster: it versions what is written, and tells watches of it, which may lag behind.

import type { World } from '../../controller/app/world.ts';
import type { SourceKind } from '../../controller/core/types.ts';
import { EVERYWHERE, type Store, type Stored } from '../../controller/runtime/store.ts';
import { NAMESPACE } from './builders.ts';
import {
  copyOf,
  frozen,
  isWorkloadKind,
  KINDS,
  type Kind,
  type Metadata,
  project,
  type RawObject,
  type RawWorkload,
  sameJson,
} from './simulated-objects.ts';

export interface Delivery {
  readonly kinds?: readonly Kind[];
  readonly most?: number;
  readonly to?: World;
}
type Feeds = Record<Kind, (() => void)[]>;
/** What a client may leave out of an object that it creates. */
export type New<T extends RawObject> = Omit<T, 'metadata'> & { metadata: Partial<Metadata> };

export class Storage {
  readonly #objects = new Map<string, RawObject>();
  /** What each controller's watches have not shown yet. */
  readonly #feeds = new Map<World, Feeds>();
  readonly #now: () => number;
  #version = 1000;
  /** The version at which there was no garbage. */
  #cleanAt: number | undefined;
  #uids = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts up with every write, whoever wrote. */
  get version(): number {
    return this.#version;
  }

  nextUid(): string {
    this.#uids += 1;
    return `uid-${this.#uids}`;
  }

  // ---- watches

  /** Lists into the caches of a controller, and feeds them from now on, at each `deliver`; no others but those beside it. */
  watch(world: World, isBeside: boolean): void {
    if (!isBeside) this.#feeds.clear();
    this.#feeds.set(world, Object.fromEntries(KINDS.map((kind) => [kind, []])) as unknown as Feeds);
    for (const kind of KINDS) {
      const items = this.all(kind).map((object) => project(kind, object));
      const known = items.filter((item) => item !== undefined);
      storeOf(world, kind)?.replace(EVERYWHERE, known, `${this.#version}`);
    }
  }

  /** Lets watches catch up with what happened: those of some kinds, of one controller, by so many events at most. */
  deliver({ kinds = KINDS, most = Number.POSITIVE_INFINITY, to }: Delivery = {}): void {
    for (const [world, feed] of this.#feeds) {
      if (to !== undefined && to !== world) continue;
      for (const kind of kinds) for (const event of feed[kind].splice(0, most)) event();
    }
  }

  #tell(kind: Kind, object: RawObject, isGone = false): void {
    const version = `${this.#version}`;
    for (const [world, feed] of this.#feeds) {
      feed[kind].push(() => {
        const item = isGone ? undefined : project(kind, object);
        const { namespace, name } = object.metadata;
        if (item === undefined) storeOf(world, kind)?.remove(EVERYWHERE, `${namespace}/${name}`, version);
        else storeOf(world, kind)?.apply(EVERYWHERE, item, version);
      });
    }
  }

  // ---- objects

  /** Every object, by `Kind/name`. */
  entries(): [key: string, object: RawObject][] {
    return [...this.#objects];
  }

  all<T extends RawObject>(kind: Kind): T[] {
    const prefix = `${kind}/`;
    const found: T[] = [];
    for (const [key, object] of this.#objects) if (key.startsWith(prefix)) found.push(object as T);
    return found;
  }

  get<T extends RawObject>(kind: Kind, name: string): T | undefined {
    return this.#objects.get(`${kind}/${name}`) as T | undefined;
  }

  /** Is there an object of that uid? */
  isAlive(uid: string): boolean {
    for (const { metadata } of this.#objects.values()) if (metadata.uid === uid) return true;
    return false;
  }

  put<T extends RawObject>(kind: Kind, object: T): T {
    const key = `${kind}/${object.metadata.name}`;
    const before = this.#objects.get(key);
    // The API has no empty maps.
    for (const map of ['labels', 'annotations'] as const)
      if (map in object.metadata && Object.keys(object.metadata[map] ?? {}).length === 0) delete object.metadata[map];
    // A write that changes nothing makes no new version, and no event.
    if (before && sameJson(before, object)) return before as T;
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: `${this.#version}` };
    if (isWorkloadKind(kind)) {
      const [was, is] = [before, object].map((each) => each && counted(kind, each as unknown as RawWorkload));
      metadata.generation = (before?.metadata.generation ?? 0) + (sameJson(was, is) ? 0 : 1);
    }
    const stored = frozen({ ...object, metadata });
    this.#objects.set(key, stored);
    this.#tell(kind, stored);
    return stored;
  }

  create<T extends RawObject>(kind: Kind, object: New<T>): T {
    const metadata = {
      ...object.metadata,
      namespace: NAMESPACE,
      uid: this.nextUid(),
      creationTimestamp: new Date(this.#now()).toISOString(),
      resourceVersion: '',
    } as Metadata;
    return this.put(kind, { ...object, metadata } as unknown as T);
  }

  edit<T extends RawObject>(kind: Kind, name: string, edit: (copy: T) => void): void {
    const before = this.get<T>(kind, name);
    if (before === undefined) return;
    const copy = copyOf(before);
    edit(copy);
    this.put(kind, copy);
  }

  delete(kind: Kind, name: string): void {
    const object = this.get(kind, name);
    if (object === undefined) return;
    this.#objects.delete(`${kind}/${name}`);
    this.#version += 1;
    this.#tell(kind, object, true);
  }

  // ---- garbage

  /** Deletes what has owners but none alive, and takes dead owners away from what has others. */
  collectGarbage(): void {
    if (this.#cleanAt === this.#version) return;
    const kinds = ['ReplicaSet', 'ControllerRevision', 'ConfigMap', 'Secret'] as const;
    const collected = (kind: Kind) => this.all(kind).filter((object) => this.#collect(kind, object)).length;
    while (kinds.map(collected).some((count) => count > 0));
    this.#cleanAt = this.#version;
  }

  #collect(kind: Kind, { metadata }: RawObject): boolean {
    const owners = metadata.ownerReferences ?? [];
    const alive = owners.filter(({ uid }) => this.isAlive(uid));
    if (alive.length === owners.length) return false;
    if (alive.length === 0) this.delete(kind, metadata.name);
    else this.edit(kind, metadata.name, (copy) => Object.assign(copy.metadata, { ownerReferences: alive }));
    return true;
  }
}

// What counts up the generation: of a Deployment the annotations, too; never labels or a status. (PrepareForUpdate in
// pkg/registry/apps.)
function counted(kind: Kind, { metadata: { annotations }, spec }: RawWorkload): unknown {
  return kind === 'Deployment' ? { annotations, spec } : { spec };
}

function storeOf({ sources, workloads, revisions }: World, kind: Kind): Store<Stored> | undefined {
  const store = sources.get(kind as SourceKind) ?? workloads.get(kind) ?? revisions.get(kind);
  return store as Store<Stored> | undefined;
}
