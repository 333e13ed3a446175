// Priority between queues: what can wait gives way to what cannot.

import type { ReconcileResult } from './controller.ts';
import type { WorkQueue } from './work-queue.ts';

const LONGEST_MS = 5000;
const LOOK_AGAIN_MS = 250;

/**
 * A reconcile that puts its key off while keys of `first` wait for a worker; but none for longer than five seconds, however
 * busy `first` is.
 */
export function givingWay(
  first: WorkQueue,
  reconcile: (key: string) => Promise<ReconcileResult>,
): (key: string) => Promise<ReconcileResult> {
  const since = new Map<string, number>();
  return async (key) => {
    const now = performance.now();
    const begun = since.get(key) ?? now;
    if (first.length > 0 && now - begun < LONGEST_MS) {
      since.set(key, begun);
      return { requeueAfterMs: LOOK_AGAIN_MS };
    }
    since.delete(key);
    return reconcile(key);
  };
}
