import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import jsonPatch from 'fast-json-patch';
import type { SourceView } from '../../controller/core/decide.ts';
import { type AdmissionObservation, planAdmission } from '../../controller/core/plan-admission.ts';
import {
  aDeployment,
  aRevision,
  aSource,
  aTemplate,
  aTemplateWith,
  H1,
  H2,
  namesOf,
  PLACES,
  pinned,
  pinsOf,
  projected,
} from '../support/builders.ts';

const [FOO1, FOO2, BAR1, BAR2] = [pinned('foo', H1), pinned('foo', H2), pinned('bar', H1), pinned('bar', H2)];
const FOO = 'configmap.configrollout.dev/foo';
const BAR = 'configmap.configrollout.dev/bar';
const MANAGED = 'configrollout.dev/managed';
const AFTER = 'configrollout.dev/after-revision';
const CAUSE = 'kubernetes.io/change-cause';
const OWN_CAUSE = 'configrollout.dev/change-cause';
const PINS = pinsOf(['foo', H1], ['foo', H2], ['bar', H1], ['bar', H2]);
const OWNED = { [MANAGED]: 'owned' };

type Labels = Readonly<Record<string, string>>;
type Raw = ReturnType<typeof aDeployment>;

const foo = aSource();
const bar = aSource({ name: 'bar' });
/** The same before they changed. */
const foo1 = aSource({ hash: H1 });

/** Plans for a request; `becomes` is the object that is stored in the end. Throws when an operation does not fit. */
function admitted(asked: Raw, replaced?: Raw, observed: Partial<AdmissionObservation> = {}) {
  const plan = planAdmission({
    workload: projected(asked),
    replaced: replaced && projected(replaced),
    optedIn: true,
    sources: [foo],
    revisions: [],
    pins: PINS,
    hold: false,
    wait: undefined,
    mayBeUndo: false,
    ...observed,
  });
  const operations = structuredClone([...plan.operations]);
  const becomes = jsonPatch.applyPatch(structuredClone(asked), operations, true).newDocument;
  return { plan, becomes, mounts: namesOf(projected(becomes).references) };
}

const aMount = (mounts: readonly string[], labels: Labels, annotations: Labels = {}) =>
  aDeployment({ mounts, metadata: { labels, annotations } });

interface Row {
  readonly asks: readonly string[];
  /** The labels that the request leaves; those that are stored when not told. */
  readonly asksLabels?: Labels;
  /** What an update replaces; undefined for a creation. */
  readonly stored?: readonly string[];
  readonly labels?: Labels;
  /** Those that are named raw: foo and bar have content H2. */
  readonly sources?: readonly SourceView[];
  readonly observed?: Partial<AdmissionObservation>;

  readonly becomes: readonly string[];
  readonly labelled: Labels;
  readonly cause?: string;
  /** Names of the sources whose snapshots have to be made. */
  readonly snapshots?: readonly string[];
}

const rolled = { [FOO]: H2, [AFTER]: '4', ...OWNED };
const revisions = [aRevision({ number: 7, mounts: [FOO1] }), aRevision({ number: 6, mounts: [FOO2] })];

const TABLE: Readonly<Record<string, Row>> = {
  // an update that changes nothing
  'the manifest as it was: what is pinned stays': {
    asks: ['foo', 'plain'],
    stored: [FOO2, 'plain'],
    labels: rolled,
    becomes: [FOO2, 'plain'],
    labelled: rolled,
  },
  'the manifest as it was, while undone: the undone pin stays, whatever the history shows': {
    asks: ['foo'],
    stored: [FOO1],
    labels: rolled,
    observed: { revisions: [aRevision({ number: 7, mounts: [FOO2] })] },
    becomes: [FOO1],
    labelled: rolled,
  },
  'a manifest that names pins: they stay': {
    asks: [FOO1, BAR2],
    stored: [FOO2, BAR1],
    labels: rolled,
    sources: [],
    becomes: [FOO1, BAR2],
    labelled: rolled,
  },
  'the manifest as it was, over a raw template: what the history has, or the content of now': {
    asks: ['foo', 'bar'],
    stored: ['foo', 'bar'],
    labels: { ...rolled, [BAR]: H2 },
    sources: [foo, bar],
    observed: { revisions },
    becomes: [FOO1, BAR2],
    labelled: { ...rolled, [BAR]: H2 },
  },
  'two volumes that changed places': {
    asks: ['bar', 'foo'],
    stored: [FOO1, BAR1],
    labels: { ...rolled, [BAR]: H2 },
    sources: [foo, bar],
    becomes: [BAR1, FOO1],
    labelled: { ...rolled, [BAR]: H2 },
  },
  'one source in two places with two pins: each keeps its own, a third gets the first': {
    asks: ['foo', 'foo', 'foo'],
    stored: [FOO2, FOO1],
    labels: rolled,
    becomes: [FOO2, FOO1, FOO2],
    labelled: rolled,
  },
  'a source that is gone: the pin stays': {
    asks: ['foo'],
    stored: [FOO1],
    labels: rolled,
    sources: [{ ...foo, snapshot: undefined }],
    becomes: [FOO1],
    labelled: rolled,
  },
  'a source that is gone, and was never pinned here: it stays raw, and nobody waits for a snapshot': {
    asks: ['foo'],
    stored: ['foo'],
    labels: rolled,
    sources: [{ ...foo, snapshot: undefined }],
    becomes: ['foo'],
    labelled: rolled,
  },
  // an update with news
  'a source that changed: its references go to the content of now, pinned ones too, and others stay': {
    asks: ['foo', FOO1, BAR1, 'plain'],
    stored: [FOO1, FOO1, BAR1, 'plain'],
    labels: { [FOO]: H1, [BAR]: H2, ...OWNED },
    observed: { revisions },
    becomes: [FOO2, FOO2, BAR1, 'plain'],
    labelled: { [FOO]: H2, [BAR]: H2, [AFTER]: '7', ...OWNED },
    cause: 'configmap/foo: a, b',
  },
  'a source that changed, whose snapshot is not there': {
    asks: ['foo'],
    stored: [FOO1],
    labels: { [FOO]: H1, ...OWNED },
    sources: [aSource({ snapshot: { name: FOO2, ready: false } })],
    becomes: [FOO2],
    labelled: { [FOO]: H2, [AFTER]: '0', ...OWNED },
    cause: 'configmap/foo: content changed',
    snapshots: ['foo'],
  },
  'one of two sources changed: the other stays undone': {
    asks: ['foo', 'bar'],
    stored: [FOO1, BAR1],
    labels: { [FOO]: H1, [BAR]: H2, ...OWNED },
    sources: [foo, bar],
    becomes: [FOO2, BAR1],
    labelled: { [FOO]: H2, [BAR]: H2, [AFTER]: '0', ...OWNED },
    cause: 'configmap/foo: content changed',
  },
  'a source that is new to the workload': {
    asks: [FOO1, 'bar'],
    stored: [FOO1],
    labels: rolled,
    sources: [bar],
    becomes: [FOO1, BAR2],
    labelled: { ...rolled, [BAR]: H2, [AFTER]: '0' },
    cause: 'configmap/bar: first snapshot',
  },
  'a source that changed while the template did not mention it': {
    asks: ['foo'],
    stored: ['plain'],
    labels: { ...rolled, [FOO]: `${H2}.unreferenced` },
    observed: { revisions },
    becomes: [FOO2],
    labelled: rolled,
  },
  'a source that was never read: nothing is decided on it': {
    asks: ['foo', 'bar'],
    stored: ['foo', BAR1],
    labels: { [BAR]: H2, ...OWNED },
    sources: [aSource({ hash: undefined }), bar],
    becomes: ['foo', BAR1],
    labelled: { [BAR]: H2, ...OWNED },
  },
  // labels
  'a replace without labels: the state is put back': {
    asks: ['foo'],
    asksLabels: {},
    stored: [FOO1],
    labels: rolled,
    becomes: [FOO1],
    labelled: rolled,
  },
  'a replace without labels, of a template that names no source': {
    asks: ['plain'],
    asksLabels: {},
    stored: [FOO1],
    labels: rolled,
    sources: [],
    becomes: ['plain'],
    labelled: rolled,
  },
  'a replace without labels, and a source that changed': {
    asks: ['foo'],
    asksLabels: { app: 'web' },
    stored: [FOO1],
    labels: { [FOO]: H1, ...OWNED },
    becomes: [FOO2],
    labelled: { app: 'web', [FOO]: H2, [AFTER]: '0', ...OWNED },
    cause: 'configmap/foo: content changed',
  },
  'a person takes `managed: all` away, and a source still opts in': {
    asks: [FOO2],
    asksLabels: { [FOO]: H2 },
    stored: [FOO2],
    labels: { [FOO]: H2, [MANAGED]: 'all' },
    sources: [],
    becomes: [FOO2],
    labelled: { [FOO]: H2, ...OWNED },
  },
  'a person takes `managed: all` away, and no source opts in': {
    asks: ['foo'],
    asksLabels: {},
    stored: [FOO2],
    labels: { [FOO]: H2, [MANAGED]: 'all' },
    sources: [],
    observed: { optedIn: false },
    becomes: ['foo'],
    labelled: {},
  },
  'a person writes `managed: all`': {
    asks: [FOO2],
    asksLabels: { [FOO]: H2, [MANAGED]: 'all' },
    stored: [FOO2],
    labels: { [FOO]: H2, ...OWNED },
    sources: [],
    becomes: [FOO2],
    labelled: { [FOO]: H2, [MANAGED]: 'all' },
  },
  'a label that was lost: the record stands in for it': {
    asks: ['foo'],
    stored: [FOO1],
    labels: OWNED,
    sources: [aSource({ recorded: H2 })],
    becomes: [FOO1],
    labelled: { [FOO]: H2, ...OWNED },
  },
  // a creation
  'a creation': {
    asks: ['foo', 'bar', 'plain'],
    asksLabels: { [MANAGED]: 'all' },
    sources: [foo, aSource({ name: 'bar', snapshot: { name: BAR2, ready: false } })],
    becomes: [FOO2, BAR2, 'plain'],
    labelled: { [FOO]: H2, [BAR]: H2, [AFTER]: '0', [MANAGED]: 'all' },
    snapshots: ['bar'],
  },
  'a creation, from what another workload was, pins and labels and all': {
    asks: [FOO1],
    asksLabels: rolled,
    sources: [],
    becomes: [FOO1],
    labelled: rolled,
  },
  'a creation that no source opts in': {
    asks: ['foo'],
    asksLabels: OWNED,
    sources: [],
    observed: { optedIn: false },
    becomes: ['foo'],
    labelled: OWNED,
  },
  // the snapshot cannot be had
  'held: what is stored stays, and nothing is noted': {
    asks: ['foo', 'plain'],
    stored: [FOO1, 'plain'],
    labels: { [FOO]: H1, ...OWNED },
    observed: { hold: true },
    becomes: [FOO1, 'plain'],
    labelled: { [FOO]: H1, ...OWNED },
  },
  'held: a replace without labels keeps the state all the same': {
    asks: ['foo'],
    asksLabels: {},
    stored: [FOO1],
    labels: { [FOO]: H1, ...OWNED },
    observed: { hold: true },
    becomes: [FOO1],
    labelled: { [FOO]: H1, ...OWNED },
  },
  'paused: what changed goes on with what it had, what did not is pinned as ever': {
    asks: ['foo', 'bar'],
    stored: [FOO1, BAR1],
    labels: { [FOO]: H1, [BAR]: H1, ...OWNED },
    sources: [aSource(), aSource({ name: 'bar', hash: H1 })],
    observed: { wait: 'paused' },
    becomes: [FOO1, BAR1],
    labelled: { [FOO]: H1, [BAR]: H1, ...OWNED },
  },
  'waiting for its interval: the same': {
    asks: ['foo'],
    stored: [FOO1],
    labels: { [FOO]: H1, ...OWNED },
    observed: { wait: 'interval' },
    becomes: [FOO1],
    labelled: { [FOO]: H1, ...OWNED },
  },
  'paused: a creation is pinned, for it has nothing to go on with': {
    asks: ['foo'],
    asksLabels: { [MANAGED]: 'all' },
    observed: { wait: 'paused' },
    becomes: [FOO2],
    labelled: { [MANAGED]: 'all', [FOO]: H2, [AFTER]: '0' },
  },
  'held: a creation stays raw': {
    asks: ['foo'],
    asksLabels: { [MANAGED]: 'all' },
    sources: [aSource({ snapshot: { name: FOO2, ready: false } })],
    observed: { hold: true },
    becomes: ['foo'],
    labelled: { [MANAGED]: 'all' },
    snapshots: ['foo'],
  },
};

describe('a workload that is about to be stored', () => {
  test.each(Object.entries(TABLE))('%s', (_, row) => {
    const { labels = {}, asksLabels = labels } = row;
    const asked = aMount(row.asks, asksLabels);
    const sources = row.sources ?? [aSource({ changedKeys: row.cause?.includes('a, b') ? ['a', 'b'] : undefined })];
    const { plan, becomes, mounts } = admitted(asked, row.stored && aMount(row.stored, labels), {
      sources,
      ...row.observed,
    });
    expect({ mounts, labels: becomes.metadata['labels'], snapshots: plan.snapshots.map(({ name }) => name) }).toEqual({
      mounts: row.becomes,
      labels: row.labelled,
      snapshots: row.snapshots ?? [],
    });
    expect(becomes.metadata['annotations']).toEqual(
      row.cause === undefined ? {} : { [CAUSE]: row.cause, [OWN_CAUSE]: row.cause },
    );
    // Nothing but names, labels and annotations.
    const { labels: _l, annotations: _a, ...metadata } = becomes.metadata;
    const { labels: _k, annotations: _b, ...askedMetadata } = asked.metadata;
    expect(metadata).toEqual(askedMetadata);
    expect(becomes.spec).toEqual({ ...asked.spec, template: aTemplate(row.becomes) });
    expect(plan.why !== undefined).toBe(row.becomes.join() !== row.asks.join());
  });

  test('may have no maps of labels and annotations', () => {
    const asked = aDeployment({ mounts: ['foo'] });
    delete asked.metadata['labels'];
    delete asked.metadata['annotations'];
    const { becomes } = admitted(asked, aMount([FOO1], { [FOO]: H1, ...OWNED }));
    expect(becomes.metadata).toMatchObject({
      labels: { [FOO]: H2, ...OWNED, [AFTER]: '0' },
      annotations: { [CAUSE]: 'configmap/foo: content changed' },
    });
  });

  test.each<[what: string, annotations: Labels]>([
    ['a person’s cause', { [CAUSE]: 'mine' }],
    ['a person’s cause over the controller’s', { [CAUSE]: 'mine', [OWN_CAUSE]: 'configmap/foo: a' }],
  ])('keeps %s', (_, annotations) => {
    const labels = { [FOO]: H1, ...OWNED };
    const { becomes, mounts } = admitted(aMount(['foo'], labels, annotations), aMount([FOO1], labels));
    expect(mounts).toEqual([FOO2]);
    expect(becomes.metadata['annotations']).toEqual(annotations);
  });

  const REVISION = 'deployment.kubernetes.io/revision';
  test.each<[what: string, asks: Labels, optedIn: boolean, becomes: Labels]>([
    ['gets back the number of its revision, and no other annotation', {}, true, { [REVISION]: '4' }],
    ['keeps the number that it says', { [REVISION]: '3', own: 'yes' }, true, { [REVISION]: '3', own: 'yes' }],
    ['gets nothing back when no source opts it in', { own: 'yes' }, false, { own: 'yes' }],
  ])('and is a manifest put over it %s', (_, asks, optedIn, becomes) => {
    const stored = aMount([FOO2], rolled, { [REVISION]: '4', note: 'x' });
    const put = admitted(aMount([FOO2], rolled, asks), stored, { sources: [], optedIn });
    expect(put.becomes.metadata['annotations']).toEqual(becomes);
  });

  const causes = (cause: string) => ({ [CAUSE]: cause, [OWN_CAUSE]: cause });
  const own = causes('configmap/foo: a');
  const restarted = { restartedAt: 'now' };
  test.each<[what: string, asks: Labels, template: { mounts: string[]; restartedAt?: string }, becomes: Labels]>([
    ['goes with its revision', own, { ...restarted, mounts: [FOO2] }, {}],
    ['goes when an undo finds a revision without one', own, { mounts: [FOO1] }, {}],
    ['stays with its revision', own, { mounts: [FOO2] }, own],
    ['stays with its revision, that is asked for by raw names', own, { mounts: ['foo'] }, own],
    ['comes back when a manifest is put that does not know it', {}, { mounts: ['foo'] }, own],
    ['does not come back beside another change', {}, { ...restarted, mounts: ['foo'] }, {}],
    ['makes place for that of the revision that an undo finds', causes('b'), { mounts: [FOO1] }, causes('b')],
    ['makes place for a person’s', { [CAUSE]: 'mine' }, { ...restarted, mounts: [FOO2] }, { [CAUSE]: 'mine' }],
  ])('and whose cause is the controller’s: it %s', (_, asks, { mounts, restartedAt }, becomes) => {
    const stored = aMount([FOO2], rolled, own);
    const asked = aMount(mounts, rolled, asks);
    if (restartedAt) asked.spec.template.metadata = { annotations: { restartedAt } };
    expect(admitted(asked, stored, { sources: [foo] }).becomes.metadata['annotations']).toEqual(becomes);
  });

  test.each<[what: string, asks: Labels, mounts: readonly string[], becomes: Labels]>([
    ['goes with its revision all the same', own, [FOO1], {}],
    ['stays with its revision', own, [FOO2], own],
    ['does not come back when a manifest is put that does not know it', {}, [FOO2], {}],
    ['makes place for a person’s', { [CAUSE]: 'mine' }, [FOO1], { [CAUSE]: 'mine' }],
  ])('and whose cause is the controller’s, and whose source is gone: it %s', (_, asks, mounts, becomes) => {
    const gone = { sources: [], optedIn: false };
    const stored = aMount([FOO2], rolled, own);
    expect(admitted(aMount(mounts, rolled, asks), stored, gone).becomes.metadata['annotations']).toEqual(becomes);
  });

  test('tells which names are pins then, the moved ones and those that were, and no others', () => {
    const asked = aMount(['foo', 'plain', BAR1], rolled);
    const { plan } = admitted(asked, aMount([FOO1, 'plain', BAR1], rolled));
    expect(plan.pinned).toEqual([0, 2].map((i) => `/spec/template/spec/volumes/${i}/configMap/name`));
    expect(plan.why).toBe(`pinned to configmap/${FOO1}`);
  });
});

describe('what a template comes to mount', () => {
  test.each<[what: string, asks: readonly string[], stored: readonly string[] | undefined, mounts: readonly string[]]>([
    ['is what an undo brings back', [FOO1, BAR1], [FOO2, BAR1], [FOO1]],
    ['is told once, however often it is named', [FOO1, FOO1], [FOO2, FOO2], [FOO1]],
    ['is nothing where the names stay', [FOO2, BAR1], [FOO2, BAR1], []],
    ['is nothing where raw names become what they were', ['foo', BAR1], [FOO1, BAR1], []],
    ['is nothing of another’s', ['plain'], [FOO1], []],
    ['is nothing of a workload that is new, and has no uid to be named by', ['foo'], undefined, []],
  ])('%s', (_, asks, stored, mounts) => {
    const rolled = { ...OWNED, [FOO]: H2 };
    const { plan } = admitted(aMount(asks, rolled), stored && aMount(stored, rolled));
    expect(plan.mounts.map(({ name }) => name)).toEqual(mounts);
  });

  test('is what raw names become when the content has changed', () => {
    const rolled = { ...OWNED, [FOO]: H1 };
    const { plan } = admitted(aMount(['foo', 'plain'], rolled), aMount([FOO1, 'plain'], rolled));
    expect(plan.mounts.map(({ name }) => name)).toEqual([FOO2]);
  });
});

describe('a warning', () => {
  const unpinned = aRevision({ number: 1, mounts: ['foo'], image: 'nginx:1' });
  const labels = { [FOO]: H2, ...OWNED };
  const undo = { revisions: [unpinned, aRevision({ number: 2, mounts: [FOO2] })], mayBeUndo: true };

  test('says that an undo to a revision from before the opt-in has no content to go back to', () => {
    const { plan, mounts } = admitted(aMount(['foo'], labels), aMount([FOO2], labels), undo);
    expect(mounts).toEqual([FOO2]);
    expect(plan.warnings).toEqual([
      `revision 1 ran on configmap/foo itself, whose content of then was not kept; deployment/web goes on with configmap/${FOO2}`,
    ]);
  });

  test.each<[what: string, asked: readonly string[], observed: Partial<AdmissionObservation>]>([
    ['an undo to a pinned revision', [FOO1], { ...undo, sources: [] }],
    ['a write that is no undo', ['foo'], { ...undo, mayBeUndo: false }],
    ['a template that never ran', ['foo'], { ...undo, revisions: [aRevision({ mounts: ['foo'], image: 'nginx:9' })] }],
  ])('is not given of %s', (_, asked, observed) => {
    const { plan } = admitted(aMount(asked, labels), aMount([FOO2], labels), observed);
    expect(plan.warnings).toEqual([]);
  });

  const unread = (name: string) => aSource({ name, snapshot: { name: pinned(name, H2), ready: false } });
  test.each<[what: string, stored: readonly string[] | undefined, meanwhile: string]>([
    ['goes on with what it had', [FOO1], 'goes on with its former content'],
    ['is created raw', undefined, 'runs on it directly'],
  ])('says that a workload %s while a snapshot cannot be had', (_, stored, meanwhile) => {
    const was = { [FOO]: H1, ...OWNED };
    const held = { sources: [unread('foo')], hold: true };
    const { plan } = admitted(aMount(['foo'], was), stored && aMount(stored, was), held);
    expect(plan.warnings).toEqual([
      `configmap/foo could not be copied now; deployment/web ${meanwhile} until the controller has done so (kubectl describe configmap/foo says more)`,
    ]);
  });

  test.each([
    [
      'paused',
      'rollouts of config are paused for deployment/web: the change of configmap/foo waits (kubectl config-rollout resume deployment/web)',
    ],
    [
      'interval',
      'deployment/web has rolled within the minInterval of its ConfigRollout: the change of configmap/foo waits for its end',
    ],
  ] as const)('says what waits because of a policy: %s', (wait, text) => {
    const was = { [FOO]: H1, ...OWNED };
    const { plan } = admitted(aMount(['foo'], was), aMount([FOO1], was), { sources: [aSource()], wait });
    expect(plan.warnings).toEqual([text]);
  });

  test('is about the source that could not be copied, and not about one that did not change', () => {
    const was = { [FOO]: H1, [BAR]: H1, ...OWNED };
    const held = { sources: [foo1, unread('bar')], hold: true };
    const { plan, mounts } = admitted(aMount(['foo', 'bar'], was), aMount([FOO1, BAR1], was), held);
    expect(mounts).toEqual([FOO1, BAR1]);
    expect(plan.warnings).toEqual([expect.stringContaining('configmap/bar could not be copied')]);
  });
});

describe('whatever is asked', () => {
  const name = fc.constantFrom('foo', FOO1, FOO2, 'bar', BAR1, BAR2, 'plain');
  const hash = fc.constantFrom(H1, H2, `${H1}.unreferenced`, `${H2}.unreferenced`);
  const labels = fc.record(
    { [FOO]: hash, [BAR]: hash, [AFTER]: fc.constantFrom('0', '3'), [MANAGED]: fc.constantFrom('owned', 'all') },
    { requiredKeys: [] },
  );
  const template = fc.array(fc.tuple(fc.constantFrom(...PLACES), name), { maxLength: 6 }).map(aTemplateWith);
  const raw = fc
    .record({ template, labels: fc.option(labels, { nil: undefined }) })
    .map(({ template: each, labels: some }) => {
      const made = aDeployment({ template: each, metadata: { labels: some ?? {}, annotations: {} } });
      if (some === undefined) delete made.metadata['labels'];
      return made;
    });
  const history = fc.array(
    fc.record({ number: fc.integer({ min: 1, max: 5 }), mounts: fc.array(name, { minLength: 1, maxLength: 2 }) }),
    { maxLength: 3 },
  );
  const view = (of: 'foo' | 'bar') =>
    fc
      .record({ hash: fc.constantFrom(H1, H2), recorded: fc.constantFrom(undefined, H1, H2), ready: fc.boolean() })
      .map(({ ready, ...fields }) => {
        const snapshot = { name: pinned(of, fields.hash), ready };
        return aSource({ name: of, ...fields, snapshot });
      });
  const request = fc.record({
    asked: raw,
    replaced: fc.option(raw, { nil: undefined }),
    optIns: fc.tuple(view('foo'), view('bar')).chain((views) => fc.subarray([...views])),
    revisions: history.map((each) => each.map(aRevision)),
    hold: fc.boolean(),
    mayBeUndo: fc.boolean(),
  });

  type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

  /** The sources are those that the template names raw. */
  const again = (asked: Raw, { replaced, optIns, ...observed }: Request) => {
    const names = namesOf(projected(asked).references);
    return admitted(asked, replaced, {
      ...observed,
      optedIn: optIns.length > 0,
      sources: optIns.filter((source) => names.includes(source.name)),
    });
  };
  const blank = (object: Raw) => {
    const copy = structuredClone(object);
    for (const { pointer } of projected(object).references) {
      jsonPatch.applyOperation(copy, { op: 'replace', path: `/spec/template${pointer}`, value: '' });
    }
    return copy.spec;
  };

  test('what becomes of it gives no operation the second time', () => {
    fc.assert(
      fc.property(request, (asked) => {
        const { becomes } = again(asked.asked, asked);
        expect(again(becomes, asked).plan).toMatchObject({ operations: [], why: undefined });
      }),
      { numRuns: 1000 },
    );
  });

  test('nothing but names is changed in the template, and none of a source that does not opt in', () => {
    fc.assert(
      fc.property(request, (asked) => {
        const { becomes } = again(asked.asked, asked);
        expect(blank(becomes)).toEqual(blank(asked.asked));
        const optIns = new Set(asked.optIns.map((source) => source.name));
        const [before, after] = [asked.asked, becomes].map((object) => namesOf(projected(object).references));
        before?.forEach((was, i) => {
          const source = was.split('-')[0] ?? '';
          if (!optIns.has(source)) expect(after?.[i]).toBe(was);
          expect(after?.[i]?.split('-')[0]).toBe(source);
        });
      }),
      { numRuns: 1000 },
    );
  });
});
