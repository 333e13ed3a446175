// What can go wrong with a request, in the words that decide what happens next. kube/ translates once; nobody else looks
// at status codes.

/**
 * Conflict: the world moved on, look again. AlreadyExists, NotFound: as said. Forbidden: RBAC. QuotaExceeded: a
 * ResourceQuota. Rejected: validation or admission refused it, and will again. Unavailable: everything that may pass.
 */
export type FailureKind =
  | 'Conflict'
  | 'AlreadyExists'
  | 'NotFound'
  | 'Forbidden'
  | 'QuotaExceeded'
  | 'Rejected'
  | 'Unavailable';

// What only a person can mend is not worth a request every few milliseconds.
const PATIENCE_MS: Partial<Record<FailureKind, number>> = {
  Forbidden: 10_000,
  QuotaExceeded: 10_000,
  Rejected: 10_000,
};

export class ClusterError extends Error {
  readonly kind: FailureKind;
  /** Not before this many milliseconds; the worker loop heeds it. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: FailureKind, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'ClusterError';
    this.kind = kind;
    this.retryAfterMs = retryAfterMs ?? PATIENCE_MS[kind];
  }
}

export function isFailure(error: unknown, kind: FailureKind): boolean {
  return error instanceof ClusterError && error.kind === kind;
}
