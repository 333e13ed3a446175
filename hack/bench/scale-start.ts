// What the start of a controller takes, where there is much to read: memory, time, requests.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { repositoryRoot } from '../embedded/paths.ts';
import { Problem } from '../embedded/problem.ts';
import { AuditLog, type Requests, totalsOf } from './audit.ts';
import { cpuSecondsOf, median, residentMiB } from './measure.ts';
import type { Bench, Candidate, Running } from './scenario.ts';

export interface Start {
  readonly readyMs: number;
  /** The bare LISTs, just before. */
  readonly bareMs: number;
  readonly restMiB: number;
  readonly peakMiB: number;
  readonly requests: Requests;
}

const POLL_MS = 100;
/** Between two looks at it. */
const IDLE_CPU_SECONDS = 0.02;
const PATIENCE_MS = 900_000;
const WORKERS = 'system:kube-controller-manager';

/** Starts it, and waits until nothing has been written for `restMs`. It goes on running. */
export async function startMeasured(
  bench: Bench,
  candidate: Candidate,
  restMs: number,
): Promise<{ readonly running: Running; readonly start: Start }> {
  const bareMs = median([await bareLists(bench), await bareLists(bench)]);
  const running = await candidate.start();
  const requests = await rest(running, restMs, bench.signal);
  const { pid, readyMs } = running;
  return { running, start: { readyMs, bareMs, restMiB: residentMiB(pid), peakMiB: peakMiB(pid), requests } };
}

/** Resolves when it has written nothing for `ms`, and was idle; gives all that it has asked meanwhile. */
export async function rest(running: Running, ms: number, signal: AbortSignal): Promise<Requests> {
  const sum = new Map<string, number>();
  let cpuSeconds = cpuSecondsOf(running.pid);
  await stillness(ms, signal, async () => {
    const requests = await running.requests();
    for (const [key, count] of requests) sum.set(key, (sum.get(key) ?? 0) + count);
    const { writes, events } = totalsOf(requests);
    const worked = cpuSecondsOf(running.pid) - cpuSeconds;
    cpuSeconds += worked;
    // It looks at all that it holds once, and finds that there is nothing to do.
    return writes + events > 0 || worked > IDLE_CPU_SECONDS;
  });
  return sum;
}

/** Resolves when the controllers of Kubernetes have asked nothing for `ms`. */
export async function worldRest({ cluster, signal }: Bench, ms: number): Promise<void> {
  const audit = new AuditLog(cluster.auditLog);
  let before = 0;
  await stillness(ms, signal, async () => {
    const { writes } = totalsOf(audit.of(WORKERS));
    const moved = writes !== before;
    before = writes;
    return moved;
  });
}

async function stillness(ms: number, signal: AbortSignal, moves: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let since = performance.now(); performance.now() - since < ms; await sleep(POLL_MS, undefined, { signal })) {
    if (await moves()) since = performance.now();
    if (performance.now() > deadline) throw new Problem('The cluster does not come to rest.');
  }
}

/** The same LISTs and nothing else, by a process that has to start, too. In ms. */
async function bareLists({ cluster, signal }: Bench): Promise<number> {
  const startedAt = performance.now();
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig };
  const argv = ['--no-warnings', 'hack/bench/bare-lists.ts'];
  const child = spawn(process.execPath, argv, {
    cwd: repositoryRoot,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
    signal,
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Problem('The bare LISTs failed; see above.');
  return performance.now() - startedAt;
}

/** The most that was resident at any time. */
function peakMiB(pid: number): number {
  const [, kB] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kB) / 1024;
}
