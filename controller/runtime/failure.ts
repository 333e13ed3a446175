// What runtime code may learn from an error without knowing who threw it. Duck-typed on purpose: the HTTP layer, an
// app port and a test double all qualify, and `instanceof` fails across module realms (jest, bundles).

function field(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null && name in error ? Reflect.get(error, name) : undefined;
}

/** The HTTP status an error carries; undefined when it carries none, 0 when no answer came at all. */
export function statusOf(error: unknown): number | undefined {
  const status = field(error, 'status');
  return typeof status === 'number' ? status : undefined;
}

/** How long the server asked to be left alone, in ms; undefined when it did not say. */
export function retryAfterOf(error: unknown): number | undefined {
  const ms = field(error, 'retryAfterMs');
  return typeof ms === 'number' && Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}

/** The system error code (`ECONNRESET`…), if there is one. */
export function codeOf(error: unknown): string | undefined {
  const code = field(error, 'code');
  return typeof code === 'string' ? code : undefined;
}

/** A one-line text for whatever was thrown. */
export function messageOf(error: unknown): string {
  const message = field(error, 'message');
  if (typeof message === 'string' && message !== '') return message;
  // Node's happy-eyeballs AggregateError has an empty message: its first part says what happened.
  const parts = field(error, 'errors');
  if (Array.isArray(parts) && parts.length > 0) return messageOf(parts[0]);
  return codeOf(error) ?? String(error);
}
