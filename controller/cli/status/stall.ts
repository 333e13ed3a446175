// A change that stays about to roll out, where something should have begun: whoever waits for it should hear what to look at.

import { intervalMsLeft } from '../../core/policy.ts';
import { printed } from '../resources.ts';
import type { WorkloadStatus } from './read.ts';
import { progressLine } from './render.ts';

/** A controller begins within seconds, also after another has gone. */
const STALLED_MS = 30_000;

/** Says once what may be wrong, when a workload has been Pending, and nothing else, for long. */
export class StallWatch {
  readonly #pending = new Map<string, { readonly line: string; readonly since: number }>();
  #isSaid = false;

  /** A hint at the first look at which there is one. `now` is a clock of any origin, in milliseconds. */
  look(statuses: readonly WorkloadStatus[], now: number): string | undefined {
    if (this.#isSaid) return undefined;
    const stalled = statuses.filter((status) => this.#isStalled(status, now));
    const [first] = stalled;
    if (first === undefined) return undefined;
    this.#isSaid = true;
    return hint(first);
  }

  #isStalled(status: WorkloadStatus, now: number): boolean {
    const { reason, policy } = status;
    const { uid } = status.workload;
    // A policy may hold it for longer, and that is as it should be.
    if (reason !== 'Pending' || intervalMsLeft(policy, {}, Date.now()) > 0) {
      this.#pending.delete(uid);
      return false;
    }
    const line = progressLine(status);
    const before = this.#pending.get(uid);
    if (before?.line === line) return now - before.since >= STALLED_MS + (policy.settleMs ?? 0);
    this.#pending.set(uid, { line, since: now });
    return false;
  }
}

function hint(status: WorkloadStatus): string {
  const { sources = [] } = status.status;
  const ofSecrets = sources.some(({ kind, state }) => kind === 'Secret' && state === 'Pending')
    ? '--secrets, and with '
    : '';
  return `${printed(status)} has been pending for a while: no controller seems to work on it; check that one runs (kubectl -n config-rollout get pods), that it runs with ${ofSecrets}--namespaces and --namespace-selector that include ${status.namespace}, and what its log says`;
}
