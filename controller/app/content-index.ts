// What is remembered of contents that were read once: hashes and digests, never the content. Losing it all costs reads,
// and no promise.

import { LRUCache } from 'lru-cache';
import { changedKeys, contentHash, keyDigests } from '../core/content-hash.ts';
import type { ConfigObject } from '../core/types.ts';
import type { ConfigMapRead } from './ports.ts';

export interface KnownContent {
  readonly resourceVersion: string;
  readonly hash: string;
  readonly immutable: boolean;
  /** When this hash was first seen, in milliseconds since the epoch. */
  readonly since: number;
}

const MOST_DIGESTS = 5000;
const MOST_VERDICTS = 50_000;

export class ContentIndex {
  readonly #known = new Map<string, KnownContent>();
  readonly #digests = new LRUCache<string, ReadonlyMap<string, string>>({ max: MOST_DIGESTS });
  readonly #verdicts = new LRUCache<string, boolean>({ max: MOST_VERDICTS });

  /** What is known of exactly this version of the source. */
  peek(source: ConfigObject): KnownContent | undefined {
    const known = this.#known.get(source.uid);
    return known?.resourceVersion === source.resourceVersion ? known : undefined;
  }

  /** Takes in a source that was read. */
  learn({ object, content, immutable }: ConfigMapRead, now: number): KnownContent {
    const hash = contentHash(object.kind, object.name, content);
    this.#remember(object.namespace, object.name, hash, keyDigests(content));
    return this.#note(object, hash, immutable, now);
  }

  /** Takes the hash from a snapshot that was made of exactly this version of the source. */
  learnFromSnapshot(source: ConfigObject, hash: string, now: number): KnownContent {
    return this.#note(source, hash, false, now);
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }

  /**
   * Judges a snapshot by its content: right when it is immutable and its hash is the one that it claims. Labels can be
   * forged; what is mounted must have been read.
   */
  verify({ object, content, immutable }: ConfigMapRead): boolean {
    const info = object.snapshot;
    const right = immutable && info !== undefined && contentHash(object.kind, info.source, content) === info.hash;
    if (right) this.#remember(object.namespace, info.source, info.hash, keyDigests(content));
    this.#verdicts.set(object.uid, right);
    return right;
  }

  /** True or false when the snapshot was read, undefined when not. */
  verdict(uid: string): boolean | undefined {
    return this.#verdicts.get(uid);
  }

  /** The keys that differ between two contents of a source; undefined when one of them is not known. */
  changedKeys(source: ConfigObject, before: string, after: string): readonly string[] | undefined {
    const [a, b] = [before, after].map((hash) => this.#digests.get(digestKey(source.namespace, source.name, hash)));
    return a && b && changedKeys(a, b);
  }

  #note(source: ConfigObject, hash: string, immutable: boolean, now: number): KnownContent {
    const before = this.#known.get(source.uid);
    const since = before?.hash === hash ? before.since : now;
    const known = { resourceVersion: source.resourceVersion, hash, immutable, since };
    this.#known.set(source.uid, known);
    return known;
  }

  #remember(namespace: string, source: string, hash: string, digests: ReadonlyMap<string, string>): void {
    this.#digests.set(digestKey(namespace, source, hash), digests);
  }
}

function digestKey(namespace: string, source: string, hash: string): string {
  return `${namespace}/${source}/${hash}`;
}
