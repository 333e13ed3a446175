// Keeps one scope of a store equal to the API server: a paged LIST, then WATCHes that resume where the last one ended.
// It never gives up and never exits the process: an outage, a missing permission or a restarted API server is a reason
// to wait, and the store keeps what was last known meanwhile.

import { type ChildAbort, childAbort } from './abort.ts';
import { Backoff, sleep } from './backoff.ts';
import { messageOf, retryAfterOf, statusOf } from './failure.ts';
import { FailureStreak } from './failure-streak.ts';
import type { ListWatch, WatchEvent } from './list-watch.ts';
import type { Log } from './log.ts';
import { identify, isExpired, WatchError } from './raw-object.ts';
import { DEFAULT_TIMINGS, type ReflectorTimings } from './reflector-timings.ts';
import { keyOf, type Store, type Stored } from './store.ts';

export interface ReflectorOptions<T extends Stored> {
  /** For logs: what is listed, such as `configmaps`. */
  readonly name: string;
  /** The namespace the port lists, or EVERYWHERE. */
  readonly scope: string;
  readonly listWatch: ListWatch;
  /** What to keep of a raw object; undefined: nothing, and forget what was kept. */
  readonly project: (raw: unknown) => T | undefined;
  readonly store: Store<T>;
  readonly log: Log;
  readonly timings?: Partial<ReflectorTimings>;
  /** The resource may not exist, or not be ours to read: then there is nothing of it, until there is. */
  readonly optional?: boolean;
  /** Told after each list whether an optional resource is there. */
  readonly onServed?: (isServed: boolean) => void;
}

/** So many expired continue tokens in a row, and the list is asked for in one piece. */
const EXPIRED_LISTS_BEFORE_UNPAGED = 3;

/** So many failures at one resourceVersion, and it is given up for a fresh list: something there cannot be read. */
const FAILURES_BEFORE_RELIST = 10;

/**
 * So many looks for an optional resource, before it is taken for absent. API servers that start refuse everything for a
 * moment, until they have read their RBAC rules, or do not know custom resources yet.
 */
const ABSENT_LOOKS = 3;

/** A server may ask for patience, but not for ever, in ms. */
const LONGEST_RETRY_AFTER_MS = 300_000;

export class Reflector<T extends Stored> {
  /** Resolves after the first complete list. Stays pending for ever if that never succeeds; never rejects. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #timings: ReflectorTimings;
  readonly #backoff: Backoff;
  readonly #streak: FailureStreak;
  readonly #markSynced: () => void;
  /** Where the next watch starts; undefined: list first. */
  #resumeFrom: string | undefined;
  #expiredLists = 0;
  #failuresHere = 0;
  /** Looks in a row that did not find an optional resource. */
  #absences = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#backoff = new Backoff(this.#timings.backoff);
    this.#streak = new FailureStreak(options);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Runs until the signal aborts; then resolves. Never rejects. Call once. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#resumeFrom ??= await this.#list(signal);
        await this.#watch(this.#resumeFrom, signal);
      } catch (error) {
        if (!signal.aborted) await sleep(this.#recoverFrom(error), signal);
      }
    }
  }

  /**
   * Pages without resourceVersion "0": with it, older API servers ignore the limit and send everything at once from
   * their cache. A consistent paged read keeps our memory flat, and can never be older than what we already knew.
   */
  async #list(signal: AbortSignal): Promise<string> {
    const { listWatch, store, scope, name, log, onServed } = this.#options;
    const limit = this.#expiredLists < EXPIRED_LISTS_BEFORE_UNPAGED ? this.#timings.pageSize : 0;
    const kept: T[] = [];
    let continueToken: string | undefined;
    let resourceVersion: string;
    do {
      const page = await listWatch.list({
        limit,
        signal,
        ...(continueToken === undefined ? {} : { continueToken }),
        // Projected one by one: no more than one full object is held at a time.
        take: (raw) => {
          const object = this.#project(raw);
          if (object !== undefined) kept.push(object);
        },
      });
      continueToken = page.continueToken;
      resourceVersion = page.resourceVersion;
    } while (continueToken !== undefined);
    if (resourceVersion === '') throw new Error('the list has no resourceVersion');
    this.#expiredLists = 0;
    this.#failuresHere = 0;
    this.#absences = 0;
    store.replace(scope, kept, resourceVersion);
    onServed?.(true);
    this.#markSynced();
    log('debug', 'listed', { reflector: name, scope, items: kept.length, resourceVersion });
    return resourceVersion;
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { minimumWatchSeconds, maximumWatchSeconds, watchdogGraceMs, bookmarkSilenceMs } = this.#timings;
    const spread = maximumWatchSeconds - minimumWatchSeconds;
    const timeoutSeconds = Math.round(minimumWatchSeconds + Math.random() * spread);
    const child = childAbort(signal);
    let watchdog = setTimeout(bark, timeoutSeconds * 1000 + watchdogGraceMs, child);
    const startedAt = performance.now();
    let events = 0;
    try {
      const stream = this.#options.listWatch.watch({ resourceVersion, timeoutSeconds, signal: child.signal });
      for await (const event of stream) {
        if (signal.aborted) return;
        watchdog.refresh();
        if (event.type === 'BOOKMARK') {
          clearTimeout(watchdog);
          watchdog = setTimeout(bark, bookmarkSilenceMs, child);
        }
        this.#handle(event);
        if (events++ === 0) this.#recovered();
      }
    } finally {
      clearTimeout(watchdog);
      child.unlink();
    }
    if (child.signal.aborted && !signal.aborted) throw child.signal.reason;
    if (events > 0 || signal.aborted) return;
    // A server that hangs up at once would be asked again in a tight loop.
    if (performance.now() - startedAt < this.#timings.healthyAfterMs) throw new Error('the watch ended at once');
    this.#recovered();
  }

  #handle(event: WatchEvent): void {
    const { store, scope } = this.#options;
    if (event.type === 'ERROR') throw WatchError.fromStatus(event.object);
    const { namespace, name, resourceVersion } = identify(event.object);
    if (resourceVersion === undefined) throw new Error(`a watch event ${event.type} has no resourceVersion`);
    const key = keyOf({ namespace, name });
    switch (event.type) {
      case 'BOOKMARK':
        store.bookmark(scope, resourceVersion);
        break;
      case 'DELETED':
        // By name alone: what is deleted need not project to anything.
        store.remove(scope, key, resourceVersion);
        break;
      case 'ADDED':
      case 'MODIFIED': {
        const object = this.#project(event.object);
        if (object === undefined) store.remove(scope, key, resourceVersion);
        else store.apply(scope, object, resourceVersion);
        break;
      }
      default:
        event.type satisfies never;
    }
    this.#resumeFrom = resourceVersion;
  }

  /** A projection that throws is a defect; the object stays as it was last known, for the others must go on. */
  #project(raw: unknown): T | undefined {
    const { project, store, name, log } = this.#options;
    try {
      return project(raw);
    } catch (error) {
      const key = keyOf(identify(raw));
      log('error', 'an object cannot be projected; its last known state is kept', {
        reflector: name,
        key,
        error: messageOf(error),
      });
      return store.get(key);
    }
  }

  /** Decides how to go on, reports, and returns how long to wait, in ms. */
  #recoverFrom(error: unknown): number {
    const wasListing = this.#resumeFrom === undefined;
    if (this.#seemsAbsent(error)) return this.#absent(error);
    this.#absences = 0;
    this.#failuresHere += 1;
    if (isExpired(error)) {
      if (wasListing) this.#expiredLists += 1;
      this.#resumeFrom = undefined;
    } else if (this.#failuresHere >= FAILURES_BEFORE_RELIST) {
      this.#resumeFrom = undefined;
    }
    const waitMs = Math.max(this.#backoff.next(), Math.min(retryAfterOf(error) ?? 0, LONGEST_RETRY_AFTER_MS));
    this.#streak.report(error, wasListing ? 'list' : 'watch', waitMs);
    return waitMs;
  }

  #seemsAbsent(error: unknown): boolean {
    return this.#options.optional === true && [403, 404].includes(statusOf(error) ?? 0);
  }

  /** Returns how long to wait, in ms. */
  #absent(error: unknown): number {
    const { store, scope, name, log, onServed } = this.#options;
    const wasThere = this.#resumeFrom !== undefined || store.size > 0;
    const isUnknown = statusOf(error) === 404;
    this.#resumeFrom = undefined;
    this.#absences += 1;
    // That there is none of it at the start is the usual case, and no reason to wait.
    if (this.#absences < ABSENT_LOOKS && (wasThere || !isUnknown)) return this.#timings.doubtMs;
    if (isUnknown) {
      log('debug', 'there is no such resource', { reflector: name, scope });
      store.clear(scope);
    } else {
      // Whoever may not read it should know. What was read when it was allowed is not gone.
      this.#streak.report(error, 'list', this.#timings.absentMs);
    }
    onServed?.(false);
    this.#markSynced();
    return this.#timings.absentMs;
  }

  #recovered(): void {
    this.#backoff.reset();
    this.#failuresHere = 0;
    this.#streak.end();
  }
}

function bark(watch: ChildAbort): void {
  watch.abort(new Error('the watch was silent for too long; reconnecting'));
}
