// Defects that random histories found, each with the shortest history that shows it.
import { expect, jest, test } from '@jest/globals';
import { optIns, problemOf } from '../../controller/core/opt-in.ts';
import { aConfigMap, aWorkload, NOON } from '../support/builders.ts';
import { SETTINGS } from '../support/simulated-controller.ts';
import { brokenPromises } from '../support/simulated-promises.ts';
import { Shop } from '../support/simulated-shop.ts';
import { perform } from '../support/simulated-steps.ts';

test('B1 an apply of the raw manifest right after a rollout does not lose the change', async () => {
  const shop = new Shop('declared', 10);
  const { cluster, controller } = shop;
  await controller.untilQuiet();
  await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
  cluster.deliver();
  await controller.lookAtSources();
  cluster.now += SETTINGS.settleMs;
  await controller.lookAtWorkloads();
  expect(cluster.mounts('api')).toEqual(shop.currentMounts('api'));
  await perform(shop, { do: 'apply', workload: 'api', image: 'img:1' });
  await controller.untilQuiet();
  expect(cluster.mounts('api')).toEqual(shop.currentMounts('api'));
});
test('B1b the same for a paused Deployment, any time later', async () => {
  const shop = new Shop('declared', 10);
  const { cluster, controller } = shop;
  await controller.untilQuiet();
  await perform(shop, { do: 'togglePause', workload: 'api' });
  await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
  await controller.untilQuiet();
  await perform(shop, { do: 'apply', workload: 'api', image: 'img:1' });
  await controller.untilQuiet();
  await perform(shop, { do: 'togglePause', workload: 'api' });
  await controller.untilQuiet();
  expect(cluster.mounts('api')).toEqual(shop.currentMounts('api'));
});
test.each(['all', 'declared', 'reference'] as const)('B4 lost snapshot (%s)', async (how) => {
  const shop = new Shop(how, 10);
  await shop.controller.untilQuiet();
  shop.cluster.delete('ConfigMap', shop.currentMount('foo'));
  await shop.controller.untilQuiet();
  expect(brokenPromises(shop)).toEqual([]);
});
test('B5 a snapshot made for a rollout that never came is swept, and nobody is blamed', async () => {
  const shop = new Shop('declared', 10);
  await shop.controller.untilQuiet();
  const { cluster, controller } = shop;
  await perform(shop, { do: 'edit', source: 'bar', value: 'b' });
  cluster.deliver();
  await controller.lookAtSources();
  cluster.editConfig('Secret', 'bar', ({ metadata }) => {
    metadata.annotations = {};
  });
  await controller.untilQuiet();
  cluster.now += 3_600_000;
  await controller.untilQuiet();
  const blamed = cluster.events.filter((e) => e.reason === 'ConfigSnapshotOwnedByHand').length;
  expect({ blamed, swept: !cluster.has('Secret', shop.currentMount('bar')) }).toEqual({
    blamed: 0,
    swept: true,
  });
});
test('B10 a declared owner counts beside a stale owner reference to its name', () => {
  const owners = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'stale' }];
  const kinds = [{ kind: 'Deployment', apiGroup: 'apps', aliases: ['deployment'] }];
  expect(
    optIns(aConfigMap({ owners, declaredOwners: 'deployment/web' }), kinds).optIns.some((o) => o.uid === undefined),
  ).toBe(true);
});
test('B11 an edit to the content that an undo brought back makes no revision, and the undone pins outlast an apply', async () => {
  const shop = new Shop('reference', 20);
  const { cluster, controller } = shop;
  await controller.untilQuiet();
  for (const step of [
    { do: 'edit', source: 'bar', value: 'b' },
    { do: 'edit', source: 'foo', value: 'c' },
    { do: 'undo', workload: 'web', back: 2 },
    { do: 'edit', source: 'foo', value: 'a' },
  ] as const) {
    await perform(shop, step);
    await controller.untilQuiet();
  }
  const undone = cluster.mounts('web');
  await perform(shop, { do: 'apply', workload: 'web', image: 'img:1' });
  await controller.untilQuiet();
  expect(cluster.mounts('web')).toEqual(undone);
});
const long = 'n'.repeat(253);
const uid = '01234567-89ab-cdef-0123-456789abcdef';
test.each([true, false])('B8 notes fit (referenced %s)', (referenced) => {
  const s = aConfigMap({ name: long });
  const note = problemOf(
    s,
    { kind: 'Deployment', name: long, uid: referenced ? uid.toUpperCase() : uid },
    aWorkload({ name: long, uid }),
    referenced,
  )?.note;
  expect(note?.length).toBeLessThanOrEqual(1024);
});
// A writer that never rests is waited for; one that does rolls out until it is slowed down.
test.each([
  [250, 0, 60],
  [1500, 1, 15],
])(
  'B7 writing each %d ms, for a minute, is told %d times; snapshots do not pile up',
  async (every, told, most) => {
    jest.useFakeTimers({ now: NOON, doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    const shop = new Shop('declared', 10);
    await shop.controller.untilQuiet();
    const stop = shop.controller.start();
    for (let i = 0; i < 240; i += 1) {
      if ((i * 250) % every === 0) await perform(shop, { do: 'edit', source: 'foo', value: `${i}` });
      shop.cluster.deliver();
      shop.cluster.now += 250;
      await jest.advanceTimersByTimeAsync(250);
      shop.cluster.runWorkloadControllers();
      shop.cluster.collectGarbage();
    }
    await stop();
    jest.useRealTimers();
    const slow = shop.cluster.events.filter(
      (e) => e.reason === 'ConfigRolloutsSlowed' && e.regarding.name === 'api',
    ).length;
    const made = shop.cluster.writes.filter((w) => w.startsWith('create configmap/foo')).length;
    expect({ slow, made: made < most ? 'few' : made }).toEqual({ slow: told, made: 'few' });
  },
  60000,
);
