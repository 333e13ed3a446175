// The worker loop: takes keys from a queue, reconciles them, and turns the outcome into the key's next date.

import { messageOf, retryAfterOf } from './failure.ts';
import type { Log } from './log.ts';
import type { WorkQueue } from './work-queue.ts';

export interface ReconcileResult {
  /** Run the key again after this time even if nothing changes, in ms. */
  readonly requeueAfterMs?: number;
}

/** How a run ended: well, well with a wish to run again later, or with an error. */
export type RunResult = 'success' | 'requeue_after' | 'error';

/** Hears of each run. Times are monotonic, in seconds. */
export interface ControllerObserver {
  started(): void;
  /** `error` is what a failed run threw. */
  finished(result: RunResult, seconds: number, error?: unknown): void;
}

export interface ControllerOptions {
  readonly name: string;
  readonly queue: WorkQueue;
  /** How many keys may run at the same time. */
  readonly concurrency: number;
  /** A rejection means: try again later, not before `retryAfterMs` if the error carries that. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a reconcile without a wish returns nothing
  readonly reconcile: (key: string, signal?: AbortSignal) => Promise<ReconcileResult | void>;
  /** Passed on to reconcile; aborting it does not stop the loop, shutting the queue down does. */
  readonly signal?: AbortSignal;
  /** Takes over the reporting of a failed run; without it the failure is logged here. */
  readonly onError?: (key: string, error: unknown, retryInMs: number) => void;
  readonly observer?: ControllerObserver;
  readonly log: Log;
}

/** Resolves when the queue was shut down and every worker is idle: that is what a shutdown waits for. Never rejects. */
export async function runController(options: ControllerOptions): Promise<void> {
  await Promise.all(Array.from({ length: options.concurrency }, () => work(options)));
  options.log('debug', 'workers stopped', { controller: options.name });
}

async function work(options: ControllerOptions): Promise<void> {
  const { queue } = options;
  for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
    try {
      await runOnce(key, options);
    } finally {
      queue.done(key);
    }
  }
}

async function runOnce(key: string, options: ControllerOptions): Promise<void> {
  const { queue, reconcile, signal, observer } = options;
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  observer?.started();
  try {
    const result = await reconcile(key, signal);
    queue.forget(key);
    if (result?.requeueAfterMs !== undefined) queue.addAfter(key, result.requeueAfterMs);
    observer?.finished(result?.requeueAfterMs === undefined ? 'success' : 'requeue_after', seconds());
  } catch (error) {
    observer?.finished('error', seconds(), error);
    reportFailure(key, error, queue.addRateLimited(key, retryAfterOf(error)), options);
  }
}

function reportFailure(key: string, error: unknown, retryInMs: number, options: ControllerOptions): void {
  const { name, queue, onError, log } = options;
  try {
    if (onError !== undefined) {
      onError(key, error, retryInMs);
      return;
    }
  } catch (reporting) {
    // A broken reporter must not take the worker down with it, nor hide the first error.
    log('error', 'onError failed', { controller: name, key, error: messageOf(reporting) });
  }
  log('error', 'reconcile failed', {
    controller: name,
    key,
    error: messageOf(error),
    retries: queue.retries(key),
    retryInMs: Math.round(retryInMs),
  });
}
