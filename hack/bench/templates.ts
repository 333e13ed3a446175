// When pod templates change, as a watch shows it: the one thing by which all controllers are judged alike.

import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../controller/kube/client.ts';
import { Problem } from '../embedded/problem.ts';
import { collectionPath, DEPLOYMENTS, type WorkloadResource } from './objects.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API server, read as they come
type Json = any;

interface Seen {
  readonly object: Json;
  readonly template: string;
}

/** Tells of a change of a template. Times are those of performance.now(). */
export type OnRoll = (key: string, at: number) => void;

const WATCH_SECONDS = 3600;
const POLL_MS = 50;

/** `deployments/shop/web`. */
export function keyOf(resource: WorkloadResource, namespace: string, name: string): string {
  return `${resource}/${namespace}/${name}`;
}

export class Templates {
  readonly #client: KubeClient;
  readonly #seen = new Map<string, Seen>();
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>[] = [];
  #failure: unknown;
  #lastRoll = performance.now();
  #listener: OnRoll = () => undefined;

  private constructor(client: KubeClient) {
    this.#client = client;
  }

  /** What is there already is no change. */
  static async watch(
    client: KubeClient,
    namespaces: Iterable<string>,
    resources: Iterable<WorkloadResource> = [DEPLOYMENTS],
  ): Promise<Templates> {
    const templates = new Templates(client);
    for (const namespace of namespaces) {
      for (const resource of resources) await templates.#follow(resource, namespace);
    }
    return templates;
  }

  /** One at a time. */
  onRoll(listener: OnRoll): void {
    this.#listener = listener;
  }

  /** The time of the next change of this one. Throws when there is none for so long. */
  next(key: string, patienceMs: number, signal: AbortSignal): Promise<number> {
    const end = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    return new Promise((resolve, reject) => {
      end.addEventListener('abort', () => reject(signal.aborted ? signal.reason : new Problem(`${key} did not roll.`)));
      this.onRoll((rolled, at) => {
        if (rolled === key) resolve(at);
      });
    });
  }

  /** The workloads, as they were last seen. */
  objects(): readonly Json[] {
    return [...this.#seen.values()].map(({ object }) => object);
  }

  /** Since the last change of any of them, in ms. */
  get restsSince(): number {
    return performance.now() - this.#lastRoll;
  }

  /** False when the time is up before it is so. Throws when the watch is broken. */
  async until(condition: () => boolean, patienceMs: number, signal: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + patienceMs;
    while (!condition()) {
      signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      if (performance.now() > deadline) return false;
      await sleep(POLL_MS);
    }
    return true;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#watching);
  }

  async #follow(resource: WorkloadResource, namespace: string): Promise<void> {
    const path = collectionPath(resource, namespace);
    const { items, metadata } = await this.#client.request<Json>('GET', path);
    for (const object of items) this.#note(resource, object);
    const run = async () => {
      const { signal } = this.#stop;
      let { resourceVersion } = metadata;
      try {
        // The API server ends the watch of whoever does not take the events as fast as they come.
        while (!signal.aborted) {
          const query = { watch: true, resourceVersion, timeoutSeconds: WATCH_SECONDS };
          for await (const { type, object } of this.#client.stream(path, { query, signal }) as AsyncIterable<Json>) {
            this.#take(resource, type, object);
            resourceVersion = object.metadata.resourceVersion;
          }
        }
      } catch (error) {
        if (!signal.aborted) this.#failure = error;
      }
    };
    this.#watching.push(run());
  }

  #take(resource: WorkloadResource, type: string, object: Json): void {
    if (type === 'ERROR') throw new Problem(`The watch of ${resource} ended: ${object.message}.`);
    const key = keyOf(resource, object.metadata.namespace, object.metadata.name);
    const before = this.#seen.get(key);
    if (type === 'DELETED') this.#seen.delete(key);
    else this.#note(resource, object);
    const template = this.#seen.get(key)?.template;
    if (before === undefined || template === undefined || template === before.template) return;
    this.#lastRoll = performance.now();
    this.#listener(key, this.#lastRoll);
  }

  #note(resource: WorkloadResource, object: Json): void {
    const { namespace, name, uid, generation } = object.metadata;
    const key = keyOf(resource, namespace, name);
    const before = this.#seen.get(key);
    // The spec of a generation never changes; most events are of the status.
    const isKnown = before?.object.metadata.uid === uid && before?.object.metadata.generation === generation;
    const template = isKnown ? before?.template : undefined;
    this.#seen.set(key, { object, template: template ?? JSON.stringify(object.spec.template) });
  }
}
