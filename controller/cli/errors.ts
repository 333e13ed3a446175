// What ends a command, and how it is told: in kubectl's words, so that scripts and eyes that know kubectl's errors know
// these.

import { ClusterError, type FailureKind } from '../app/errors.ts';
import { messageOf } from '../runtime/failure.ts';

/** The command line makes no sense; the answer points to the help. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What was asked for cannot be done; the message names the object, the cause and the next step. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export interface ServerErrorFields {
  readonly kind: FailureKind;
  readonly message: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The Status reason: `NotFound`, `Forbidden`… May be empty. */
  readonly reason: string;
  /** The Status details, as the server sent them. */
  readonly details?: unknown;
  /** Not this object is missing, but its whole kind: the message says so, as kubectl does before it asks. */
  readonly isUnknownType?: boolean;
  /** The next step, told after the server's own words. */
  readonly hint?: string;
}

/** What the API server answered, or why nothing was heard from it. */
export class ServerError extends ClusterError {
  readonly fields: ServerErrorFields;

  constructor(fields: ServerErrorFields) {
    super(fields.kind, fields.message);
    this.fields = fields;
  }

  withHint(hint: string): ServerError {
    return new ServerError({ ...this.fields, hint });
  }
}

/** The lines for stderr. `self` is the command as it was called: `kubectl set-owner`. */
export function renderError(error: unknown, self: string): string {
  if (error instanceof UsageError) return `error: ${error.message}\nSee '${self} --help' for usage.\n`;
  if (!(error instanceof ServerError)) return `error: ${messageOf(error)}\n`;
  const { hint } = error.fields;
  return `${renderServerError(error.fields)}\n${hint === undefined ? '' : `${hint}\n`}`;
}

interface Cause {
  readonly field?: unknown;
  readonly message?: unknown;
}

function renderServerError({ status, reason, message, details, isUnknownType }: ServerErrorFields): string {
  if (status === 0 || isUnknownType) return `error: ${message}`;
  if (status === 401) return `error: You must be logged in to the server (${reason || 'Unauthorized'})`;
  const { kind, name, causes } = (details ?? {}) as { kind?: unknown; name?: unknown; causes?: readonly Cause[] };
  if (reason === 'Invalid' && kind && name && causes?.length) {
    const lines = causes.map((cause) => `${cause.field}: ${cause.message}`);
    const text = lines.length === 1 ? lines[0] : `\n* ${lines.join('\n* ')}`;
    return `The ${kind} "${name}" is invalid: ${text}`;
  }
  return `Error from server${reason === '' ? '' : ` (${reason})`}: ${message}`;
}
