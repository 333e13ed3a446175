import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { claimsOf, disown, type ManagedFields } from '../../controller/core/managed-fields.ts';
import { aDeployment, aTemplateWith, PLACES, projected } from '../support/builders.ts';

type Fields = Readonly<Record<string, unknown>>;

/** As the API server has it: with more than matters here, that has to stay. */
const anEntry = (fieldsV1: Fields, overrides: ManagedFields & { manager?: string } = {}) => ({
  manager: 'kubectl',
  operation: 'Update',
  apiVersion: 'apps/v1',
  time: '2026-06-01T12:00:00Z',
  fieldsType: 'FieldsV1',
  fieldsV1,
  ...overrides,
});

/** `{ "f:spec": { "f:template": { "f:spec": inner } } }` */
const ofPods = (inner: Fields): Fields => ({ 'f:spec': { 'f:template': { 'f:spec': inner } } });
const named = (name: string) => `k:${JSON.stringify({ name })}`;

/** The template names a ConfigMap in each of the places; each is at index 0 of its list. */
const OBJECT = aDeployment({ template: aTemplateWith(PLACES.map((place) => [place, 'foo-hhbcdfghkm'])) });
const AT = {
  volume: '/spec/template/spec/volumes/0/configMap/name',
  projected: '/spec/template/spec/volumes/1/projected/sources/0/configMap/name',
  envFrom: '/spec/template/spec/containers/0/envFrom/0/configMapRef/name',
  env: '/spec/template/spec/containers/0/env/0/valueFrom/configMapKeyRef/name',
  init: '/spec/template/spec/initContainers/0/envFrom/0/configMapRef/name',
};

interface Row {
  readonly at: keyof typeof AT;
  readonly owns: Fields;
  /** Undefined: nothing. */
  readonly keeps: Fields | undefined;
}

const volume = (inner: Fields) => ofPods({ 'f:volumes': { [named('v0')]: inner } });
const keyRef = (inner: Fields) =>
  ofPods({ 'f:containers': { [named('main')]: { 'f:env': { [named('E0')]: { '.': {}, 'f:name': {}, ...inner } } } } });

const TABLE: Readonly<Record<string, Row>> = {
  'the name of a volume’s ConfigMap': {
    at: 'volume',
    owns: volume({ '.': {}, 'f:name': {}, 'f:configMap': { '.': {}, 'f:defaultMode': {}, 'f:name': {} } }),
    keeps: volume({ '.': {}, 'f:name': {}, 'f:configMap': { '.': {}, 'f:defaultMode': {} } }),
  },
  'with parents that would be left empty': {
    at: 'volume',
    owns: ofPods({ 'f:volumes': { [named('v0')]: { 'f:configMap': { 'f:name': {} } } }, 'f:dnsPolicy': {} }),
    keeps: ofPods({ 'f:dnsPolicy': {} }),
  },
  'all that an entry says: the entry goes': {
    at: 'volume',
    owns: volume({ 'f:configMap': { 'f:name': {} } }),
    keeps: undefined,
  },
  'a projected volume’s list of sources, which has one owner': {
    at: 'projected',
    owns: ofPods({ 'f:volumes': { [named('p0')]: { 'f:projected': { 'f:defaultMode': {}, 'f:sources': {} } } } }),
    keeps: ofPods({ 'f:volumes': { [named('p0')]: { 'f:projected': { 'f:defaultMode': {} } } } }),
  },
  'a container’s list envFrom, which has one owner': {
    at: 'envFrom',
    owns: ofPods({ 'f:containers': { [named('main')]: { 'f:envFrom': {}, 'f:image': {} } } }),
    keeps: ofPods({ 'f:containers': { [named('main')]: { 'f:image': {} } } }),
  },
  'the same of an init container': {
    at: 'init',
    owns: ofPods({
      'f:initContainers': { [named('init')]: { 'f:envFrom': {} } },
      'f:containers': { [named('main')]: { 'f:envFrom': {} } },
    }),
    keeps: ofPods({ 'f:containers': { [named('main')]: { 'f:envFrom': {} } } }),
  },
  'the name in a variable’s selector': {
    at: 'env',
    owns: keyRef({ 'f:valueFrom': { '.': {}, 'f:configMapKeyRef': { '.': {}, 'f:key': {}, 'f:name': {} } } }),
    keeps: keyRef({ 'f:valueFrom': { '.': {}, 'f:configMapKeyRef': { '.': {}, 'f:key': {} } } }),
  },
  'the whole selector, where the server takes it as one atom': {
    at: 'env',
    owns: keyRef({ 'f:valueFrom': { '.': {}, 'f:configMapKeyRef': {} } }),
    keeps: keyRef({ 'f:valueFrom': { '.': {} } }),
  },
};

const NOT_OWNED: Readonly<Record<string, Row>> = Object.fromEntries(
  Object.entries<Omit<Row, 'keeps'>>({
    'the volume, but not its name': { at: 'volume', owns: volume({ '.': {}, 'f:configMap': { 'f:optional': {} } }) },
    'another volume': {
      at: 'volume',
      owns: ofPods({ 'f:volumes': { [named('v1')]: { 'f:configMap': { 'f:name': {} } } } }),
    },
    'a volume of that name elsewhere': {
      at: 'volume',
      owns: { 'f:spec': { 'f:volumes': { [named('v0')]: { 'f:configMap': { 'f:name': {} } } } } },
    },
    'the Secret of that volume': { at: 'volume', owns: volume({ 'f:secret': { 'f:secretName': {} } }) },
    'the name of the volume': { at: 'volume', owns: volume({ 'f:name': {} }) },
    'another variable': { at: 'env', owns: keyRef({ 'f:value': {} }) },
    'a label': { at: 'volume', owns: { 'f:metadata': { 'f:labels': { 'f:app': {} } } } },
    nothing: { at: 'volume', owns: {} },
  }).map(([what, row]) => [what, { ...row, keeps: row.owns }]),
);

describe('who updates a workload', () => {
  test.each(Object.entries(TABLE))('does not come to own %s', (_, { at, owns, keeps }) => {
    const settled = disown([anEntry(owns)], OBJECT, [AT[at]]);
    expect(settled).toEqual(keeps === undefined ? [] : [anEntry(keeps)]);
  });

  test.each(Object.entries(NOT_OWNED))('goes on owning %s', (_, { at, owns }) => {
    expect(disown([anEntry(owns)], OBJECT, [AT[at]])).toBeUndefined();
  });

  test('comes to own none of several names, also where one list holds two', () => {
    const template = aTemplateWith([
      ['envFrom', 'foo-hhbcdfghkm'],
      ['envFrom', 'bar-hhbcdfghkm'],
      ['volume', 'foo-hhbcdfghkm'],
    ]);
    const pointers = projected(aDeployment({ template })).references.map(({ pointer }) => `/spec/template${pointer}`);
    const owns = ofPods({
      'f:containers': { [named('main')]: { 'f:envFrom': {}, 'f:image': {} } },
      'f:volumes': { [named('v0')]: { 'f:configMap': { 'f:name': {} } } },
    });
    expect(pointers).toHaveLength(3);
    expect(disown([anEntry(owns)], aDeployment({ template }), pointers)).toEqual([
      anEntry(ofPods({ 'f:containers': { [named('main')]: { 'f:image': {} } } })),
    ]);
  });

  test.each([ofPods({ 'f:volumes': {}, 'f:dnsPolicy': {} }), { 'f:spec': { 'f:template': {}, 'f:replicas': {} } }])(
    'goes on owning a whole list, as a custom resource has it, unless it is the controller: %j',
    (owns) => {
      expect(disown([anEntry(owns)], OBJECT, [AT.volume])).toBeUndefined();
      const [left] = disown([anEntry(owns, { manager: 'config-rollout' })], OBJECT, [AT.volume]) ?? [];
      const text = JSON.stringify(left?.fieldsV1);
      expect(text).toMatch(/f:dnsPolicy|f:replicas/);
      expect(text).not.toMatch(/f:volumes|"f:template":\{\}/);
    },
  );

  test('keeps what is right as it is', () => {
    const entry = anEntry(volume({ '.': {}, 'f:configMap': { 'f:name': {} } }));
    expect(disown([entry], OBJECT, [])).toBeUndefined();
    expect(disown([], OBJECT, [AT.volume])).toBeUndefined();
  });
});

describe('who applies on the server', () => {
  const owns = volume({ 'f:configMap': { 'f:name': {} } });

  test('owns the name, beside whom it is taken from', () => {
    const applied = anEntry(owns, { manager: 'gitops', operation: 'Apply' });
    const updated = anEntry({ ...owns, 'f:metadata': {} }, { manager: 'config-rollout' });
    expect(disown([applied, updated], OBJECT, [AT.volume])).toEqual([
      applied,
      { ...updated, fieldsV1: { 'f:metadata': {} } },
    ]);
  });

  test('is left alone', () => {
    const applied = anEntry(owns, { operation: 'Apply' });
    expect(disown([applied], OBJECT, [AT.volume])).toBeUndefined();
  });
});

describe('whatever is owned', () => {
  interface Leaf {
    readonly path: readonly string[];
    readonly pointer: string;
  }
  const KEYED = ['volumes', 'containers', 'initContainers', 'env'];

  /** All fields of an object as the API server tells them apart; `atom` is a struct that it does not look into. */
  function leavesOf(value: unknown, atom: string, pointer = '', path: readonly string[] = []): Leaf[] {
    const key = pointer.slice(pointer.lastIndexOf('/') + 1);
    const isAtom = Array.isArray(value) ? !KEYED.includes(key) : typeof value !== 'object' || key === atom;
    if (isAtom) return [{ path, pointer }];
    return Object.entries(value as object).flatMap(([each, inner]) => {
      const element = Array.isArray(value) ? named(inner.name) : `f:${each}`;
      const self = Array.isArray(value) ? [{ path: [...path, element, '.'], pointer: 'none' }] : [];
      return [...self, ...leavesOf(inner, atom, `${pointer}/${each}`, [...path, element])];
    });
  }
  function fieldsOf(leaves: readonly Leaf[]): Fields {
    const fields: Record<string, unknown> = {};
    for (const { path } of leaves) {
      let at = fields;
      for (const element of path) {
        at[element] ??= {};
        at = at[element] as Record<string, unknown>;
      }
    }
    return fields;
  }

  const owned = fc
    .record({
      references: fc.array(fc.tuple(fc.constantFrom(...PLACES), fc.constantFrom('foo-hhbcdfghkm', 'bar')), {
        minLength: 1,
        maxLength: 6,
      }),
      atom: fc.constantFrom('configMapKeyRef', 'none'),
    })
    .chain(({ references, atom }) => {
      const object = aDeployment({ template: aTemplateWith(references) });
      const names = projected(object).references.map(({ pointer }) => `/spec/template${pointer}`);
      return fc.record({
        object: fc.constant(object),
        pinned: fc.subarray(names),
        leaves: fc.subarray(leavesOf(object, atom)),
      });
    });

  test('what leads to a pinned name is taken away, nothing else is, and nothing the second time', () => {
    fc.assert(
      fc.property(owned, ({ object, pinned, leaves }) => {
        const entries = [anEntry(fieldsOf(leaves))];
        const isTaken = ({ pointer }: Leaf) => pinned.some((name) => `${name}/`.startsWith(`${pointer}/`));
        const left = leaves.filter((leaf) => !isTaken(leaf));
        const settled = disown(entries, object, pinned);
        const kept = leaves.length > 0 && left.length === 0 ? [] : [anEntry(fieldsOf(left))];
        expect(settled).toEqual(left.length === leaves.length ? undefined : kept);
        expect(disown(settled ?? entries, object, pinned)).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });
});

describe('an entry', () => {
  const OWNS = volume({ 'f:configMap': { 'f:defaultMode': {}, 'f:name': {} }, 'f:name': {} });
  const LEFT = volume({ 'f:configMap': { 'f:defaultMode': {} }, 'f:name': {} });
  const [then, now] = ['2026-06-01T12:00:00Z', '2026-06-01T12:00:05Z'];

  test('that says what it said gets its time back, in whatever order of keys', () => {
    const { operation, time: _, ...rest } = anEntry(LEFT);
    const claims = claimsOf([{ time: then, ...rest, operation }]);
    const settled = disown([{ ...anEntry(OWNS), time: now }], OBJECT, [AT.volume], claims);
    expect(settled).toEqual([{ ...anEntry(LEFT), time: then }]);
  });

  test('that says something else keeps its time', () => {
    const claims = claimsOf([{ ...anEntry(OWNS), time: then }]);
    const settled = disown([{ ...anEntry(OWNS), time: now }], OBJECT, [AT.volume], claims);
    expect(settled).toEqual([{ ...anEntry(LEFT), time: now }]);
  });
});
