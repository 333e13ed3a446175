// Counts what the caches hold, for the gauges: a walk over them at each scrape, of some milliseconds for tens of thousands
// of objects, costs less than counts that are kept up at each change.

import { isSnapshot, type World } from '../app/world.ts';
import { MANAGED_LABEL } from '../core/names.ts';
import type { Census } from './metrics.ts';

/** Of a world that may not have been filled yet. */
export function censusOf(world: World): Census {
  return {
    snapshots: () => [...world.sources].map(([kind, store]) => [kind, count(store.all(), isSnapshot)] as const),
    managedWorkloads: () =>
      [...world.workloads].map(
        ([kind, store]) =>
          [
            kind,
            count(store.all(), ({ labels }) => labels[MANAGED_LABEL] !== undefined && labels[MANAGED_LABEL] !== 'none'),
          ] as const,
      ),
  };
}

function count<T>(items: Iterable<T>, matches: (item: T) => boolean): number {
  let found = 0;
  for (const item of items) if (matches(item)) found += 1;
  return found;
}
