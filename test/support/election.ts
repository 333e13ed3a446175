// Several electors on one lease, in a time of their own: every message can be delayed or lost, every process can stand
// still, and nothing waits for a real clock.

import { LeaderElector, LeadershipLost } from '../../controller/runtime/leader-election.ts';
import type { LeasePort, LeaseRead, LeaseRecord } from '../../controller/runtime/lease.ts';
import type { Clock } from '../../controller/runtime/lease-holder.ts';

export const TIMINGS = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2000 };
const LATENCY_MS = 5;

/** What is wrong with a process, or with its way to the server, for a while. */
export interface Fault {
  readonly replica: number;
  /** `pause`: it stands still. `request`, `answer`: those are lost. `slow`: both take a second. */
  readonly kind: 'pause' | 'request' | 'answer' | 'slow';
  readonly from: number;
  readonly until: number;
}

export class Timeline {
  now = 0;
  /** Called whenever something has happened. */
  onStep: () => void = () => undefined;
  readonly #events: { readonly at: number; readonly fire: () => void }[] = [];

  at(time: number, fire: () => void): void {
    this.#events.push({ at: Math.max(time, this.now), fire });
  }

  async runUntil(end: number): Promise<void> {
    await settled();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.now = next.at;
      // Before anything reacts, too.
      this.onStep();
      next.fire();
      await settled();
      this.onStep();
    }
    this.now = end;
  }

  #next(end: number): { readonly at: number; readonly fire: () => void } | undefined {
    const first = this.#events.reduce((least, { at }, i) => (at < (this.#events[least]?.at ?? 0) ? i : least), 0);
    return (this.#events[first]?.at ?? Number.POSITIVE_INFINITY) <= end ? this.#events.splice(first, 1)[0] : undefined;
  }
}

/** When all that waits for nothing but promises has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class LeaseServer {
  lease: { record: LeaseRecord; version: number } | undefined;
  /** Every record that was written, in order. */
  readonly written: LeaseRecord[] = [];
  #watchers: (() => void)[] = [];
  #version = 0;

  read(): LeaseRead | undefined {
    return this.lease && { record: this.lease.record, raw: this.lease.version };
  }

  /** `expected`: the version to replace; undefined: there has to be none. */
  write(record: LeaseRecord, expected: unknown): LeaseRead {
    if (expected !== this.lease?.version) throw Object.assign(new Error('conflict'), { status: 409 });
    this.#version += 1;
    this.lease = { record, version: this.#version };
    this.written.push(record);
    this.#tell();
    return { record, raw: this.#version };
  }

  delete(): void {
    this.lease = undefined;
  }

  untilReleased(): Promise<void> {
    return new Promise((resolve) => {
      this.#watchers.push(resolve);
      this.#tell();
    });
  }

  #tell(): void {
    if (this.lease?.record.holder !== '') return;
    for (const resolve of this.#watchers.splice(0)) resolve();
  }
}

/** One place for a process: when one has lost the lease, another takes its place a moment later, as in a Deployment. */
export class Replica {
  readonly log: string[] = [];
  readonly leading: boolean[] = [];
  lost: LeadershipLost | undefined;
  elector: LeaderElector;
  #stop = new AbortController();
  #lives = 0;
  readonly #world: Election;
  readonly #index: number;

  constructor(world: Election, index: number) {
    this.#world = world;
    this.#index = index;
    this.elector = this.#start();
  }

  get identity(): string {
    return `replica-${this.#index}_${this.#lives}`;
  }

  get isLeading(): boolean {
    return this.elector.isLeading;
  }

  /** As a SIGTERM does; its work needs `drainMs` to end. */
  stop(): void {
    this.#stop.abort();
  }

  #start(): LeaderElector {
    this.#lives += 1;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const elector = new LeaderElector({
      port: this.#port(),
      identity: this.identity,
      name: 'ns/lease',
      timings: TIMINGS,
      log: (level, message) => this.log.push(`${level} ${message}`),
      clock: this.#clock(),
    });
    const work = async () => {
      this.leading.push(true);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve());
      });
      await this.#clock().sleep(this.#world.drainMs, new AbortController().signal);
    };
    const restart = () => {
      if (this.#world.restartsAfterMs === undefined) return;
      this.#world.time.at(this.#world.time.now + this.#world.restartsAfterMs, () => {
        this.elector = this.#start();
      });
    };
    const running = elector.run(signal, work).finally(() => this.leading.at(-1) && this.leading.push(false));
    running.then(restart, (error: unknown) => {
      if (!(error instanceof LeadershipLost)) throw error;
      this.lost = error;
      restart();
    });
    return elector;
  }

  #has(kind: Fault['kind']): Fault | undefined {
    const { now } = this.#world.time;
    return this.#world.faults.find(
      (fault) => fault.replica === this.#index && fault.kind === kind && fault.from <= now && now < fault.until,
    );
  }

  /** Nothing happens in a process that stands still; all of it happens afterwards. */
  #whenAwake(fire: () => void): void {
    const pause = this.#has('pause');
    if (pause === undefined) fire();
    else this.#world.time.at(pause.until, () => this.#whenAwake(fire));
  }

  #clock(): Clock {
    const { time } = this.#world;
    return {
      now: () => time.now,
      date: () => time.now,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal.aborted) resolve();
          signal.addEventListener('abort', () => resolve());
          time.at(time.now + ms, () => this.#whenAwake(resolve));
        }),
    };
  }

  #port(): LeasePort {
    const { server } = this.#world;
    return {
      read: () => this.#ask(() => server.read()),
      create: (record) => this.#ask(() => server.write(record, undefined)),
      update: (record, { raw }) => this.#ask(() => server.write(record, raw)),
      untilReleased: async () => {
        if (!this.#world.watches) await new Promise(() => undefined);
        await server.untilReleased();
        await this.#ask(() => undefined);
      },
    };
  }

  /** A request and its answer. Heeds no signal: whoever gave up on it may still be obeyed, or answered. */
  #ask<T>(handle: () => T): Promise<T> {
    const { time } = this.#world;
    const latency = () => (this.#has('slow') ? 1000 : LATENCY_MS);
    return new Promise((resolve, reject) => {
      if (this.#has('request')) return;
      time.at(time.now + latency(), () => {
        let settle: () => void;
        try {
          const answer = handle();
          settle = () => resolve(answer);
        } catch (error) {
          settle = () => reject(error);
        }
        if (!this.#has('answer')) time.at(time.now + latency(), () => this.#whenAwake(settle));
      });
    });
  }
}

export interface ElectionOptions {
  readonly replicas?: number;
  readonly faults?: readonly Fault[];
  /** false: the watch of the lease never says anything. */
  readonly watches?: boolean;
  readonly drainMs?: number;
  /** Undefined: who ends, stays away. */
  readonly restartsAfterMs?: number;
}

export class Election {
  readonly time = new Timeline();
  readonly server = new LeaseServer();
  readonly faults: readonly Fault[];
  readonly watches: boolean;
  readonly drainMs: number;
  readonly restartsAfterMs: number | undefined;
  readonly replicas: readonly Replica[];

  constructor({ replicas = 2, faults = [], watches = true, drainMs = 0, restartsAfterMs }: ElectionOptions = {}) {
    this.faults = faults;
    this.watches = watches;
    this.drainMs = drainMs;
    this.restartsAfterMs = restartsAfterMs;
    this.replicas = Array.from({ length: replicas }, (_, index) => new Replica(this, index));
  }

  /** The indexes of all that believe to lead. */
  get leaders(): number[] {
    return this.replicas.flatMap(({ isLeading }, i) => (isLeading ? [i] : []));
  }
}
