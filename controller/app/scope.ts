// Which namespaces are ours: those that were named, and, where a selector decides, those whose labels it matches, as a
// watch with that selector shows them.

import { Store, type Stored } from '../runtime/store.ts';

export class NamespaceScope {
  /** Fed by a watch with the selector; undefined when there is no selector. */
  readonly selected: Store<Stored> | undefined;
  readonly #names: ReadonlySet<string>;

  /** @param names of namespaces; all when empty. */
  constructor(names: readonly string[], hasSelector: boolean) {
    this.#names = new Set(names);
    this.selected = hasSelector ? new Store<Stored>({}) : undefined;
  }

  has(namespace: string): boolean {
    const isNamed = this.#names.size === 0 || this.#names.has(namespace);
    return isNamed && (this.selected === undefined || this.selected.get(`/${namespace}`) !== undefined);
  }
}
