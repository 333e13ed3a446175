// Newline-delimited JSON from a byte stream, the format of a watch: lines of several MB, split anywhere by the network.

import { parseJson } from './json-text.ts';

const NEWLINE = 0x0a;

/** Yields each line's value; blank lines are skipped. Throws JsonTextError, and whatever the stream throws. */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void, undefined> {
  // Parts of the unfinished line; joined once, when it ends, so that a long line costs no repeated copies.
  // Cut at bytes before decoding: in UTF-8 a newline byte is never part of another character.
  let parts: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      start = end + 1;
      const line = parts;
      parts = [];
      if (isBlank(line)) continue;
      yield parseJson(line, (bytes) => `a line of ${bytes} bytes is no JSON`);
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  if (!isBlank(parts)) yield parseJson(parts, (bytes) => `the stream ended within a line, after ${bytes} bytes`);
}

function isBlank(parts: readonly Uint8Array[]): boolean {
  return parts.every(({ length }) => length === 0);
}
