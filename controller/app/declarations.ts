// What sources say of their owners: read once for each version, by however many workloads one has.

import { type Declaration, type KindName, optIns } from '../core/opt-in.ts';
import type { ConfigObject } from '../core/types.ts';

export class Declarations {
  readonly #kinds: readonly KindName[];
  readonly #known = new WeakMap<ConfigObject, Declaration>();

  constructor(kinds: readonly KindName[]) {
    this.#kinds = kinds;
  }

  /** `source` is an object of a cache, which nobody changes. */
  of(source: ConfigObject): Declaration {
    const known = this.#known.get(source) ?? optIns(source, this.#kinds);
    this.#known.set(source, known);
    return known;
  }
}
