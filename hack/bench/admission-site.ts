// The Deployments to which unchanged manifests are applied: managed ones, that share ConfigMaps, and as many twins that are
// not managed.

import { messageOf } from '../embedded/problem.ts';
import { times } from './casts.ts';
import type { MultiplexedClient } from './multiplexed.ts';
import {
  CHANGING,
  CONFIG_MAPS,
  collectionPath,
  content,
  createAll,
  DEPLOYMENTS,
  type SourceSpec,
  sourceObject,
  volumeOf,
  type WorkloadSpec,
  workloadObject,
} from './objects.ts';
import type { Bench, Candidate } from './scenario.ts';
import type { Ask } from './webhook.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API server, read as they come
type Json = any;

/** What an apply came to. */
export const FINE = 'as they should be';
const PAST = 'PAST ADMISSION';

const NAME_POINTER = '/spec/template/spec/volumes/0/configMap/name';
/** Deployments to a ConfigMap. */
const SHARING = 5;
/** All revisions are kept, to be counted. */
const HISTORY = 1000;

export class AdmissionSite {
  readonly #bench: Bench;
  readonly #many: MultiplexedClient;
  readonly #candidate: Candidate;
  readonly #namespace: string;
  readonly #managed: readonly WorkloadSpec[];
  readonly #twins: readonly WorkloadSpec[];
  readonly #sources: readonly SourceSpec[];
  readonly #edits = new Map<string, number>();
  #live: ReadonlyMap<string, Json> = new Map();

  constructor(bench: Bench, many: MultiplexedClient, candidate: Candidate, namespace: string, count: number) {
    this.#bench = bench;
    this.#many = many;
    this.#candidate = candidate;
    this.#namespace = namespace;
    const workload =
      (sort: string) =>
      (index: number): WorkloadSpec => {
        const uses = { volumes: [volumeOf({ resource: CONFIG_MAPS, name: sourceOf(index) })] };
        return { resource: DEPLOYMENTS, namespace, name: `${sort}-${index}`, uses, history: HISTORY };
      };
    this.#managed = times(count, workload('managed'));
    this.#twins = times(count, workload('twin'));
    this.#sources = times(Math.ceil(count / SHARING), (index) => {
      const users = this.#managed.filter((_, user) => sourceOf(user) === `config-${index}`);
      return { resource: CONFIG_MAPS, namespace, name: `config-${index}`, users };
    });
  }

  async create(): Promise<void> {
    const { client, signal } = this.#bench;
    const { target } = this.#candidate;
    await createAll(
      client,
      this.#sources.map((source) => sourceObject(target, source)),
      signal,
    );
    const workloads = [...this.#managed, ...this.#twins];
    await createAll(
      client,
      workloads.map((workload) => workloadObject(target, workload)),
      signal,
    );
  }

  /** As an apply of the unchanged manifest does, writes the ConfigMap's own name into the template. */
  async apply(isManaged: boolean, index: number): Promise<string> {
    const [number, { name }] = pick(isManaged ? this.#managed : this.#twins, index);
    const source = sourceOf(number);
    // Without a name of its own it would look like an undo.
    const path = `${collectionPath(DEPLOYMENTS, this.#namespace)}/${name}?fieldManager=bench`;
    const body = [{ op: 'replace', path: NAME_POINTER, value: source }];
    try {
      const { status, text } = await this.#many.patch(path, 'application/json-patch+json', body);
      if (status !== 200) return `REJECTED with ${status}`;
      return isManaged && mounted(JSON.parse(text)) === source ? PAST : FINE;
    } catch (error) {
      return `WITHOUT AN ANSWER: ${messageOf(error)}`;
    }
  }

  /** The same of the webhook itself, about the objects as `refresh` has found them. */
  async ask(ask: Ask, index: number): Promise<string> {
    const [number, { name }] = pick(this.#managed, index);
    const live = this.#live.get(name);
    const object = structuredClone(live);
    object.spec.template.spec.volumes[0].configMap.name = sourceOf(number);
    try {
      return (await ask(live, object)).some(({ path }) => path === NAME_POINTER) ? FINE : PAST;
    } catch (error) {
      return `REJECTED: ${messageOf(error)}`;
    }
  }

  async refresh(): Promise<void> {
    this.#live = await this.#byName(DEPLOYMENTS);
  }

  async edit(index: number): Promise<void> {
    const [, { name }] = pick(this.#sources, index);
    const path = `${collectionPath(CONFIG_MAPS, this.#namespace)}/${name}`;
    await this.#bench.client.request('PATCH', path, { body: content(CONFIG_MAPS, `at ${Date.now()}`) });
    this.#edits.set(name, (this.#edits.get(name) ?? 0) + 1);
  }

  /** Every Deployment is complete, and every managed one mounts a copy of what its source holds now. */
  async isAtRest(): Promise<boolean> {
    const configMaps = await this.#byName(CONFIG_MAPS);
    const workloads = await this.#byName(DEPLOYMENTS);
    const holds = (name: string) => configMaps.get(name)?.data[CHANGING];
    const isPinned = ({ name }: WorkloadSpec, index: number) => {
      const mounts = mounted(workloads.get(name));
      return mounts !== sourceOf(index) && holds(mounts) === holds(sourceOf(index));
    };
    return [...workloads.values()].every(isComplete) && this.#managed.every(isPinned);
  }

  async revisions(): Promise<ReadonlySet<string>> {
    return new Set((await this.#byName('replicasets')).keys());
  }

  /** Of those that have come since: how many are raw, and how many Deployments have another number than edits. */
  async countRevisions(former: ReadonlySet<string>): Promise<{ readonly raw: number; readonly odd: number }> {
    const made = [...(await this.#byName('replicasets')).values()].filter(({ metadata }) => !former.has(metadata.name));
    const byOwner = Map.groupBy(made, ({ metadata }) => metadata.ownerReferences[0].name);
    const isOdd = ({ name }: WorkloadSpec, index: number) =>
      (byOwner.get(name)?.length ?? 0) !== (this.#edits.get(sourceOf(index)) ?? 0);
    return {
      raw: made.filter((revision) => this.#sources.some(({ name }) => name === mounted(revision))).length,
      odd: this.#managed.filter(isOdd).length,
    };
  }

  async #byName(resource: typeof CONFIG_MAPS | typeof DEPLOYMENTS | 'replicasets'): Promise<ReadonlyMap<string, Json>> {
    const { items } = await this.#bench.client.request<Json>('GET', collectionPath(resource, this.#namespace));
    return new Map(items.map((item: Json) => [item.metadata.name, item]));
  }
}

function isComplete({ metadata, status }: Json): boolean {
  const counts = [status.replicas, status.updatedReplicas, status.availableReplicas];
  return status.observedGeneration === metadata.generation && counts.every((count) => count === 1);
}

function sourceOf(index: number): string {
  return `config-${Math.floor(index / SHARING)}`;
}

function mounted({ spec }: Json): string {
  return spec.template.spec.volumes[0].configMap.name;
}

/** One after the other, round and round. */
function pick<T>(all: readonly T[], index: number): readonly [number: number, item: T] {
  const number = index % all.length;
  return [number, all[number] as T];
}
