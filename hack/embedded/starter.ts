// Starts the parts of a cluster one by one and waits for what they promise, and never longer than they live: a part
// that ends is reported at once, with the end of its log.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Program, tailOf } from './components.ts';
import type { Layout } from './paths.ts';
import { messageOf, Problem } from './problem.ts';
import { startDetached } from './processes.ts';
import { type Component, deadComponents, type State, writeState } from './state.ts';

export type Log = (line: string) => void;

const TAIL_LINES = 15;

export class Starter {
  readonly files: Layout;
  readonly log: Log;
  readonly #signal: AbortSignal | undefined;
  #state: State;

  constructor(files: Layout, state: State, log: Log, signal?: AbortSignal) {
    this.files = files;
    this.log = log;
    this.#signal = signal;
    this.#state = state;
    writeState(files, state);
  }

  get state(): State {
    return this.#state;
  }

  note(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    writeState(this.files, this.#state);
  }

  async start(program: Program, env: Readonly<Record<string, string>> = {}): Promise<Component> {
    this.#signal?.throwIfAborted();
    const log = join(this.files.logs, `${program.name}.log`);
    try {
      const process = await startDetached({ ...program, log, env });
      const component = { name: program.name, process, ports: program.ports, log };
      this.note({ components: [...this.#state.components, component] });
      return component;
    } catch (error) {
      throw new Problem(`${program.name} could not be started: ${messageOf(error)}.`);
    }
  }

  /** Asks until the answer is yes. `sentence` says what did not happen, when the time is up. */
  async until(sentence: string, seconds: number, ask: () => Promise<boolean>, suspect?: Component): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    let trouble: string | undefined;
    for (;;) {
      this.#signal?.throwIfAborted();
      this.#everyoneLives();
      const yes = await ask().catch((error) => {
        trouble = messageOf(error);
        return false;
      });
      if (yes) return;
      if (Date.now() > deadline) {
        throw new Problem(
          `${sentence} within ${seconds} s.`,
          suspect === undefined ? trouble : tailOf(suspect.log, TAIL_LINES),
        );
      }
      await sleep(50);
    }
  }

  #everyoneLives(): void {
    const [dead] = deadComponents(this.#state);
    if (dead !== undefined) {
      throw new Problem(`${dead.name} ended while the cluster was starting.`, tailOf(dead.log, TAIL_LINES));
    }
  }
}

/** Tells how long each part took. */
export async function timed<T>(log: Log, what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  log(`${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  return result;
}
