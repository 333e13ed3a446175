// Child abort controllers without leaks: AbortSignal.any keeps every child reachable from a parent that lives as long
// as the process, and a reflector makes a child for every watch.

export interface ChildAbort {
  readonly signal: AbortSignal;
  /** Aborts the child only. */
  abort(reason: unknown): void;
  /** Cuts the tie to the parent; call it when the work is over. */
  unlink(): void;
}

/** A signal that aborts with its parent, for the parent's reason, or alone. */
export function childAbort(parent: AbortSignal | undefined): ChildAbort {
  const controller = new AbortController();
  const follow = (): void => controller.abort(parent?.reason);
  if (parent?.aborted === true) follow();
  else parent?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => parent?.removeEventListener('abort', follow),
  };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
