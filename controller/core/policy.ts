// What a person says about the rollouts of one workload, in its ConfigRollout.

import type { ConfigRolloutSpec, ConfigRolloutStatus } from './config-rollout.ts';
import { pinKey } from './decide.ts';
import { shorten } from './names.ts';
import type { Meta, Workload } from './types.ts';

export type LastRollout = NonNullable<ConfigRolloutStatus['lastRollout']>;

export interface Policy {
  readonly paused: boolean;
  /** Undefined: as everywhere. */
  readonly settleMs: number | undefined;
  readonly minIntervalMs: number;
  /** A rollout that misses its deadline is taken back. */
  readonly rollsBack: boolean;
  /** As the status says; undefined: none was seen. */
  readonly lastRollout: LastRollout | undefined;
  /** What the status has seen rolled out, by `pinKey`: the hash. */
  readonly seen: Readonly<Record<string, string | undefined>>;
}

/** Of a workload that has no ConfigRollout. */
export const NO_POLICY: Policy = {
  paused: false,
  settleMs: undefined,
  minIntervalMs: 0,
  rollsBack: false,
  lastRollout: undefined,
  seen: {},
};

/** A ConfigRollout as the caches keep it. */
export interface ConfigRollout extends Meta {
  readonly generation: number;
  readonly workload: ConfigRolloutSpec['workload'];
  readonly policy: Policy;
  readonly status: ConfigRolloutStatus | undefined;
  /** It goes when its owner goes. */
  readonly isOwned: boolean;
}

const NAME_MAX = 253;
const INTERVAL = /^(\d+)([smh])$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** The name of a workload's ConfigRollout. There is one at most: others that name the workload count for nothing. */
export function configRolloutName({ kind, name }: Pick<Workload, 'kind' | 'name'>): string {
  return shorten(`${kind.toLowerCase()}-${name}`, NAME_MAX);
}

/** Lenient: what the schema forbids, and a server without it let through, counts as not said. */
export function readPolicy(
  { paused, settleSeconds, minInterval, onFailure }: Partial<ConfigRolloutSpec>,
  status: ConfigRolloutStatus | undefined,
): Policy {
  const [, amount, unit = ''] = INTERVAL.exec(minInterval ?? '') ?? [];
  return {
    paused: paused === true,
    settleMs: settleSeconds === undefined ? undefined : settleSeconds * 1000,
    minIntervalMs: amount === undefined ? 0 : Number(amount) * (UNIT_MS[unit] ?? 0),
    rollsBack: onFailure === 'Rollback',
    lastRollout: status?.lastRollout,
    seen: Object.fromEntries((status?.sources ?? []).map((source) => [pinKey(source), source.rolledHash])),
  };
}

/** Milliseconds until the policy lets the workload roll again; 0: it may now. */
export function intervalMsLeft(
  { minIntervalMs, lastRollout }: Policy,
  { rolledAt = 0, heldSince }: { readonly rolledAt?: number | undefined; readonly heldSince?: number | undefined },
  now: number,
): number {
  if (minIntervalMs === 0) return 0;
  const last = Math.max(Date.parse(lastRollout?.time ?? '') || 0, rolledAt);
  // Another clock may have been ahead; that must not hold a rollout longer than the policy says.
  return Math.max(0, Math.min(last, heldSince ?? now) + minIntervalMs - now);
}
