// What one candidate works on: its own namespaces, with workloads that are opted in as it wants it.

import { Problem } from '../embedded/problem.ts';
import {
  collectionPath,
  content,
  createAll,
  type SourceSpec,
  sourceObject,
  type WorkloadSpec,
  workloadObject,
} from './objects.ts';
import type { Bench, Candidate, Running } from './scenario.ts';
import { keyOf, Templates } from './templates.ts';

export interface Cast {
  readonly workloads: readonly WorkloadSpec[];
  readonly sources: readonly SourceSpec[];
}

const REST_MS = 500;
const PATIENCE_MS = 120_000;

export class Stage {
  readonly candidate: Candidate;
  readonly cast: Cast;
  readonly #bench: Bench;
  #version = 0;

  private constructor(bench: Bench, candidate: Candidate, cast: Cast) {
    this.#bench = bench;
    this.candidate = candidate;
    this.cast = cast;
  }

  /** Makes the objects. */
  static async set(bench: Bench, candidate: Candidate, cast: Cast): Promise<Stage> {
    const { client, signal } = bench;
    const { target } = candidate;
    const objects = cast.sources.map((source) => sourceObject(target, source));
    await createAll(client, objects, signal);
    await createAll(
      client,
      cast.workloads.map((workload) => workloadObject(target, workload)),
      signal,
    );
    return new Stage(bench, candidate, cast);
  }

  /** Resolves when the candidate has taken its workloads over, if it does so, and rests. */
  async handOver(running: Running): Promise<void> {
    const { hasAdopted } = this.candidate.target;
    if (hasAdopted === undefined) return;
    const templates = await this.watch();
    const isOver = () => templates.objects().every(hasAdopted) && templates.restsSince > REST_MS;
    if (!(await templates.until(isOver, PATIENCE_MS, this.#bench.signal)))
      throw new Problem(`${this.candidate.name} did not take all workloads over.`);
    await running.quiet(REST_MS);
    await templates.close();
  }

  /** Watches the templates of its workloads. */
  watch(): Promise<Templates> {
    const namespaces = new Set(this.cast.workloads.map(({ namespace }) => namespace));
    const resources = new Set(this.cast.workloads.map(({ resource }) => resource));
    return Templates.watch(this.#bench.client, namespaces, resources);
  }

  /** Changes what is in a source. */
  async change({ resource, namespace, name }: SourceSpec): Promise<void> {
    this.#version += 1;
    const path = `${collectionPath(resource, namespace)}/${name}`;
    await this.#bench.client.request('PATCH', path, {
      body: content(resource, `version ${this.#version}`),
      signal: this.#bench.signal,
    });
  }

  /** So many sources, one after the other, round and round. */
  *inTurn(count: number): Generator<SourceSpec> {
    const { sources } = this.cast;
    for (let index = 0; index < count; index += 1) yield sources[index % sources.length] as SourceSpec;
  }

  /** The workloads that a source rolls, as `Templates` calls them. */
  usersOf({ namespace, users }: SourceSpec): string[] {
    return users.map(({ resource, name }) => keyOf(resource, namespace, name));
  }
}
