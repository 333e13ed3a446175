// Waiting until a namespace is as it should be, and nobody writes there any more.

import type { KubeClient } from '../../controller/kube/client.ts';
import type { Observatory, View, Writes } from './history-view.ts';

const CALM_MS = 1000;

/** What all histories of a run share. */
export interface Surroundings {
  readonly client: KubeClient;
  readonly observatory: Observatory;
  readonly writes: Writes;
  /** Counts up with each disturbance that begins or ends; 0: nothing has disturbed this run. */
  readonly disturbances: () => number;
  /** How long it may take to come to rest: what was rolled too often waits for half a minute. */
  readonly patienceMs: number;
}

/** A promise that was broken: what the history was at, and what is wrong. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

/**
 * Waits until `look` finds nothing wrong, and the controller has written nothing for a while; `at` says in Broken what the
 * history was at.
 */
export async function untilRest(
  around: Surroundings,
  namespace: string,
  at: string,
  look: (view: View) => string[],
): Promise<View> {
  const { observatory, writes } = around;
  const patience = new Patience(around);
  let calm: { readonly since: number; readonly writes: number } | undefined;
  for (;;) {
    const view = await observatory.look(namespace);
    const now = performance.now();
    const wrong = look(view);
    const count = writes.in(namespace);
    if (wrong.length > 0) calm = undefined;
    else if (calm?.writes !== count) calm = { since: now, writes: count };
    else if (now - calm.since >= CALM_MS) return view;
    if (patience.isOut(now)) {
      const why = wrong.length > 0 ? wrong : ['the controller writes on and on:', ...writes.latest(namespace)];
      throw new Broken(`after ${at}: ${why.join('; ')}`);
    }
  }
}

/** Begins anew where something is disturbed meanwhile. */
class Patience {
  readonly #around: Surroundings;
  #end: number;
  #disturbances: number;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#end = performance.now() + around.patienceMs;
    this.#disturbances = around.disturbances();
  }

  isOut(now: number): boolean {
    const { patienceMs, disturbances } = this.#around;
    if (disturbances() !== this.#disturbances) {
      this.#disturbances = disturbances();
      this.#end = now + patienceMs;
    }
    return now > this.#end;
  }
}
