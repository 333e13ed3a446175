// What a person says about the rollouts of one workload, in its ConfigRollout.

import type { ConfigRolloutSpec, ConfigRolloutStatus } from './config-rollout.ts';
import { shorten } from './names.ts';
import type { Meta, Workload } from './types.ts';

export interface Policy {
  readonly paused: boolean;
  /** Undefined: as everywhere. */
  readonly settleMs: number | undefined;
  readonly minIntervalMs: number;
  /** A rollout that misses its deadline is taken back. */
  readonly rollsBack: boolean;
  /** When the last rollout was seen, in milliseconds since the epoch, to the second; undefined: never. */
  readonly lastRolloutAt: number | undefined;
}

/** Of a workload that has no ConfigRollout. */
export const NO_POLICY: Policy = {
  paused: false,
  settleMs: undefined,
  minIntervalMs: 0,
  rollsBack: false,
  lastRolloutAt: undefined,
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
    lastRolloutAt: Date.parse(status?.lastRollout?.time ?? '') || undefined,
  };
}

/** Milliseconds until the policy lets the workload roll again; 0: it may now. `rolledAt`: when this process rolled it last. */
export function intervalMsLeft(
  { minIntervalMs, lastRolloutAt }: Policy,
  rolledAt: number | undefined,
  now: number,
): number {
  if (minIntervalMs === 0) return 0;
  const last = Math.max(lastRolloutAt ?? 0, rolledAt ?? 0);
  // A clock that was set back must not hold a rollout longer than the policy says.
  return Math.min(minIntervalMs, Math.max(0, last + minIntervalMs - now));
}
