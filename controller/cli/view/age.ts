// Times as kubectl prints them: how long ago, in its AGE columns, and in full. Source of the steps: HumanDuration in
// k8s.io/apimachinery/pkg/util/duration.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

type Unit = readonly [seconds: number, letter: string];

/** Up to so many seconds in these units, of which the second is left out where it is nothing. */
const STEPS: readonly (readonly [below: number, big: Unit, small?: Unit])[] = [
  [2 * MINUTE, [1, 's']],
  [10 * MINUTE, [MINUTE, 'm'], [1, 's']],
  [3 * HOUR, [MINUTE, 'm']],
  [8 * HOUR, [HOUR, 'h'], [MINUTE, 'm']],
  [2 * DAY, [HOUR, 'h']],
  [8 * DAY, [DAY, 'd'], [HOUR, 'h']],
  [2 * YEAR, [DAY, 'd']],
  [8 * YEAR, [YEAR, 'y'], [DAY, 'd']],
  [Number.POSITIVE_INFINITY, [YEAR, 'y']],
];

/** `9d`, `2m5s`; both times in milliseconds since the epoch. */
export function ageOf(since: number | undefined, now: number): string {
  if (since === undefined) return '<unknown>';
  // Clocks differ a little.
  const seconds = Math.max(0, Math.floor((now - since) / 1000));
  const [, big, small] = STEPS.find(([below]) => seconds < below) ?? [];
  if (big === undefined) return '<unknown>';
  const rest = small ? Math.floor((seconds % big[0]) / small[0]) : 0;
  return `${Math.floor(seconds / big[0])}${big[1]}${small && rest > 0 ? `${rest}${small[1]}` : ''}`;
}
