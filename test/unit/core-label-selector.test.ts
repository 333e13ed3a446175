import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { matchesLabels, parseLabelSelector } from '../../controller/core/label-selector.ts';

type Labels = Readonly<Record<string, string>>;
const matches = (text: string, labels: Labels) => matchesLabels(parseLabelSelector(text), labels);

// What apimachinery's labels.Parse and Selector.Matches (v0.31) say.
describe('a selector', () => {
  test.each<[text: string, labels: Labels, selected: boolean]>([
    ['', {}, true],
    [' \t\n', { a: 'x' }, true],
    ['a=x', { a: 'x' }, true],
    ['a==x', { a: 'x' }, true],
    ['a=x', { a: 'y' }, false],
    ['a=x', {}, false],
    ['a=', { a: '' }, true],
    ['a=', {}, false],
    ['a!=x', { a: 'y' }, true],
    ['a!=x', { a: 'x' }, false],
    ['a!=x', {}, true],
    ['a!=', { a: '' }, false],
    ['a in (x,y)', { a: 'y' }, true],
    ['a in (x,y)', { a: 'z' }, false],
    ['a in (x,y)', {}, false],
    ['a in ()', { a: '' }, true],
    ['a in (x,)', { a: '' }, true],
    ['a notin (x)', { a: 'y' }, true],
    ['a notin (x)', { a: 'x' }, false],
    ['a notin (x)', {}, true],
    ['a', { a: '' }, true],
    ['a', { b: 'x' }, false],
    ['!a', { b: 'x' }, true],
    ['!a', { a: '' }, false],
    ['a>9', { a: '10' }, true],
    ['a>10', { a: '10' }, false],
    ['a<11', { a: '10' }, true],
    ['a<11', { a: 'x' }, false],
    ['a<11', {}, false],
    ['a>9223372036854775806', { a: '9223372036854775807' }, true],
    ['a>1', { a: '9223372036854775808' }, false],
    ['a=x,b', { a: 'x', b: '' }, true],
    ['a=x,b', { a: 'x' }, false],
    ['a=x,a=y', { a: 'x' }, false],
    ['a=,b', { a: '', b: '' }, true],
    ['  a  =  x ,\n! b , c in ( x , y ) ', { a: 'x', c: 'y' }, true],
    ['a in(x),b notin(y)', { a: 'x' }, true],
    ['in in (in,notin)', { in: 'notin' }, true],
    ['notin=in', { notin: 'in' }, true],
    ['example.com/tier_1.b=A-b_c.9', { 'example.com/tier_1.b': 'A-b_c.9' }, true],
    ['constructor', {}, false],
    ['toString!=x', {}, true],
  ])('"%s" of %j is %s', (text, labels, selected) => {
    expect(matches(text, labels)).toBe(selected);
  });
});

describe('what is no selector is refused, and the message names', () => {
  const long = 'a'.repeat(64);

  test.each<[text: string, named: string]>([
    ['a,', 'after the last comma'],
    ['a=x,,b', '",b"'],
    [',a', '",a"'],
    ['=x', '"=x"'],
    ['a b', '"a b"'],
    ['b,a=x y', '"a=x y"'],
    ['a=x=y', '"a=x=y"'],
    ['a===x', '"a===x"'],
    ['!a=x', '"!a=x"'],
    ['!', '"!"'],
    ['!!a', '"!!a"'],
    ['a in x', '"a in x"'],
    ['a in (x', '"a in (x"'],
    ['a in (x))', '"a in (x))"'],
    ['a in ((x))', '"a in ((x))"'],
    ['a IN (x)', '"a IN (x)"'],
    ['ain (x)', '"ain (x)"'],
    ['a not in (x)', '"a not in (x)"'],
    ['a in (x y)', '"x y"'],
    ['a in (x=y)', '"x=y"'],
    ['_a', '"_a"'],
    ['a-=x', '"a-"'],
    ['/a', '"/a"'],
    ['a/', '"a/"'],
    ['a/b/c', '"a/b/c"'],
    ['Example.com/a', '"Example.com/a"'],
    ['a..b/c', '"a..b/c"'],
    ['ä=x', '"ä"'],
    ['a=ä', '"ä"'],
    ['a=-1', '"-1"'],
    ['a=x.', '"x."'],
    ['a=*', '"*"'],
    ['a:x', '"a:x"'],
    [long, long],
    [`a=${long}`, long],
    [`${'a'.repeat(254)}/b`, '/b"'],
    ['a>x', '"x"'],
    ['a<', '""'],
    ['a>9223372036854775808', '"9223372036854775808"'],
  ])('"%s": %s', (text, named) => {
    expect(() => parseLabelSelector(text)).toThrow(named);
  });
});

const word = fc.stringMatching(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,20}[A-Za-z0-9])?$/);
const key = fc.oneof(
  word,
  fc.tuple(fc.domain(), word).map(([domain, name]) => `${domain}/${name}`),
);
const value = fc.oneof(fc.constant(''), word);
const labels = fc.dictionary(key, value);

describe('for all labels', () => {
  test('the selector of their own pairs selects them, with any space around, and no other value of a key', () => {
    fc.assert(
      fc.property(labels, fc.constantFrom('', ' ', '\t\n'), (own, space) => {
        const pairs = Object.entries(own).map((pair) => `${space}${pair.join(`${space}=${space}`)}${space}`);
        expect(matches(pairs.join(), own)).toBe(true);
        for (const each of Object.keys(own)) {
          expect(matches(pairs.join(), { ...own, [each]: `${own[each]}x` })).toBe(false);
        }
      }),
    );
  });

  test('a requirement and its negation never agree', () => {
    fc.assert(
      fc.property(labels, key, fc.array(value, { minLength: 1 }), (own, each, values) => {
        const [first = ''] = values;
        expect(matches(`!${each}`, own)).toBe(!matches(each, own));
        expect(matches(`${each}!=${first}`, own)).toBe(!matches(`${each}=${first}`, own));
        expect(matches(`${each} notin (${values})`, own)).toBe(!matches(`${each} in (${values})`, own));
      }),
    );
  });
});

test('any text is read or refused with an Error, and nothing else happens', () => {
  const piece = fc.constantFrom('a', 'in', 'notin', 'b/c', '=', '!', '(', ')', ',', '<', ' ', 'é', '\u0000');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((pieces) => pieces.join('')),
      ),
      labels,
      (text, own) => {
        try {
          expect(typeof matches(text, own)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect((error as Error).constructor).toBe(Error);
        }
      },
    ),
  );
});
