// A file that says who is at work. A lock whose owner is gone (killed, or the machine was restarted) is nobody's.

import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isAlive, type ProcessId } from './processes.ts';

function ownerOf(path: string): ProcessId | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessId;
  } catch {
    return undefined;
  }
}

function isStale(path: string): boolean {
  const owner = ownerOf(path);
  return owner === undefined ? existsSync(path) : !isAlive(owner);
}

/** One at a time: whoever was slower would otherwise remove the lock of the one who was faster. */
function breakStale(path: string): void {
  if (!isStale(path)) return;
  const guard = `${path}.breaking`;
  try {
    mkdirSync(guard);
  } catch {
    const age = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > 10_000) rmSync(guard, { recursive: true, force: true });
    return;
  }
  if (isStale(path)) rmSync(path, { force: true });
  rmSync(guard, { recursive: true, force: true });
}

function tryLock(path: string): boolean {
  const me = JSON.stringify(identify(process.pid));
  try {
    writeFileSync(path, me, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  breakStale(path);
  return false;
}

interface Waiting {
  /** Told once, when another process has the lock. */
  readonly onWait?: (pid: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Runs `work` alone, among all processes. */
export async function withLock<T>(path: string, { onWait, signal }: Waiting, work: () => Promise<T>): Promise<T> {
  let told = false;
  while (!tryLock(path)) {
    signal?.throwIfAborted();
    const owner = ownerOf(path);
    if (!told && owner !== undefined && isAlive(owner)) {
      told = true;
      onWait?.(owner.pid);
    }
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}
