import { describe, expect, test } from '@jest/globals';
import { contentHash } from '../../controller/core/content-hash.ts';
import type { Content } from '../../controller/core/types.ts';

const text = (data: Record<string, string>): Content => ({ data, binaryData: {} });
const binary = (binaryData: Record<string, string>, data: Record<string, string> = {}): Content => ({
  data,
  binaryData,
});
const base64 = (...bytes: number[]) => Buffer.from(bytes).toString('base64');

// Printed by kubectl v1.32.4: kubectl create configmap foo --from-literal=… (or --from-file=k=FILE) --append-hash
// --dry-run=client -o name
const KUBECTL: readonly (readonly [what: string, content: Content, hash: string])[] = [
  ['nothing at all', text({}), '867km9574f'],
  ['one key', text({ a: 'b' }), 'dkb95f5f76'],
  ['two keys', text({ key1: 'v1', key2: 'v2' }), 't5h6k7ddhd'],
  ['keys that look like integers', text({ 10: 'ten', 2: 'two', 1: 'one' }), 'mmg5c8m72h'],
  ['a file name with dots', text({ 'app.config.yml': 'a: 1' }), 'f64m2d5475'],
  ['an empty value', text({ k: '' }), '2c2g7dh22f'],
  ['keys that differ in case and punctuation', text({ _b: '1', '-a': '2', '.c': '3', A: '4', a: '5' }), 'g6h55fhb22'],
  ['umlauts, Chinese and an emoji', text({ k: 'Grüße, 世界 😀' }), 'b62m8k6g4b'],
  ['what HTML would mind', text({ k: '<a href="x">&</a>' }), '2cb9ft4gbf'],
  ['U+2028 and U+2029', text({ k: 'a\u2028b\u2029c' }), 'ddcdb5766h'],
  ['backspace, form feed, tab, carriage return, newline', text({ k: 'a\bb\fc\td\re\nf' }), '54dht9hdm7'],
  ['control characters, DEL, backslash, quote, slash', text({ k: '\u0001\u001f\u007f\\"/' }), 'bt26g2244m'],
  ['U+FFFD', text({ k: 'tr\ufffd' }), 'b28b84d292'],
  ['a NUL as text', text({ k: '\u0000' }), '62tbf647mt'],
  ['100 kB', text({ k: 'x'.repeat(100_000) }), '586h697h5d'],
  ['bytes that are no UTF-8', binary({ k: base64(0x00, 0xff, 0xfe, 0x80) }), '8k2g77k878'],
  ['bytes and text', binary({ 'z.bin': base64(0x00, 0xff, 0xfe, 0x80) }, { a: 'b' }), '7kh67hkb9g'],
];

const secret = (data: Record<string, string>, type = 'Opaque'): Content => ({
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  binaryData: {},
  type,
});

// Printed by kubectl v1.35: kubectl create secret generic foo --from-literal=… [--type=…] --append-hash
// --dry-run=client -o name
const KUBECTL_SECRETS: readonly (readonly [what: string, content: Content, hash: string])[] = [
  ['nothing at all', secret({}), '949tdgdkgg'],
  ['one key', secret({ a: 'b' }), '956t5tb6kg'],
  ['two keys', secret({ user: 'admin', password: 's3cret' }), '57c42dkg52'],
  ['keys that look like integers', secret({ 10: 'ten', 2: 'two' }), '4mh5b22d25'],
  ['an empty value', secret({ k: '' }), 'f56fgd6625'],
  ['what HTML would mind, and umlauts', secret({ k: '<a&b> üß' }), 'bh689hk52b'],
  [
    'bytes that are no UTF-8',
    { data: { k: base64(0x00, 0xff, 0xfe, 0x80) }, binaryData: {}, type: 'Opaque' },
    '5kgdkmtc52',
  ],
  ['a type of its own', secret({ a: 'b' }, 'example.com/my'), 'm95g6ddbth'],
];

describe('the content hash of a Secret', () => {
  test.each(KUBECTL_SECRETS)('is the one that kubectl gives to %s', (_, content, hash) => {
    expect(contentHash('Secret', 'foo', content)).toBe(hash);
  });

  test('is not that of a ConfigMap with the same data', () => {
    const { data } = secret({ a: 'b' });
    expect(contentHash('Secret', 'foo', secret({ a: 'b' }))).not.toBe(contentHash('ConfigMap', 'foo', text(data)));
  });
});

describe('the content hash', () => {
  test.each(KUBECTL)('is the one that kubectl gives to %s', (_, content, hash) => {
    expect(contentHash('ConfigMap', 'foo', content)).toBe(hash);
  });

  test('takes the name in, dots and all, as kubectl does', () => {
    expect(contentHash('ConfigMap', 'a-name.with-dots.and-more', text({ a: 'b' }))).toBe('6m68fkkgbh');
  });

  test('does not depend on the order of keys', () => {
    expect(contentHash('ConfigMap', 'foo', text({ key2: 'v2', key1: 'v1' }))).toBe('t5h6k7ddhd');
  });

  test('tells apart what differs by where one value ends and the next begins', () => {
    const contents = [
      text({ a: 'b' }),
      text({ a: 'b', b: '' }),
      text({ a: '","b":"' }),
      binary({ a: 'b' }),
      binary({ a: '' }),
      text({ a: '' }),
      text({}),
    ];
    expect(new Set(contents.map((content) => contentHash('ConfigMap', 'foo', content))).size).toBe(contents.length);
  });
});
