// Changes on one side, rollouts on the other, for each workload. No controller tells which change a rollout is for: one is
// taken for all changes before it that wait for one.

/** Of all workloads together. */
export interface Tallied {
  /** One for each workload that a change concerns. */
  readonly expected: number;
  readonly seen: number;
  /** Workloads whose last change no rollout followed. */
  readonly missed: number;
  /** Rollouts of a workload beyond the number of its changes. */
  readonly surplus: number;
  /** From each change to the first rollout after it, in ms. */
  readonly latencies: readonly number[];
  /** Those of each workload's first changes, which no controller has a reason to put off. */
  readonly early: readonly number[];
}

interface Account {
  changes: number;
  rollouts: number;
  /** The changes that wait for a rollout. */
  waiting: { readonly number: number; readonly at: number }[];
}

/** After five rollouts config-rollout slows a workload down. */
const EARLY = 3;

export class Tally {
  readonly #accounts = new Map<string, Account>();
  readonly #latencies: number[] = [];
  readonly #early: number[] = [];

  changed(key: string, at: number): void {
    const account = this.#account(key);
    account.changes += 1;
    account.waiting.push({ number: account.changes, at });
  }

  rolled(key: string, at: number): void {
    const account = this.#account(key);
    account.rollouts += 1;
    for (const change of account.waiting) {
      this.#latencies.push(at - change.at);
      if (change.number <= EARLY) this.#early.push(at - change.at);
    }
    account.waiting = [];
  }

  /** True when a rollout has followed the last change of each workload. */
  isEven(): boolean {
    return this.#sum(({ waiting }) => Number(waiting.length > 0)) === 0;
  }

  result(): Tallied {
    return {
      expected: this.#sum(({ changes }) => changes),
      seen: this.#sum(({ rollouts }) => rollouts),
      missed: this.#sum(({ waiting }) => Number(waiting.length > 0)),
      surplus: this.#sum(({ changes, rollouts }) => Math.max(0, rollouts - changes)),
      latencies: this.#latencies,
      early: this.#early,
    };
  }

  #sum(of: (account: Account) => number): number {
    return [...this.#accounts.values()].reduce((sum, account) => sum + of(account), 0);
  }

  #account(key: string): Account {
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = { changes: 0, rollouts: 0, waiting: [] };
      this.#accounts.set(key, account);
    }
    return account;
  }
}
