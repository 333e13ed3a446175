// When a workload may roll: after its sources have settled, and not without end.

/** A token bucket: `tokens` were left at `at`, in milliseconds since the epoch. */
export interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** What is remembered of one workload between two looks at it. Losing it costs no promise. */
export interface Pacing {
  readonly bucket: Bucket;
  /** When a rollout was first found due; undefined when none is. Milliseconds since the epoch. */
  readonly pendingSince: number | undefined;
  /** True once an Event has said that rollouts are slowed. */
  readonly slowed: boolean;
  /** Since when a person's policy holds a rollout that is due; undefined when none does. Milliseconds since the epoch. */
  readonly heldSince: number | undefined;
  /** When this process rolled it last. Milliseconds since the epoch. */
  readonly rolledAt: number | undefined;
  /** A rollout could go ahead if its snapshot were there. */
  readonly awaitsSnapshot: boolean;
}

// Five at once, then one each half minute: a person at work never notices, and a runaway writer leaves the default
// history of ten revisions intact for more than two minutes.
const BURST = 5;
export const REFILL_MS = 30_000;
// A source that never rests must not hold back the others of its workload for ever.
const LONGEST_SETTLE = 10;

export function freshPacing(now: number): Pacing {
  return {
    bucket: { tokens: BURST, at: now },
    pendingSince: undefined,
    heldSince: undefined,
    rolledAt: undefined,
    slowed: false,
    awaitsSnapshot: false,
  };
}

/** Where the clock was set back, what was noted at a time that is still to come is taken for noted now. */
export function notAhead(pacing: Pacing, now: number): Pacing {
  const past = (time: number | undefined) => time && Math.min(time, now);
  return {
    ...pacing,
    bucket: { ...pacing.bucket, at: Math.min(pacing.bucket.at, now) },
    pendingSince: past(pacing.pendingSince),
    heldSince: past(pacing.heldSince),
    rolledAt: past(pacing.rolledAt),
  };
}

/** Since when a rollout waits for its sources to settle; one that was held only begins to, once it is held no more. */
export function pendingSince({ heldSince, pendingSince: since }: Pacing): number | undefined {
  return heldSince === undefined ? since : undefined;
}

/** Milliseconds until a token is there; 0 when one is. */
export function throttleMs(bucket: Bucket, now: number): number {
  const missing = 1 - refill(bucket, now).tokens;
  return missing <= 0 ? 0 : Math.ceil(missing * REFILL_MS);
}

/** The bucket after one rollout at `now`. */
export function takeToken(bucket: Bucket, now: number): Bucket {
  const { tokens, at } = refill(bucket, now);
  return { tokens: Math.max(0, tokens - 1), at };
}

/** Milliseconds until the sources have been quiet for `settleMs`, or have been waited for ten times that long. */
export function settleMsLeft(lastChange: number, pendingSince: number, settleMs: number, now: number): number {
  return Math.max(0, Math.min(lastChange + settleMs, pendingSince + LONGEST_SETTLE * settleMs) - now);
}

// A clock that was set back must not empty the bucket.
function refill(bucket: Bucket, now: number): Bucket {
  const elapsed = Math.max(0, now - bucket.at);
  return { tokens: Math.min(BURST, bucket.tokens + elapsed / REFILL_MS), at: now };
}
