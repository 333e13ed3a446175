// A controller as a process of its own: started, waited for, counted, stopped. What it is, only its target knows.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { variableOf } from '../../controller/config-flags.ts';
import { repositoryRoot } from '../embedded/paths.ts';
import { Problem } from '../embedded/problem.ts';
import { type AuditLog, difference, type Requests } from './audit.ts';
import type { Candidate, Running, Settings } from './scenario.ts';
import type { Target } from './targets.ts';

export interface CandidateOptions {
  readonly name: string;
  readonly target: Target;
  /** For a shell, in the root of the repository. `{kubeconfig}` stands for the path that $KUBECONFIG has, too. */
  readonly command: string;
  readonly kubeconfig: string;
  /** What the audit log calls whoever has that kubeconfig. */
  readonly user: string;
  readonly audit: AuditLog;
  /** Where the API server expects its webhooks. */
  readonly webhookPort: number;
  /** A folder for its output. */
  readonly dataDir: string;
}

// Nothing is waited for: the shortest that there is. Its default would be measured, and not the work.
const SETTINGS: Settings = { settle: '0s' };
const PATIENCE_MS = 120_000;
const POLL_MS = 10;
const QUIET_MS = 1000;
const TAIL_LINES = 10;

export class CandidateProcess implements Candidate {
  readonly name: string;
  readonly target: Target;
  readonly #options: CandidateOptions;
  #running: RunningProcess | undefined;

  constructor(options: CandidateOptions) {
    this.name = options.name;
    this.target = options.target;
    this.#options = options;
  }

  async start(settings: Settings = {}): Promise<Running> {
    await this.stop();
    this.#running = new RunningProcess(this.#options, { ...SETTINGS, ...this.#admission(), ...settings });
    await this.#running.ready();
    return this.#running;
  }

  #admission(): Settings {
    const { target, webhookPort } = this.#options;
    return target.servingText === undefined ? {} : { 'webhook-port': String(webhookPort) };
  }

  /** Does nothing when it is not running. */
  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }
}

class RunningProcess implements Running {
  readonly #options: CandidateOptions;
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #startedAt = performance.now();
  readonly #atStart: Requests;
  #counted: Requests;
  #readyMs = Number.NaN;

  constructor(options: CandidateOptions, settings: Settings) {
    this.#options = options;
    this.#log = join(options.dataDir, `${options.name.replace(/\W+/g, '-')}.log`);
    this.#atStart = this.#counted = options.audit.of(options.user);
    const output = openSync(this.#log, 'w');
    const flags = Object.entries(settings).map(([flag, value]) => [variableOf(flag), value]);
    this.#child = spawn('sh', ['-c', `exec ${options.command.replaceAll('{kubeconfig}', options.kubeconfig)}`], {
      cwd: repositoryRoot,
      stdio: ['ignore', output, output],
      // A group of its own: an interrupt ends it in good order, through this process.
      detached: true,
      env: {
        ...process.env,
        ...Object.fromEntries(flags),
        KUBECONFIG: options.kubeconfig,
        // The project's own Node, so that no program starts another for itself, with another pid.
        PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`,
      },
    });
    closeSync(output);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get readyMs(): number {
    return this.#readyMs;
  }

  async ready(): Promise<void> {
    const { readyText, servingText } = this.#options.target;
    if (readyText === undefined) await this.#untilItHasRead();
    else await this.#untilItPrints(readyText);
    this.#readyMs = performance.now() - this.#startedAt;
    if (servingText !== undefined) await this.#untilItPrints(servingText);
  }

  async requests(): Promise<Requests> {
    const now = this.#sinceForever();
    const since = difference(this.#counted, now);
    this.#counted = now;
    return since;
  }

  async quiet(ms = QUIET_MS): Promise<void> {
    let [count, since] = [this.#count(), performance.now()];
    await this.#until('comes to rest', async () => {
      const now = this.#count();
      if (now !== count) [count, since] = [now, performance.now()];
      return performance.now() - since >= ms;
    });
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  #untilItPrints(text: string): Promise<void> {
    return this.#until(`prints "${text}"`, async () => readFileSync(this.#log, 'utf8').includes(text));
  }

  /** It has asked for something, and then for nothing more. (Old servers log a watch no sooner than it ends.) */
  async #untilItHasRead(): Promise<void> {
    await this.#until('asks for anything', async () => difference(this.#atStart, this.#sinceForever()).size > 0);
    await this.quiet();
  }

  #sinceForever(): Requests {
    return this.#options.audit.of(this.#options.user);
  }

  #count(): number {
    return [...this.#sinceForever().values()].reduce((sum, count) => sum + count, 0);
  }

  async #until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await condition())) {
      const { exitCode, signalCode } = this.#child;
      if (exitCode !== null || signalCode !== null) throw this.#problem(`ended (${exitCode ?? signalCode})`);
      if (performance.now() > deadline) throw this.#problem(`was not seen that it ${what}`);
      await sleep(POLL_MS);
    }
  }

  #problem(what: string): Problem {
    const tail = readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
    return new Problem(`${this.#options.name} ${what}.`, tail);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const { exitCode, signalCode, pid } = this.#child;
    if (exitCode !== null || signalCode !== null || pid === undefined) return;
    const ended = once(this.#child, 'exit');
    process.kill(-pid, signal);
    await ended;
  }
}
