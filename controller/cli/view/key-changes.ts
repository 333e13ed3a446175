// Which keys differ between two contents. Of a Secret this is all that may be said.

import { changedKeys, keyValues } from '../../core/key-digests.ts';
import type { Content } from '../../core/types.ts';

export interface KeyChanges {
  readonly changed: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Sorted by name. */
export function compareKeys(before: Content, after: Content): KeyChanges {
  const [a, b] = [keyValues(before), keyValues(after)];
  const keys = changedKeys(a, b);
  return {
    changed: keys.filter((key) => a.has(key) && b.has(key)),
    added: keys.filter((key) => !a.has(key)),
    removed: keys.filter((key) => !b.has(key)),
  };
}

/** `~config.yml`, `+tls.yml`, `-old.yml`, in this order. */
export function describeKeyChanges({ changed, added, removed }: KeyChanges): string[] {
  return [...changed.map((key) => `~${key}`), ...added.map((key) => `+${key}`), ...removed.map((key) => `-${key}`)];
}
