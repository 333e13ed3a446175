// Many random histories side by side, disturbed all at once; and one that failed, alone, made as short as it goes.

import fc from 'fast-check';
import type { Troublemaker } from './history-disturbances.ts';
import { inventory } from './history-inventory.ts';
import { Broken, type Surroundings } from './history-rest.ts';
import { type History, history } from './history-steps.ts';
import { HistoryWorld } from './history-world.ts';

/** A history by its seed. */
export function historyOf(seed: number): History {
  const [made] = fc.sample(history, { seed, numRuns: 1 });
  if (made === undefined) throw new Error('fast-check makes no histories');
  return made;
}

export interface Failure {
  readonly seed: number;
  readonly namespace: string;
  readonly message: string;
  /** What there was in its namespace. */
  readonly found: readonly string[];
}

export interface Figures {
  histories: number;
  steps: number;
}

/** Histories of consecutive seeds, each in a namespace of its own. Gives those that failed. */
export async function runBatch(
  around: Surroundings,
  namespaces: readonly string[],
  firstSeed: number,
  troublemaker: Troublemaker | undefined,
  figures: Figures,
): Promise<Failure[]> {
  const failures: Failure[] = [];
  const isolated = new AbortController();
  const trouble = troublemaker?.trouble(firstSeed, isolated.signal);
  await Promise.all(
    namespaces.map(async (namespace, i) => {
      const seed = firstSeed + i;
      const message = await live(around, namespace, historyOf(seed), figures);
      if (message === undefined) return;
      failures.push({ seed, namespace, message, found: await inventory(around.client, namespace) });
    }),
  );
  isolated.abort();
  await trouble;
  return failures;
}

/** What was broken; undefined when all went well. */
async function live(
  around: Surroundings,
  namespace: string,
  made: History,
  figures: Figures,
): Promise<string | undefined> {
  const world = new HistoryWorld(around, namespace, made);
  try {
    await world.live();
    return undefined;
  } catch (error) {
    return error instanceof Broken ? error.message : `${(error as Error).stack}`;
  } finally {
    figures.histories += 1;
    figures.steps += world.performed;
  }
}

const SHRINK_MS = 150_000;

/**
 * Runs the history of a seed again, alone in namespaces of its own, and makes it shorter for as long as it fails. Without
 * disturbances, if it fails without; else under the same.
 */
export async function shrunk(
  around: Surroundings,
  newNamespace: () => Promise<string>,
  seed: number,
  troublemaker: Troublemaker | undefined,
): Promise<string> {
  const calm = await shrunkUnder(around, newNamespace, seed, undefined);
  if (calm !== undefined) return `Alone, and with nothing to disturb it:\n${calm}`;
  const disturbed = troublemaker && (await shrunkUnder(around, newNamespace, seed, troublemaker));
  if (disturbed !== undefined) return `Alone, under disturbances:\n${disturbed}`;
  return `Alone, it passed${troublemaker ? ', with disturbances and without' : ''}: it takes the others, or the moment.\n${JSON.stringify(historyOf(seed))}`;
}

async function shrunkUnder(
  around: Surroundings,
  newNamespace: () => Promise<string>,
  seed: number,
  troublemaker: Troublemaker | undefined,
): Promise<string | undefined> {
  const stop = new AbortController();
  const trouble = troublemaker?.trouble(seed, stop.signal);
  const property = fc.asyncProperty(history, async (made) => {
    const message = await live(around, await newNamespace(), made, { histories: 0, steps: 0 });
    if (message !== undefined) throw new Error(message);
  });
  const result = await fc.check(property, {
    seed,
    numRuns: 1,
    interruptAfterTimeLimit: SHRINK_MS,
    markInterruptAsFailure: false,
  });
  stop.abort();
  await trouble;
  if (!result.failed || result.counterexample === null) return undefined;
  const [shortest] = result.counterexample;
  const why = result.errorInstance instanceof Error ? result.errorInstance.message : '';
  return `${JSON.stringify(shortest)}\n${why}\n(after ${result.numShrinks} times of making it shorter)`;
}
