// Which keys need work: a queue of keys only (never objects or events), so that a burst of changes costs one run, with
// delays and back-off per key. A key never runs twice at the same time.

import { type BackoffOptions, backoffMs, LONGEST_TIMER_MS } from './backoff.ts';

/** 5 ms → 5 min: quick over a conflict, patient with what will not mend itself. */
const DEFAULT_BACKOFF: BackoffOptions = { minimumMs: 5, maximumMs: 300_000 };

/** A server's minimum is stretched by up to this share: keys refused together must not come back together. */
const MINIMUM_SPREAD = 0.1;

interface Delayed {
  readonly dueAt: number;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class WorkQueue {
  readonly #backoff: BackoffOptions;
  /** FIFO from #head on; an array, because taking the first of a large Set walks over its deleted slots. */
  #fifo: string[] = [];
  #head = 0;
  /** The keys in the FIFO. */
  readonly #ready = new Set<string>();
  readonly #running = new Set<string>();
  /** Keys that changed while they ran. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #attempts = new Map<string, number>();
  #waiting: ((key: string | undefined) => void)[] = [];
  #isShutDown = false;

  constructor(backoff: BackoffOptions = DEFAULT_BACKOFF) {
    this.#backoff = backoff;
  }

  /** Keys ready to run: neither running nor delayed. */
  get length(): number {
    return this.#ready.size;
  }

  /**
   * Makes the key ready now; once, however often it is added. A delayed add of the same key stays: it stands for a
   * deadline of its own, and one idle run costs less than a missed deadline.
   */
  add(key: string): void {
    if (this.#isShutDown) return;
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

  /** Adds the key after its own growing back-off, and not before `minimumMs`. Returns the delay in ms. */
  addRateLimited(key: string, minimumMs = 0): number {
    const attempt = this.retries(key);
    this.#attempts.set(key, attempt + 1);
    const random = this.#backoff.random ?? Math.random;
    const delay = Math.max(backoffMs(attempt, this.#backoff), minimumMs * (1 + MINIMUM_SPREAD * random()));
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
    this.#running.delete(key);
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
    if (this.#ready.has(key)) return;
    this.#ready.add(key);
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
    this.#ready.delete(key);
    this.#running.add(key);
    return key;
  }
}
