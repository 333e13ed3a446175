// The promises of docs/semantics.md as properties: random histories over a simulated cluster.

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { contentHash } from '../../controller/core/content-hash.ts';
import { rolledHashLabel } from '../../controller/core/names.ts';
import { NOON, pinned } from '../support/builders.ts';
import { revisionOf, SimulatedCluster, type Template, withoutHash } from '../support/simulated-cluster.ts';
import { SimulatedController } from '../support/simulated-controller.ts';

const SOURCES = ['foo', 'bar'] as const;
const WORKLOADS = ['web', 'api'] as const;
type Source = (typeof SOURCES)[number];
type WorkloadName = (typeof WORKLOADS)[number];
type OptIn = 'reference' | 'declared' | 'all';

const USES: Readonly<Record<WorkloadName, readonly Source[]>> = { web: ['foo', 'bar'], api: ['foo'] };

/** What stands in Git: always raw names. */
function manifest(name: WorkloadName, image: string): Template {
  const [first = 'foo', second] = USES[name];
  return {
    metadata: { labels: { app: name } },
    spec: {
      initContainers: [{ name: 'init', image, envFrom: [{ configMapRef: { name: first, optional: true } }] }],
      containers: [{ name: 'main', image, env: [{ name: 'PLAIN', value: 'foo' }] }],
      volumes: [
        { name: 'config', configMap: { name: first } },
        { name: 'plain', configMap: { name: 'plain' } },
        ...(second ? [{ name: 'more', projected: { sources: [{ configMap: { name: second } }] } }] : []),
      ],
    },
  };
}

class Scenario {
  readonly cluster = new SimulatedCluster(NOON);
  readonly optIn: OptIn;
  controller: SimulatedController;
  /** Each workload's image, as its manifest in Git says. */
  readonly images: Record<WorkloadName, string> = { web: 'img:1', api: 'img:1' };
  undone = false;

  constructor(optIn: OptIn, historyLimit: number) {
    this.optIn = optIn;
    const { cluster } = this;
    cluster.createConfigMap('plain', { k: 'v' });
    const labels = optIn === 'all' ? { labels: { 'configrollout.dev/managed': 'all' } } : {};
    for (const name of WORKLOADS) cluster.createDeployment(name, manifest(name, 'img:1'), labels, historyLimit);
    for (const name of SOURCES) cluster.createConfigMap(name, { k: 'a' }, this.#optsIn(name));
    cluster.runDeploymentController();
    this.controller = new SimulatedController(cluster);
  }

  #optsIn(source: Source) {
    const owners = WORKLOADS.filter((name) => USES[name].includes(source));
    switch (this.optIn) {
      case 'all':
        return {};
      case 'declared':
        return { annotations: { 'configrollout.dev/owners': owners.map((name) => `deployment/${name}`).join(', ') } };
      case 'reference': {
        const uidOf = (name: string) => this.cluster.deployment(name).metadata.uid;
        const reference = (name: string) => ({ apiVersion: 'apps/v1', kind: 'Deployment', name, uid: uidOf(name) });
        return { ownerReferences: owners.map(reference) };
      }
      default:
        return this.optIn satisfies never;
    }
  }

  currentHash(source: string): string {
    return contentHash('ConfigMap', source, { data: this.cluster.configMap(source)?.data ?? {}, binaryData: {} });
  }

  /** The names that the template of a workload would mount if every source was pinned to its current content. */
  currentMounts(name: WorkloadName): string[] {
    return this.cluster.mounts(name).map((mount) => {
      const source = SOURCES.find((each) => mount === each || mount.startsWith(`${each}-`));
      return source ? pinned(source, this.currentHash(source)) : mount;
    });
  }

  restart(): void {
    this.cluster.deliver();
    this.controller = new SimulatedController(this.cluster);
  }
}

// ---- what can happen

type Step =
  | { readonly do: 'edit'; readonly source: Source; readonly value: string }
  | { readonly do: 'annotate'; readonly source: Source; readonly value: string }
  | { readonly do: 'setImage' | 'apply'; readonly workload: WorkloadName; readonly image: string }
  | { readonly do: 'undo'; readonly workload: WorkloadName; readonly back: number }
  | { readonly do: 'replace' | 'scale' | 'togglePause' | 'deleteOldestRevision'; readonly workload: WorkloadName }
  | { readonly do: 'recreateSource'; readonly source: Source }
  | { readonly do: 'restartController' };

const source = fc.constantFrom(...SOURCES);
const workload = fc.constantFrom(...WORKLOADS);
const value = fc.constantFrom('a', 'b', 'c');
const image = fc.constantFrom('img:1', 'img:2');
const back = fc.integer({ min: 1, max: 3 });

const forwardStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('edit' as const), source, value }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('annotate' as const), source, value }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('setImage' as const, 'apply' as const), workload, image }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('replace' as const, 'scale' as const), workload }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteOldestRevision' as const), workload }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('recreateSource' as const), source }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restartController' as const) }) },
);
const undoStep: fc.Arbitrary<Step> = fc.record({ do: fc.constant('undo' as const), workload, back });
const humanStep = fc.oneof({ weight: 4, arbitrary: forwardStep }, { weight: 1, arbitrary: undoStep });

function perform(scenario: Scenario, step: Step): void {
  const { cluster } = scenario;
  switch (step.do) {
    case 'edit':
      return cluster.editConfigMap(step.source, (copy) => {
        copy.data = { k: step.value };
      });
    case 'annotate':
      return cluster.editConfigMap(step.source, ({ metadata }) => {
        metadata.annotations = { ...metadata.annotations, note: step.value };
      });
    case 'apply':
      scenario.images[step.workload] = step.image;
      return cluster.editDeployment(step.workload, (copy) => {
        copy.spec.template = manifest(step.workload, step.image);
      });
    case 'setImage':
      return cluster.editDeployment(step.workload, ({ spec }) => {
        for (const each of (spec.template.spec as { containers: { image: string }[] }).containers)
          each.image = step.image;
      });
    case 'undo': {
      const history = cluster.history(step.workload);
      const target = history.at(-1 - step.back);
      if (target && cluster.undo(step.workload, revisionOf(target))) scenario.undone = true;
      return;
    }
    case 'replace':
      return cluster.editDeployment(step.workload, (copy) => {
        const kept = copy.metadata.labels?.['configrollout.dev/managed'] === 'all';
        copy.metadata.labels = kept ? { 'configrollout.dev/managed': 'all' } : {};
        copy.spec.template = manifest(step.workload, scenario.images[step.workload]);
      });
    case 'scale':
      return cluster.editDeployment(step.workload, ({ spec }) => {
        spec.replicas = 3 - spec.replicas;
      });
    case 'togglePause':
      return cluster.editDeployment(step.workload, ({ spec }) => {
        spec.paused = !spec.paused;
      });
    case 'deleteOldestRevision': {
      const [oldest, ...newer] = cluster.history(step.workload);
      if (oldest && newer.length > 0) cluster.delete('ReplicaSet', oldest.metadata.name);
      return;
    }
    case 'recreateSource': {
      const before = cluster.configMap(step.source);
      cluster.delete('ConfigMap', step.source);
      if (before?.data) cluster.createConfigMap(step.source, before.data, keep(before.metadata));
      return;
    }
    case 'restartController':
      return scenario.restart();
    default:
      step satisfies never;
  }
}

const keep = ({
  annotations,
  ownerReferences,
}: {
  annotations?: Record<string, string>;
  ownerReferences?: never[] | unknown[];
}) => ({ ...(annotations && { annotations }), ...(ownerReferences && { ownerReferences }) }) as object;

// ---- what must hold whenever nobody has anything to do

function expectPromises(scenario: Scenario): void {
  const { cluster } = scenario;
  for (const name of WORKLOADS) {
    const { labels = {} } = cluster.deployment(name).metadata;
    for (const each of USES[name]) {
      expect(labels[rolledHashLabel('ConfigMap', each)]).toBe(scenario.currentHash(each));
    }
    for (const mount of cluster.mounts(name).filter((each) => each !== 'plain')) {
      expect(SOURCES).not.toContain(mount);
      expect(cluster.configMap(mount)).toBeDefined();
    }
  }
  for (const { metadata, immutable, data } of cluster.configMaps()) {
    const hash = metadata.labels?.['configrollout.dev/content-hash'];
    if (hash === undefined) continue;
    const of = metadata.annotations?.['configrollout.dev/source-name'] ?? '';
    const owners = metadata.ownerReferences ?? [];
    expect({
      name: metadata.name,
      immutable,
      hash: contentHash('ConfigMap', of, { data: data ?? {}, binaryData: {} }),
    }).toEqual({
      name: pinned(of, hash),
      immutable: true,
      hash,
    });
    // Owned, by the living; and not kept for nothing.
    expect(owners.map(({ uid }) => cluster.isAlive(uid))).toEqual(owners.map(() => true));
    expect(owners.length).toBeGreaterThan(0);
    const isCurrent = hash === scenario.currentHash(of);
    expect({ name: metadata.name, kept: isCurrent || cluster.holders(metadata.name).length > 0 }).toEqual({
      name: metadata.name,
      kept: true,
    });
  }
  // Every revision that mounts a snapshot keeps it alive.
  for (const name of WORKLOADS) {
    for (const { metadata, spec } of cluster.history(name)) {
      for (const volume of (spec.template.spec as { volumes: { configMap?: { name: string } }[] }).volumes) {
        const mounted = cluster.configMap(volume.configMap?.name ?? '');
        if (!mounted?.immutable) continue;
        expect(mounted.metadata.ownerReferences?.map(({ uid }) => uid)).toContain(metadata.uid);
      }
    }
  }
}

const RUNS = { numRuns: Number(process.env['RUNS'] ?? 150) };
const optIn = fc.constantFrom<OptIn>('reference', 'declared', 'all');
const template = (scenario: Scenario, name: WorkloadName) =>
  structuredClone(scenario.cluster.deployment(name).spec.template);
const newest = (scenario: Scenario, name: WorkloadName) => Math.max(...scenario.cluster.history(name).map(revisionOf));

describe('whatever happens, one thing at a time', () => {
  test('everything comes to rest, pinned, owned and recorded; and a second look writes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        optIn,
        fc.integer({ min: 1, max: 4 }),
        fc.array(humanStep, { maxLength: 12, size: 'max' }),
        async (how, limit, steps) => {
          const scenario = new Scenario(how, limit);
          await scenario.controller.untilQuiet();
          expectPromises(scenario);
          for (const step of steps) {
            perform(scenario, step);
            expect(await scenario.controller.untilQuiet()).toBeLessThanOrEqual(8);
            expectPromises(scenario);
          }
          const writes = scenario.cluster.writes.length;
          scenario.restart();
          await scenario.controller.untilQuiet();
          expect(scenario.cluster.writes.slice(writes)).toEqual([]);
        },
      ),
      RUNS,
    );
  });

  test('each step has exactly the effect that it is meant to have', async () => {
    await fc.assert(
      fc.asyncProperty(optIn, fc.array(humanStep, { maxLength: 10, size: 'max' }), async (how, steps) => {
        const scenario = new Scenario(how, 20);
        await scenario.controller.untilQuiet();
        for (const step of steps) await expectEffect(scenario, step);
      }),
      RUNS,
    );
  });
});

async function expectEffect(scenario: Scenario, step: Step): Promise<void> {
  const { cluster } = scenario;
  const before = WORKLOADS.map((name) => ({
    name,
    mounts: cluster.mounts(name),
    template: template(scenario, name),
    revision: newest(scenario, name),
    hashes: USES[name].map((each) => scenario.currentHash(each)),
  }));
  const writes = cluster.writes.length;
  perform(scenario, step);
  const asked = WORKLOADS.map((name) => template(scenario, name));
  await scenario.controller.untilQuiet();
  for (const [i, { name, mounts, revision, hashes, template: old }] of before.entries()) {
    const changed = USES[name].some((each, k) => scenario.currentHash(each) !== hashes[k]);
    const here = `${step.do} for ${name}`;
    if (changed) {
      const moved = cluster.mounts(name).join() !== mounts.join();
      const touched = mounts.map((mount) => (mount.startsWith((step as { source: string }).source) ? '' : mount));
      const still = cluster
        .mounts(name)
        .map((mount) => (mount.startsWith((step as { source: string }).source) ? '' : mount));
      expect({ here, mounts: still }).toEqual({ here, mounts: touched });
      expect({ here, revision: newest(scenario, name) }).toEqual({ here, revision: revision + (moved ? 1 : 0) });
      for (const mount of cluster.mounts(name).filter((each) => each.startsWith((step as { source: string }).source))) {
        expect(mount).toBe(
          pinned((step as { source: string }).source, scenario.currentHash((step as { source: string }).source)),
        );
      }
    } else if (step.do === 'undo' && asked[i] !== undefined && JSON.stringify(asked[i]) !== JSON.stringify(old)) {
      const wanted = asked[i] as Template;
      const isRaw = SOURCES.some((each) => JSON.stringify(wanted).includes(`"name":"${each}"`));
      if (!isRaw) expect({ here, template: template(scenario, name) }).toEqual({ here, template: withoutHash(wanted) });
    } else {
      expect({ here, mounts: cluster.mounts(name) }).toEqual({ here, mounts });
    }
  }
  if (['annotate', 'scale', 'restartController', 'recreateSource'].includes(step.do)) {
    const done = cluster.writes.slice(writes).filter((write) => !write.endsWith('carry the same label'));
    expect({ step: step.do, done }).toEqual({ step: step.do, done: [] });
  }
}

// ---- what can happen while the controller is still at it: caches lag, and Kubernetes has its own pace

type Pace =
  | { readonly do: 'deliver'; readonly kinds: readonly ('ConfigMap' | 'Deployment' | 'ReplicaSet')[] }
  | { readonly do: 'lookAtSources' | 'lookAtWorkloads' | 'lookAtSnapshots' | 'kubernetes' }
  | { readonly do: 'wait'; readonly ms: number };

const kinds = fc.subarray(['ConfigMap', 'Deployment', 'ReplicaSet'] as const, { minLength: 1 });
const pace: fc.Arbitrary<Pace> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('deliver' as const), kinds }) },
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
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(10, 1000, 6000, 30_000) }) },
);

async function proceed({ cluster, controller }: Scenario, step: Pace): Promise<void> {
  switch (step.do) {
    case 'deliver':
      return cluster.deliver(step.kinds);
    case 'kubernetes':
      cluster.runDeploymentController();
      return cluster.collectGarbage();
    case 'wait':
      cluster.now += step.ms;
      return;
    default:
      return controller[step.do]();
  }
}

const isPace = (step: Step | Pace): step is Pace =>
  ['deliver', 'wait', 'kubernetes', 'lookAtSources', 'lookAtWorkloads', 'lookAtSnapshots'].includes(step.do);

describe('whatever happens, in whatever order and at whatever moment', () => {
  const historyOf = (human: fc.Arbitrary<Step>) =>
    fc.array(fc.oneof({ weight: 2, arbitrary: human }, { weight: 5, arbitrary: pace }), { maxLength: 40, size: 'max' });
  const live = async (how: OptIn, steps: readonly (Step | Pace)[]) => {
    const scenario = new Scenario(how, 10);
    await scenario.controller.untilQuiet();
    for (const step of steps) {
      if (isPace(step)) await proceed(scenario, step);
      else perform(scenario, step);
    }
    for (const name of WORKLOADS) scenario.cluster.editDeployment(name, ({ spec }) => delete spec.paused);
    await scenario.controller.untilQuiet();
    return scenario;
  };

  test('everything comes to rest', async () => {
    await fc.assert(
      fc.asyncProperty(optIn, historyOf(humanStep), async (how, steps) => {
        expectPromises(await live(how, steps));
      }),
      RUNS,
    );
  });

  test('without an undo, every reference ends at the content that its source has', async () => {
    await fc.assert(
      fc.asyncProperty(optIn, historyOf(forwardStep), async (how, steps) => {
        const scenario = await live(how, steps);
        expectPromises(scenario);
        for (const name of WORKLOADS) {
          expect({ name, mounts: scenario.cluster.mounts(name) }).toEqual({ name, mounts: scenario.currentMounts(name) });
        }
      }),
      RUNS,
    );
  });
});

test('DETERMINISTIC', async () => {
  const scenario = new Scenario('declared', 10);
  const { cluster, controller } = scenario;
  await controller.untilQuiet();
  perform(scenario, { do: 'edit', source: 'foo', value: 'b' });
  cluster.deliver();
  await controller.lookAtSources();
  await controller.lookAtWorkloads();
  expect(cluster.mounts('api')).toEqual(scenario.currentMounts('api'));
  perform(scenario, { do: 'apply', workload: 'api', image: 'img:1' });
  await controller.untilQuiet();
  expect(cluster.mounts('api')).toEqual(scenario.currentMounts('api'));
});
