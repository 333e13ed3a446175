// The three controllers with their queues and triggers, on virtual time: what no trigger asks for is never looked at.

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { NOON } from '../support/builders.ts';
import { SETTINGS } from '../support/simulated-controller.ts';
import { brokenPromises } from '../support/simulated-promises.ts';
import { type AdmissionBy, type OptIn, Shop, type Variant, WORKLOADS } from '../support/simulated-shop.ts';
import { humanStep, perform, type Step, sometimesExcluding, variant } from '../support/simulated-steps.ts';

const admission = fc.constantFrom<AdmissionBy>('nobody', 'controller', 'replica');
const optIn = fc.constantFrom<OptIn>('reference', 'declared', 'all');
/** Longer than all bookkeeping, settling, slowing down and grace. */
const LONG_MS = 35_000;
const MOST_ROUNDS = 20;

jest.setTimeout(process.env['RUNS'] === undefined ? 60_000 : 24 * 3_600_000);
beforeEach(() => {
  jest.useFakeTimers({ now: NOON, doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

function aShop(
  how: OptIn = 'declared',
  historyLimit = 10,
  by: AdmissionBy = 'nobody',
  what: Partial<Variant> = {},
): Shop {
  const shop = new Shop(how, historyLimit, by, what);
  shop.cluster.followClock();
  return shop;
}

/** Runs the controllers, and Kubernetes beside them, until nobody writes for long. */
async function rest(shop: Shop): Promise<void> {
  const { cluster } = shop;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const before = cluster.version;
    cluster.deliver();
    await jest.advanceTimersByTimeAsync(500);
    cluster.runWorkloadControllers();
    cluster.collectGarbage();
    cluster.deliver();
    await jest.advanceTimersByTimeAsync(LONG_MS);
    if (cluster.version === before) return;
  }
  throw new Error(`no rest; last writes: ${cluster.writes.slice(-10).join(' | ')}`);
}

/** Runs `body` with the controllers at work, and ends them. */
async function atWork(shop: Shop, body: () => Promise<void>): Promise<void> {
  const stop = shop.controller.start();
  try {
    await body();
  } finally {
    await stop();
  }
}

describe('what triggers ask for', () => {
  test('is enough: after any step, a look at everything finds nothing left to do', async () => {
    const steps = fc.array(
      sometimesExcluding(humanStep).filter((step) => step.do !== 'restartController'),
      { maxLength: 8, size: 'max' },
    );
    await fc.assert(
      fc.asyncProperty(optIn, admission, variant, steps, async (how, by, what, history) => {
        const shop = aShop(how, 10, by, what);
        await atWork(shop, async () => {
          await rest(shop);
          expect(brokenPromises(shop)).toEqual([]);
          for (const step of history) {
            await perform(shop, step);
            await rest(shop);
            expect({ step, broken: brokenPromises(shop) }).toEqual({ step, broken: [] });
          }
          const writes = shop.cluster.writes.length;
          await shop.controller.look();
          expect(shop.cluster.writes.slice(writes)).toEqual([]);
        });
      }),
      process.env['RUNS'] === undefined ? { numRuns: 60, seed: 1 } : { numRuns: Number(process.env['RUNS']) },
    );
  });

  test.each<[what: string, step: Step]>([
    ['an annotation of a source', { do: 'annotate', source: 'foo', value: 'x' }],
    ['scaling', { do: 'scale', workload: 'web' }],
    ['a source made anew with the content it had', { do: 'recreateSource', source: 'foo' }],
  ])('ends in no write of a workload for %s', async (_, step) => {
    const shop = aShop();
    await atWork(shop, async () => {
      await rest(shop);
      const writes = shop.cluster.writes.length;
      await perform(shop, step);
      await rest(shop);
      expect(shop.cluster.writes.slice(writes).filter((write) => write.includes('deployment'))).toEqual([]);
    });
  });

  test('is nothing when a controller takes over: it reads no content, and writes nothing', async () => {
    const shop = aShop();
    await shop.controller.untilQuiet();
    const { writes, reads } = shop.cluster;
    const before = { writes: writes.length, reads };
    shop.restart();
    await atWork(shop, () => rest(shop));
    expect({ writes: shop.cluster.writes.length, reads: shop.cluster.reads }).toEqual(before);
  });
});

test('the first change after a takeover costs one read: snapshots say themselves which keys a new content changes', async () => {
  const shop = aShop();
  await shop.controller.untilQuiet();
  shop.restart();
  await atWork(shop, async () => {
    await rest(shop);
    const { reads } = shop.cluster;
    await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
    await rest(shop);
    expect(shop.cluster.reads - reads).toBe(1);
    const causes = shop.cluster
      .history('web')
      .map(({ metadata }) => metadata.annotations?.['kubernetes.io/change-cause']);
    expect(causes.at(-1)).toBe('configmap/foo: k');
  });
});

test('a snapshot that somebody deletes is made again while its content is current', async () => {
  const shop = aShop();
  await atWork(shop, async () => {
    await rest(shop);
    shop.cluster.delete('ConfigMap', shop.currentMount('foo'));
    await rest(shop);
    expect(brokenPromises(shop)).toEqual([]);
  });
});

test('a revision may be pruned right after an undo to it: its workload owns the snapshot by then', async () => {
  const shop = aShop();
  const { cluster } = shop;
  await atWork(shop, async () => {
    await rest(shop);
    const oldest = WORKLOADS.map((name) => cluster.history(name)[0]?.metadata.name ?? '');
    await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
    await rest(shop);
    await cluster.undo('api');
    cluster.deliver();
    await jest.advanceTimersByTimeAsync(5);
    for (const name of oldest) cluster.delete('ReplicaSet', name);
    cluster.collectGarbage();
    await rest(shop);
    expect(brokenPromises(shop)).toEqual([]);
  });
});

test('a paused Deployment is pinned to a change, and runs it when it is resumed', async () => {
  const shop = aShop();
  await atWork(shop, async () => {
    await rest(shop);
    const revisions = shop.cluster.history('api').length;
    await perform(shop, { do: 'togglePause', workload: 'api' });
    await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
    await rest(shop);
    expect(shop.cluster.mounts('api')).toEqual(shop.currentMounts('api'));
    expect(shop.cluster.history('api')).toHaveLength(revisions);
    await perform(shop, { do: 'togglePause', workload: 'api' });
    await rest(shop);
    expect(shop.cluster.history('api')).toHaveLength(revisions + 1);
    expect(brokenPromises(shop)).toEqual([]);
  });
});

describe('a change', () => {
  test('rolls out after the settle time, also to a workload that has no other source: it may be about to be applied', async () => {
    const shop = aShop();
    await atWork(shop, async () => {
      await rest(shop);
      await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
      shop.cluster.deliver();
      await jest.advanceTimersByTimeAsync(900);
      for (const name of WORKLOADS) expect(shop.cluster.mounts(name)).not.toEqual(shop.currentMounts(name));
      await jest.advanceTimersByTimeAsync(200);
      for (const name of WORKLOADS) expect(shop.cluster.mounts(name)).toEqual(shop.currentMounts(name));
    });
  });

  test('rolls out when the clock is set back while it settles', async () => {
    const shop = aShop();
    await atWork(shop, async () => {
      await rest(shop);
      await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
      shop.cluster.deliver();
      await jest.advanceTimersByTimeAsync(500);
      jest.setSystemTime(Date.now() - 3_600_000);
      await jest.advanceTimersByTimeAsync(11_000);
      for (const name of WORKLOADS) expect(shop.cluster.mounts(name)).toEqual(shop.currentMounts(name));
    });
  });

  test('of two sources within the settle time is one revision of the workload that has both', async () => {
    const shop = aShop();
    await atWork(shop, async () => {
      await rest(shop);
      const revisions = shop.cluster.history('web').length;
      await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
      shop.cluster.deliver();
      await jest.advanceTimersByTimeAsync(900);
      await perform(shop, { do: 'edit', source: 'bar', value: 'b' });
      shop.cluster.deliver();
      await jest.advanceTimersByTimeAsync(900);
      expect(shop.cluster.mounts('web')).not.toEqual(shop.currentMounts('web'));
      await rest(shop);
      expect(shop.cluster.mounts('web')).toEqual(shop.currentMounts('web'));
      expect(shop.cluster.history('web')).toHaveLength(revisions + 1);
    });
  });

  test('that never ends rolls five times, then once each half minute, and the history stays', async () => {
    const shop = aShop();
    const rollouts = () => shop.cluster.writes.filter((write) => write === 'patch deployment/api').length;
    await atWork(shop, async () => {
      await rest(shop);
      await jest.advanceTimersByTimeAsync(300_000);
      const before = rollouts();
      const writeFor = async (ms: number, every: number) => {
        for (let passed = 0; passed < ms; passed += every) {
          await perform(shop, { do: 'edit', source: 'foo', value: `${shop.cluster.now}` });
          shop.cluster.deliver();
          await jest.advanceTimersByTimeAsync(every);
        }
      };
      await writeFor(10_000, 2000);
      expect(rollouts() - before).toBe(5);
      await writeFor(120_000, 2000);
      expect(rollouts() - before).toBe(9);
      await rest(shop);
      for (const name of WORKLOADS) expect(shop.cluster.mounts(name)).toEqual(shop.currentMounts(name));
    });
  });
});

describe('rollouts', () => {
  // What the revision carries is dropped from the workload; a change at that very moment must lose neither its cause
  // nor its place in the count.
  test.each([
    ['the same key', (i: number) => ({ k: `${i}` })],
    ['another key each time', (i: number) => ({ [`k${i}`]: '' })],
  ])(
    'that come just as the revision of the last one shows up (%s) are counted, and say their cause',
    async (_, data) => {
      const shop = aShop('declared', 30);
      const { cluster, controller } = shop;
      await controller.untilQuiet();
      await jest.advanceTimersByTimeAsync(300_000);
      const before = cluster.history('api').length;
      for (let i = 0; i < 15; i += 1) {
        cluster.editConfig('ConfigMap', 'foo', (copy) => {
          copy.data = data(i);
        });
        cluster.deliver();
        await controller.lookAtSources();
        await controller.lookAtWorkloads();
        await jest.advanceTimersByTimeAsync(SETTINGS.settleMs);
        await controller.lookAtWorkloads();
        cluster.runWorkloadControllers();
      }
      const causes = cluster.history('api').map(({ metadata }) => metadata.annotations?.['kubernetes.io/change-cause']);
      expect(causes).toHaveLength(before + 5);
      for (const cause of causes) expect(cause).toMatch(/^configmap\/foo: /);
      expect(controller.conflicts).toBe(0);
    },
  );

  test('of a source that never rests come after ten settle times, also when looked at before it was read', async () => {
    const shop = aShop();
    const { cluster, controller } = shop;
    await controller.untilQuiet();
    const rollouts = () => cluster.writes.filter((write) => write === 'patch deployment/web').length;
    const before = rollouts();
    for (let passed = 0; passed <= 10_500; passed += 500) {
      expect({ passed, rollouts: rollouts() - before }).toEqual({ passed, rollouts: 0 });
      await perform(shop, { do: 'edit', source: 'bar', value: `${passed}` });
      cluster.deliver();
      await controller.lookAtWorkloads();
      await controller.lookAtSources();
      await controller.lookAtWorkloads();
      // A rollout that has waited asks for its snapshot only now.
      await controller.lookAtSources();
      await controller.lookAtWorkloads();
      await jest.advanceTimersByTimeAsync(500);
      if (rollouts() > before) break;
    }
    expect(rollouts()).toBe(before + 1);
  });
});
