// Whether a machine lets its containers be run: control groups, namespaces and overlays, each tried out, because there are
// more ways to forbid them than could be looked up.

import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from './problem.ts';

/** Why containers cannot be run here; undefined when nothing speaks against it. `folder` comes and goes. */
export async function containerObstacle(folder: string, busybox: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it needs root';
  return cgroupObstacle() ?? (await namespaceObstacle(folder, busybox));
}

function cgroupObstacle(): string | undefined {
  const tree = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
  const group = join(tree, `config-rollout-probe-${process.pid}`);
  try {
    accessSync(join(tree, 'cgroup.procs'), constants.W_OK);
    mkdirSync(group);
    rmdirSync(group);
    return undefined;
  } catch (error) {
    return `control groups cannot be used (${messageOf(error)})`;
  }
}

/** Tries the two things that machines without all rights forbid: namespaces, and mounting an overlay in that folder. */
async function namespaceObstacle(folder: string, busybox: string): Promise<string | undefined> {
  for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(folder, name), { recursive: true });
  const unshare = ['unshare', '-m', '-n', '-p', '-f', '--mount-proc', busybox];
  const overlay = ['-t', 'overlay', '-o', 'lowerdir=lower,upperdir=upper,workdir=work', 'overlay', 'merged'];
  const attempt = async (...args: string[]) => {
    await promisify(execFile)(busybox, [...unshare, ...args], { cwd: folder });
  };
  try {
    await attempt('true').catch((error) => Promise.reject(new Error(`namespaces are forbidden (${reason(error)})`)));
    await attempt('mount', ...overlay).catch((error) => Promise.reject(new Error(`no overlayfs (${reason(error)})`)));
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const reason = (error: unknown): string => messageOf(error).trim().split('\n').at(-1) ?? '';
