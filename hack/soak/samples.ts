// What a process weighs at a moment: from /proc, and from its own metrics.

import { readdirSync, readlinkSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { residentMiB } from '../bench/measure.ts';

export interface Sample {
  /** ms of performance.now(). */
  readonly at: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly descriptors: number;
  readonly sockets: number;
  /** As Node counts them: sockets, timers that hold the process, and the like. */
  readonly handles: number;
  /** p99 since the sample before. */
  readonly loopLagMs: number;
  /** The same of this program, which has nothing to do: what the machine costs. */
  readonly ownLagMs: number;
  /** Keys that wait in all queues. */
  readonly queued: number;
}

/** Undefined when the process does not answer in time, or is gone. */
export async function sample(pid: number, metricsPort: number): Promise<Sample | undefined> {
  try {
    const options = { headers: { connection: 'close' }, signal: AbortSignal.timeout(5_000) };
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`, options)).text();
    const descriptors = descriptorsOf(pid);
    return {
      at: performance.now(),
      rssMiB: residentMiB(pid),
      heapMiB: sum(text, 'nodejs_heap_size_used_bytes') / 2 ** 20,
      descriptors: descriptors.length,
      sockets: descriptors.filter((target) => target.startsWith('socket:')).length,
      handles: sum(text, 'nodejs_active_handles_total'),
      loopLagMs: sum(text, 'nodejs_eventloop_lag_p99_seconds') * 1000,
      ownLagMs: ownLag(),
      queued: sum(text, 'workqueue_depth'),
    };
  } catch {
    return undefined;
  }
}

const delay = monitorEventLoopDelay();
delay.enable();

function ownLag(): number {
  const ms = delay.percentile(99) / 1e6;
  delay.reset();
  return ms;
}

function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      // Closed since it was listed.
      return [];
    }
  });
}

/** Of all samples of that name; of none, 0. */
function sum(text: string, name: string): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
