import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compareResourceVersions } from '../../controller/runtime/resource-version.ts';
import { type Change, EVERYWHERE, keyOf, Store, type Stored } from '../../controller/runtime/store.ts';

interface Thing extends Stored {
  readonly color: string;
}

const thing = (name: string, version: number, extra: Partial<Thing> = {}): Thing => ({
  namespace: 'ns',
  name,
  uid: `uid-${name}`,
  resourceVersion: String(version),
  color: 'red',
  ...extra,
});

function watched(): { store: Store<Thing>; changes: Change<Thing>[]; told: () => string[] } {
  const store = new Store<Thing>({ color: (object) => [object.color] });
  const changes: Change<Thing>[] = [];
  store.subscribe((change) => changes.push(change));
  const version = (object: Thing | undefined): string =>
    object === undefined ? '-' : `${object.name}@${object.resourceVersion}`;
  return { store, changes, told: () => changes.map(({ before, after }) => `${version(before)} > ${version(after)}`) };
}

const names = (objects: Iterable<Thing>): string[] => [...objects].map((object) => object.name).sort();

describe('a relist', () => {
  test('tells only real differences', () => {
    const { store, told, changes } = watched();
    store.replace(EVERYWHERE, [thing('a', 1), thing('b', 2), thing('c', 3)], '10');
    changes.length = 0;
    store.replace(EVERYWHERE, [thing('a', 1), thing('b', 12), thing('d', 13)], '20');
    expect(told()).toEqual(['b@2 > b@12', '- > d@13', 'c@3 > -']);
    expect(names(store.all())).toEqual(['a', 'b', 'd']);
  });

  test('tells a deletion and an addition when another object took the name', () => {
    const { store, told, changes } = watched();
    store.replace(EVERYWHERE, [thing('a', 1)], '10');
    changes.length = 0;
    store.replace(EVERYWHERE, [thing('a', 15, { uid: 'other' })], '20');
    expect(told()).toEqual(['a@1 > -', '- > a@15']);
  });

  test('of one namespace leaves the others alone', () => {
    const { store } = watched();
    store.replace('ns', [thing('a', 1)], '10');
    store.replace('other', [thing('b', 2, { namespace: 'other' })], '10');
    store.replace('ns', [], '20');
    expect(names(store.all())).toEqual(['b']);
  });

  test('is visible as a whole before the first listener hears of it', () => {
    const { store } = watched();
    const sizes: number[] = [];
    store.subscribe(() => sizes.push(store.size));
    store.replace(EVERYWHERE, [thing('a', 1), thing('b', 2)], '10');
    expect(sizes).toEqual([2, 2]);
  });
});

describe('an own write', () => {
  const listed = (): ReturnType<typeof watched> => {
    const world = watched();
    world.store.replace(EVERYWHERE, [thing('a', 5)], '10');
    world.changes.length = 0;
    return world;
  };

  test('is visible at once, and its echo is no change', () => {
    const { store, told } = listed();
    store.noteWrite(thing('a', 12));
    expect(store.get('ns/a')?.resourceVersion).toBe('12');
    store.apply(EVERYWHERE, thing('a', 12), '12');
    expect(told()).toEqual(['a@5 > a@12']);
  });

  test('is not undone by an older event of the watch', () => {
    const { store } = listed();
    store.noteWrite(thing('a', 12));
    store.apply(EVERYWHERE, thing('a', 11), '11');
    expect(store.get('ns/a')?.resourceVersion).toBe('12');
    store.apply(EVERYWHERE, thing('a', 13), '13');
    expect(store.get('ns/a')?.resourceVersion).toBe('13');
  });

  test('that created an object anew outlives the deletion of the old one', () => {
    const { store, told } = listed();
    store.noteWrite(thing('a', 12, { uid: 'new' }));
    store.remove(EVERYWHERE, 'ns/a', '11');
    expect(store.get('ns/a')?.uid).toBe('new');
    expect(told()).toEqual(['a@5 > -', '- > a@12']);
  });

  test('is neither dropped nor undone by a list older than it', () => {
    const { store } = listed();
    store.noteWrite(thing('a', 22));
    store.noteWrite(thing('b', 23));
    store.replace(EVERYWHERE, [thing('a', 15)], '21');
    expect(names(store.all())).toEqual(['a', 'b']);
    expect(store.get('ns/a')?.resourceVersion).toBe('22');
    store.replace(EVERYWHERE, [thing('a', 22)], '30');
    expect(names(store.all())).toEqual(['a']);
  });

  test.each([
    ['the watch has passed it', thing('b', 10)],
    ['the stored object is as new', thing('a', 5, { color: 'blue' })],
    ['its version is no number', thing('b', 0, { resourceVersion: 'abc' })],
    ['its version has a leading zero', thing('b', 0, { resourceVersion: '011' })],
  ])('is ignored when %s', (_, object) => {
    const { store, told } = listed();
    store.noteWrite(object);
    expect(told()).toEqual([]);
  });

  test('is ignored before the first list, and in a namespace nobody lists', () => {
    const { store } = watched();
    store.noteWrite(thing('a', 5));
    store.replace('other', [], '3');
    store.noteWrite(thing('a', 5));
    expect(store.size).toBe(0);
  });

  test('that was deleted before we heard its answer does not come back', () => {
    const { store } = listed();
    store.remove(EVERYWHERE, 'ns/a', '12');
    store.noteWrite(thing('a', 11));
    expect(store.size).toBe(0);
  });

  test('that the watch passes without showing is let go: its selector does not match', () => {
    const { store, told } = listed();
    store.noteWrite(thing('b', 12));
    store.bookmark(EVERYWHERE, '13');
    expect(told()).toEqual(['- > b@12', 'b@12 > -']);
  });
});

test('a listener that throws harms neither the store nor the other listeners', () => {
  const logged: string[] = [];
  const store = new Store<Thing>({ color: (object) => [object.color] }, (_, message) => logged.push(message));
  const heard: string[] = [];
  store.subscribe(() => {
    throw new Error('oops');
  });
  store.subscribe(({ after }) => heard.push(after?.name ?? '-'));
  store.replace(EVERYWHERE, [thing('a', 1), thing('b', 2)], '10');
  expect(heard).toEqual(['a', 'b']);
  expect(names(store.by('color', 'red'))).toEqual(['a', 'b']);
  expect(logged).toHaveLength(2);
});

test('an indexer that throws leaves the object and every index as they were', () => {
  const store = new Store<Thing>({
    name: (object) => [object.name],
    color: (object) => {
      if (object.color === 'bad') throw new Error('no such color');
      return [object.color];
    },
  });
  store.replace(EVERYWHERE, [thing('a', 1)], '10');
  expect(() => store.apply(EVERYWHERE, thing('a', 11, { color: 'bad' }), '11')).toThrow('no such color');
  expect(store.by('color', 'red')).toEqual([thing('a', 1)]);
  expect(store.by('name', 'a')).toEqual([thing('a', 1)]);
});

test('an unknown index is a mistake worth an error', () => {
  expect(() => watched().store.by('size', 'xl')).toThrow('the store has no index "size"');
});

type Step = readonly ['apply' | 'remove' | 'note' | 'relist' | 'bookmark', Partial<Thing> & { name: string }, number];

function play(store: Store<Thing>, version: number, [what, fields, ahead]: Step): void {
  const made = thing(fields.name, version, fields);
  const at = String(version);
  const actions = {
    apply: () => store.apply(EVERYWHERE, made, at),
    remove: () => store.remove(EVERYWHERE, keyOf(made), at),
    note: () => store.noteWrite({ ...made, resourceVersion: String(version + ahead) }),
    relist: () => store.replace(EVERYWHERE, [made], at),
    bookmark: () => store.bookmark(EVERYWHERE, at),
  };
  actions[what]();
}

function replay(changes: readonly Change<Thing>[]): Set<Thing> {
  const held = new Map<string, Thing>();
  for (const { before, after } of changes) {
    if (before !== undefined) expect(held.get(keyOf(before))).toBe(before);
    if (after !== undefined) held.set(keyOf(after), after);
    else if (before !== undefined) held.delete(keyOf(before));
  }
  return new Set(held.values());
}

test('whatever happens, an index finds what a scan finds, and the changes add up to the content', () => {
  const fields = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    uid: fc.constantFrom('u1', 'u2'),
    color: fc.constantFrom('red', 'blue'),
  });
  const what = fc.constantFrom('apply', 'remove', 'note', 'relist', 'bookmark');
  const steps = fc.array(fc.tuple(what, fields, fc.nat(3)), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (played) => {
      const { store, changes } = watched();
      store.replace(EVERYWHERE, [], '1');
      for (const [index, step] of played.entries()) play(store, index + 2, step);
      expect(replay(changes)).toEqual(new Set(store.all()));
      for (const color of ['red', 'blue']) {
        const scanned = [...store.all()].filter((stored) => stored.color === color);
        expect(names(store.by('color', color))).toEqual(names(scanned));
      }
    }),
  );
});

test('versions compare as numbers of any length', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 80n }), fc.bigInt({ min: 0n, max: 2n ** 80n }), (a, b) => {
      expect(Math.sign(compareResourceVersions(`${a}`, `${b}`) ?? Number.NaN)).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
  expect(compareResourceVersions('', '1')).toBeUndefined();
});
