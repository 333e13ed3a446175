// How a benchmark measures: requests that start when they are due, the API server's own histogram, and CPU time.

import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../controller/kube/client.ts';

export interface Timed<T> {
  readonly result: T;
  /** From when it was due to its answer, so that waiting behind slow ones counts too. */
  readonly ms: number;
  /** How much of that the benchmark itself was late. */
  readonly lateMs: number;
}

/** Open loop: each request starts when it is due, whether or not earlier ones are answered. */
export async function openLoop<T>(
  rate: number,
  seconds: number,
  send: (index: number) => Promise<T>,
): Promise<Timed<T>[]> {
  const start = performance.now();
  const timed = async (index: number, due: number): Promise<Timed<T>> => {
    const lateMs = performance.now() - due;
    const result = await send(index);
    return { result, ms: performance.now() - due, lateMs };
  };
  const running: Promise<Timed<T>>[] = [];
  for (let index = 0; index < rate * seconds; index += 1) {
    const due = start + (index * 1000) / rate;
    const early = due - performance.now();
    // Timers cut off fractions.
    if (early > 0) await sleep(Math.ceil(early));
    const request = timed(index, due);
    // Told below, when all have started.
    request.catch(() => undefined);
    running.push(request);
  }
  return Promise.all(running);
}

const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99, max: 1 } as const;
export type Percentiles = Readonly<Record<keyof typeof QUANTILES, number>>;

function percentiles(of: (quantile: number) => number): Percentiles {
  const { p50, p90, p99, max } = QUANTILES;
  return { p50: of(p50), p90: of(p90), p99: of(p99), max: of(max) };
}

export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  return percentiles((quantile) => sorted[Math.ceil(quantile * sorted.length) - 1] ?? Number.NaN);
}

export function textOf(values: Percentiles, unit: string): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value.toFixed(1)}${unit}`)
    .join('  ');
}

/** What the API server has counted of one webhook since it started. */
export interface WebhookCounts {
  /** Upper bound in ms → calls that took no longer. */
  readonly buckets: ReadonlyMap<number, number>;
  readonly rejected: number;
  /** Servers count these from 1.24 on. */
  readonly failedOpen: number;
}

export async function webhookCounts(client: KubeClient, webhook: string): Promise<WebhookCounts> {
  const text = await client.request<string>('GET', '/metrics', { accept: 'text/plain' });
  const lines = text.split('\n').filter((line) => line.includes(`name="${webhook}"`));
  const read = (metric: string) =>
    lines
      .filter((line) => line.startsWith(`apiserver_admission_webhook_${metric}{`))
      .map((line) => ({ line, value: Number(line.slice(line.lastIndexOf(' ') + 1)) }));
  const sum = (metric: string) => read(metric).reduce((total, { value }) => total + value, 0);
  const buckets = new Map<number, number>();
  for (const { line, value } of read('admission_duration_seconds_bucket')) {
    const seconds = /\ble="([^"]+)"/.exec(line)?.[1];
    const bound = seconds === '+Inf' ? Number.POSITIVE_INFINITY : Number(seconds) * 1000;
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return { buckets, rejected: sum('rejection_count'), failedOpen: sum('fail_open_count') };
}

/** In ms, as far as a histogram knows them: evenly spread between two bounds, and never above the last. */
export function percentilesBetween(before: WebhookCounts, after: WebhookCounts): Percentiles & { calls: number } {
  const bounds = [...after.buckets.keys()].sort((a, b) => a - b);
  const counts = bounds.map((bound) => (after.buckets.get(bound) ?? 0) - (before.buckets.get(bound) ?? 0));
  const calls = counts.at(-1) ?? 0;
  const of = (quantile: number): number => {
    const rank = quantile * calls;
    const at = counts.findIndex((count) => count >= rank);
    const [lower = 0, upper = lower] = [bounds[at - 1], bounds[at]];
    const [below = 0, within = 0] = [counts[at - 1], counts[at]];
    return upper === Number.POSITIVE_INFINITY ? lower : lower + ((upper - lower) * (rank - below)) / (within - below);
  };
  return { ...percentiles(of), calls };
}

/** CPU seconds since their start of processes, by name, and of the whole machine. Linux only. */
export function cpuSeconds(pids: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const machine = cpus().map(({ times: { idle: _, ...busy } }) => Object.values(busy).reduce((a, b) => a + b, 0));
  return new Map([
    ...[...pids].map(([name, pid]) => [name, ofProcess(pid)] as const),
    ['whole machine', machine.reduce((a, b) => a + b, 0) / 1000],
  ]);
}

function ofProcess(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything, so count from behind it. The unit is 10 ms on every Linux.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function residentMiB(pid: number): number {
  const [, kB] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kB) / 1024;
}
