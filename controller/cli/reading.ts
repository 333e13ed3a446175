// Reading several objects at once, and writing again after a conflict.

import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '../app/errors.ts';

const ATTEMPTS = 5;
const PAUSE_MS = 50;

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
      if (count === ATTEMPTS || !isFailure(error, 'Conflict')) throw error;
      await sleep(count * PAUSE_MS);
    }
  }
}
