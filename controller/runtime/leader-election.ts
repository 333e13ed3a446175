// Who works, of several replicas: the one that holds the lease. The rules are client-go's. Clocks of machines are never
// compared: a holder is taken for gone when its record has not changed for a lease's duration of our own, monotonic clock.
// A holder stops believing in itself earlier than that, counted from when it sent its last successful write.

import { childAbort } from './abort.ts';
import { messageOf, retryAfterOf } from './failure.ts';
import { type Clock, LeaseHolder, type LeaseHolderOptions, MACHINE } from './lease-holder.ts';

/** Somebody else may be at work already: nothing may be written any more, not even the lease. */
export class LeadershipLost extends Error {
  override readonly name = 'LeadershipLost';
}

// Earlier by up to this share, never later: replicas do not come in step, and no promise is stretched.
const JITTER = 0.2;

export class LeaderElector {
  readonly #options: LeaseHolderOptions;
  readonly #clock: Clock;
  readonly #lease: LeaseHolder;

  constructor(options: LeaseHolderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? MACHINE;
    this.#lease = new LeaseHolder(options);
  }

  /** To be asked right before every write: a process that slept finds out here, before its timers tell. */
  get isLeading(): boolean {
    return this.#lease.goodForMs > 0;
  }

  /**
   * Waits for the lease, then runs `work`, which has to end when `stop` aborts, and releases the lease when it has ended.
   * Resolves also when `stop` aborts before. Rejects with LeadershipLost, without waiting for the work. Call once.
   */
  async run(stop: AbortSignal, work: () => Promise<void>): Promise<void> {
    await this.#acquire(stop);
    try {
      if (this.isLeading && !stop.aborted) await this.#lead(work);
    } catch (error) {
      if (error instanceof LeadershipLost) this.#lease.disown();
      throw error;
    } finally {
      await this.#lease.release();
    }
  }

  async #acquire(stop: AbortSignal): Promise<void> {
    const { port, name, log } = this.#options;
    const following = childAbort(stop);
    let nap = childAbort(stop);
    let isWatched = false;
    let waitsFor: string | undefined;
    while (!stop.aborted) {
      const error = await this.#lease.attempt();
      if (this.isLeading) break;
      nap.unlink();
      nap = childAbort(stop);
      const { holder } = this.#lease;
      if (error === undefined && holder !== waitsFor) {
        log('info', `waits for the lease ${name}, held by ${holder}`);
        waitsFor = holder;
      }
      // A leader that is stopped hands over within two seconds, of which its drain needs some: to ask every two seconds is
      // too late. So the lease is watched. What the watch may miss, asking finds out.
      if (error === undefined && !isWatched) {
        isWatched = true;
        void port.untilReleased(following.signal).then(() => {
          isWatched = false;
          nap.abort(undefined);
        });
      }
      await this.#clock.sleep(this.#followerWaitMs(error), nap.signal);
    }
    nap.unlink();
    following.abort(undefined);
    following.unlink();
  }

  async #lead(work: () => Promise<void>): Promise<void> {
    const { log, name, identity } = this.#options;
    log('info', `leads since ${new Date(this.#clock.date()).toISOString()}`, { lease: name, identity });
    const over = new AbortController();
    const working = work().finally(() => over.abort());
    // A drain may last longer than the lease, which is kept until the drain is over.
    await Promise.all([this.#keep(over.signal), working]);
  }

  /** Renews until `over` aborts. Rejects with LeadershipLost when it is too late for that. */
  async #keep(over: AbortSignal): Promise<void> {
    let waitMs = this.#retryMs();
    let error: unknown;
    while (!over.aborted) {
      await this.#clock.sleep(Math.min(waitMs, this.#lease.goodForMs), over);
      if (over.aborted) return;
      if (this.isLeading) error = await this.#lease.attempt();
      if (!this.isLeading) throw this.#lost(error);
      waitMs = Math.max(this.#retryMs(), retryAfterOf(error) ?? 0);
    }
  }

  #lost(error: unknown): LeadershipLost {
    const { name, identity, timings } = this.#options;
    const { holder } = this.#lease;
    const cause = error === undefined ? 'this process stood still' : messageOf(error);
    const why =
      holder === identity
        ? `was not renewed for ${timings.renewDeadlineMs / 1000} s: ${cause}`
        : `is held by ${holder || 'nobody'}`;
    return new LeadershipLost(`leader election lost: the lease ${name} ${why}`);
  }

  #followerWaitMs(error: unknown): number {
    if (error !== undefined) return Math.max(this.#retryMs(), retryAfterOf(error) ?? 0);
    // Who waits for a holder that is gone asks just when the lease runs out.
    return Math.min(this.#retryMs(), Math.max(1, Math.ceil(this.#lease.expiresInMs)));
  }

  #retryMs(): number {
    return this.#options.timings.retryPeriodMs * (1 - JITTER * Math.random());
  }
}
