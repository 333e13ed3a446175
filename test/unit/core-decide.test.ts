import { describe, expect, test } from '@jest/globals';
import { decide, type Pins, referencesTo, type SourceView } from '../../controller/core/decide.ts';
import { EXCLUDED, rolledHashLabel } from '../../controller/core/names.ts';
import { inspectTemplate } from '../../controller/core/references.ts';
import type { Revision } from '../../controller/core/types.ts';
import { aRevision, aSource, aTemplate, aWorkload, H1, H2, H3, NOON, pinned, pinsOf } from '../support/builders.ts';

const LABEL = rolledHashLabel('ConfigMap', 'foo');
const FOO1 = pinned('foo', H1);
const FOO2 = pinned('foo', H2);
const FOO3 = pinned('foo', H3);
const ALL = pinsOf(['foo', H1], ['foo', H2], ['foo', H3], ['bar', H1]);

interface Row {
  /** What the template mounts. */
  readonly mounts: readonly string[];
  /** The state label. */
  readonly label?: string;
  /** What the snapshots record; `current` is always H2. */
  readonly recorded?: string;
  readonly revisions?: readonly Revision[];
  readonly pins?: Pins;
  readonly hold?: boolean;
  /** What the template mounts that is replaced: admission sees it. */
  readonly replaced?: readonly string[];
  readonly source?: Partial<SourceView>;

  readonly rolls: boolean;
  /** What the template mounts afterwards. */
  readonly becomes: readonly string[];
  /** The label that is written. */
  readonly writes?: string;
  readonly needsSnapshot: boolean;
}

const history = [aRevision({ number: 4, mounts: [FOO2] }), aRevision({ number: 5, mounts: [FOO1] })];
const rawHistory = [aRevision({ number: 1 })];

const TABLE: Readonly<Record<string, Row>> = {
  // rolled ≠ current
  'changed content: the pin moves, and the label with it': {
    mounts: [FOO1],
    label: H1,
    rolls: true,
    becomes: [FOO2],
    writes: H2,
    needsSnapshot: true,
  },
  'changed content and a raw template': {
    mounts: ['foo'],
    label: H1,
    revisions: history,
    rolls: true,
    becomes: [FOO2],
    writes: H2,
    needsSnapshot: true,
  },
  'changed content while undone': {
    mounts: [FOO3],
    label: H1,
    rolls: true,
    becomes: [FOO2],
    writes: H2,
    needsSnapshot: true,
  },
  'changed content that the template names already': {
    mounts: [FOO2],
    label: H1,
    rolls: true,
    becomes: [FOO2],
    writes: H2,
    needsSnapshot: true,
  },
  'several references, raw, pinned to various contents, and of another source': {
    mounts: ['foo', FOO1, 'bar', FOO3, 'pinless'],
    label: H1,
    rolls: true,
    becomes: [FOO2, FOO2, 'bar', FOO2, 'pinless'],
    writes: H2,
    needsSnapshot: true,
  },
  // rolled = current
  'nothing changed': { mounts: [FOO2], label: H2, rolls: false, becomes: [FOO2], needsSnapshot: false },
  'undone: the older pin stays': { mounts: [FOO1], label: H2, rolls: false, becomes: [FOO1], needsSnapshot: false },
  'pinned by hand to a content that no revision mounts': {
    mounts: [FOO3],
    label: H2,
    revisions: history,
    rolls: false,
    becomes: [FOO3],
    needsSnapshot: false,
  },
  'made raw by an apply: back to the newest pinned revision, which may be an undone one': {
    mounts: ['foo'],
    label: H2,
    revisions: history,
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'made raw, and the newest revision is the raw one': {
    mounts: ['foo'],
    label: H2,
    revisions: [...history, aRevision({ number: 6 })],
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'made raw, whatever the order in which revisions come': {
    mounts: ['foo'],
    label: H2,
    revisions: history.toReversed(),
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'made raw, and of two revisions that Kubernetes gave one number the younger one is the newest': {
    mounts: ['foo'],
    label: H2,
    revisions: [
      aRevision({ name: 'a', number: 6, createdAt: NOON + 1000, mounts: [FOO1] }),
      aRevision({ name: 'b', number: 6, createdAt: NOON, mounts: [FOO2] }),
    ],
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'made raw, and the newest pinned revision mounts a snapshot that is gone': {
    mounts: ['foo'],
    label: H2,
    revisions: history,
    pins: pinsOf(['foo', H1, 'gone'], ['foo', H2]),
    rolls: false,
    becomes: [FOO2],
    needsSnapshot: false,
  },
  'made raw, with no pinned revision: the current content': {
    mounts: ['foo'],
    label: H2,
    revisions: rawHistory,
    rolls: false,
    becomes: [FOO2],
    needsSnapshot: true,
  },
  'made raw, with pinned revisions of another source only': {
    mounts: ['foo'],
    label: H2,
    revisions: [aRevision({ number: 9, mounts: [pinned('bar', H1)] })],
    rolls: false,
    becomes: [FOO2],
    needsSnapshot: true,
  },
  'a second mount was added by hand, raw: only that one is pinned': {
    mounts: [FOO1, 'foo'],
    label: H2,
    revisions: history,
    rolls: false,
    becomes: [FOO1, FOO1],
    needsSnapshot: false,
  },
  // no label
  'never rolled': { mounts: ['foo'], rolls: true, becomes: [FOO2], writes: H2, needsSnapshot: true },
  'never rolled, though pinned to the current content by hand': {
    mounts: [FOO2],
    rolls: true,
    becomes: [FOO2],
    writes: H2,
    needsSnapshot: true,
  },
  'label lost, the record says that the current content was rolled: it is written again, an undo stays': {
    mounts: [FOO1],
    recorded: H2,
    rolls: false,
    becomes: [FOO1],
    writes: H2,
    needsSnapshot: false,
  },
  'label lost by a replace that made the template raw as well': {
    mounts: ['foo'],
    recorded: H2,
    revisions: history,
    rolls: false,
    becomes: [FOO1],
    writes: H2,
    needsSnapshot: false,
  },
  'label lost, the record says that another content was rolled': {
    mounts: [FOO1],
    recorded: H1,
    rolls: true,
    becomes: [FOO2],
    writes: H2,
    needsSnapshot: true,
  },
  'label there: the record is not asked': {
    mounts: [FOO1],
    label: H2,
    recorded: H1,
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'label there but older: the record is not asked': {
    mounts: [FOO1],
    label: H1,
    recorded: H2,
    rolls: true,
    becomes: [FOO2],
    writes: H2,
    needsSnapshot: true,
  },
  // hold
  'held: pinned references stay, nothing is recorded': {
    mounts: [FOO1],
    label: H1,
    revisions: history,
    hold: true,
    rolls: true,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'held: raw references are pinned to what ran before': {
    mounts: ['foo'],
    label: H1,
    revisions: history,
    hold: true,
    rolls: true,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'held: a lost label is not written': {
    mounts: [FOO1],
    recorded: H2,
    hold: true,
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'held with nothing to go back to: raw references stay': {
    mounts: ['foo'],
    label: H1,
    revisions: rawHistory,
    hold: true,
    rolls: true,
    becomes: ['foo'],
    needsSnapshot: true,
  },
  // replaced
  'made raw: back to what is replaced, whatever the history shows': {
    mounts: ['foo'],
    label: H2,
    revisions: history.toReversed(),
    replaced: [FOO3],
    rolls: false,
    becomes: [FOO3],
    needsSnapshot: false,
  },
  'made raw: each reference back to the pin of its place, one in a new place to the first of its source': {
    mounts: ['foo', 'foo', 'bar', 'foo'],
    label: H2,
    replaced: [FOO2, FOO1, pinned('bar', H1)],
    rolls: false,
    becomes: [FOO2, FOO1, 'bar', FOO2],
    needsSnapshot: false,
  },
  'made raw, in the place of another source': {
    mounts: ['foo', 'bar'],
    label: H2,
    replaced: [pinned('bar', H1), FOO1],
    rolls: false,
    becomes: [FOO1, 'bar'],
    needsSnapshot: false,
  },
  'made raw, and half of what is replaced is raw': {
    mounts: ['foo', 'foo'],
    label: H2,
    revisions: history,
    replaced: ['foo', FOO3],
    rolls: false,
    becomes: [FOO3, FOO3],
    needsSnapshot: false,
  },
  'made raw, and what is replaced is raw: as the history says': {
    mounts: ['foo'],
    label: H2,
    revisions: history,
    replaced: ['foo'],
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'made raw, and what is replaced mounts a snapshot that is gone: as the history says': {
    mounts: ['foo'],
    label: H2,
    revisions: history,
    replaced: [FOO3],
    pins: pinsOf(['foo', H1], ['foo', H3, 'gone']),
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'made raw, and nothing that is replaced is a pin': {
    mounts: ['foo'],
    label: H2,
    replaced: ['plain'],
    rolls: false,
    becomes: [FOO2],
    needsSnapshot: true,
  },
  'pinned otherwise than what is replaced, as by an undo: it stays': {
    mounts: [FOO1],
    label: H2,
    replaced: [FOO2],
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'changed content: what is replaced is not asked': {
    mounts: ['foo'],
    label: H1,
    replaced: [FOO1],
    rolls: true,
    becomes: [FOO2],
    writes: H2,
    needsSnapshot: true,
  },
  'held: raw references are pinned to what is replaced': {
    mounts: ['foo'],
    label: H1,
    revisions: history,
    replaced: [FOO3],
    hold: true,
    rolls: true,
    becomes: [FOO3],
    needsSnapshot: false,
  },
  // missing snapshot
  'the snapshot of the current content was deleted: it is needed again, the template stays': {
    mounts: [FOO2],
    label: H2,
    pins: pinsOf(['foo', H2, 'gone']),
    rolls: false,
    becomes: [FOO2],
    needsSnapshot: true,
  },
  'the snapshot of an older content was deleted: nobody can make it again': {
    mounts: [FOO1],
    label: H2,
    pins: pinsOf(['foo', H1, 'gone']),
    rolls: false,
    becomes: [FOO1],
    needsSnapshot: false,
  },
  'the snapshot of an older content was deleted, and the content changed': {
    mounts: [FOO1],
    label: H1,
    pins: pinsOf(['foo', H1, 'gone']),
    rolls: true,
    becomes: [FOO2],
    writes: H2,
    needsSnapshot: true,
  },
  // what is not known
  'content not read yet': {
    mounts: ['foo'],
    label: H1,
    source: { hash: undefined, snapshot: undefined },
    rolls: false,
    becomes: ['foo'],
    needsSnapshot: false,
  },
  'every name of the snapshot is taken: nothing moves': {
    mounts: [FOO1],
    label: H1,
    source: { snapshot: undefined },
    rolls: true,
    becomes: [FOO1],
    writes: H2,
    needsSnapshot: true,
  },
  'not referenced': { mounts: ['bar'], label: H2, rolls: false, becomes: ['bar'], needsSnapshot: false },
};

describe('the decision on one source of one workload', () => {
  test.each(Object.entries(TABLE))('%s', (_, row) => {
    const workload = aWorkload({
      mounts: row.mounts,
      labels: row.label === undefined ? {} : { [LABEL]: row.label },
    });
    const source = aSource({ recorded: row.recorded, ...row.source });
    const decision = decide(workload, source, row.revisions ?? [], row.pins ?? ALL, {
      hold: row.hold ?? false,
      replaced: row.replaced && aWorkload({ mounts: row.replaced }),
    });

    const names = new Map(workload.references.map(({ pointer, name }) => [pointer, name]));
    for (const { pointer, from, to } of decision.changes) {
      expect(names.get(pointer)).toBe(from);
      names.set(pointer, to);
    }
    expect({ rolls: decision.rolls, becomes: [...names.values()], needsSnapshot: decision.needsSnapshot }).toEqual({
      rolls: row.rolls,
      becomes: row.becomes,
      needsSnapshot: row.needsSnapshot,
    });
    expect(decision.label).toEqual(row.writes === undefined ? undefined : { key: LABEL, value: row.writes });
    expect(decision.rolled).toBe(row.label ?? row.recorded);
  });

  test('carried out and taken again decides on nothing', () => {
    for (const row of Object.values(TABLE).filter((each) => each.hold !== true && !each.source)) {
      const after = aWorkload({
        mounts: row.becomes,
        labels: row.writes || row.label ? { [LABEL]: row.writes ?? row.label ?? '' } : {},
      });
      const again = decide(after, aSource({ recorded: row.recorded }), row.revisions ?? [], ALL);
      expect({ changes: again.changes, label: again.label, rolls: again.rolls }).toEqual({
        changes: [],
        label: undefined,
        rolls: false,
      });
    }
  });

  describe('a source that changed while the template did not mention it', () => {
    const marked = `${H2}.unreferenced`;

    test('is noted, and noted once', () => {
      const dropped = aWorkload({ mounts: ['bar'], labels: { [LABEL]: H1 } });
      expect(decide(dropped, aSource(), [], ALL)).toMatchObject({ changes: [], label: { key: LABEL, value: marked } });
      const noted = aWorkload({ mounts: ['bar'], labels: { [LABEL]: marked } });
      expect(decide(noted, aSource(), [], ALL)).toMatchObject({ changes: [], label: undefined });
    });

    test('stays as an undo brings it back', () => {
      const undone = aWorkload({ mounts: [FOO1], labels: { [LABEL]: marked } });
      expect(decide(undone, aSource(), [], ALL)).toMatchObject({ rolls: false, changes: [], label: undefined });
    });

    test('comes with its content when it is mentioned again, whatever older revisions pin, or the template replaced', () => {
      const again = aWorkload({ mounts: ['foo'], labels: { [LABEL]: marked } });
      const older = aRevision({ number: 7, mounts: [FOO1] });
      expect(decide(again, aSource(), [older], ALL, { replaced: older })).toMatchObject({
        changes: [{ from: 'foo', to: FOO2 }],
        label: { key: LABEL, value: H2 },
      });
    });

    test('rolls when it changes after an undo', () => {
      const undone = aWorkload({ mounts: [FOO1], labels: { [LABEL]: `${H1}.unreferenced` } });
      expect(decide(undone, aSource(), [], ALL)).toMatchObject({ rolls: true, label: { key: LABEL, value: H2 } });
    });
  });

  test('a label of another source, or of a longer name, says nothing about this one', () => {
    const workload = aWorkload({ mounts: [FOO2], rolled: { bar: H2, 'foo-bar': H2 } });
    expect(decide(workload, aSource(), [], ALL)).toMatchObject({ rolled: undefined, rolls: true });
  });
});

describe('a ConfigMap and a Secret of one name', () => {
  const SECRET_LABEL = rolledHashLabel('Secret', 'foo');
  const volumes = (configMap: string, secret: string) => ({
    metadata: {},
    spec: { volumes: [{ configMap: { name: configMap } }, { secret: { secretName: secret } }] },
  });
  const secret = aSource({ kind: 'Secret', hash: H3, snapshot: { name: FOO3, ready: true } });
  const pins: Pins = new Map([
    ...pinsOf(['foo', H1], ['foo', H2]),
    [`Secret/${FOO1}`, { source: 'foo', hash: H1, exists: true }],
    [`Secret/${FOO3}`, { source: 'foo', hash: H3, exists: true }],
  ]);

  test('are decided on by themselves: each has a label, references and pins of its own', () => {
    const workload = aWorkload({ template: volumes(FOO1, FOO1), labels: { [LABEL]: H2, [SECRET_LABEL]: H1 } });
    expect(decide(workload, aSource(), [], pins)).toMatchObject({ rolls: false, changes: [], label: undefined });
    expect(decide(workload, secret, [], pins)).toMatchObject({
      changes: [{ pointer: '/spec/volumes/1/secret/secretName', from: FOO1, to: FOO3 }],
      label: { key: SECRET_LABEL, value: H3 },
    });
  });

  test('do not lend each other their former pins', () => {
    const workload = aWorkload({ template: volumes('foo', 'foo'), labels: { [LABEL]: H2, [SECRET_LABEL]: H3 } });
    const before = { ...aRevision({ number: 5 }), ...inspectTemplate(volumes(FOO2, FOO1)) };
    const changes = [aSource(), secret].flatMap((source) => decide(workload, source, [before], pins).changes);
    expect(changes.map(({ to }) => to)).toEqual([FOO2, FOO1]);
    const onlySecret = { ...before, references: before.references.filter(({ kind }) => kind === 'Secret') };
    expect(decide(workload, aSource({ snapshot: { name: FOO2, ready: true } }), [onlySecret], pins)).toMatchObject({
      needsSnapshot: true,
      changes: [{ from: 'foo', to: FOO2 }],
    });
  });
});

test('a source that is excluded has no state that could be read', () => {
  const workload = aWorkload({ mounts: [FOO1], labels: { [LABEL]: EXCLUDED } });
  expect(decide(workload, aSource({ recorded: H2 }), [], ALL)).toMatchObject({ rolled: H2, rolls: false });
});

describe('the references of a template to a source', () => {
  test('are the raw ones and the pins of it, and not the pins of others', () => {
    const { references } = aWorkload({ mounts: ['foo', FOO1, 'foo-bar', pinned('bar', H1), 'bar'] });
    expect(referencesTo(references, aSource(), ALL).map(({ name }) => name)).toEqual(['foo', FOO1]);
  });

  test('do not hold a name that only looks like a pin', () => {
    const { references } = aWorkload({ template: aTemplate([FOO1]) });
    expect(referencesTo(references, aSource(), new Map())).toEqual([]);
  });
});
