// Lists as they come over the wire: in pieces that end anywhere, with whatever an object may hold.

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readJsonList } from '../../controller/runtime/json-list.ts';
import { JsonTextError } from '../../controller/runtime/json-text.ts';

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string, size = 7): Promise<{ list: unknown; items: unknown[] }> {
  const items: unknown[] = [];
  const list = await readJsonList(pieces(text, size), (item) => items.push(item));
  return { list, items };
}

describe('a list that is read item by item', () => {
  test('gives the same items as one that is parsed in one piece, and the rest without them', async () => {
    const list = fc.record({
      kind: fc.string({ unit: 'grapheme' }),
      metadata: fc.record({
        continue: fc.string({ unit: 'binary' }),
        items: fc.array(fc.jsonValue(), { maxLength: 3 }),
      }),
      items: fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ stringUnit: 'binary' }))),
      more: fc.array(fc.jsonValue(), { maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(list, fc.integer({ min: 1, max: 40 }), fc.constantFrom(0, 2), async (value, size, indent) => {
        const whole = JSON.parse(JSON.stringify(value));
        const { list: rest, items } = await read(JSON.stringify(value, null, indent), size);
        expect(items).toEqual(whole.items);
        expect(rest).toEqual({ ...whole, items: [] });
      }),
    );
  });

  test.each(['{"items":null,"a":1}', '{"items":[],"a":1}', '{"a":1}', '{"items":{"a":[{}]}}'])(
    'has none in %s',
    async (text) => {
      const { list, items } = await read(text);
      expect(items).toEqual([]);
      expect(list).toEqual(JSON.parse(text));
    },
  );

  test('finds items in the list itself only', async () => {
    const { list, items } = await read('{"metadata":{"items":[{"a":1}]},"note":"\\"items\\":","items":[{"b":[{}]}]}');
    expect(items).toEqual([{ b: [{}] }]);
    expect(list).toEqual({ metadata: { items: [{ a: 1 }] }, note: '"items":', items: [] });
  });

  test('may come before what the list says of itself', async () => {
    const { list, items } = await read('{"items":[{"a":1},{"a":2}],"metadata":{"continue":"x"}}');
    expect(items).toEqual([{ a: 1 }, { a: 2 }]);
    expect(list).toEqual({ items: [], metadata: { continue: 'x' } });
  });

  test('is handed on as it comes: the first item is there before the last', async () => {
    const items: unknown[] = [];
    const seen: number[] = [];
    async function* watched() {
      for await (const piece of pieces('{"items":[{"a":1},{"a":2}]}', 1)) {
        seen.push(items.length);
        yield piece;
      }
    }
    await readJsonList(watched(), (item) => items.push(item));
    expect(new Set(seen)).toEqual(new Set([0, 1, 2]));
  });

  test.each([
    ['cut between items', '{"items":[{"a":1},'],
    ['cut within an item', '{"items":[{"a":1},{"password":"hun'],
    ['cut after the items', '{"items":[{"a":1}]'],
    ['broken within an item', '{"items":[{"a":1},{"password":hunter2}]}'],
    ['broken around them', '{"items":[{"a":1}],password}'],
    ['no JSON', '<html>password</html>'],
    ['nothing', ''],
  ])('is refused, and never quoted, when it is %s', async (_, text) => {
    const error = await read(text).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(JsonTextError);
    expect(String(error)).not.toMatch(/password|hun/);
  });
});
