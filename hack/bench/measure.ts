// How a benchmark measures: requests that start when they are due, the API server's own histograms, and /proc.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../controller/kube/client.ts';

export interface Timed<T> {
  readonly result: T;
  /** From when it was due to its answer, so that waiting in line behind slow ones counts too. */
  readonly ms: number;
  /** How much of that the generator itself was late. */
  readonly lateMs: number;
}

/** Open loop: each request starts when it is due, whether or not earlier ones are answered. */
export async function openLoop<T>(
  rate: number,
  seconds: number,
  request: (index: number) => Promise<T>,
): Promise<Timed<T>[]> {
  const start = performance.now();
  const timed = async (index: number, due: number): Promise<Timed<T>> => {
    const lateMs = performance.now() - due;
    const result = await request(index);
    return { result, ms: performance.now() - due, lateMs };
  };
  const running: Promise<Timed<T>>[] = [];
  for (let index = 0; index < rate * seconds; index += 1) {
    const due = start + (index * 1000) / rate;
    const early = due - performance.now();
    // Timers cut off fractions.
    if (early > 0) await sleep(Math.ceil(early));
    running.push(timed(index, due));
  }
  return Promise.all(running);
}

const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99, max: 1 } as const;
export type Percentiles = Readonly<Record<keyof typeof QUANTILES, number>>;

export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  return each((quantile) => sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? Number.NaN);
}

function each(of: (quantile: number) => number): Percentiles {
  const { p50, p90, p99, max } = QUANTILES;
  return { p50: of(p50), p90: of(p90), p99: of(p99), max: of(max) };
}

/** What the API server has counted of one webhook since it started. */
export interface WebhookCounts {
  /** Upper bound in seconds → answers that took no longer. */
  readonly buckets: ReadonlyMap<number, number>;
  readonly rejected: number;
  /** Servers count these from 1.24 on. */
  readonly failedOpen: number;
}

export async function webhookCounts(client: KubeClient, webhook: string): Promise<WebhookCounts> {
  const text = await client.request<string>('GET', '/metrics', { accept: 'text/plain' });
  const lines = text.split('\n').filter((line) => line.includes(`name="${webhook}"`));
  const series = (metric: string) => lines.filter((line) => line.startsWith(`apiserver_admission_webhook_${metric}{`));
  const valueIn = (line: string) => Number(line.slice(line.lastIndexOf(' ') + 1));
  const sum = (metric: string) => series(metric).reduce((total, line) => total + valueIn(line), 0);
  const buckets = new Map<number, number>();
  for (const line of series('admission_duration_seconds_bucket')) {
    const [, text = ''] = /\ble="([^"]+)"/.exec(line) ?? [];
    const bound = text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text);
    buckets.set(bound, (buckets.get(bound) ?? 0) + valueIn(line));
  }
  return { buckets, rejected: sum('rejection_count'), failedOpen: sum('fail_open_count') };
}

export interface WebhookUse {
  readonly calls: number;
  readonly rejected: number;
  readonly failedOpen: number;
  /** In ms, linear between the bounds; above the last one, the last one. */
  readonly percentiles: Percentiles;
  /** In ms. */
  readonly bounds: readonly number[];
}

export function useBetween(before: WebhookCounts, after: WebhookCounts): WebhookUse {
  const bounds = [...after.buckets.keys()].sort((a, b) => a - b);
  const counts = bounds.map((bound) => (after.buckets.get(bound) ?? 0) - (before.buckets.get(bound) ?? 0));
  const calls = counts.at(-1) ?? 0;
  const finite = bounds.filter(Number.isFinite);
  const quantile = (wanted: number): number => {
    const rank = wanted * calls;
    const at = counts.findIndex((count) => count >= rank);
    const upper = finite[at] ?? finite.at(-1) ?? Number.NaN;
    const lower = at > 0 ? (finite[at - 1] ?? upper) : 0;
    const below = at > 0 ? (counts[at - 1] ?? 0) : 0;
    const share = (rank - below) / Math.max(1, (counts[at] ?? 0) - below);
    return (lower + (upper - lower) * share) * 1000;
  };
  return {
    calls,
    rejected: after.rejected - before.rejected,
    failedOpen: after.failedOpen - before.failedOpen,
    percentiles: each(quantile),
    bounds: finite.map((bound) => bound * 1000),
  };
}

// The unit of /proc/PID/stat, on every Linux.
const TICKS_PER_SECOND = 100;

export interface ProcessUse {
  /** Since it started. */
  readonly cpuSeconds: number;
  readonly residentMiB: number;
}

export function useOf(pid: number): ProcessUse {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything, so count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [, resident = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    residentMiB: Number(resident) / 1024,
  };
}
