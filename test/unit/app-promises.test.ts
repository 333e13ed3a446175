// The promises of docs/semantics.md as properties: random histories over a simulated cluster.

import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { findReferences, inspectTemplate } from '../../controller/core/references.ts';
import type { Reference } from '../../controller/core/types.ts';
import { KINDS, type Kind } from '../support/simulated-objects.ts';
import { brokenByRequest, brokenPromises, rawMounts, standing } from '../support/simulated-promises.ts';
import {
  type AdmissionBy,
  type OptIn,
  Shop,
  USES,
  type Variant,
  WORKLOADS,
  type WorkloadName,
} from '../support/simulated-shop.ts';
import {
  forwardStep,
  humanStep,
  includeAll,
  perform,
  type Step,
  sometimesExcluding,
  variant,
} from '../support/simulated-steps.ts';

// RUNS=1000 npm run -s unit -- test/unit/app-promises, for a night.
// The same histories each time, so that a red run is about the change at hand; RUNS=5000 looks for new ones.
const runs = (usual: number) => {
  const wanted = process.env['RUNS'];
  return wanted === undefined ? { numRuns: usual, seed: 2 } : { numRuns: Number(wanted) };
};
const optIn = fc.constantFrom<OptIn>('reference', 'declared', 'all');
// A StatefulSet replaces one pod a round.
const MOST_ROUNDS = 12;

jest.setTimeout(process.env['RUNS'] === undefined ? 60_000 : 24 * 3_600_000);

describe.each<[how: string, admission: AdmissionBy]>([
  ['without admission', 'nobody'],
  ['with admission', 'controller'],
])('whatever happens, one thing at a time, %s,', (_, admission) => {
  test('everything comes to rest, pinned, owned and recorded; and a restart writes nothing', async () => {
    const historyLimit = fc.integer({ min: 1, max: 4 });
    const steps = fc.array(sometimesExcluding(humanStep), { maxLength: 12, size: 'max' });
    await fc.assert(
      fc.asyncProperty(optIn, variant, historyLimit, steps, async (how, what, limit, history) => {
        const shop = new Shop(how, limit, admission, what);
        await shop.controller.untilQuiet();
        expect(brokenPromises(shop)).toEqual([]);
        for (const step of history) {
          await perform(shop, step);
          expect(await shop.controller.untilQuiet()).toBeLessThanOrEqual(MOST_ROUNDS);
          expect({ step, broken: brokenPromises(shop) }).toEqual({ step, broken: [] });
        }
        const writes = shop.cluster.writes.length;
        shop.restart();
        await shop.controller.untilQuiet();
        expect(shop.cluster.writes.slice(writes)).toEqual([]);
      }),
      runs(50),
    );
  });

  test('each step has exactly the effect that it is meant to have', async () => {
    const steps = fc.array(humanStep, { maxLength: 10, size: 'max' });
    await fc.assert(
      fc.asyncProperty(optIn, variant, steps, async (how, what, history) => {
        const shop = new Shop(how, 20, admission, what);
        await shop.controller.untilQuiet();
        for (const step of history) await expectEffect(shop, step);
      }),
      runs(60),
    );
  });
});

/** What shows of a workload. */
function show(shop: Shop, name: WorkloadName) {
  const { cluster } = shop;
  const newest = cluster.history(name).at(-1);
  return {
    template: cluster.workload(name).spec.template,
    revision: newest?.number ?? 0,
    cause: newest?.metadata.annotations?.['kubernetes.io/change-cause'],
    references: cluster.references(name),
    mounts: cluster.mounts(name),
    hashes: USES[name].map((source) => shop.currentHash(source)),
  };
}
type View = ReturnType<typeof show>;

// A replace drops the state label. Without admission, and when the revision that was rolled last is gone, and with it
// the snapshot that bore the record, nothing says any more what was rolled: the replace rolls out the content of now.
function isRecorded(shop: Shop, name: WorkloadName): boolean {
  return (
    shop.cluster.admission !== undefined ||
    USES[name].every((source) => shop.cluster.has(shop.source(source).kind, shop.currentMount(source)))
  );
}

function isOf(step: Step, name: WorkloadName): boolean {
  return 'workload' in step && step.workload === name;
}

async function expectEffect(shop: Shop, step: Step): Promise<void> {
  const { cluster, controller } = shop;
  if (step.do === 'replace' && !isRecorded(shop, step.workload)) {
    await perform(shop, step);
    await controller.untilQuiet();
    return;
  }
  const before = WORKLOADS.map((name) => show(shop, name));
  const target = step.do === 'undo' ? cluster.history(step.workload).at(-1 - step.back) : undefined;
  const asksFor = target && findReferences(target.template);
  const { version } = cluster;
  const writes = cluster.writes.length;
  await perform(shop, step);
  const written = cluster.version - version;
  const asked = WORKLOADS.map((name) => show(shop, name));
  await controller.untilQuiet();
  WORKLOADS.forEach((name, i) => {
    const [was, stored] = [before[i], asked[i]];
    if (!was || !stored) return;
    const after = show(shop, name);
    const isIts = isOf(step, name);
    const seen = { step, name, mounts: after.mounts, revisions: after.revision - was.revision };
    const wanted = isIts ? (asksFor ?? was.references) : was.references;
    expect(seen).toEqual({ step, name, ...expected(shop, step, { was, stored, after, wanted }) });
    if (step.do === 'edit' && seen.revisions > 0) expectCause(shop, step, after);
    if (cluster.admission === undefined || !isIts) return;
    expect({ step, template: after.template }).toEqual({ step, template: stored.template });
    if (step.do === 'apply' || step.do === 'replace') expectManifest(shop, step, { was, stored }, written);
  });
  // Nobody asked for a change of content or template: nothing is written, but for the label of a source made anew.
  // Pods that go may be the last of a raw revision.
  if (['annotate', 'scale', 'deletePods', 'restartController', 'recreateSource'].includes(step.do)) {
    const done = cluster.writes
      .slice(writes)
      .filter((write) => !/carry the same label$|^delete controllerr/.test(write));
    expect({ step, done }).toEqual({ step, done: [] });
  }
}

/** `kubectl rollout history` says which source it was, also of a revision that is used again. */
function expectCause(shop: Shop, step: Step & { do: 'edit' }, { cause = '' }: View): void {
  const { kind, name } = shop.source(step.source);
  const said = new RegExp(`^${kind.toLowerCase()}/${name}: (k|content changed)$`);
  expect({ step, cause }).toEqual({ step, cause: expect.stringMatching(said) });
}

/** The views of a workload: before the step, as stored by it, and at rest; and the mounts of what it asked for. */
interface Views {
  readonly was: View;
  readonly stored: View;
  readonly after: View;
  readonly wanted: readonly Reference[];
}

/** What a step should have made of a workload: its mounts, and how many revisions more it should have. */
function expected(shop: Shop, step: Step, { was, stored, after, wanted }: Views) {
  if (step.do === 'edit') {
    const mounts =
      was.hashes.join() === stored.hashes.join()
        ? was.mounts
        : was.references.map((each) =>
            shop.sourceOf(each) === step.source ? shop.currentMount(step.source) : each.name,
          );
    return { mounts, revisions: mounts.join() === was.mounts.join() ? 0 : 1 };
  }
  // A revision from before the opt-in is raw: it comes back with the config that runs now.
  const isRaw = wanted.some((each) => shop.isRaw(each));
  const mounts = isRaw ? was.mounts : wanted.map(({ name }) => name);
  const isNew = JSON.stringify(stored.template) !== JSON.stringify(was.template);
  // Without admission, a raw template makes a revision of its own before it is pinned again.
  const made = shop.cluster.admission ? 1 : after.revision - was.revision;
  return { mounts, revisions: isNew ? made : 0 };
}

/** A manifest is stored as it asks, but for the names; and not written at all when it asks for what runs. */
function expectManifest(
  shop: Shop,
  step: Step & { workload: WorkloadName },
  { was, stored }: Pick<Views, 'was' | 'stored'>,
  written: number,
): void {
  const asked = shop.manifest(step.workload);
  const [shape, before, after] = [asked, was.template, stored.template].map((each) => inspectTemplate(each).shape);
  expect({ step, shape: after }).toEqual({ step, shape });
  if (before === shape) expect({ step, written }).toEqual({ step, written: 0 });
}

// ---- what can happen while the controller is still at it: caches lag, and Kubernetes has its own pace

type Pace =
  | { readonly do: 'deliver'; readonly kinds: readonly Kind[]; most: number; to: 'controller' | 'replica' }
  | { readonly do: 'lookAtSources' | 'lookAtWorkloads' | 'lookAtSnapshots' | 'kubernetes' }
  | { readonly do: 'rest' }
  | { readonly do: 'wait'; readonly ms: number };

const kinds = fc.subarray([...KINDS], { minLength: 1 });
const most = fc.constantFrom(1, Number.POSITIVE_INFINITY);
const to = fc.constantFrom('controller' as const, 'replica' as const);
const pace: fc.Arbitrary<Pace> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('deliver' as const), kinds, most, to }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'lookAtSources' as const,
        'lookAtWorkloads' as const,
        'lookAtSnapshots' as const,
        'kubernetes' as const,
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rest' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(10, 1000, 6000, 30_000) }),
  },
);

async function proceed({ cluster, controller, replica = controller }: Shop, step: Pace): Promise<void> {
  switch (step.do) {
    case 'deliver': {
      const { kinds, most, to } = step;
      return cluster.deliver({ kinds, most, to: (to === 'replica' ? replica : controller).world });
    }
    case 'kubernetes':
      cluster.runWorkloadControllers();
      return cluster.collectGarbage();
    case 'rest':
      await controller.untilQuiet();
      return;
    case 'wait':
      cluster.now += step.ms;
      return;
    default:
      return controller[step.do]();
  }
}

const isPace = (step: Step | Pace): step is Pace =>
  ['deliver', 'rest', 'wait', 'kubernetes', 'lookAtSources', 'lookAtWorkloads', 'lookAtSnapshots'].includes(step.do);

/** What happens while a request waits for admission, and how far that has come by then. */
interface Meanwhile {
  readonly ticks: number;
  readonly pace: Pace;
}

async function performAmid(shop: Shop, step: Step, meanwhile: Meanwhile | undefined): Promise<void> {
  const performed = perform(shop, step);
  for (let i = 0; i < (meanwhile?.ticks ?? 0); i += 1) await undefined;
  if (meanwhile) await proceed(shop, meanwhile.pace);
  await performed;
}

type Moment = readonly [step: Step | Pace, meanwhile: Meanwhile | undefined];

// What was rolled last is known from the record alone when the state label goes, and the record follows a rollout within
// seconds: who is quicker than that may lose the change until the next one. Admission keeps what a replace drops, where a
// person does not forbid it.
function mayForget(shop: Shop, step: Step): boolean {
  switch (step.do) {
    case 'replace': {
      const { workload } = step;
      return shop.cluster.admission === undefined || USES[workload].some((source) => shop.isExcluded(workload, source));
    }
    case 'exclude':
    case 'include':
      return true;
    // Who deletes the very revision that an undo brought back, before anybody saw that, loses its config with it.
    case 'deleteOldestRevision':
      return isBackAtOldest(shop, step.workload);
    default:
      return false;
  }
}

async function pass(shop: Shop, [step, meanwhile]: Moment): Promise<void> {
  const hasAdmission = shop.cluster.admission !== undefined;
  if (isPace(step)) await proceed(shop, step);
  else {
    if (mayForget(shop, step)) await shop.controller.untilQuiet();
    const before = WORKLOADS.map((name) => standing(shop, name));
    const isExclusion = step.do === 'exclude' || step.do === 'include';
    await performAmid(shop, step, isExclusion ? undefined : meanwhile);
    // A source that is included again is pinned by the controller; no request brings it up.
    if (isExclusion) await shop.controller.untilQuiet();
    if (hasAdmission && meanwhile === undefined) {
      const broken = before.flatMap((each) => brokenByRequest(shop, step, each));
      expect({ step, broken }).toEqual({ step, broken: [] });
      await expectNoNews(shop, step);
    }
  }
  if (hasAdmission) expect({ step, raw: rawMounts(shop) }).toEqual({ step, raw: [] });
}

/** The same manifest once more is not written. (A PUT is: it takes the change cause away.) */
async function expectNoNews(shop: Shop, step: Step): Promise<void> {
  if (step.do !== 'apply') return;
  const { version } = shop.cluster;
  await perform(shop, step);
  expect({ step, version: shop.cluster.version }).toEqual({ step, version });
}

function isBackAtOldest({ cluster }: Shop, name: WorkloadName): boolean {
  const [oldest] = cluster.history(name);
  const mounts = findReferences(oldest?.template).map((reference) => reference.name);
  return cluster.mounts(name).some((mount) => mounts.includes(mount) && mount !== 'plain');
}

describe.each<[how: string, admission: readonly AdmissionBy[]]>([
  ['without admission', ['nobody']],
  ['with admission', ['controller', 'replica']],
])('whatever happens, in whatever order and at whatever moment, %s,', (_, admission) => {
  const during = fc.record({ ticks: fc.integer({ min: 0, max: 20 }), pace });
  const historyOf = (human: fc.Arbitrary<Step>): fc.Arbitrary<Moment[]> => {
    const step = fc.oneof({ weight: 2, arbitrary: sometimesExcluding(human) }, { weight: 5, arbitrary: pace });
    const meanwhile = admission.includes('nobody')
      ? fc.constant(undefined)
      : fc.option(during, { freq: 1, nil: undefined });
    return fc.array(fc.tuple(step, meanwhile), { maxLength: 40, size: 'max' });
  };
  const by = fc.constantFrom(...admission);
  const live = async (how: OptIn, who: AdmissionBy, what: Variant, history: readonly Moment[]) => {
    const shop = new Shop(how, 10, who, what);
    await shop.controller.untilQuiet();
    for (const moment of history) await pass(shop, moment);
    await shop.controller.untilQuiet();
    return shop;
  };

  test('everything comes to rest, pinned, owned and recorded', async () => {
    await fc.assert(
      fc.asyncProperty(optIn, by, variant, historyOf(humanStep), async (how, who, what, history) => {
        expect(brokenPromises(await live(how, who, what, history))).toEqual([]);
      }),
      runs(100),
    );
  });

  test('without an undo, every reference ends at the content that its source has', async () => {
    await fc.assert(
      fc.asyncProperty(optIn, by, variant, historyOf(forwardStep), async (how, who, what, history) => {
        const shop = await live(how, who, what, history);
        expect(brokenPromises(shop)).toEqual([]);
        await includeAll(shop);
        await shop.controller.untilQuiet();
        expect(brokenPromises(shop)).toEqual([]);
        for (const name of WORKLOADS) {
          expect({ name, mounts: shop.cluster.mounts(name) }).toEqual({ name, mounts: shop.currentMounts(name) });
        }
      }),
      runs(150),
    );
  });
});
