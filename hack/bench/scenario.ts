// What a scenario gets, and what it gives back. Each is one file in scenarios/, and is listed in scenarios.ts.

import type { KubeClient } from '../../controller/kube/client.ts';
import type { Cluster } from '../embedded/cluster.ts';
import type { Requests } from './audit.ts';
import type { Target } from './targets.ts';

export interface Scenario {
  /** As --scenario takes it. */
  readonly name: string;
  /** One line for --help. */
  readonly about: string;
  /** About how long it takes, in seconds. */
  lasts(plan: Plan): number;
  /** Tells its progress, cleans up after itself, and throws what keeps it from measuring. */
  run(bench: Bench): Promise<readonly Figure[]>;
}

/** What is asked of a scenario. */
export interface Plan {
  /** Whether all scenarios together have two minutes. */
  readonly quick: boolean;
  /** Length of a load. */
  readonly seconds: number;
  readonly candidates: { readonly length: number };
}

/** One number. What it is compared with comes from the same run. */
export interface Figure {
  /** Whose: the name of a candidate. */
  readonly candidate: string;
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The same of the bare loop, or of whatever else `ratioAtMost` speaks of. */
  readonly floor?: number;
  /** Where the value should be. */
  readonly atMost?: number;
  /** Where value / floor should be. */
  readonly ratioAtMost?: number;
  /** More than `atMost` is not slow, but wrong: the exit code says so. */
  readonly strict?: boolean;
}

export interface Bench extends Plan {
  readonly cluster: Cluster;
  /** Where the API server expects the webhooks of config-rollout, and where it serves them. */
  readonly webhookPort: number;
  /** The admin's. */
  readonly client: KubeClient;
  /** The controllers to measure, each of them alone and in turns: only one is running at a time. */
  readonly candidates: readonly Candidate[];
  /** The bare loop: the requests of a rollout, and nothing else. Runs in a process of its own, as the candidates do. */
  readonly floor: Candidate;
  /** Aborted when the benchmark is interrupted. */
  readonly signal: AbortSignal;
  /** Makes a namespace for one scenario; gives its name. It is deleted when the scenario is over. */
  namespace(hint: string): Promise<string>;
  /** On a cluster of its own, with the same candidates, for what would burden this one. */
  apart<T>(work: (bench: Bench) => Promise<T>): Promise<T>;
  /** Says what goes on. */
  progress(line: string): void;
}

/** A controller that can be started, under an identity that the audit log tells from all others. */
export interface Candidate {
  readonly name: string;
  readonly target: Target;
  /** Resolves when it is ready. It is stopped at the latest when the scenario is over. */
  start(settings?: Settings): Promise<Running>;
}

/** Flags of config-rollout's, without their dashes; other controllers get them, too, and pay no attention. */
export type Settings = Readonly<Record<string, string>>;

export interface Running {
  readonly pid: number;
  /** From its start until its caches are complete. */
  readonly readyMs: number;
  /** What it has asked of the API server since it was started, or since the last call of this. */
  requests(): Promise<Requests>;
  /** Resolves when it has asked nothing for `ms`, but for what a controller asks when it is idle. */
  quiet(ms?: number): Promise<void>;
  stop(): Promise<void>;
  /** At once, as if the machine had failed. */
  kill(): Promise<void>;
}
