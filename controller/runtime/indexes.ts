// Secondary indexes of the store, kept up to date with every change, so that a lookup never scans.

export type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

interface Index<T> {
  readonly valuesOf: (object: T) => readonly string[];
  readonly buckets: Map<string, Map<string, T>>;
}

export class Indexes<T> {
  readonly #indexes = new Map<string, Index<T>>();

  constructor(indexers: Indexers<T>) {
    for (const [name, valuesOf] of Object.entries(indexers)) {
      this.#indexes.set(name, { valuesOf, buckets: new Map() });
    }
  }

  /** Throws when no index has that name. */
  find(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`the store has no index "${name}"`);
    const bucket = index.buckets.get(value);
    return bucket === undefined ? [] : [...bucket.values()];
  }

  /** Takes `before` out of every index and puts `after` in. Changes nothing when an indexer throws. */
  move(key: string, before: T | undefined, after: T | undefined): void {
    const moves = [...this.#indexes.values()].map(({ valuesOf, buckets }) => ({
      buckets,
      from: before === undefined ? [] : valuesOf(before),
      to: after === undefined ? [] : valuesOf(after),
    }));
    for (const { buckets, from, to } of moves) {
      for (const value of from) removeFrom(buckets, value, key);
      if (after !== undefined) for (const value of to) addTo(buckets, value, key, after);
    }
  }
}

function removeFrom<T>(buckets: Map<string, Map<string, T>>, value: string, key: string): void {
  const bucket = buckets.get(value);
  bucket?.delete(key);
  if (bucket?.size === 0) buckets.delete(value);
}

function addTo<T>(buckets: Map<string, Map<string, T>>, value: string, key: string, object: T): void {
  const bucket = buckets.get(value);
  if (bucket === undefined) buckets.set(value, new Map([[key, object]]));
  else bucket.set(key, object);
}
