// The conditions that readiness is made of.

import type { Check } from './probes.ts';

/** Something that has a name, and a first complete list some day. */
export interface Cache {
  readonly name: string;
  readonly synced: Promise<void>;
}

/** Fails until each cache is complete, and names those that are not. */
export function cachesCheck(caches: readonly Cache[]): Check {
  const waiting = new Set(caches);
  for (const cache of caches) void cache.synced.then(() => waiting.delete(cache));
  // There may be one for each namespace.
  const names = () => [...new Set([...waiting].map(({ name }) => name))];
  return {
    name: 'caches',
    check: () => (waiting.size === 0 ? undefined : `waiting for the first list of ${names().join(', ')}`),
  };
}

/** Fails from the wish to end on: whoever can should ask another. */
export function shutdownCheck(stop: AbortSignal): Check {
  return { name: 'shutdown', check: () => (stop.aborted ? 'the process is shutting down' : undefined) };
}

/** Fails until `done` resolves. */
export function onceCheck(name: string, done: Promise<unknown>, waitingFor: string): Check {
  let isDone = false;
  void done.then(() => {
    isDone = true;
  });
  return { name, check: () => (isDone ? undefined : `waiting for ${waitingFor}`) };
}
