// Processes that outlive the one that starts them. A pid alone says little an hour later: pids are used again, so each
// is kept with the time its process started, and nothing is signalled unless both still fit.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks from boot, and which boot. */
  readonly started: string;
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Undefined when there is no such process, or only its zombie. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, so count from behind it.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return state === 'Z' || state === 'X' ? undefined : `${fields[18]}@${boot}`;
  } catch {
    return undefined;
  }
}

export function identify(pid: number): ProcessId | undefined {
  const started = startOf(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isAlive(id: ProcessId): boolean {
  return startOf(id.pid) === id.started;
}

/** Starts a process of its own session that keeps nobody waiting, with its output in a file. */
export async function startDetached({ command, args, log, env }: Command): Promise<ProcessId> {
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, 'a', 0o600);
  const child = spawn(command, [...args], {
    detached: true,
    stdio: ['ignore', output, output],
    cwd: dirname(log),
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', HOME: dirname(log), ...env },
  });
  closeSync(output);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
  const pid = child.pid ?? -1;
  return identify(pid) ?? { pid, started: 'ended at once' };
}

function signal(id: ProcessId, name: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  // The whole group of those that were started here, which lead their own; the process alone otherwise.
  for (const target of [-id.pid, id.pid]) {
    try {
      process.kill(target, name);
      return;
    } catch {
      // No such group, or gone between the look and the signal.
    }
  }
}

async function waitForEnd(id: ProcessId, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (isAlive(id)) {
    if (Date.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

/** Asks first, unless `patienceMs` is 0, and insists after that. */
export async function stop(id: ProcessId, patienceMs: number): Promise<void> {
  if (patienceMs > 0) {
    signal(id, 'SIGTERM');
    if (await waitForEnd(id, patienceMs)) return;
  }
  signal(id, 'SIGKILL');
  if (!(await waitForEnd(id, 10_000))) throw new Error(`process ${id.pid} does not end, not even by SIGKILL`);
}
