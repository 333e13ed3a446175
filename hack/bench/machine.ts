// What the figures were measured on: without it they mean little.

import { execFileSync } from 'node:child_process';
import { cpus, release, type as systemType, totalmem } from 'node:os';
import { repositoryRoot } from '../embedded/paths.ts';

export interface Machine {
  readonly cpus: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly kubernetes: string;
  /** Undefined where this is no checkout. `+`: with changes. */
  readonly commit: string | undefined;
}

export function describeMachine(kubernetes: string): Machine {
  const all = cpus();
  return {
    cpus: all.length,
    model: all[0]?.model.trim() || 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${systemType()} ${release()}`,
    node: process.version,
    kubernetes,
    commit: commit(),
  };
}

export function machineText({ cpus, model, memoryGiB, kernel, node, kubernetes, commit }: Machine): string {
  const parts = [`${cpus} × ${model}`, `${memoryGiB} GiB`, kernel, `Node ${node}`, `Kubernetes ${kubernetes}`];
  return [...parts, ...(commit === undefined ? [] : [`commit ${commit}`])].join(', ');
}

function commit(): string | undefined {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: repositoryRoot, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return `${git('rev-parse', '--short=10', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`;
  } catch {
    return undefined;
  }
}
