// How a reflector reports trouble that goes on for hours: once, in words an operator can act on, then quietly.

import { messageOf, statusOf } from './failure.ts';
import type { Log } from './log.ts';
import { isExpired } from './raw-object.ts';

export interface FailureStreakOptions {
  /** What is listed and watched, such as `configmaps`. */
  readonly name: string;
  readonly scope: string;
  readonly log: Log;
}

export class FailureStreak {
  readonly #options: FailureStreakOptions;
  /** The failure last reported, while it goes on. */
  #current: string | undefined;

  constructor(options: FailureStreakOptions) {
    this.#options = options;
  }

  /** Loud for the first of a streak of equal failures, at debug level for the others. */
  report(error: unknown, verb: 'list' | 'watch', waitMs: number): void {
    const { name, scope, log } = this.#options;
    const status = statusOf(error);
    const fields = { reflector: name, scope, status, error: messageOf(error), retryInMs: Math.round(waitMs) };
    if (isExpired(error)) {
      // Ordinary life of a long-lived client: nothing to act on, and no streak.
      log('info', `the ${verb} expired; listing anew`, fields);
      return;
    }
    const isRefused = status === 401 || status === 403;
    const failure = isRefused ? `${status}` : `${verb} ${messageOf(error)}`;
    const isNew = failure !== this.#current;
    this.#current = failure;
    log(isNew ? (isRefused ? 'error' : 'warn') : 'debug', this.#sentence(status, verb), fields);
  }

  /** All is well again. */
  end(): void {
    const { name, scope, log } = this.#options;
    if (this.#current !== undefined) log('info', 'watching again', { reflector: name, scope });
    this.#current = undefined;
  }

  #sentence(status: number | undefined, verb: string): string {
    const { name, scope } = this.#options;
    const where = scope === '' ? 'in all namespaces' : `in namespace ${scope}`;
    if (status === 401) return `the API server does not accept our credentials to ${verb} ${name} ${where}; retrying`;
    if (status === 403) return `not allowed to ${verb} ${name} ${where}: grant list and watch on it; retrying`;
    return `cannot ${verb} ${name} ${where}; retrying`;
  }
}
