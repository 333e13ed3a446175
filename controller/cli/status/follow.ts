// Watching until every rollout has ended. By looking every few seconds: a status is made of many objects of several kinds,
// and one look at them after a lost connection is all it takes to be right again.

import { isFailure } from '../../app/errors.ts';
import { CommandError, UsageError } from '../errors.ts';
import type { Statuses, WorkloadStatus } from './read.ts';
import { progressLine } from './render.ts';
import { StallWatch } from './stall.ts';

/** Between two looks; the longer nothing changes, the longer, because a look lists much. */
const PERIOD_MS = 1000;
const LONGEST_PERIOD_MS = 5000;
/** So many looks in a row may fail to reach the server, as while it restarts. */
const PATIENCE = 10;

export interface Following {
  look(): Promise<Statuses>;
  /** Hears a line whenever a workload got on. */
  tell(line: string): void;
  /** Hears each warning once, as soon as there is reason for it. */
  warn(text: string): void;
  /** Undefined: wait for ever. */
  readonly timeoutMs: number | undefined;
  sleep(ms: number): Promise<unknown>;
  /** In milliseconds. */
  now(): number;
}

/** Gives the first look at which nothing goes on any more. Throws CommandError when the time is up before. */
export async function follow(following: Following): Promise<Statuses> {
  const { timeoutMs, sleep, now } = following;
  const deadline = now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  const look = patiently(following);
  const narrate = narrator(following);
  let period = PERIOD_MS;
  for (;;) {
    const seen = await look();
    const isQuiet = seen !== undefined && !narrate(seen);
    if (seen !== undefined) {
      const open = seen.statuses.filter(({ end }) => end === undefined);
      if (open.length === 0) return seen;
      if (now() >= deadline) throw timedOut(open, seen.warnings);
    }
    period = isQuiet ? Math.min(2 * period, LONGEST_PERIOD_MS) : PERIOD_MS;
    await sleep(Math.max(0, Math.min(period, deadline - now())));
  }
}

/** Tells what each look shows that is new; true when a workload got on. */
function narrator({ tell, warn, now }: Following): (seen: Statuses) => boolean {
  const warnOnce = once(warn);
  const stall = new StallWatch();
  let told: ReadonlyMap<string, string> | undefined;
  return ({ statuses, warnings }) => {
    const before = told;
    told = tellNews(statuses, before, tell);
    const hint = stall.look(statuses, now());
    for (const warning of [...warnings, ...(hint === undefined ? [] : [hint])]) warnOnce(warning);
    return !isSame(before, told);
  };
}

function once(warn: (text: string) => void): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (said.has(text)) return;
    said.add(text);
    warn(text);
  };
}

function isSame(a: ReadonlyMap<string, string> | undefined, b: ReadonlyMap<string, string> | undefined): boolean {
  return a !== undefined && a.size === b?.size && [...a].every(([key, line]) => b.get(key) === line);
}

/** Undefined when the server could not be reached, unless that is so for long. */
function patiently({ look, timeoutMs, now }: Following): () => Promise<Statuses | undefined> {
  const deadline = now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  // Who cannot be reached at the first look is told so at once.
  let failures = PATIENCE;
  return async () => {
    try {
      const seen = await look();
      failures = 0;
      return seen;
    } catch (error) {
      failures += 1;
      if (!isFailure(error, 'Unavailable') || failures > PATIENCE || now() >= deadline) throw error;
      return undefined;
    }
  };
}

/** What has ended before the watch began is not told. */
function tellNews(
  statuses: readonly WorkloadStatus[],
  before: ReadonlyMap<string, string> | undefined,
  tell: (line: string) => void,
): ReadonlyMap<string, string> {
  const told = new Map<string, string>();
  for (const status of statuses) {
    const { uid } = status.workload;
    const line = progressLine(status);
    const isOld = before === undefined ? status.end !== undefined : before.get(uid) === line;
    if (!isOld) tell(line);
    told.set(uid, line);
  }
  return told;
}

function timedOut(open: readonly WorkloadStatus[], warnings: readonly string[]): CommandError {
  const lines = open.map((each) => progressLine(each).trimEnd()).join('; ');
  return new CommandError(`timed out waiting for ${lines}${warnings.length === 0 ? '' : ` (${warnings.join('; ')})`}`);
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `90s`, `1m30s` or `2h`; undefined for 0, which is no limit. Throws UsageError for anything else. */
export function parseTimeout(text: string): number | undefined {
  if (text === '0') return undefined;
  if (!/^(\d+(\.\d+)?(ms|[smh]))+$/.test(text)) {
    throw new UsageError(`invalid argument "${text}" for "--timeout" flag: it is a duration, such as 90s, 1m30s or 2h`);
  }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smh])/g)];
  const ms = parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (UNIT_MS[unit] ?? 0), 0);
  return ms || undefined;
}
