// Every change that was made, and whether it arrived: nothing is lost that is not noticed here.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Change } from './changes.ts';
import type { Target } from './fleet.ts';

const MOST_SHOWN = 8;

export class Ledger {
  readonly changes: Change[] = [];
  /** Those of `changes` that have not arrived. */
  readonly #pending = new Set<Change>();
  readonly #targets: ReadonlyMap<string, Target>;

  constructor(targets: readonly Target[]) {
    this.#targets = new Map(targets.map((target) => [target.name, target]));
  }

  /** How many have not arrived yet. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** Takes what a template was seen to name. */
  see(name: string, mounted: string): void {
    const target = this.#targets.get(name);
    if (target === undefined) return;
    target.mounted = mounted;
    this.#arrive(target);
  }

  add(change: Change): void {
    this.changes.push(change);
    this.#pending.add(change);
    // The template may have been quicker than the answer to whoever wrote the source.
    this.#arrive(change.target);
  }

  /** Waits for all that is on its way, but not for ever; says in words what did not arrive, or did not stay. */
  async settle(patienceMs: number): Promise<readonly string[]> {
    const end = performance.now() + patienceMs;
    while (this.#problems().length > 0 && performance.now() < end) await sleep(200);
    return this.#problems();
  }

  #arrive(target: Target): void {
    for (const change of this.#pending) {
      if (change.target !== target || change.pin !== target.mounted) continue;
      change.lagMs = performance.now() - change.at;
      this.#pending.delete(change);
    }
  }

  #problems(): string[] {
    const unsettled = [...this.#targets.values()].filter(({ isSettled }) => !isSettled);
    return [
      ...[...this.#pending].map(({ target, pin }) => `the change of ${target.name} to ${pin} never arrived`),
      ...unsettled.map(({ name, mounted, expected, history }) => {
        const what = history.length > 0 ? `, after ${history.slice(-MOST_SHOWN).join(', ')}` : '';
        return `${name} names ${mounted}, and should name ${expected}${what}`;
      }),
    ];
  }
}
