// Whether ConfigMaps and Secrets exist, asked at most once a second for each, however many pods wait for it.

import type { Api } from './api.ts';
import type { Needed } from './pods.ts';

const FRESH_MS = 900;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

interface Known {
  readonly at: number;
  readonly exists: Promise<boolean>;
}

export class ObjectPresence {
  readonly #api: Api;
  readonly #known = new Map<string, Known>();

  constructor(api: Api) {
    this.#api = api;
  }

  async firstMissing(namespace: string, needed: readonly Needed[]): Promise<Needed | undefined> {
    const exist = await Promise.all(needed.map((one) => this.#exists(namespace, one)));
    return needed.find((_, index) => exist[index] === false);
  }

  #exists(namespace: string, { kind, name }: Needed): Promise<boolean> {
    const path = `/api/v1/namespaces/${namespace}/${kind}/${name}`;
    const known = this.#known.get(path);
    if (known !== undefined && Date.now() - known.at < FRESH_MS) return known.exists;
    const exists = this.#ask(path);
    this.#known.set(path, { at: Date.now(), exists });
    // Also keeps the map from growing: the answer is of no use after that.
    exists.then(
      () => setTimeout(() => this.#forget(path, exists), FRESH_MS),
      () => this.#forget(path, exists),
    );
    return exists;
  }

  #forget(path: string, exists: Promise<boolean>): void {
    if (this.#known.get(path)?.exists === exists) this.#known.delete(path);
  }

  async #ask(path: string): Promise<boolean> {
    const { status } = await this.#api.call({ path, headers: { accept: METADATA_ONLY } });
    if (status === 200) return true;
    if (status === 404) return false;
    throw new Error(`${path}: HTTP ${status}`);
  }
}
