import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { contentHash } from '../../controller/core/content-hash.ts';
import { changedKeys, keyDigests, readKeyDigests, writeKeyDigests } from '../../controller/core/key-digests.ts';
import type { Content } from '../../controller/core/types.ts';

const text = (data: Record<string, string>): Content => ({ data, binaryData: {} });
const binary = (binaryData: Record<string, string>): Content => ({ data: {}, binaryData });

describe.each(['ConfigMap', 'Secret'] as const)('the digests of the keys of a %s', (kind) => {
  const digests = (content: Content) => keyDigests(kind, content);

  test('name exactly the keys that were added, removed or changed, sorted', () => {
    const before = digests(text({ same: '1', gone: '2', other: '3' }));
    const after = digests(text({ same: '1', other: '4', added: '5' }));
    expect(changedKeys(before, after)).toEqual(['added', 'gone', 'other']);
  });

  test('see a key that went from text to bytes of the same letters', () => {
    expect(changedKeys(digests(text({ k: 'YQ==' })), digests(binary({ k: 'YQ==' })))).toEqual(['k']);
  });

  test('are equal for a content and its equal', () => {
    expect(changedKeys(digests(text({ a: '1' })), digests(text({ a: '1' })))).toEqual([]);
  });

  test('do not hold the values', () => {
    expect(JSON.stringify([...digests(text({ password: 'hunter2' }))])).not.toContain('hunter2');
  });

  test('find a difference exactly when the hashes differ', () => {
    const maps = fc.dictionary(fc.constantFrom('a', 'b', '10', '2'), fc.constantFrom('', 'x', 'y'), { maxKeys: 4 });
    fc.assert(
      fc.property(maps, maps, (one, two) => {
        const differ = changedKeys(digests(text(one)), digests(text(two))).length > 0;
        const hashes = [one, two].map((data) => contentHash(kind, 'foo', text(data)));
        expect(differ).toBe(hashes[0] !== hashes[1]);
      }),
    );
  });
});

describe('the digests that a snapshot carries', () => {
  test('are those of its content, whatever its keys are called', () => {
    // No API server takes other keys.
    const key = fc.stringMatching(/^[-._a-zA-Z0-9]{1,20}$/).filter((name) => name !== '__proto__');
    fc.assert(
      fc.property(
        fc.dictionary(key, fc.string(), { maxKeys: 5 }),
        fc.dictionary(key, fc.base64String()),
        (data, more) => {
          const content = { data, binaryData: Object.keys(more).length < 5 ? more : {} };
          const written = writeKeyDigests('ConfigMap', content) ?? '';
          expect(readKeyDigests(written)).toEqual(keyDigests('ConfigMap', content));
        },
      ),
    );
  });

  test('are none for a Secret: whoever reads metadata could try passwords on them', () => {
    expect(writeKeyDigests('Secret', text({ password: 'hunter2' }))).toBeUndefined();
  });

  test('are none where there are many keys: every snapshot is kept in memory', () => {
    const keys = Array.from({ length: 100 }, (_, i) => [`key-${i}`, 'x']);
    expect(writeKeyDigests('ConfigMap', text(Object.fromEntries(keys)))).toBeUndefined();
  });

  test.each(['', 'x', '7', '"a"', '[1]', '{"a":1}', '{"a":null}'])('are not taken from %s', (written) => {
    expect(readKeyDigests(written)?.size ?? 0).toBe(0);
  });
});
