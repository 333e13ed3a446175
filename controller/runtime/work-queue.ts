// Which keys need work: a queue of keys only (never objects or events), so that a burst of changes costs one run, with
// delays and back-off per key. A key never runs twice at the same time.

import { type BackoffOptions, backoffMs, LONGEST_TIMER_MS } from './backoff.ts';

/** 5 ms → 5 min: quick over a conflict, patient with what will not mend itself. */
const DEFAULT_BACKOFF: BackoffOptions = { minimumMs: 5, maximumMs: 300_000 };

/** A server's minimum is stretched by up to this share: keys refused together must not come back together. */
const MINIMUM_SPREAD = 0.1;

/** Hears what happens in a queue. Times are monotonic, in seconds. */
export interface QueueObserver {
  /** A key is to run, or to run once more; not again while that is still to come. */
  added(): void;
  /** A worker took a key that had been ready for so long. */
  started(waitedSeconds: number): void;
  finished(ranSeconds: number): void;
  /** A key failed, and is going to be added again. */
  retried(): void;
}

/** What is in a queue at one moment. */
export interface QueueState {
  /** Keys to run: ready, or to run again after the run under way; not those that are delayed. */
  readonly depth: number;
  /** What the running keys have run so far, together. */
  readonly unfinishedSeconds: number;
  readonly longestSeconds: number;
}

interface Delayed {
  readonly dueAt: number;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class WorkQueue {
  readonly #backoff: BackoffOptions;
  /** FIFO from #head on; an array, because taking the first of a large Set walks over its deleted slots. */
  #fifo: string[] = [];
  #head = 0;
  /** The keys in the FIFO, and since when. */
  readonly #ready = new Map<string, number>();
  /** Since when. */
  readonly #running = new Map<string, number>();
  /** Keys that changed while they ran. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #attempts = new Map<string, number>();
  #waiting: ((key: string | undefined) => void)[] = [];
  #isShutDown = false;
  #observer: QueueObserver | undefined;

  constructor(backoff: BackoffOptions = DEFAULT_BACKOFF) {
    this.#backoff = backoff;
  }

  /** Keys ready to run: neither running nor delayed. */
  get length(): number {
    return this.#ready.size;
  }

  /** Sets who hears what happens; before the first key comes, or its times are wrong. */
  observe(observer: QueueObserver): void {
    this.#observer = observer;
  }

  /** Costs as much as keys are running; of a queue that is not observed, the times mean nothing. */
  state(): QueueState {
    const now = this.#now();
    let unfinished = 0;
    let longest = 0;
    for (const since of this.#running.values()) {
      unfinished += now - since;
      longest = Math.max(longest, now - since);
    }
    return {
      depth: this.#ready.size + this.#again.size,
      unfinishedSeconds: unfinished / 1000,
      longestSeconds: longest / 1000,
    };
  }

  /**
   * Makes the key ready now; once, however often it is added. A delayed add of the same key stays: it stands for a
   * deadline of its own, and one idle run costs less than a missed deadline.
   */
  add(key: string): void {
    if (this.#isShutDown) return;
    if (this.#again.has(key) || this.#ready.has(key)) return;
    this.#observer?.added();
    if (this.#running.has(key)) this.#again.add(key);
    else this.#enqueue(key);
  }

  /** Adds the key in `ms`. One delay per key: the earliest due wins. */
  addAfter(key: string, ms: number): void {
    if (this.#isShutDown) return;
    if (!(ms > 0)) {
      this.add(key);
      return;
    }
    const dueAt = performance.now() + ms;
    const present = this.#delayed.get(key);
    if (present !== undefined) {
      if (present.dueAt <= dueAt) return;
      clearTimeout(present.timer);
    }
    const fire = (): void => {
      this.#delayed.delete(key);
      this.add(key);
    };
    this.#delayed.set(key, { dueAt, timer: setTimeout(fire, Math.min(ms, LONGEST_TIMER_MS)) });
  }

  /**
   * Adds the key after its own growing back-off, and not before `minimumMs`; a delay that was to end sooner ends then, too:
   * it was asked for before the key failed. Returns the delay in ms.
   */
  addRateLimited(key: string, minimumMs = 0): number {
    const attempt = this.retries(key);
    this.#attempts.set(key, attempt + 1);
    this.#observer?.retried();
    const random = this.#backoff.random ?? Math.random;
    const delay = Math.max(backoffMs(attempt, this.#backoff), minimumMs * (1 + MINIMUM_SPREAD * random()));
    const present = this.#delayed.get(key);
    if (present !== undefined && present.dueAt < performance.now() + delay) {
      clearTimeout(present.timer);
      this.#delayed.delete(key);
    }
    this.addAfter(key, delay);
    return delay;
  }

  /** How often the key was rate limited since it was last forgotten. */
  retries(key: string): number {
    return this.#attempts.get(key) ?? 0;
  }

  /** The key succeeded, or is gone: its next failure starts from the shortest delay. */
  forget(key: string): void {
    this.#attempts.delete(key);
  }

  /** The next key, when there is one; undefined once the queue is shut down and has no ready key left. */
  get(): Promise<string | undefined> {
    if (this.#ready.size > 0) return Promise.resolve(this.#take());
    if (this.#isShutDown) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Every key from `get` must be returned here, also after an error. */
  done(key: string): void {
    const since = this.#running.get(key);
    this.#running.delete(key);
    if (since !== undefined) this.#observer?.finished((this.#now() - since) / 1000);
    if (this.#again.delete(key)) this.#enqueue(key);
  }

  /**
   * Takes no new keys and drops delayed ones. Ready keys are still handed out, unless `discard` says to drop them too
   * (lease lost, or no time left: the next leader lists everything anyway).
   */
  shutDown({ discard = false }: { readonly discard?: boolean } = {}): void {
    this.#isShutDown = true;
    for (const { timer } of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
    if (discard) {
      this.#fifo = [];
      this.#head = 0;
      this.#ready.clear();
      this.#again.clear();
    }
    // Whoever waits does so because nothing is ready.
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve(undefined);
  }

  #enqueue(key: string): void {
    this.#ready.set(key, this.#now());
    this.#fifo.push(key);
    const resolve = this.#waiting.shift();
    if (resolve !== undefined) resolve(this.#take());
  }

  #take(): string | undefined {
    const key = this.#fifo[this.#head];
    if (key === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#fifo.length) {
      this.#fifo = this.#fifo.slice(this.#head);
      this.#head = 0;
    }
    const now = this.#now();
    this.#observer?.started((now - (this.#ready.get(key) ?? now)) / 1000);
    this.#ready.delete(key);
    this.#running.set(key, now);
    return key;
  }

  // Nobody asks for times that nobody hears.
  #now(): number {
    return this.#observer === undefined ? 0 : performance.now();
  }
}
