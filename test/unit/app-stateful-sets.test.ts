// StatefulSets: what is theirs alone, since a ControllerRevision says neither whether it has pods, nor why it is used again.

import { describe, expect, test } from '@jest/globals';
import { brokenPromises } from '../support/simulated-promises.ts';
import { Shop, type Variant } from '../support/simulated-shop.ts';
import { perform } from '../support/simulated-steps.ts';

const SETS: Partial<Variant> = { kinds: { web: 'StatefulSet', api: 'StatefulSet' } };
const CAUSE = 'kubernetes.io/change-cause';

async function aShop(what: Partial<Variant> = {}): Promise<Shop> {
  const shop = new Shop('declared', 10, 'nobody', { ...SETS, ...what });
  await shop.controller.untilQuiet();
  return shop;
}
/** Lets the StatefulSet replace all its pods, while the controller does not look. */
function settle({ cluster }: Shop): void {
  for (let i = 0; i < 5; i += 1) cluster.runWorkloadControllers();
}
const deleted = ({ cluster }: Shop) => cluster.writes.filter((write) => write.startsWith('delete controllerrevision'));

describe('a raw revision', () => {
  /** Somebody applied the raw manifest, and the controller has pinned it again, but looked no further. */
  async function withRaw(what: Partial<Variant> = {}): Promise<Shop> {
    const shop = await aShop(what);
    await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
    await shop.controller.untilQuiet();
    await perform(shop, { do: 'apply', workload: 'api', image: 'img:1' });
    settle(shop);
    shop.cluster.deliver();
    await shop.controller.lookAtWorkloads();
    return shop;
  }

  test('goes once its last pod has gone', async () => {
    const shop = await withRaw();
    const { cluster, controller } = shop;
    const before = deleted(shop).length;
    for (let look = 0; look < 5 && deleted(shop).length === before; look += 1) {
      cluster.runWorkloadControllers();
      cluster.deliver();
      await controller.lookAtWorkloads();
    }
    expect(deleted(shop).length).toBe(before + 1);
    expect(brokenPromises(shop)).toEqual([]);
  });

  test('stays when it is used again, though the cache shows that of it alone, and not yet of the set', async () => {
    const shop = await withRaw();
    const { cluster, controller } = shop;
    settle(shop);
    cluster.deliver();
    await perform(shop, { do: 'apply', workload: 'api', image: 'img:1' });
    cluster.runWorkloadControllers();
    cluster.deliver({ kinds: ['ControllerRevision'] });
    await controller.lookAtWorkloads();
    expect(cluster.mishaps).toEqual([]);
    await controller.untilQuiet();
    expect(brokenPromises(shop)).toEqual([]);
  });
});

test('a revision that is used again is given the cause of now', async () => {
  const shop = await aShop();
  const causes = () => shop.cluster.history('api').map(({ metadata }) => metadata.annotations?.[CAUSE]);
  for (const value of ['b', 'a']) {
    await perform(shop, { do: 'edit', source: 'foo', value });
    await shop.controller.untilQuiet();
  }
  expect(causes()).toEqual(['configmap/foo: k', 'configmap/foo: k']);
});
