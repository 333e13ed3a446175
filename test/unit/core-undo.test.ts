import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Revision, Workload } from '../../controller/core/types.ts';
import { restore } from '../../controller/core/undo.ts';
import {
  aRevision,
  aTemplateWith,
  aWorkload,
  H1,
  H2,
  H3,
  PLACES,
  type Place,
  pinned,
  pinsOf,
} from '../support/builders.ts';

const FOO = { kind: 'ConfigMap', name: 'foo' } as const;
const WEB = { kind: 'ConfigMap', name: 'web' } as const;
const PINS = pinsOf(['foo', H1], ['foo', H2], ['foo', H3, 'gone'], ['web', H1], ['web', H2]);

/** Each change as `from → to`, or how many places are left. */
function outcome(workload: Workload, revision: Revision, sources: Parameters<typeof restore>[1] = [FOO]) {
  return restore(workload, sources, revision, PINS).map(({ changes, unknown }) => ({
    changes: changes.map(({ from, to }) => `${from} → ${to}`),
    unknown,
  }));
}

describe('what an undo of config brings back', () => {
  test.each<
    [what: string, now: readonly string[], then: readonly string[], changes: readonly string[], unknown: number]
  >([
    ['the snapshot of then', [pinned('foo', H2)], [pinned('foo', H1)], [`foo-${H2} → foo-${H1}`], 0],
    ['nothing where it is mounted already', [pinned('foo', H1)], [pinned('foo', H1)], [], 0],
    ['the snapshot of then for a raw reference', ['foo'], [pinned('foo', H1)], [`foo → foo-${H1}`], 0],
    [
      'the snapshot of then for one that is gone',
      [pinned('foo', H3)],
      [pinned('foo', H1)],
      [`foo-${H3} → foo-${H1}`],
      0,
    ],
    ['nothing that was raw then', [pinned('foo', H2)], ['foo'], [], 1],
    ['nothing that is gone', [pinned('foo', H2)], [pinned('foo', H3)], [], 1],
    ['nothing that was not used then', [pinned('foo', H2)], [pinned('web', H1)], [], 1],
    ['nothing that is not used now', [pinned('web', H2)], [pinned('foo', H1)], [], 0],
    [
      'places that are new, too',
      [pinned('foo', H2), 'foo'],
      [pinned('foo', H1)],
      [`foo-${H2} → foo-${H1}`, `foo → foo-${H1}`],
      0,
    ],
    [
      'each place as it was',
      [pinned('foo', H2), pinned('foo', H2)],
      [pinned('foo', H1), pinned('foo', H2)],
      [`foo-${H2} → foo-${H1}`],
      0,
    ],
  ])('%s', (_, now, then, changes, unknown) => {
    expect(outcome(aWorkload({ mounts: now }), aRevision({ mounts: then }))).toEqual([{ changes, unknown }]);
  });

  test('each source for itself', () => {
    const workload = aWorkload({ mounts: [pinned('foo', H2), pinned('web', H2)] });
    const revision = aRevision({ mounts: [pinned('foo', H1), pinned('web', H1)] });
    expect(outcome(workload, revision, [WEB])).toEqual([{ changes: [`web-${H2} → web-${H1}`], unknown: 0 }]);
    expect(outcome(workload, revision, [FOO, WEB]).map(({ changes }) => changes.length)).toEqual([1, 1]);
  });

  test('is no Secret of the same name', () => {
    const workload = aWorkload({ mounts: [pinned('foo', H2)] });
    const revision = aRevision({ mounts: [pinned('foo', H1)] });
    expect(outcome(workload, revision, [{ kind: 'Secret', name: 'foo' }])).toEqual([{ changes: [], unknown: 0 }]);
  });

  test('is, in whatever places, a snapshot that exists, and all of it is there after one step', () => {
    const name = fc.constantFrom('foo', 'other', ...[H1, H2, H3].map((hash) => pinned('foo', hash)));
    const template = fc.array(fc.tuple(fc.constantFrom(...PLACES), name), { maxLength: 6 });
    fc.assert(
      fc.property(template, template, (now, then) => {
        const workload = aWorkload({ template: aTemplateWith(now) });
        const revision = { ...aRevision(), references: aWorkload({ template: aTemplateWith(then) }).references };
        const [back] = restore(workload, [FOO], revision, PINS);
        const to = new Map(back?.changes.map((change) => [change.pointer, change.to]));
        for (const each of to.values()) expect([pinned('foo', H1), pinned('foo', H2)]).toContain(each);
        const after = now.map(([place], i): readonly [Place, string] => [
          place,
          to.get(pointerOf(workload, now, i) ?? '') ?? now[i]?.[1] ?? '',
        ]);
        const [again] = restore(aWorkload({ template: aTemplateWith(after) }), [FOO], revision, PINS);
        expect(again).toEqual({ source: FOO, changes: [], unknown: back?.unknown });
      }),
    );
  });
});

/** Of the i-th entry, by its rank among those of its place. */
function pointerOf(
  { references }: Workload,
  entries: readonly (readonly [Place, string])[],
  i: number,
): string | undefined {
  const patterns: Readonly<Record<Place, RegExp>> = {
    volume: /^\/spec\/volumes\/\d+\/configMap/,
    projected: /projected/,
    envFrom: /^\/spec\/containers\/\d+\/envFrom/,
    env: /\/env\//,
    init: /initContainers/,
  };
  const place = entries[i]?.[0] ?? 'volume';
  const rank = entries.slice(0, i).filter(([other]) => other === place).length;
  return references.filter(({ pointer }) => patterns[place].test(pointer))[rank]?.pointer;
}
