// How long a reflector waits, for what.

import type { BackoffOptions } from './backoff.ts';

export interface ReflectorTimings {
  /** Items per LIST page. */
  readonly pageSize: number;
  /** Each watch asks for a random life between these, in seconds, so that reflectors do not reconnect together. */
  readonly minimumWatchSeconds: number;
  readonly maximumWatchSeconds: number;
  /** A watch that was silent for its whole life and this much longer is taken for dead, in ms. */
  readonly watchdogGraceMs: number;
  /**
   * After a bookmark a silence of this length is that of a connection that is gone, in ms: API servers send one a minute
   * (bookmarkFrequency in k8s.io/apiserver/pkg/storage/cacher).
   */
  readonly bookmarkSilenceMs: number;
  /** A watch without events that lived this long counts as healthy, in ms. */
  readonly healthyAfterMs: number;
  readonly backoff: BackoffOptions;
  /** Between two looks for an optional resource that is not there, in ms. */
  readonly absentMs: number;
  /** Between two looks for one that may only seem so, in ms. */
  readonly doubtMs: number;
}

export const DEFAULT_TIMINGS: ReflectorTimings = {
  pageSize: 500,
  minimumWatchSeconds: 300,
  maximumWatchSeconds: 600,
  watchdogGraceMs: 30_000,
  bookmarkSilenceMs: 150_000,
  healthyAfterMs: 1_000,
  backoff: { minimumMs: 800, maximumMs: 30_000 },
  absentMs: 10_000,
  doubtMs: 400,
};
