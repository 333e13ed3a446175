// What is known of a source's content and of its snapshot, from the caches where they know it, and read where they do not.

import { rolledHash, type SourceView } from '../core/decide.ts';
import { isSnapshotOf, snapshotNames } from '../core/snapshot.ts';
import type { ConfigObject, Workload } from '../core/types.ts';
import type { ContentIndex, KnownContent } from './content-index.ts';
import type { SourceName, SourceRead, SourceReader } from './ports.ts';
import type { World } from './world.ts';

export class SourceViews {
  readonly #world: World;
  readonly #index: ContentIndex;
  readonly #port: SourceReader;
  readonly #now: () => number;

  constructor(world: World, index: ContentIndex, port: SourceReader, now: () => number) {
    this.#world = world;
    this.#index = index;
    this.#port = port;
    this.#now = now;
  }

  /** The content of a source; `read` only where it had to be read. Undefined when the source is gone. */
  async content(
    source: ConfigObject,
  ): Promise<{ known: KnownContent; source: ConfigObject; read?: SourceRead } | undefined> {
    const known = this.#index.peek(source);
    if (known) return { known, source };
    const made = this.#world
      .snapshotsOf(source)
      .find(
        ({ snapshot }) =>
          snapshot.sourceUid === source.uid && snapshot.sourceResourceVersion === source.resourceVersion,
      );
    if (made) return { known: this.#index.learnFromSnapshot(source, made.snapshot.hash, this.#now()), source };
    const read = await this.#port.readSource(source);
    return read && { known: this.#learn(read), source: read.object, read };
  }

  /** Reads a source whose content is about to be copied; undefined when it is no longer the one with that hash. */
  async readAgain(source: ConfigObject, hash: string): Promise<SourceRead | undefined> {
    const read = await this.#port.readSource(source);
    return read && this.#learn(read).hash === hash ? read : undefined;
  }

  /**
   * Reads, live, what a reference names, and lets the caches know, which may be behind. False when there is no such thing.
   * Of a Secret, the content only where it `isOptedIn`.
   */
  async refresh(name: SourceName, isOptedIn: (object: ConfigObject) => boolean): Promise<boolean> {
    if (name.kind === 'Secret') {
      const object = await this.#port.readMetadata(name);
      if (object === undefined) return false;
      this.#world.note(object);
      if (object.snapshot || !isOptedIn(object)) return true;
    }
    const read = await this.#port.readSource(name);
    if (read === undefined) return false;
    if (read.object.snapshot === undefined) this.#learn(read);
    else this.#world.note(read.object);
    return true;
  }

  view(workload: Workload, source: ConfigObject): SourceView {
    const known = this.#index.peek(source);
    return {
      kind: source.kind,
      name: source.name,
      uid: source.uid,
      hash: known?.hash,
      snapshot: known && this.snapshot(source, known.hash),
      recorded: this.#world.recordedHash(source, workload),
      since: known?.since ?? 0,
      changedKeys: undefined,
    };
  }

  /** With the keys that changed, for the change cause; costs a read only when nobody here knows those of the old content. */
  async viewWithKeys(workload: Workload, source: ConfigObject): Promise<SourceView> {
    const view = this.view(workload, source);
    const rolled = rolledHash(workload, view);
    if (view.hash === undefined || rolled === undefined || rolled === view.hash) return view;
    const { hash } = view;
    const changed = () => this.#index.changedKeys(source, rolled, hash);
    const keys = changed();
    if (keys) return { ...view, changedKeys: keys };
    const old = this.#world.snapshotsOf(source).find(({ snapshot }) => snapshot.hash === rolled);
    if (old && !this.#index.learnKeys(source, old.snapshot)) {
      const read = await this.#port.readSource(old);
      if (read) this.#index.verify(read);
    }
    return { ...view, changedKeys: changed() };
  }

  /** The snapshot of a content: the one that exists, or else the first name that is free; undefined when none is. */
  snapshot(source: ConfigObject, hash: string): { name: string; ready: boolean; uid?: string } | undefined {
    let free: string | undefined;
    for (const name of snapshotNames(source.name, hash)) {
      const object = this.#world.object({ ...source, name });
      if (object === undefined) free ??= name;
      else if (isSnapshotOf(object, source.name, hash) && this.#index.verdict(object.uid) !== false)
        return { name, ready: this.#index.verdict(object.uid) === true, uid: object.uid };
    }
    return free === undefined ? undefined : { name: free, ready: false };
  }

  /** Reads a snapshot that bears the marks and was not seen by this process. True when there was something to verify. */
  async verifyExisting(source: ConfigObject, hash: string): Promise<boolean> {
    const found = this.snapshot(source, hash);
    if (found?.uid === undefined || found.ready) return false;
    const read = await this.#port.readSource({ ...source, name: found.name });
    if (read === undefined) return false;
    this.#world.note(read.object);
    this.#index.verify(read);
    return read.object.uid === found.uid;
  }

  #learn(read: SourceRead): KnownContent {
    // What was read may be newer than what the watch has shown.
    const known = this.#index.learn(read, this.#now());
    this.#world.note(read.object);
    return known;
  }
}
