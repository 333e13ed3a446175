// Newline-delimited JSON from a byte stream, the format of a watch: lines of several MB, split anywhere by the network.

const NEWLINE = 0x0a;

/** A line that is no JSON; `isTruncated` when the stream ended in the middle of it. */
export class JsonLineError extends Error {
  override readonly name = 'JsonLineError';
  readonly isTruncated: boolean;

  constructor(bytes: number, isTruncated: boolean) {
    // Says nothing of the content: it may be a Secret.
    super(isTruncated ? `the stream ended within a line, after ${bytes} bytes` : `a line of ${bytes} bytes is no JSON`);
    this.isTruncated = isTruncated;
  }
}

/** Yields each line's value; blank lines are skipped. Throws JsonLineError, and whatever the stream throws. */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void, undefined> {
  // Parts of the unfinished line; joined once, when it ends, so that a long line costs no repeated copies.
  // Cut at bytes before decoding: in UTF-8 a newline byte is never part of another character.
  let parts: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(parts);
      parts = [];
      if (line.length > 0) yield parse(line, false);
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  const rest = Buffer.concat(parts);
  if (rest.length > 0) yield parse(rest, true);
}

function parse(line: Buffer, isLast: boolean): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    // The parser's own message quotes the text, so it is dropped.
    throw new JsonLineError(line.length, isLast);
  }
}
