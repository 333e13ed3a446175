// Runs other programs to their end, one after the other, with all they say in a log, in a process group that is
// ended together: an interrupted build leaves no compiler behind.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { tailOf } from './components.ts';
import { Problem } from './problem.ts';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

export type Runner = (command: string, args: readonly string[], options?: RunOptions) => Promise<void>;

const TAIL_LINES = 15;

export function createRunner(log: string, signal?: AbortSignal): Runner {
  mkdirSync(dirname(log), { recursive: true });
  return (command, args, { cwd, env, onLine } = {}) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const output = createWriteStream(log, { flags: 'a' });
      output.write(`$ ${command} ${args.join(' ')}\n`);
      const child = spawn(command, [...args], {
        cwd,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...env },
      });
      const kill = () => {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      };
      signal?.addEventListener('abort', kill, { once: true });
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          output.write(`${line}\n`);
          onLine?.(line);
        });
      }
      const finish = (problem?: string) => {
        signal?.removeEventListener('abort', kill);
        output.end(() => {
          if (signal?.aborted === true) reject(signal.reason);
          else if (problem === undefined) resolve();
          else reject(new Problem(`${problem} (whole log: ${log}).`, tailOf(log, TAIL_LINES)));
        });
      };
      child.once('error', (error) => finish(`${command} could not be run: ${error.message}`));
      child.once('close', (code) => finish(code === 0 ? undefined : `${command} failed with exit code ${code}`));
    });
}
