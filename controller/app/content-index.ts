// What is remembered of contents that were read once: hashes and digests, never the content. Losing it all costs reads,
// and no promise.

import { LRUCache } from 'lru-cache';
import { contentHash } from '../core/content-hash.ts';
import { changedKeys, type KeyDigests, keyDigests, readKeyDigests } from '../core/key-digests.ts';
import { obstacleOf, type Problem } from '../core/opt-in.ts';
import { type ConfigObject, type Content, objectKey, type SnapshotInfo } from '../core/types.ts';
import type { SourceName, SourceRead } from './ports.ts';

export interface KnownContent {
  readonly resourceVersion: string;
  readonly hash: string;
  /** Why it can never roll out. */
  readonly obstacle: Problem | undefined;
  /** When this hash was first seen, in milliseconds since the epoch. */
  readonly since: number;
}

/** How much is remembered at most. The room for it is made at once. */
export interface ContentIndexSize {
  readonly digests: number;
  readonly verdicts: number;
}
const USUAL_SIZE: ContentIndexSize = { digests: 5000, verdicts: 50_000 };

export class ContentIndex {
  readonly #known = new Map<string, KnownContent>();
  readonly #digests: LRUCache<string, KeyDigests>;
  readonly #verdicts: LRUCache<string, boolean>;

  constructor({ digests, verdicts } = USUAL_SIZE) {
    this.#digests = new LRUCache({ max: digests });
    this.#verdicts = new LRUCache({ max: verdicts });
  }

  /** What is known of exactly this version of the source. */
  peek(source: ConfigObject): KnownContent | undefined {
    const known = this.#known.get(source.uid);
    return known?.resourceVersion === source.resourceVersion ? known : undefined;
  }

  /** Takes in a source that was read. */
  learn({ object, content, immutable }: SourceRead, now: number): KnownContent {
    const hash = contentHash(object.kind, object.name, content);
    this.#remember(object, object.name, hash, content);
    return this.#note(object, hash, obstacleOf(object, immutable, content.type), now);
  }

  /** Takes the hash from a snapshot that was made of exactly this version of the source. */
  learnFromSnapshot(source: ConfigObject, hash: string, now: number): KnownContent {
    return this.#note(source, hash, undefined, now);
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }

  /**
   * Judges a snapshot by its content: right when it is immutable and its hash is the one that it claims. Labels can be
   * forged; what is mounted must have been read.
   */
  verify({ object, content, immutable }: SourceRead): boolean {
    const info = object.snapshot;
    const right = immutable && info !== undefined && contentHash(object.kind, info.source, content) === info.hash;
    if (right) this.#remember(object, info.source, info.hash, content);
    this.#verdicts.set(object.uid, right);
    return right;
  }

  /** True or false when the snapshot was read, undefined when not. */
  verdict(uid: string): boolean | undefined {
    return this.#verdicts.get(uid);
  }

  /** Takes in what a snapshot says of its keys. Not verified: it is for the change cause alone. False when it says nothing. */
  learnKeys(source: SourceName, { hash, keyDigests: text }: SnapshotInfo): boolean {
    const digests = text === undefined ? undefined : readKeyDigests(text);
    if (digests) this.#digests.set(digestKey(source, hash), digests);
    return digests !== undefined;
  }

  /** The keys that differ between two contents of a source; undefined when one of them is not known. */
  changedKeys(source: ConfigObject, before: string, after: string): readonly string[] | undefined {
    const [a, b] = [before, after].map((hash) => this.#digests.get(digestKey(source, hash)));
    return a && b && changedKeys(a, b);
  }

  #note(source: ConfigObject, hash: string, obstacle: Problem | undefined, now: number): KnownContent {
    const before = this.#known.get(source.uid);
    const since = before?.hash === hash ? before.since : now;
    const known = { resourceVersion: source.resourceVersion, hash, obstacle, since };
    this.#known.set(source.uid, known);
    return known;
  }

  #remember(object: ConfigObject, source: string, hash: string, content: Content): void {
    this.#digests.set(digestKey({ ...object, name: source }, hash), keyDigests(object.kind, content));
  }
}

function digestKey(source: SourceName, hash: string): string {
  return `${objectKey(source)}/${hash}`;
}
