// Takes the lease, renews it and gives it back, and knows until when it may be relied on.

import { sleep } from './backoff.ts';
import { messageOf, statusOf } from './failure.ts';
import { type LeasePort, type LeaseRead, type LeaseRecord, LeaseView } from './lease.ts';
import type { Log } from './log.ts';

export interface ElectionTimings {
  readonly leaseDurationMs: number;
  /** How long the holder goes on working without having renewed. Shorter than the lease. */
  readonly renewDeadlineMs: number;
  /** Between two attempts. */
  readonly retryPeriodMs: number;
}

/** Tests turn it by hand. */
export interface Clock {
  /** Monotonic, in ms: what decides. */
  now(): number;
  /** In ms since the epoch: what people read. */
  date(): number;
  /** Never rejects; ends early when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface LeaseHolderOptions {
  readonly port: LeasePort;
  /** Of this process alone, and never used again. */
  readonly identity: string;
  /** Of the lease, for people. */
  readonly name: string;
  readonly timings: ElectionTimings;
  readonly log: Log;
  readonly clock?: Clock;
}

export const MACHINE: Clock = { now: () => performance.now(), date: Date.now, sleep };
const MOST_RELEASES = 3;
const NEVER = Number.NEGATIVE_INFINITY;

export class LeaseHolder {
  readonly #options: LeaseHolderOptions;
  readonly #clock: Clock;
  readonly #view: LeaseView;
  #goodUntil = NEVER;
  /** A write was sent that makes us the holder, and nothing has shown since that we are not: its answer may be lost. */
  #mayHold = false;
  /** What fails, when it was said already. */
  #failure = '';

  constructor(options: LeaseHolderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? MACHINE;
    this.#view = new LeaseView(options.identity);
  }

  /** Who held the lease when it was last seen; empty: nobody, or it never was. */
  get holder(): string {
    return this.#view.holder;
  }

  /** How much longer the lease may be relied on; negative when we do not hold it. */
  get goodForMs(): number {
    return this.#goodUntil - this.#clock.now();
  }

  /** How long to wait for whoever holds it. */
  get expiresInMs(): number {
    return this.#view.expiresInMs(this.#clock.now());
  }

  /** Tries once to take or to renew the lease. Gives the error when that failed; that another holds it is none. */
  async attempt(): Promise<unknown> {
    // One that hangs leaves the time for another.
    const timeoutMs = this.#requestTimeoutMs();
    try {
      await this.#within(this.goodForMs > 0 ? Math.min(timeoutMs, this.goodForMs) : timeoutMs, (signal) =>
        this.#takeOrRenew(signal),
      );
      this.#failure = '';
      return undefined;
    } catch (error) {
      this.#report(error);
      return error;
    }
  }

  /** Does not rely on the lease any more, and leaves it as it is. */
  disown(): void {
    this.#goodUntil = NEVER;
    this.#mayHold = false;
  }

  /** Gives the lease back, if it may be ours: the next one takes it at once. Never rejects. */
  async release(): Promise<void> {
    this.#goodUntil = NEVER;
    const { log, name } = this.#options;
    for (let tries = 0; tries < MOST_RELEASES && this.#mayHold; tries += 1) {
      try {
        await this.#within(this.#requestTimeoutMs(), (signal) => this.#giveBack(signal));
      } catch (error) {
        // Somebody touched it, without taking it.
        if (statusOf(error) === 409) continue;
        log(
          'warn',
          `cannot release the lease ${name}: ${messageOf(error)}; the next leader waits until it has run out`,
        );
        return;
      }
    }
  }

  async #takeOrRenew(signal: AbortSignal): Promise<void> {
    const { own } = this.#view;
    if (own !== undefined) {
      try {
        await this.#write(own, signal);
        return;
      } catch (error) {
        // Changed, or gone: by whom, and to what?
        if (statusOf(error) !== 409 && statusOf(error) !== 404) throw error;
      }
    }
    const read = await this.#options.port.read(signal);
    signal.throwIfAborted();
    if (read !== undefined) this.#observe(read);
    if (!this.#view.isHeldByAnother(this.#clock.now())) await this.#write(read, signal);
  }

  async #write(replaced: LeaseRead | undefined, signal: AbortSignal): Promise<void> {
    const { port, identity, timings } = this.#options;
    const now = this.#clock.date();
    const before = replaced?.record;
    const isOurs = before?.holder === identity;
    const record: LeaseRecord = {
      holder: identity,
      durationSeconds: Math.ceil(timings.leaseDurationMs / 1000),
      acquiredAt: isOurs ? before.acquiredAt : now,
      renewedAt: now,
      transitions: before === undefined ? 0 : before.transitions + (isOurs ? 0 : 1),
    };
    const sentAt = this.#clock.now();
    this.#mayHold = true;
    const written = await (replaced ? port.update(record, replaced, signal) : port.create(record, signal));
    signal.throwIfAborted();
    this.#observe(written);
    this.#goodUntil = sentAt + timings.renewDeadlineMs;
  }

  #observe(read: LeaseRead): void {
    this.#view.observe(read, this.#clock.now());
    if (!this.#view.own) this.disown();
  }

  async #giveBack(signal: AbortSignal): Promise<void> {
    const { port, identity, log, name } = this.#options;
    const read = await port.read(signal);
    if (read?.record.holder === identity) {
      const now = this.#clock.date();
      const times = { durationSeconds: 1, acquiredAt: now, renewedAt: now };
      await port.update({ ...read.record, ...times, holder: '' }, read, signal);
      log('info', 'released the lease', { lease: name });
    }
    this.#mayHold = false;
  }

  /** Rejects when the work takes too long, whatever becomes of it. */
  async #within(ms: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const limit = new AbortController();
    const done = new AbortController();
    const late = this.#clock.sleep(ms, done.signal).then(() => {
      if (done.signal.aborted) return;
      limit.abort();
      throw new Error(`no answer within ${Math.round(ms) / 1000} s`);
    });
    try {
      await Promise.race([work(limit.signal), late]);
    } finally {
      done.abort();
    }
  }

  #report(error: unknown): void {
    const message = `cannot take or renew the lease ${this.#options.name}: ${messageOf(error)}`;
    // Another came first: the normal end of a race.
    const isLoud = statusOf(error) !== 409 && message !== this.#failure;
    const next = statusOf(error) === 403 ? '; grant what the rules of the manifests grant' : '';
    this.#failure = message;
    this.#options.log(isLoud ? 'warn' : 'debug', `${message}${next}; retrying`);
  }

  #requestTimeoutMs(): number {
    return this.#options.timings.renewDeadlineMs / 2;
  }
}
