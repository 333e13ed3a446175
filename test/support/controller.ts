// The real executable, in a process of its own, under the ServiceAccount's token.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CONTROLLER_FLAGS } from '../../hack/node-flags.ts';

export interface Controller {
  /** Lines of the log, parsed. */
  readonly log: readonly Record<string, unknown>[];
  readonly stdout: readonly string[];
  readonly pid: number;
  /** SIGTERM; gives the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: it stands still, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** The exit code, when it has ended by itself or was stopped; null when it was killed. */
  readonly exited: Promise<number | null>;
}

export interface ControllerOptions {
  readonly args?: readonly string[];
  readonly kubeconfig?: string;
  /** true: at the port where the API server expects the webhook. Without it nothing listens there, and requests pass. Default: what TEST_ADMISSION says. */
  readonly admission?: boolean | number;
  /** A module that is loaded before the program. */
  readonly preload?: string;
}

const COMPLETE = 'caches are complete';
const ADMITTING = 'admission is served';

let admitting = false;
/** Whether the controller that was started last serves admission. */
export function servesAdmission(): boolean {
  return admitting;
}

/** Resolves when its caches are complete and admission, if on, is served. Throws with its output when it exits before. */
export async function startController({
  args = [],
  kubeconfig,
  admission = process.env['TEST_ADMISSION'] === 'on',
  preload,
}: ControllerOptions = {}): Promise<Controller> {
  admitting = admission !== false;
  const config = kubeconfig ?? env('TEST_CONTROLLER_KUBECONFIG');
  const port = admission === true ? env('TEST_WEBHOOK_PORT') : String(admission);
  const awaited = new Set(admission === false ? [COMPLETE] : [COMPLETE, ADMITTING]);
  const flags = [
    '--kubeconfig',
    config,
    '--log-format',
    'json',
    '--log-level',
    'debug',
    '--sweep-grace',
    '3s',
    // More than the milliseconds between two documents of one local apply.
    '--settle',
    '300ms',
    ...(admission === false ? [] : ['--webhook-port', port]),
    ...args,
  ];
  const node = [...CONTROLLER_FLAGS, ...(preload === undefined ? [] : ['--no-warnings', `--import=${preload}`])];
  const child = spawn(process.execPath, [...node, 'dist/config-rollout-controller', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: Record<string, unknown>[] = [];
  const stdout: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    keep(line);
    stdout.push(line);
  });
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      keep(line);
      log.push(line.startsWith('{') ? JSON.parse(line) : { message: line });
      for (const text of awaited) if (line.includes(text)) awaited.delete(text);
      if (awaited.size === 0) resolve();
    });
    child.once('exit', (code) =>
      reject(new Error(`the controller exited with ${code}: ${JSON.stringify(log.slice(-5))}`)),
    );
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  await ready;
  return {
    log,
    stdout,
    pid: child.pid ?? 0,
    stop: async () => (await end(child, 'SIGTERM')) as number | null,
    kill: async () => {
      await end(child, 'SIGKILL');
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    exited,
  };
}

/** For a look at all that was ever said, at the end of a run of tests. */
function keep(line: string): void {
  const path = process.env['TEST_CONTROLLER_OUTPUT'];
  if (path !== undefined) appendFileSync(path, `${line}\n`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = once(child, 'exit');
  child.kill(signal);
  const [code] = await exit;
  return code;
}

export function env(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the integration tests through npm run integration`);
  return value;
}
