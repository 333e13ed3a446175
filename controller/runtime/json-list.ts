// A list of the API server, from a byte stream, item by item. A page of five hundred objects is megabytes of text, and ten
// times that as values; read in one piece it would decide how much memory the process takes, for whatever little is kept.

import { parseJson } from './json-text.ts';

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

/** In the object that the list is, and in its array of items. */
const [IN_LIST, IN_ITEMS] = [1, 2];
const ITEMS_KEY = /"items"\s*:\s*$/;

/**
 * Gives each of the list's items to `take`, and returns the list without them: its `items` are empty. Throws JsonTextError
 * at the end, or before, when it is no JSON: until this returns, nobody knows whether what was taken is all there is.
 */
export async function readJsonList(chunks: AsyncIterable<Uint8Array>, take: (item: unknown) => void): Promise<unknown> {
  const splitter = new ListSplitter(take);
  for await (const chunk of chunks) splitter.push(chunk);
  return splitter.end();
}

class ListSplitter {
  readonly #take: (item: unknown) => void;
  /** All that is no item. */
  readonly #around: Uint8Array[] = [];
  /** What has come of the item that is not complete yet. */
  #item: Uint8Array[] = [];
  #depth = 0;
  #inItems = false;
  #inString = false;
  #isEscaped = false;
  #bytes = 0;

  constructor(take: (item: unknown) => void) {
    this.#take = take;
  }

  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    let start = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (this.#inString) this.#string(byte);
      else if (byte === QUOTE) this.#inString = true;
      else if (this.#isCut(byte, chunk, start, at)) start = at + 1;
    }
    this.#keep(chunk.subarray(start));
  }

  end(): unknown {
    return this.#parse(this.#around);
  }

  /** In UTF-8 none of the bytes that are looked for is part of another character. */
  #string(byte: number | undefined): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }

  /** Whether all of the chunk up to this byte is dealt with. */
  #isCut(byte: number | undefined, chunk: Uint8Array, start: number, at: number): boolean {
    switch (byte) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#depth += 1;
        return byte === OPEN_BRACKET && this.#depth === IN_ITEMS && this.#open(chunk.subarray(start, at + 1));
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#depth -= 1;
        return this.#inItems && this.#close(chunk, start, at);
      case COMMA:
        return this.#inItems && this.#depth === IN_ITEMS;
      default:
        return false;
    }
  }

  /** An array in the list itself begins. */
  #open(before: Uint8Array): boolean {
    this.#around.push(before);
    this.#inItems = ITEMS_KEY.test(Buffer.concat(this.#around).toString('latin1').slice(0, -1));
    return true;
  }

  #close(chunk: Uint8Array, start: number, at: number): boolean {
    if (this.#depth === IN_ITEMS) {
      this.#item.push(chunk.subarray(start, at + 1));
      const item = this.#item;
      this.#item = [];
      this.#take(this.#parse(item));
      return true;
    }
    if (this.#depth > IN_LIST) return false;
    this.#inItems = false;
    this.#item = [];
    this.#around.push(chunk.subarray(at, at + 1));
    return true;
  }

  #keep(rest: Uint8Array): void {
    if (rest.length > 0) (this.#inItems ? this.#item : this.#around).push(rest);
  }

  #parse(parts: readonly Uint8Array[]): unknown {
    return parseJson(parts, () => `the list of ${this.#bytes} bytes is no JSON`);
  }
}
