// Bytes that should be JSON. What they say must never get into a log: it may be a Secret.

/** They are none. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError';
}

/** Joins the parts, which may be cut anywhere. Throws JsonTextError with what `problemOf` makes of their length. */
export function parseJson(parts: readonly Uint8Array[], problemOf: (bytes: number) => string): unknown {
  const [first] = parts;
  const isWhole = parts.length === 1 && first !== undefined;
  const bytes = isWhole ? Buffer.from(first.buffer, first.byteOffset, first.length) : Buffer.concat(parts);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // The parser's own message quotes the text, so it is dropped.
    throw new JsonTextError(problemOf(bytes.length));
  }
}
