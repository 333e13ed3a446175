// The four controllers, one a concern: sources, workloads, snapshots, statuses. Each has a queue of keys, and workers that
// reconcile them.

import { objectKey } from '../core/types.ts';
import { type ControllerObserver, type ReconcileResult, runController } from '../runtime/controller.ts';
import { messageOf } from '../runtime/failure.ts';
import { givingWay } from '../runtime/giving-way.ts';
import type { Log } from '../runtime/log.ts';
import type { WorkQueue } from '../runtime/work-queue.ts';
import { isFailure } from './errors.ts';
import type { Reconciler } from './reconcile.ts';
import { enqueueSnapshots, enqueueStatus, type Queues } from './triggers.ts';
import type { World } from './world.ts';

// Two looks that wait for each other must not turn into a hot loop when neither gets on.
const SECOND_LOOK_MS = 200;

export interface ControllersOptions {
  /** Of each controller. */
  readonly concurrency: number;
  /** Gives who hears of the runs of a controller. */
  readonly observe?: (controller: string) => ControllerObserver;
  readonly log: Log;
  readonly stop: AbortSignal;
}

/** Runs until `stop` aborts and the work under way has ended. Start it when the caches are complete. */
export async function runControllers(
  { world, queues, reconciler }: { world: World; queues: Queues; reconciler: Reconciler },
  { concurrency, observe, log, stop }: ControllersOptions,
): Promise<void> {
  const run = (name: string, queue: WorkQueue, reconcile: (key: string) => Promise<{ requeueAfterMs?: number }>) =>
    runController({
      name,
      queue,
      concurrency,
      reconcile,
      log,
      onError: reporter(name, log),
      ...(observe && { observer: observe(name) }),
    });
  // Two hundred workloads that mount one source are pinned first, and written of afterwards.
  const bookkeeping = (reconcile: (key: string) => Promise<ReconcileResult>) =>
    givingWay(queues.workloads, reconcile.bind(reconciler));
  const shutDown = () => {
    // What is under way ends; the rest is found again at the next start.
    for (const queue of Object.values(queues)) queue.shutDown({ discard: true });
  };
  if (stop.aborted) shutDown();
  stop.addEventListener('abort', shutDown, { once: true });
  await Promise.all([
    run('source', queues.sources, async (key) => {
      const { users, ...result } = await reconciler.source(key);
      for (const workload of users) {
        queues.workloads.add(objectKey(workload));
        enqueueStatus(queues, objectKey(workload));
      }
      const source = world.objectAt(key);
      if (source) enqueueSnapshots(world, queues, source);
      return result;
    }),
    run('workload', queues.workloads, async (key) => {
      const { sources, ...result } = await reconciler.workload(key);
      // One that fails is tried again at its own pace.
      for (const source of sources)
        if (queues.sources.retries(source) === 0) queues.sources.addAfter(source, SECOND_LOOK_MS);
      return result;
    }),
    run('snapshot', queues.snapshots, bookkeeping(reconciler.snapshot)),
    run('status', queues.statuses, bookkeeping(reconciler.status)),
  ]);
}

// Each failure is logged here, and only here. A conflict is the normal end of a race.
function reporter(controller: string, log: Log) {
  return (key: string, error: unknown, retryInMs: number): void => {
    const level = isFailure(error, 'Conflict') ? 'debug' : 'error';
    const message = messageOf(error);
    log(level, `${controller} ${key}: ${message}`, { controller, key, retryInMs: Math.round(retryInMs) });
  };
}
