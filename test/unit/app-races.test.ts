// What people do while the controller is at work: it rests at last where it would have got to without the haste, and nothing
// that a person took out is written to meanwhile. Real queues, a simulated clock.

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { ClusterError } from '../../controller/app/errors.ts';
import { NOON } from '../support/builders.ts';
import { type AdmissionBy, type OptIn, Shop, type Variant } from '../support/simulated-shop.ts';
import { humanStep, perform, type Step, sometimesExcluding, variant } from '../support/simulated-steps.ts';

jest.setTimeout(process.env['RUNS'] === undefined ? 60_000 : 24 * 3_600_000);
beforeEach(() => {
  jest.useFakeTimers({ now: NOON, doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

function aShop(how: OptIn = 'declared', by: AdmissionBy = 'nobody', what: Partial<Variant> = {}): Shop {
  const shop = new Shop(how, 10, by, what);
  shop.cluster.followClock();
  return shop;
}

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

/** Lets everybody work until nobody writes. */
async function rest({ cluster }: Shop): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    const before = cluster.version;
    cluster.deliver();
    await pass(500);
    cluster.runWorkloadControllers();
    cluster.collectGarbage();
    cluster.deliver();
    await pass(35_000);
    if (cluster.version === before) return;
  }
  throw new Error(`no rest; ${cluster.writes.slice(-10).join(' | ')}`);
}

async function atWork(shop: Shop, body: () => Promise<void>): Promise<void> {
  const stop = shop.controller.start();
  try {
    await rest(shop);
    await body();
  } finally {
    await stop();
  }
}

/** What a look at everything would still do: nobody was woken for it. */
async function missed(shop: Shop): Promise<readonly string[]> {
  const before = shop.cluster.writes.length;
  await shop.controller.look();
  return shop.cluster.writes.slice(before);
}

/** Reads take their time, or fail, as `how` says. */
function reading({ cluster }: Shop, how: (name: string) => Promise<void>): void {
  const read = cluster.readSource.bind(cluster);
  cluster.readSource = async (name) => {
    await how(name.name);
    return read(name);
  };
}

function optOut(shop: Shop): void {
  const { kind, name } = shop.source('bar');
  shop.cluster.editConfig(kind, name, ({ metadata }) => {
    delete metadata.annotations;
    delete metadata.ownerReferences;
  });
}

function remove(shop: Shop): void {
  const { kind, name } = shop.source('bar');
  shop.cluster.delete(kind, name);
}

const exclude = (shop: Shop, workload: 'web' | 'api') =>
  perform(shop, { do: 'exclude', what: 'workload', workload, source: 'foo' });

describe('a source that holds back the others, because it cannot be read,', () => {
  test.each<[what: string, act: (shop: Shop) => unknown]>([
    ['is excluded', (shop) => perform(shop, { do: 'exclude', what: 'source', workload: 'web', source: 'bar' })],
    ['opts in no more', optOut],
    ['is deleted', remove],
  ])('%s: the others roll out', async (_, act) => {
    const shop = aShop();
    await atWork(shop, async () => {
      reading(shop, async (name) => {
        if (name === 'bar') throw new ClusterError('Forbidden', 'no');
      });
      await perform(shop, { do: 'edit', source: 'bar', value: 'b' });
      await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
      await rest(shop);
      expect(shop.cluster.mounts('web')).not.toContain(shop.currentMount('foo'));
      await act(shop);
      await rest(shop);
      expect(shop.cluster.mounts('web')).toContain(shop.currentMount('foo'));
    });
  });
});

test('a workload that is excluded before it rolls leaves no snapshot behind', async () => {
  const shop = aShop('all');
  await atWork(shop, async () => {
    await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
    shop.cluster.deliver();
    await pass(200);
    const made = shop.currentMount('foo');
    expect(shop.cluster.has('ConfigMap', made)).toBe(true);
    await exclude(shop, 'web');
    await exclude(shop, 'api');
    await rest(shop);
    await pass(60_000);
    expect([shop.cluster.has('ConfigMap', made), await missed(shop)]).toEqual([false, []]);
  });
});

test('an exclusion that the caches have not shown yet stops the rollout, and stays', async () => {
  const shop = aShop();
  await atWork(shop, async () => {
    const before = shop.cluster.mounts('api');
    await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
    shop.cluster.deliver();
    await pass(200);
    const key = 'configmap.configrollout.dev/foo';
    shop.cluster.editWorkload('api', ({ metadata }) => {
      metadata.labels = { ...metadata.labels, [key]: 'excluded' };
    });
    shop.cluster.deliver({ kinds: ['ConfigMap', 'Secret'] });
    await pass(5000);
    expect(shop.cluster.mounts('api')).toEqual(before);
    await rest(shop);
    expect(shop.cluster.workload('api').metadata.labels).toMatchObject({ [key]: 'excluded' });
    expect(shop.cluster.mounts('api')).toEqual(before);
  });
});

test('a content that came together with its exclusion is not copied', async () => {
  const shop = aShop();
  await atWork(shop, async () => {
    const { kind, name } = shop.source('bar');
    await perform(shop, { do: 'edit', source: 'bar', value: 'b' });
    shop.cluster.deliver();
    shop.cluster.editConfig(kind, name, (copy) => {
      copy.metadata.labels = { ...copy.metadata.labels, 'configrollout.dev/managed': 'none' };
      copy.data = { k: 'Yw==' };
    });
    await pass(5000);
    expect(shop.cluster.has(kind, shop.currentMount('bar'))).toBe(false);
    await rest(shop);
    expect(await missed(shop)).toEqual([]);
  });
});

test('histories without a rest between the steps, with slow reads and late watches, end with nothing left to do', async () => {
  const steps = fc.oneof(
    { weight: 8, arbitrary: sometimesExcluding(humanStep).filter((step) => step.do !== 'restartController') },
    { weight: 1, arbitrary: fc.constantFrom('remove' as const, 'optOut' as const) },
  );
  const moment = fc.record({
    step: steps,
    ms: fc.constantFrom(0, 50, 160, 250, 1000, 1300, 6000),
    kubernetesWorks: fc.boolean(),
    delivers: fc.boolean(),
    readMs: fc.constantFrom(0, 0, 100, 400),
  });
  const optIns = fc.constantFrom<OptIn>('reference', 'declared', 'all');
  const admissions = fc.constantFrom<AdmissionBy>('nobody', 'controller');
  const histories = fc.array(moment, { maxLength: 10, size: 'max' });
  await fc.assert(
    fc.asyncProperty(optIns, admissions, variant, histories, async (how, by, what, history) => {
      const shop = aShop(how, by, what);
      let readMs = 0;
      await atWork(shop, async () => {
        reading(shop, () => (readMs > 0 ? new Promise((resolve) => setTimeout(resolve, readMs)) : Promise.resolve()));
        for (const { step, ms, kubernetesWorks, delivers, ...each } of history) {
          readMs = each.readMs;
          await begin(shop, step);
          if (delivers) shop.cluster.deliver();
          await pass(ms);
          if (kubernetesWorks) await kubernetes(shop, ms);
        }
        readMs = 0;
        await rest(shop);
        expect([await missed(shop), shop.cluster.mishaps]).toEqual([[], []]);
      });
    }),
    process.env['RUNS'] === undefined ? { numRuns: 100, seed: 7 } : { numRuns: Number(process.env['RUNS']) },
  );
});

/** A step, of which the admission of a request may be under way when it returns. */
async function begin(shop: Shop, step: Step | 'remove' | 'optOut'): Promise<void> {
  const isThere = (source: 'foo' | 'bar') => shop.cluster.has(shop.source(source).kind, shop.source(source).name);
  if (step === 'remove' || step === 'optOut') {
    if (isThere('bar')) (step === 'remove' ? remove : optOut)(shop);
    return;
  }
  if ('source' in step && !isThere(step.source)) return;
  const done = perform(shop, step);
  await pass(2000);
  await done;
}

async function kubernetes({ cluster }: Shop, ms: number): Promise<void> {
  cluster.runWorkloadControllers();
  cluster.collectGarbage();
  cluster.deliver();
  await pass(ms);
}
