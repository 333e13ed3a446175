// How a benchmark measures: requests that start when they are due, and the CPU time that they take.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Timed<T> {
  readonly result: T;
  /** From when it was due to its answer, so that waiting behind slow ones counts too. */
  readonly ms: number;
  /** How much of that the benchmark itself was late. */
  readonly lateMs: number;
}

/** Open loop: each request starts when it is due, whether or not earlier ones are answered. */
export function openLoop<T>(rate: number, seconds: number, send: (index: number) => Promise<T>): Promise<Timed<T>[]> {
  const start = performance.now();
  const timed = async (_: unknown, index: number): Promise<Timed<T>> => {
    const due = start + (index * 1000) / rate;
    // Timers cut off fractions.
    await sleep(Math.max(0, Math.ceil(due - performance.now())));
    const lateMs = performance.now() - due;
    return { result: await send(index), ms: performance.now() - due, lateMs };
  };
  return Promise.all(Array.from({ length: rate * seconds }, timed));
}

export type Percentiles = Readonly<Record<'p50' | 'p90' | 'p99' | 'max', number>>;

export function percentiles(of: (quantile: number) => number): Percentiles {
  return { p50: of(0.5), p90: of(0.9), p99: of(0.99), max: of(1) };
}

export function percentilesOf(values: readonly number[]): Percentiles {
  return percentiles((quantile) => quantileOf(values, quantile));
}

/** The least value that so large a share of them does not exceed; NaN of none. */
export function quantileOf(values: readonly number[], quantile: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(quantile * sorted.length) - 1] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantileOf(values, 0.5);
}

/** CPU seconds of a process since its start; Linux only. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything, so count from behind it. The unit is 10 ms on every Linux.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function residentMiB(pid: number): number {
  const [, kB] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kB) / 1024;
}
