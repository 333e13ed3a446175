// The one error the REST layer throws: what the API server said, or why nothing was heard from it. Everything above
// decides by status and reason; no request body is ever in it, since bodies may hold Secrets.

import { codeOf, messageOf } from '../runtime/failure.ts';

export interface ApiErrorFields {
  /** HTTP status; 0 when there was no answer, or none that can be read. */
  readonly status: number;
  /** The Status reason (`NotFound`, `Conflict`…); for status 0: NetworkError, Timeout or MalformedResponse. */
  readonly reason: string;
  readonly message: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** In ms; only when the server asked to wait. */
  readonly retryAfterMs?: number | undefined;
  /** The Status details, as the server sent them. */
  readonly details?: unknown;
  readonly cause?: unknown;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  readonly method: string;
  readonly path: string;
  readonly retryAfterMs: number | undefined;
  readonly details: unknown;

  constructor(fields: ApiErrorFields) {
    super(fields.message, fields.cause === undefined ? {} : { cause: fields.cause });
    this.status = fields.status;
    this.reason = fields.reason;
    this.method = fields.method;
    this.path = fields.path;
    this.retryAfterMs = fields.retryAfterMs;
    this.details = fields.details;
  }
}

/** What was asked, for the errors about it. */
export interface Asked {
  readonly method: string;
  readonly path: string;
}

export interface Answer {
  readonly status: number;
  /** The Retry-After header: seconds or a date. */
  readonly retryAfter: string | undefined;
  readonly text: string;
}

const LONGEST_QUOTE = 200;

/** An answer of 400 and above: a Status, or whatever a proxy on the way had to say. */
export function errorFromAnswer({ method, path }: Asked, { status, retryAfter, text }: Answer): ApiError {
  const body = parseStatus(text);
  const seconds = body?.details?.retryAfterSeconds;
  const fromBody = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
  // What others say of a Secret may quote it: admission webhooks, and proxies.
  const isSecret = /\/secrets(\/|$)/.test(path);
  const said = typeof body?.message === 'string' ? body.message : '';
  return new ApiError({
    status,
    reason: typeof body?.reason === 'string' ? body.reason : '',
    message:
      (isSecret ? said.replace(/(denied the request)\b.*$/s, '$1') : said) ||
      describe(method, path, status, isSecret ? '' : text),
    method,
    path,
    retryAfterMs: parseRetryAfter(retryAfter, Date.now()) ?? fromBody,
    details: body?.details,
  });
}

/** No answer: refused, reset, unknown host, bad certificate. `server` is the address as configured. */
export function errorFromNetwork({ method, path }: Asked, server: string, cause: unknown): ApiError {
  const message = `cannot reach the API server at ${server}: ${plainCause(cause)}`;
  return new ApiError({ status: 0, reason: 'NetworkError', message, method, path, cause });
}

export function errorFromTimeout({ method, path }: Asked, timeoutMs: number): ApiError {
  const message = `${method} ${path}: no complete answer within ${timeoutMs / 1000} s`;
  return new ApiError({ status: 0, reason: 'Timeout', message, method, path });
}

/** An answer that came but is not what the API promises. `what` must not quote the body. */
export function errorFromMalformed({ method, path }: Asked, what: string): ApiError {
  const message = `${method} ${path}: ${what}`;
  return new ApiError({ status: 0, reason: 'MalformedResponse', message, method, path });
}

/** Delay in ms from a Retry-After header, seconds or HTTP date; undefined when absent, unreadable or past. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^[0-9]+$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) || at <= nowMs ? undefined : at - nowMs;
}

interface StatusBody {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}

function parseStatus(text: string): StatusBody | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null && Reflect.get(body, 'kind') === 'Status' ? body : undefined;
  } catch {
    return undefined;
  }
}

function describe(method: string, path: string, status: number, text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const quote = line.length > LONGEST_QUOTE ? `${line.slice(0, LONGEST_QUOTE)}…` : line;
  return `${method} ${path}: the server answered ${status}${quote === '' ? ' without a text' : `: ${quote}`}`;
}

function plainCause(cause: unknown): string {
  switch (codeOf(cause)) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'connection reset';
    case 'ENOTFOUND':
      return 'no such host';
    case 'EAI_AGAIN':
      return 'the host name cannot be resolved at the moment';
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no route or no answer from the host';
    default:
      return messageOf(cause);
  }
}
