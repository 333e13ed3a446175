// What a person excluded is left alone, by the controller and by admission, until it is included again.

import { describe, expect, test } from '@jest/globals';
import { brokenPromises } from '../support/simulated-promises.ts';
import { type AdmissionBy, type OptIn, Shop, type Variant } from '../support/simulated-shop.ts';
import { type Excluded, perform, type Step } from '../support/simulated-steps.ts';

const NAMESAKES: Partial<Variant> = { sources: 'namesakes', kinds: { web: 'StatefulSet', api: 'Deployment' } };
const HOW: readonly (readonly [what: Excluded, admission: AdmissionBy, how: OptIn])[] = (
  ['workload', 'source', 'pair'] as const
).flatMap((what) =>
  (['nobody', 'controller'] as const).flatMap((by) =>
    (['reference', 'declared', 'all'] as const).map((how) => [what, by, how] as const),
  ),
);

/** At rest, with one thing of web excluded: web itself, foo, or foo of web. */
async function anExclusion(what: Excluded, by: AdmissionBy, how: OptIn) {
  const shop = new Shop(how, 10, by, NAMESAKES);
  await shop.controller.untilQuiet();
  const goOn = async (step: Step) => {
    await perform(shop, step);
    await shop.controller.untilQuiet();
  };
  await goOn({ do: 'edit', source: 'foo', value: 'b' });
  const target = { what, workload: 'web', source: 'foo' } as const;
  const before = shop.cluster.mounts('web');
  await goOn({ do: 'exclude', ...target });
  return { shop, goOn, before, include: () => goOn({ do: 'include', ...target }) };
}

describe.each(HOW)('an excluded %s (admission: %s, opted in by: %s)', (what, by, how) => {
  test('does not roll, and rolls once it is included', async () => {
    const { shop, goOn, before, include } = await anExclusion(what, by, how);
    await goOn({ do: 'edit', source: 'foo', value: 'c' });
    expect(shop.cluster.mounts('web')).toEqual(before);
    await include();
    expect(shop.cluster.mounts('web')).toEqual(shop.currentMounts('web'));
    expect(brokenPromises(shop)).toEqual([]);
  });

  test('is not pinned again, until it is included', async () => {
    const { shop, goOn, before, include } = await anExclusion(what, by, how);
    await goOn({ do: 'apply', workload: 'web', image: 'img:2' });
    const raw = shop.cluster.references('web').filter((each) => shop.isRaw(each));
    // The Secret of the same name is none of it, unless it is the workload that is excluded.
    expect(new Set(raw.map(({ kind }) => kind))).toEqual(
      new Set(what === 'workload' ? ['ConfigMap', 'Secret'] : ['ConfigMap']),
    );
    expect(brokenPromises(shop)).toEqual([]);
    await include();
    expect(shop.cluster.mounts('web')).toEqual(before);
    expect(brokenPromises(shop)).toEqual([]);
  });

  test('is written nothing for, and included again without a write where nothing changed', async () => {
    const { shop, goOn, include } = await anExclusion(what, by, how);
    const { generation } = shop.cluster.workload('web').metadata;
    const writes = shop.cluster.writes.length;
    await goOn({ do: 'annotate', source: 'foo', value: 'x' });
    await goOn({ do: 'scale', workload: 'web' });
    await goOn({ do: 'restartController' });
    expect(shop.cluster.writes.slice(writes)).toEqual([]);
    await include();
    // But for the label that it was recorded on.
    const again = shop.cluster.writes.slice(writes);
    expect(again.filter((write) => write !== 'patch statefulset/web')).toEqual([]);
    expect(shop.cluster.workload('web').metadata.generation).toBe((generation ?? 0) + 1);
    expect(brokenPromises(shop)).toEqual([]);
  });
});

test('a source that is excluded of one workload rolls out to the others', async () => {
  const { shop, goOn, before } = await anExclusion('pair', 'controller', 'declared');
  await goOn({ do: 'edit', source: 'foo', value: 'c' });
  expect(shop.cluster.mounts('web')).toEqual(before);
  expect(shop.cluster.mounts('api')).toEqual(shop.currentMounts('api'));
});

test('a source that nobody but the excluded uses gets no snapshot', async () => {
  const { shop, goOn } = await anExclusion('workload', 'nobody', 'declared');
  await goOn({ do: 'edit', source: 'bar', value: 'c' });
  expect(shop.cluster.has('Secret', shop.currentMount('bar'))).toBe(false);
});
