import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isOwnWorkloadLabel, rolledHashLabel, shorten, sourceLabelValue } from '../../controller/core/names.ts';
import { hashInName, snapshotNames } from '../../controller/core/snapshot.ts';
import { H1 } from '../support/builders.ts';

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

const alphanumeric = fc.constantFrom(...'abcxyz019');
const anyPart = fc.constantFrom(...'ab1-');
const part = fc
  .tuple(alphanumeric, fc.array(anyPart, { maxLength: 60 }), alphanumeric)
  .map(([first, middle, last]) => first + middle.join('') + last);
/** Names that an API server accepts for a ConfigMap. */
const name = fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) =>
  parts
    .join('.')
    .slice(0, 253)
    .replace(/[-.]+$/, ''),
);

describe('a shortened name', () => {
  test('is never longer than asked, and still a name', () => {
    fc.assert(
      fc.property(name, fc.integer({ min: 20, max: 253 }), (long, max) => {
        const short = shorten(long, max);
        expect(short.length).toBeLessThanOrEqual(max);
        expect(short).toMatch(SUBDOMAIN);
      }),
    );
  });

  test('is the name itself when that fits', () => {
    fc.assert(fc.property(name, (fits) => expect(shorten(fits, 253)).toBe(fits)));
    expect(shorten('a'.repeat(63), 63)).toBe('a'.repeat(63));
  });

  test('is the same every time, and differs for names that differ only at their end', () => {
    const long = 'a'.repeat(200);
    expect(shorten(`${long}1`, 63)).toBe(shorten(`${long}1`, 63));
    expect(shorten(`${long}1`, 63)).not.toBe(shorten(`${long}2`, 63));
  });

  test('is distinct for distinct names', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 2, maxLength: 20 }), (names) => {
        expect(new Set(names.map((each) => shorten(each, 63))).size).toBe(names.length);
      }),
    );
  });

  test('does not end its head in a dot or dash, which no label may', () => {
    expect(shorten(`${'a'.repeat(50)}..--${'b'.repeat(50)}`, 64)).toMatch(/^a{50}-[0-9a-f]{10}$/);
  });
});

describe('labels', () => {
  test('of any source are valid, as values and as keys', () => {
    fc.assert(
      fc.property(name, (source) => {
        expect(sourceLabelValue(source)).toMatch(LABEL_VALUE);
        expect(sourceLabelValue(source).length).toBeLessThanOrEqual(63);
        const [prefix, key = ''] = rolledHashLabel('ConfigMap', source).split('/');
        expect(prefix).toBe('configmap.configrollout.dev');
        expect(key).toMatch(LABEL_VALUE);
        expect(key.length).toBeLessThanOrEqual(63);
      }),
    );
  });

  test.each([
    [rolledHashLabel('ConfigMap', 'foo'), true],
    ['configrollout.dev/managed', true],
    ['configrollout.dev/source', false],
    ['app', false],
    ['xconfigmap.configrollout.dev/foo', false],
  ])('%s are kept of a workload: %s', (key, kept) => {
    expect(isOwnWorkloadLabel(key)).toBe(kept);
  });
});

describe('the names that a snapshot may have', () => {
  test('begin with the one that kubectl --append-hash gives', () => {
    expect([...snapshotNames('foo', H1)][0]).toBe(`foo-${H1}`);
  });

  test('are valid, distinct, and at most 253 characters long', () => {
    fc.assert(
      fc.property(name, (source) => {
        const names = [...snapshotNames(source, H1)];
        expect(names.length).toBeGreaterThan(1);
        expect(new Set(names).size).toBe(names.length);
        for (const each of names) {
          expect(each).toMatch(SUBDOMAIN);
          expect(each.length).toBeLessThanOrEqual(253);
        }
      }),
    );
  });

  test('are distinct for the sources of 253 characters that differ in the last one', () => {
    const long = 'a'.repeat(252);
    const names = [...snapshotNames(`${long}1`, H1), ...snapshotNames(`${long}2`, H1)];
    expect(new Set(names).size).toBe(names.length);
  });

  test('are recognised when the snapshot is gone, for any source', () => {
    fc.assert(
      fc.property(name, (source) => {
        expect(hashInName(source, snapshotNames(source, H1).next().value ?? '')).toBe(H1);
      }),
    );
  });

  test.each([
    ['the source itself', 'foo'],
    ['a name without a hash', 'foo-config'],
    ['a hash with letters that no hash has', 'foo-aeiou01345'],
    ['another source', `food-${H1}`],
    ['a hash that is too short', 'foo-bcdfghkmt'],
  ])('are not taken for %s', (_, other) => {
    expect(hashInName('foo', other)).toBeUndefined();
  });
});
