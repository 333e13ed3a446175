// The little a reflector must know of the raw JSON it passes on: who an object is, and what a Status says.

import type { ListPage, WatchEvent } from './list-watch.ts';

export interface Identity {
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string | undefined;
}

/** Reads metadata from a raw object; what is missing is empty. */
export function identify(raw: unknown): Identity {
  const metadata = member(raw, 'metadata');
  return {
    namespace: text(metadata, 'namespace') ?? '',
    name: text(metadata, 'name') ?? '',
    resourceVersion: text(metadata, 'resourceVersion') || undefined,
  };
}

/** An ERROR event: the server's Status, as an error that carries `status`, `reason` and `retryAfterMs`. */
export class WatchError extends Error {
  override readonly name = 'WatchError';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, status: number, reason: string, retryAfterMs: number | undefined) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }

  static fromStatus(raw: unknown): WatchError {
    const code = member(raw, 'code');
    const seconds = member(member(raw, 'details'), 'retryAfterSeconds');
    return new WatchError(
      text(raw, 'message') ?? 'the watch reported an error without a message',
      typeof code === 'number' ? code : 0,
      text(raw, 'reason') ?? '',
      typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined,
    );
  }
}

/** Whether an error says that a resourceVersion or continue token is too old: only a fresh list helps. */
export function isExpired(error: unknown): boolean {
  const reason = member(error, 'reason');
  return member(error, 'status') === 410 || reason === 'Expired' || reason === 'Gone';
}

/** The `kind` of a raw object. */
export function kindOf(raw: unknown): string | undefined {
  return text(raw, 'kind');
}

/** A list as the API sends it, or without its items; undefined when it is none. */
export function decodeListPage(raw: unknown): (ListPage & { readonly items: readonly unknown[] }) | undefined {
  const metadata = member(raw, 'metadata');
  const resourceVersion = text(metadata, 'resourceVersion');
  // An empty list of some resources is null.
  const items = member(raw, 'items') ?? [];
  if (resourceVersion === undefined || !Array.isArray(items)) return undefined;
  return { items, resourceVersion, continueToken: text(metadata, 'continue') || undefined };
}

/** A line of a watch; undefined when it is none. */
export function decodeWatchEvent(raw: unknown): WatchEvent | undefined {
  const type = text(raw, 'type');
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
    case 'ERROR':
      return { type, object: member(raw, 'object') };
    default:
      return undefined;
  }
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function text(value: unknown, key: string): string | undefined {
  const found = member(value, key);
  return typeof found === 'string' ? found : undefined;
}
