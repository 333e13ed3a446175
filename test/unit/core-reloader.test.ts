import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { reloaderAsksFor, reloaderMarks, reloaderOptIn } from '../../controller/core/reloader.ts';
import type { SourceKind } from '../../controller/core/types.ts';

type Annotations = Readonly<Record<string, string>>;

const AUTO = 'reloader.stakater.com/auto';
const SEARCH = 'reloader.stakater.com/search';
const MATCH = 'reloader.stakater.com/match';
const IGNORE = 'reloader.stakater.com/ignore';
const CONFIG_MAP_AUTO = 'configmap.reloader.stakater.com/auto';
const SECRET_AUTO = 'secret.reloader.stakater.com/auto';
const CONFIG_MAPS = 'configmap.reloader.stakater.com/reload';
const SECRETS = 'secret.reloader.stakater.com/reload';
const NO_CONFIG_MAPS = 'configmaps.exclude.reloader.stakater.com/reload';
const NO_SECRETS = 'secrets.exclude.reloader.stakater.com/reload';

interface Case {
  readonly on?: Annotations;
  readonly template?: Annotations;
  readonly kind?: SourceKind;
  readonly name?: string;
  readonly source?: Annotations;
}

function asks({ on, template, kind = 'ConfigMap', name = 'foo', source }: Case): boolean {
  const optIn = reloaderOptIn(on, template);
  return optIn !== undefined && reloaderAsksFor(optIn, { kind, name, reloader: reloaderMarks(source) });
}

describe('a workload asks for nothing', () => {
  test.each<[what: string, annotations: Annotations | undefined]>([
    ['without annotations', undefined],
    ['with none of Reloader’s', { 'kubernetes.io/change-cause': 'foo' }],
    ['with auto: "false"', { [AUTO]: 'false', [CONFIG_MAP_AUTO]: 'false' }],
    ['with an auto that is no boolean', { [AUTO]: 'yes' }],
    ['with a search that is not "true" to the letter', { [SEARCH]: 'True' }],
    ['with an empty list', { [CONFIG_MAPS]: ' , ', [SECRETS]: '' }],
    ['with exclusions alone', { [NO_CONFIG_MAPS]: 'foo' }],
    ['with what is meant for sources', { [MATCH]: 'true', [IGNORE]: 'true' }],
    ['with CSI classes alone', { 'secretproviderclass.reloader.stakater.com/auto': 'true' }],
    ['with what Reloader writes itself', { 'reloader.stakater.com/last-reloaded-from': '{}' }],
    ['with keys that only look like them', { [`x.${AUTO}`]: 'true', 'reloader.stakater.com/Auto': 'true' }],
  ])('%s', (_, annotations) => {
    expect(reloaderOptIn(annotations, undefined)).toBeUndefined();
    expect(reloaderOptIn(undefined, annotations)).toBeUndefined();
  });
});

describe('a source is marked', () => {
  test.each<[annotations: Annotations | undefined, marks: ReturnType<typeof reloaderMarks>]>([
    [undefined, undefined],
    [{}, undefined],
    [{ [MATCH]: 'false', [IGNORE]: 'yes' }, undefined],
    [{ [MATCH]: 'true' }, { match: true, ignore: false }],
    [{ [IGNORE]: 'true' }, { match: false, ignore: true }],
    [
      { [MATCH]: 'true', [IGNORE]: 'true' },
      { match: true, ignore: true },
    ],
  ])('%j as %j', (annotations, marks) => {
    expect(reloaderMarks(annotations)).toEqual(marks);
  });
});

describe('auto', () => {
  test.each(['true', 'True', 'TRUE', 't', 'T', '1'])('"%s" asks for all ConfigMaps and Secrets', (value) => {
    expect(asks({ on: { [AUTO]: value } })).toBe(true);
    expect(asks({ on: { [AUTO]: value }, kind: 'Secret' })).toBe(true);
  });

  test('of a kind asks for all of that kind', () => {
    expect(asks({ on: { [CONFIG_MAP_AUTO]: 'true' } })).toBe(true);
    expect(asks({ on: { [CONFIG_MAP_AUTO]: 'true' }, kind: 'Secret' })).toBe(false);
    expect(asks({ on: { [SECRET_AUTO]: 'true' } })).toBe(false);
    expect(asks({ on: { [SECRET_AUTO]: 'true' }, kind: 'Secret' })).toBe(true);
  });

  test('"false" vetoes neither the one of a kind, nor a list, nor search', () => {
    expect(asks({ on: { [AUTO]: 'false', [CONFIG_MAP_AUTO]: 'true' } })).toBe(true);
    expect(asks({ on: { [AUTO]: 'true', [CONFIG_MAP_AUTO]: 'false' } })).toBe(true);
    expect(asks({ on: { [AUTO]: 'false', [CONFIG_MAPS]: 'foo' } })).toBe(true);
    expect(asks({ on: { [AUTO]: 'false', [SEARCH]: 'true' }, source: { [MATCH]: 'true' } })).toBe(true);
  });
});

test('search asks for what is marked with match, and auto beside it for the rest too', () => {
  expect(asks({ on: { [SEARCH]: 'true' }, source: { [MATCH]: 'true' } })).toBe(true);
  expect(asks({ on: { [SEARCH]: 'true' }, source: { [MATCH]: 'true' }, kind: 'Secret' })).toBe(true);
  expect(asks({ on: { [SEARCH]: 'true' } })).toBe(false);
  expect(asks({ on: { [SEARCH]: 'true', [CONFIG_MAPS]: 'foo' } })).toBe(true);
  expect(asks({ on: { [SEARCH]: 'true', [AUTO]: 'true' } })).toBe(true);
  expect(asks({ on: { [CONFIG_MAPS]: 'bar' }, source: { [MATCH]: 'true' } })).toBe(false);
});

describe('what a source says against it wins', () => {
  test.each<[what: string, on: Annotations]>([
    ['auto', { [AUTO]: 'true' }],
    ['a list', { [CONFIG_MAPS]: 'foo' }],
    ['search', { [SEARCH]: 'true' }],
  ])('ignore over %s', (_, on) => {
    expect(asks({ on, source: { [MATCH]: 'true' } })).toBe(true);
    expect(asks({ on, source: { [MATCH]: 'true', [IGNORE]: 'true' } })).toBe(false);
    expect(asks({ on, source: { [MATCH]: 'true', [IGNORE]: '1' } })).toBe(true);
  });
});

describe('an exclusion', () => {
  test.each<[what: string, annotations: Annotations, source: Annotations]>([
    ['auto', { [AUTO]: 'true' }, {}],
    ['a list', { [CONFIG_MAPS]: 'foo,bar' }, {}],
    ['a pattern', { [CONFIG_MAPS]: '.*' }, {}],
    ['search', { [SEARCH]: 'true' }, { [MATCH]: 'true' }],
  ])('wins over %s', (_, annotations, source) => {
    const on = { ...annotations, [NO_CONFIG_MAPS]: 'other, foo ,' };
    expect(asks({ on, source })).toBe(false);
    expect(asks({ on, source, name: 'bar' })).toBe(true);
  });

  test('holds for its kind alone', () => {
    expect(asks({ on: { [AUTO]: 'true', [NO_SECRETS]: 'foo' } })).toBe(true);
    expect(asks({ on: { [AUTO]: 'true', [NO_SECRETS]: 'foo' }, kind: 'Secret' })).toBe(false);
  });

  test('is a name, never a pattern', () => {
    expect(asks({ on: { [AUTO]: 'true', [NO_CONFIG_MAPS]: 'f.*' } })).toBe(true);
    expect(asks({ on: { [AUTO]: 'true', [NO_CONFIG_MAPS]: 'f.o' } })).toBe(true);
  });

  test('counts on the workload, wherever the rest is, and beside the rest', () => {
    expect(asks({ on: { [NO_CONFIG_MAPS]: 'foo' }, template: { [AUTO]: 'true' } })).toBe(false);
    expect(asks({ template: { [AUTO]: 'true', [NO_CONFIG_MAPS]: 'foo' } })).toBe(false);
    expect(asks({ on: { [AUTO]: 'true' }, template: { [NO_CONFIG_MAPS]: 'foo' } })).toBe(true);
  });
});

describe('the template’s annotations', () => {
  test('count when the workload has none', () => {
    expect(asks({ template: { [AUTO]: 'true' } })).toBe(true);
    expect(asks({ on: { team: 'shop' }, template: { [CONFIG_MAPS]: 'foo' } })).toBe(true);
    expect(asks({ template: { [SEARCH]: 'true' }, source: { [MATCH]: 'true' } })).toBe(true);
  });

  test.each<[what: string, on: Annotations]>([
    ['auto: "false"', { [AUTO]: 'false' }],
    ['an empty auto of the kind', { [CONFIG_MAP_AUTO]: '' }],
    ['search', { [SEARCH]: 'false' }],
    ['a list of others', { [CONFIG_MAPS]: 'bar' }],
  ])('are not read beside %s on the workload', (_, on) => {
    expect(asks({ on, template: { [AUTO]: 'true', [CONFIG_MAPS]: 'foo' } })).toBe(false);
  });

  test('are still read for the other kind, of which the workload says nothing', () => {
    const both = { on: { [CONFIG_MAPS]: 'bar' }, template: { [AUTO]: 'true' } };
    expect(asks(both)).toBe(false);
    expect(asks({ ...both, kind: 'Secret' })).toBe(true);
  });

  test('that are not text, as a custom resource may have them, do no harm', () => {
    const template = { [AUTO]: true, [CONFIG_MAPS]: 7 } as unknown as Annotations;
    expect(asks({ template })).toBe(true);
    expect(reloaderOptIn(undefined, null as unknown as undefined)).toBeUndefined();
  });
});

describe('a list', () => {
  test.each<[list: string, name: string, asked: boolean]>([
    ['foo', 'foo', true],
    ['foo', 'foobar', false],
    ['foo', 'xfoo', false],
    ['bar, foo', 'foo', true],
    [' ,foo\t,', 'foo', true],
    ['foo bar', 'foo', false],
    ['foo.yml', 'foo.yml', true],
    // As in Reloader, where every entry is a regular expression: a dot is any character.
    ['foo.yml', 'foo-yml', true],
    ['foo\\.yml', 'foo-yml', false],
    ['foo\\.yml', 'foo.yml', true],
    ['foo\\-bar', 'foo-bar', true],
    ['foo-.*', 'foo-bar', true],
    ['foo-.*', 'foo', false],
    ['.*-config', 'web-config', true],
    ['(web|api)-config', 'api-config', true],
    ['(?:web|api)-config', 'db-config', false],
    ['.*-(dev|prod)-.*', 'web-prod-1', true],
    ['web-(dev|prod)-v\\d+\\..*', 'web-prod-v12.yml', true],
    ['foo(-bar)?', 'foo', true],
    ['foo-[0-9]+', 'foo-12', true],
    ['foo-[^0-9.]+', 'foo-1', false],
    ['foo-[a-z0-9]{10}', 'foo-6ct58987ht', true],
    ['foo-\\w+', 'foo-bar', true],
    ['^foo$', 'foo', true],
    // Quirks of Reloader's, who puts ^ and $ around the entry as it is.
    ['web|api', 'web-config', true],
    ['web|api', 'old-api', true],
    ['web|api', 'old-web-config', false],
    ['*', 'foo', true],
    ['*-config', 'web-config', true],
    ['*-config', 'web-config-1', false],
    ['foo*', 'foooo', true],
    ['foo-*', 'foo-bar', false],
  ])('"%s" of %s: %s', (list, name, asked) => {
    expect(asks({ on: { [CONFIG_MAPS]: list }, name })).toBe(asked);
    expect(asks({ on: { [SECRETS]: list }, name, kind: 'Secret' })).toBe(asked);
    expect(asks({ on: { [SECRETS]: list }, name })).toBe(false);
  });

  // Valid in neither language, in Go alone, or too dear to run.
  test.each([
    'foo[',
    'foo(',
    'foo)',
    'foo\\',
    'foo**',
    'foo[z-a]',
    '(?i)foo',
    '(?i:foo)',
    '(?P<x>foo)',
    '[[:alpha:]]+',
    '\\Afoo\\z',
    '\\Qfoo\\E',
    '\\pL+',
    '(?=foo).*',
    '(?!bar).*',
    '(f)\\1oo',
    '(f|o)+',
    '(fo*)*',
    '([a-z]+)*',
    '(f|o){2}o',
    '.*.*.*.*',
    'f?'.repeat(20),
    `${'f'.repeat(252)}.*`,
  ])('takes "%s" for a name, and goes on with its other entries', (entry) => {
    const on = { [CONFIG_MAPS]: `${entry}, bar-.*` };
    expect(asks({ on, name: 'foo' })).toBe(false);
    expect(asks({ on, name: entry })).toBe(true);
    expect(asks({ on, name: 'bar-1' })).toBe(true);
  });

  test.each<[what: string, entry: string]>([
    ['as dear as can be', '.*.*.*x'],
    ['with an outer bar', `x|.*.*${'[a-b]'.repeat(40)}x`],
    ['with counts', '.*.*a{99}x'],
    ['with options', `${'a?'.repeat(13)}${'a'.repeat(13)}x`],
    ['with alternatives', `${'(a|aa)'.repeat(13)}x`],
    ['of nested repetitions', '((a+)+)+x'],
  ])('of thousands of patterns %s takes no more than a moment', (_, entry) => {
    const on = { [CONFIG_MAPS]: Array.from({ length: 5000 }, () => entry).join() };
    const start = performance.now();
    expect(asks({ on, name: 'a'.repeat(253) })).toBe(false);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

const objectName = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?$/);

test('any list of names asks for these, and an exclusion takes each of them away', () => {
  fc.assert(
    fc.property(
      fc.array(objectName, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(',', ', ', ' ,'),
      (names, comma) => {
        const on = { [CONFIG_MAPS]: names.join(comma) };
        for (const name of names) {
          expect(asks({ on, name })).toBe(true);
          expect(asks({ on: { ...on, [NO_CONFIG_MAPS]: names.join(comma) }, name })).toBe(false);
        }
      },
    ),
  );
});

test('no value of an annotation throws, whatever it is', () => {
  const piece = fc.constantFrom(
    'a',
    '.',
    '*',
    '+',
    '?',
    '|',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '2',
    '\\',
    '^',
    '$',
    '-',
    ',',
  );
  const value = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
  );
  const annotations = fc.dictionary(fc.constantFrom(AUTO, SEARCH, CONFIG_MAPS, SECRETS, NO_CONFIG_MAPS), value);
  fc.assert(
    fc.property(annotations, annotations, objectName, (on, template, name) => {
      expect(typeof asks({ on, template, name })).toBe('boolean');
    }),
    { numRuns: 1000 },
  );
});

test('what a projection keeps can be read', () => {
  const on = { [SEARCH]: 'true', [CONFIG_MAPS]: 'foo, web-.*, bad[', [NO_CONFIG_MAPS]: 'web-old' };
  expect(reloaderOptIn(on, undefined)).toEqual({
    ConfigMap: {
      auto: false,
      search: true,
      named: ['foo', 'web-.*', 'bad['],
      patterns: ['web-.*'],
      excluded: ['web-old'],
    },
    Secret: { auto: false, search: true, named: [], patterns: [], excluded: [] },
  });
});
