// Which pods a rollout leaves as they are for as long as a person wants: with the strategy OnDelete, and below a partition.
// A rollout is complete without them, though they run with what came before.

import { rawObject } from '../../workloads/raw.ts';
import type { Json } from '../cluster.ts';

/** What replaces no pod by itself; undefined where every pod is replaced. */
export type Keeping = { readonly by: 'OnDelete' } | { readonly by: 'partition'; readonly partition: number };

/** Of a workload as the server sent it. */
export function keepingOf(raw: Json): Keeping | undefined {
  const { type, rollingUpdate } = rawObject(raw)?.spec?.updateStrategy ?? {};
  if (type === 'OnDelete') return { by: 'OnDelete' };
  const partition = rollingUpdate?.partition ?? 0;
  return partition > 0 ? { by: 'partition', partition } : undefined;
}

/** `until they are deleted (OnDelete)`. */
export function untilWhen(keeping: Keeping, count: number): string {
  switch (keeping.by) {
    case 'OnDelete':
      return `until ${count === 1 ? 'it is' : 'they are'} deleted (OnDelete)`;
    case 'partition':
      return `while the partition is ${keeping.partition}`;
    default:
      throw keeping satisfies never;
  }
}
