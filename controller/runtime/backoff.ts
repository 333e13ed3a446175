// One jittered exponential for everything that retries, so that a fleet of controllers does not come back in step.

export interface BackoffOptions {
  /** Upper bound of the first delay, in ms. */
  readonly minimumMs: number;
  /** No delay is longer, in ms. */
  readonly maximumMs: number;
  /** In [0, 1): injectable for tests. */
  readonly random?: () => number;
}

/** setTimeout fires at once beyond this; waking early is harmless to level-triggered code, waking at once is not. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Delay before retry number `attempt` (from 0), in ms: between half of and the whole of `minimumMs · 2^attempt`,
 * never above `maximumMs`.
 */
export function backoffMs(attempt: number, { minimumMs, maximumMs, random = Math.random }: BackoffOptions): number {
  const ceiling = Math.min(maximumMs, minimumMs * 2 ** Math.min(attempt, 52));
  return ceiling * (1 - random() / 2);
}

/** A back-off with a memory: each `next()` is longer until `reset()`. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The delay to wait now, in ms. */
  next(): number {
    return backoffMs(this.#attempt++, this.#options);
  }

  reset(): void {
    this.#attempt = 0;
  }
}

/** Waits `ms`, or less when the signal aborts; never rejects: callers look at the signal themselves. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
    signal?.addEventListener('abort', finish, { once: true });
  });
}
