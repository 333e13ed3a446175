// How a benchmark measures: requests that start when they are due, and the CPU time that they take.

import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
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
  const sorted = values.toSorted((a, b) => a - b);
  return percentiles((quantile) => sorted[Math.ceil(quantile * sorted.length) - 1] ?? Number.NaN);
}

export function ratiosOf(a: Percentiles, b: Percentiles): Percentiles {
  return { p50: a.p50 / b.p50, p90: a.p90 / b.p90, p99: a.p99 / b.p99, max: a.max / b.max };
}

export function textOf({ p50, p90, p99, max }: Percentiles): string {
  const digits = (value: number) => value.toFixed(1);
  return `p50 ${digits(p50)}  p90 ${digits(p90)}  p99 ${digits(p99)}  max ${digits(max)}`;
}

/** CPU seconds of each process since its start, and of the whole machine; Linux only. */
export function cpuSeconds(pids: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const busy = cpus().map(({ times: { user, nice, sys, irq } }) => user + nice + sys + irq);
  const machine = busy.reduce((a, b) => a + b, 0) / 1000;
  return new Map([...[...pids].map(([name, pid]) => [name, ofProcess(pid)] as const), ['whole machine', machine]]);
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
