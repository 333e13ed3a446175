// The controller's only memory of the cluster: projections of objects, by key and by secondary index, with a stream of
// changes. Reflectors feed it in the order of the watch; our own writes may run ahead of the watch (noteWrite), so that
// the next reconcile sees what the last one did.

import { messageOf } from './failure.ts';
import { type Indexers, Indexes } from './indexes.ts';
import type { Log } from './log.ts';
import { compareResourceVersions, reached } from './resource-version.ts';

export interface Stored {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** `namespace/name`; a cluster-scoped object has an empty namespace and so begins with a slash. */
export const keyOf = (object: { readonly namespace: string; readonly name: string }): string =>
  `${object.namespace}/${object.name}`;

/** Before without after: removed. After without before: added. Both: same uid, another resourceVersion. */
export interface Change<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** The scope of a reflector that lists all namespaces (or a cluster-scoped resource). */
export const EVERYWHERE = '';

/**
 * Objects are treated as immutable: indexers must be pure and always give the same answer for the same object.
 * A scope is what one reflector lists: a namespace, or EVERYWHERE.
 */
export class Store<T extends Stored> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: Indexes<T>;
  readonly #listeners: ((change: Change<T>) => void)[] = [];
  /** How far each reflector has read. */
  readonly #progress = new Map<string, string>();
  /** Own writes the watch has not shown yet: key → resourceVersion. */
  readonly #ahead = new Map<string, string>();
  readonly #log: Log | undefined;

  /** Without a log, the error of a listener surfaces as an uncaught exception: a lost change must not go unseen. */
  constructor(indexers: Indexers<T>, log?: Log) {
    this.#indexes = new Indexes(indexers);
    this.#log = log;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** Objects an indexer filed under `value`; costs as much as the answer is long. Throws on an unknown index. */
  by(index: string, value: string): readonly T[] {
    return this.#indexes.find(index, value);
  }

  all(): Iterable<T> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Called synchronously after each change, when the store already shows it. */
  subscribe(listener: (change: Change<T>) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Read-your-writes: takes the answer of our own create or patch ahead of the watch, and notifies like the watch.
   * Ignored when the reflector of that scope has passed its resourceVersion (the watch knows better), when it has not
   * listed yet (its list will carry the write), when the stored object is as new, or when versions are not decimal.
   */
  noteWrite(object: T): void {
    const progress = this.#progress.get(object.namespace) ?? this.#progress.get(EVERYWHERE);
    if (progress === undefined || compareResourceVersions(object.resourceVersion, progress) === undefined) return;
    if (reached(progress, object.resourceVersion)) return;
    const key = keyOf(object);
    const stored = this.#objects.get(key);
    if (stored !== undefined && reached(stored.resourceVersion, object.resourceVersion)) return;
    const changes = this.#put(key, object);
    this.#ahead.set(key, object.resourceVersion);
    this.#notify(changes);
  }

  /** A complete list of the scope, as of `resourceVersion`. All of it is visible before the first notification. */
  replace(scope: string, items: readonly T[], resourceVersion: string): void {
    const changes: Change<T>[] = [];
    const listed = new Set<string>();
    for (const item of items) {
      const key = keyOf(item);
      listed.add(key);
      if (!this.#isBehindOwnWrite(key, resourceVersion)) changes.push(...this.#put(key, item));
    }
    // A scan of the whole store, also for one namespace: relists are rare, a set of keys per scope is memory for ever.
    for (const [key, object] of this.#objects) {
      const inScope = scope === EVERYWHERE || object.namespace === scope;
      if (inScope && !listed.has(key) && !this.#isBehindOwnWrite(key, resourceVersion)) {
        changes.push(...this.#drop(key));
      }
    }
    changes.push(...this.#advance(scope, resourceVersion));
    this.#notify(changes);
  }

  /** The resource itself is gone, and all of the scope with it, own writes too. */
  clear(scope: string): void {
    const keys = [...this.#objects].filter(([, { namespace }]) => scope === EVERYWHERE || namespace === scope);
    this.#notify(keys.flatMap(([key]) => this.#drop(key)));
  }

  /** A watch event that adds or changes an object. */
  apply(scope: string, object: T, resourceVersion: string): void {
    const key = keyOf(object);
    const changes = this.#isBehindOwnWrite(key, resourceVersion) ? [] : this.#put(key, object);
    this.#notify([...changes, ...this.#advance(scope, resourceVersion)]);
  }

  /** A watch event that deletes an object, or changes it so that its projection is undefined. */
  remove(scope: string, key: string, resourceVersion: string): void {
    const changes = this.#isBehindOwnWrite(key, resourceVersion) ? [] : this.#drop(key);
    this.#notify([...changes, ...this.#advance(scope, resourceVersion)]);
  }

  /** The watch of the scope has shown everything up to `resourceVersion`. */
  bookmark(scope: string, resourceVersion: string): void {
    this.#notify(this.#advance(scope, resourceVersion));
  }

  /** Whether news of that version are older than our own write; if not, the write needs no protection any more. */
  #isBehindOwnWrite(key: string, resourceVersion: string): boolean {
    const own = this.#ahead.get(key);
    if (own === undefined) return false;
    const order = compareResourceVersions(resourceVersion, own);
    if (order !== undefined && order < 0) return true;
    this.#ahead.delete(key);
    return false;
  }

  #advance(scope: string, resourceVersion: string): Change<T>[] {
    this.#progress.set(scope, resourceVersion);
    const changes: Change<T>[] = [];
    for (const [key, own] of this.#ahead) {
      const namespace = this.#objects.get(key)?.namespace;
      const inScope = scope === EVERYWHERE || namespace === scope;
      if (!inScope || !reached(resourceVersion, own)) continue;
      // The watch went past our write without showing it, so its selector does not match: the object is not ours to hold.
      this.#ahead.delete(key);
      changes.push(...this.#drop(key));
    }
    return changes;
  }

  #put(key: string, object: T): Change<T>[] {
    const before = this.#objects.get(key);
    // Metadata of equal version is equal content: the echo of our own write, or a relist, is no change.
    if (before?.uid === object.uid && before.resourceVersion === object.resourceVersion) return [];
    this.#indexes.move(key, before, object);
    this.#objects.set(key, object);
    if (before === undefined || before.uid === object.uid) return [{ before, after: object }];
    return [
      { before, after: undefined },
      { before: undefined, after: object },
    ];
  }

  #drop(key: string): Change<T>[] {
    const before = this.#objects.get(key);
    if (before === undefined) return [];
    this.#indexes.move(key, before, undefined);
    this.#objects.delete(key);
    this.#ahead.delete(key);
    return [{ before, after: undefined }];
  }

  #notify(changes: readonly Change<T>[]): void {
    for (const change of changes) {
      for (const listener of this.#listeners) {
        try {
          listener(change);
        } catch (error) {
          this.#report(change, error);
        }
      }
    }
  }

  #report(change: Change<T>, error: unknown): void {
    const log = this.#log;
    if (log === undefined) {
      queueMicrotask(() => {
        throw error;
      });
      return;
    }
    const object = change.after ?? change.before;
    log('error', 'a listener of the store failed; the change is stored but was not acted on', {
      key: object === undefined ? undefined : keyOf(object),
      error: messageOf(error),
    });
  }
}
