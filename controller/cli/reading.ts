// Reading several objects at once, and writing again after a conflict.

import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '../app/errors.ts';
import { ServerError } from './errors.ts';

const ATTEMPTS = 5;
const PAUSE_MS = 50;
const AT_A_TIME = 10;
const GIVEN_UP = 'something else keeps changing the object; nothing was written, run the command again';

/** Promise.all, but of several failures the first in the list is thrown, not the first in time: errors are repeatable. */
export async function inOrder<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** Runs `attempt`, that reads, plans and writes, until no other writer is in between; gives up after a few times. */
export async function retryOnConflict<T>(attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isFailure(error, 'Conflict')) throw error;
      if (count === ATTEMPTS) throw error instanceof ServerError ? error.withHint(GIVEN_UP) : error;
      await sleep(count * PAUSE_MS);
    }
  }
}

/** Runs `work` on each, a few at the same time: a cluster may have thousands of them. */
export async function aFewAtATime<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items].values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await inOrder(Array.from({ length: AT_A_TIME }, worker));
}
