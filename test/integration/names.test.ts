// A snapshot has the name that kubectl itself would give to a ConfigMap of that content, whatever the content: people can
// compute it, and kustomize does.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import { deploymentManifest, Scenario, until } from '../support/scenario.ts';

type Files = Readonly<Record<string, string | Buffer>>;

/** What is in the ConfigMap, and, where that matters, its name. */
const CONTENTS: readonly (readonly [what: string, files: Files, name?: string])[] = [
  ['nothing at all', {}],
  ['an empty file', { empty: '' }],
  ['two empty files, one of them binary beside text', { a: '', b: Buffer.from([0xff]) }],
  ['plain text', { 'config.yml': 'a: 1\n' }],
  ['no line feed at the end', { 'config.yml': 'a: 1' }],
  ['many line feeds at the end', { 'config.yml': 'a: 1\n\n\n' }],
  ['line ends of Windows', { 'config.ini': '[a]\r\nb=c\r\n' }],
  ['line ends of old, and alone', { text: 'a\rb\r' }],
  ['tabs, form feeds, backspaces and vertical tabs', { text: '\ta\fb\bc\v' }],
  ['the control characters', { text: String.fromCharCode(...Array.from({ length: 32 }, (_, i) => i)) }],
  ['DEL and the C1 controls', { text: '\u007f\u0080\u0085\u009f' }],
  ['what HTML has to escape', { page: '<a href="x">&amp;\'</a>' }],
  ['quotes and backslashes', { text: 'a "b" \\ \\\\ \\n / \\/ \\u0041' }],
  ['JSON in JSON', { 'a.json': JSON.stringify({ a: '<&>\u2028', b: ['\\'] }) }],
  ['the line and paragraph separators', { text: 'a\u2028b\u2029c' }],
  ['letters with accents, composed and decomposed', { composed: '\u00e9', decomposed: 'e\u0301' }],
  ['other scripts', { greeting: 'Grüß Gott, привет, 你好, שלום, مرحبا, नमस्ते' }],
  ['emoji, in pairs, families and flags', { emoji: '😀👩‍👩‍👧‍👦🏳️‍🌈🇦🇹' }],
  ['the last characters of planes', { text: '\uffff\u{1ffff}\u{10ffff}\ufffe' }],
  ['a byte order mark', { text: '\ufeffa: 1\n' }],
  ['the replacement character, as text', { text: 'a\ufffdb' }],
  ['no-break spaces and zero widths', { text: '\u00a0\u200b\u200d\u2060 \u3000' }],
  ['binary data alone', { 'logo.png': Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0xff]) }],
  ['all bytes', { bytes: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) }],
  ['binary data of each length of padding', { a: Buffer.of(0xff), b: Buffer.of(0xff, 1), c: Buffer.of(0xff, 1, 2) }],
  ['text and binary data', { text: 'a', binary: Buffer.of(0xfe, 0xff) }],
  ['UTF-16 with a byte order mark', { text: Buffer.from('\ufeffabc', 'utf16le') }],
  ['UTF-8 that is cut off', { text: Buffer.from('€').subarray(0, 2) }],
  ['a surrogate, encoded', { text: Buffer.of(0xed, 0xa0, 0x80) }],
  ['an overlong slash', { text: Buffer.of(0xc0, 0xaf) }],
  ['keys that are numbers', { '10': 'a', '2': 'b', '1': 'c', '01': 'd', '0': 'e' }],
  ['keys that are numbers among others', { b: '1', '3': '2', a: '3', '-1': '4', '1.5': '5' }],
  ['keys of all characters that are allowed', { 'a.b': '1', 'a-b': '2', a_b: '3', A: '4', a: '5', '.hidden': '6' }],
  ['keys that are prefixes of each other', { a: '1', aa: '2', 'a.a': '3', 'a-': '4', a_: '5', a0: '6', aA: '7' }],
  [
    'keys that objects inherit',
    { constructor: '1', toString: '2', valueOf: '3', hasOwnProperty: '4', ['__proto__']: '5' },
  ],
  ['a key of 253 characters', { ['k'.repeat(253)]: 'a' }],
  ['binary keys that are numbers', { '10': Buffer.of(0xff), '2': Buffer.of(0xfe), a: Buffer.of(0xfd) }],
  ['a hundred keys', Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key-${i * 7919}`, `${i}`]))],
  ['a value of half a megabyte', { large: 'line of text < 32 characters\n'.repeat(18_000) }],
  ['half a megabyte of characters that are escaped', { large: '"\\\n'.repeat(170_000) }],
  ['half a megabyte of bytes', { large: Buffer.alloc(500_000, 0xaa) }],
  ['a value that looks like a template', { text: '{{ .Values.x }} $HOME $(cat) %s %n' }],
  ['a name with dots', { a: '1' }, 'a.name.with-dots'],
  ['a name of numbers', { a: '1' }, '123'],
  ['a name that ends like a snapshot', { a: '1' }, 'foo-bcdfghkmt2'],
  ['a name of 242 characters', { a: '1' }, `${'long-name.'.repeat(24)}ab`],
];

const CASES = CONTENTS.map(([what, files, name], i) => ({ what, files, name: name ?? `source-${i}` }));

let controller: Controller;
let scenario: Scenario;
let folder: string;
/** Source → what the controller made of its reference. */
const pins = new Map<string, string>();

function fromFiles({ name, files }: (typeof CASES)[number]): string[] {
  return Object.entries(files).map(([key, content], i) => {
    const path = join(folder, `${name}-${i}`);
    writeFileSync(path, content);
    return `--from-file=${key}=${path}`;
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'config-rollout-names-'));
  controller = await startController();
  scenario = await Scenario.start('names');
  await Promise.all([0, 1, 2].map((lane) => createEach(CASES.filter((_, i) => i % 3 === lane))));
  const volumes = CASES.map(({ name }, i) => ({ name: `v${i}`, configMap: { name } }));
  const metadata = { labels: { 'configrollout.dev/managed': 'all' } };
  await scenario.apply(deploymentManifest('bar', '', { template: { spec: { containers, volumes } } }, metadata));
  const mounted = await until('all sources are pinned', async () => {
    const { spec } = (await scenario.deployment()).spec.template;
    const names: string[] = spec.volumes.map((volume: { configMap: { name: string } }) => volume.configMap.name);
    return names.every((name, i) => name !== CASES[i]?.name) && names;
  });
  CASES.forEach(({ name }, i) => {
    pins.set(name, mounted[i] ?? '');
  });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  expect(await controller.stop()).toBe(0);
});

const containers = [{ name: 'app', image: 'app:1' }];

async function createEach(cases: typeof CASES): Promise<void> {
  for (const one of cases) await scenario.kubectl('create', 'configmap', one.name, ...fromFiles(one));
}

test.each(CASES)('$what', async (one) => {
  const args = ['create', 'configmap', one.name, ...fromFiles(one), '--append-hash', '--dry-run=client', '-o', 'name'];
  const pin = pins.get(one.name) ?? '';
  expect(`configmap/${pin}`).toBe((await scenario.kubectl(...args)).trim());
  const [original, copy] = [await scenario.configMap(one.name), await scenario.configMap(pin)];
  // In JSON, for a difference of a character that nobody can see.
  expect(JSON.stringify([copy.data, copy.binaryData])).toBe(JSON.stringify([original.data, original.binaryData]));
  const keys = Object.keys({ ...original.data, ...original.binaryData });
  expect(keys.sort()).toEqual(Object.keys(one.files).sort());
});
