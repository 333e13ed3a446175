// What happens when the cluster is not as the plan expects it: names that are taken, forged snapshots, refusals.

import { describe, expect, test } from '@jest/globals';
import { dryRun } from '../../controller/app/apply.ts';
import { ClusterError, type FailureKind } from '../../controller/app/errors.ts';
import type { ClusterPort } from '../../controller/app/ports.ts';
import type { Plan } from '../../controller/core/actions.ts';
import { contentHash } from '../../controller/core/content-hash.ts';
import { snapshotNames } from '../../controller/core/snapshot.ts';
import { NAMESPACE, pinned } from '../support/builders.ts';
import { brokenPromises } from '../support/simulated-promises.ts';
import { Shop, type Source } from '../support/simulated-shop.ts';
import { perform } from '../support/simulated-steps.ts';

const salted = (shop: Shop, source: Source) => [...snapshotNames(source, shop.currentHash(source))][1] ?? '';
const refuse = (kind: FailureKind) => async () => {
  throw new ClusterError(kind, `the server said ${kind}`);
};
const key = `ConfigMap/${NAMESPACE}/foo`;
const reasons = ({ cluster }: Shop) => cluster.events.map(({ reason }) => reason);

/** The marks of a snapshot of foo, that anybody may copy. */
const marks = (shop: Shop) => ({
  labels: {
    'app.kubernetes.io/managed-by': 'config-rollout',
    'configrollout.dev/source': 'foo',
    'configrollout.dev/content-hash': shop.currentHash('foo'),
  },
  annotations: { 'configrollout.dev/source-name': 'foo' },
});

describe('a snapshot’s name that is taken', () => {
  test.each<[by: string, take: (shop: Shop) => void]>([
    ['somebody’s ConfigMap', (shop) => shop.cluster.createConfigMap(shop.currentMount('foo'), { mine: 'yes' })],
    [
      'a forgery of other content',
      (shop) => shop.cluster.createConfigMap(shop.currentMount('foo'), { k: 'x' }, marks(shop), true),
    ],
    [
      'the right content, but not immutable',
      (shop) => shop.cluster.createConfigMap(shop.currentMount('foo'), { k: 'a' }, marks(shop)),
    ],
  ])('by %s is left alone, and a salted one is used', async (_, take) => {
    const shop = new Shop('declared', 10);
    take(shop);
    const before = structuredClone(shop.cluster.configMap(shop.currentMount('foo')));
    shop.restart();
    await shop.controller.untilQuiet();
    expect(shop.cluster.mounts('api')).toEqual([salted(shop, 'foo'), 'plain', salted(shop, 'foo')]);
    expect(shop.cluster.configMap(salted(shop, 'foo'))).toMatchObject({ immutable: true, data: { k: 'a' } });
    expect(shop.cluster.configMap(shop.currentMount('foo'))).toMatchObject({ data: before?.data });
  });

  test('by the very snapshot, made before a crash, is used as it is', async () => {
    const shop = new Shop('declared', 10);
    const owner = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'api',
      uid: shop.cluster.workload('api').metadata.uid,
    };
    shop.cluster.createConfigMap(
      shop.currentMount('foo'),
      { k: 'a' },
      { ...marks(shop), ownerReferences: [owner] },
      true,
    );
    shop.restart();
    // It is read and judged, rather than made once more and refused.
    shop.cluster.createSnapshot = refuse('AlreadyExists');
    await shop.controller.reconciler.source(key);
    await shop.controller.reconciler.source(key);
    await shop.controller.lookAtWorkloads();
    expect(shop.cluster.mounts('api')).toEqual(shop.currentMounts('api'));
  });

  test('by others, all of them, is told to the person who can free one, and nothing rolls', async () => {
    const shop = new Shop('declared', 10);
    for (const name of snapshotNames('foo', shop.currentHash('foo'))) shop.cluster.createConfigMap(name, {});
    shop.restart();
    await shop.controller.untilQuiet();
    expect(reasons(shop)).toContain('ConfigSnapshotNameTaken');
    expect(shop.cluster.mounts('api')).toEqual(['foo', 'plain', 'foo']);
  });

  test('between the look and the write ends in a conflict, and in a right snapshot at the next look', async () => {
    const shop = new Shop('declared', 10);
    const { cluster, controller } = shop;
    await controller.reconciler.source(key);
    cluster.createConfigMap(shop.currentMount('foo'), { mine: 'yes' });
    await expect(controller.reconciler.source(key)).rejects.toMatchObject({ kind: 'Conflict' });
    await controller.untilQuiet();
    expect(cluster.mounts('api')[0]).toBe(salted(shop, 'foo'));
  });
});

describe('a server that drops `immutable`', () => {
  test('is refused: the copy is taken away again, and nothing is pinned to it', async () => {
    const shop = new Shop('declared', 10);
    const { cluster, controller } = shop;
    const create = cluster.createSnapshot.bind(cluster);
    cluster.createSnapshot = async (manifest) => {
      const { immutable: _, ...dropped } = manifest;
      return create(dropped as typeof manifest);
    };
    await controller.reconciler.source(key);
    await expect(controller.reconciler.source(key)).rejects.toMatchObject({ kind: 'Rejected' });
    expect(cluster.configMap(shop.currentMount('foo'))).toBeUndefined();
    await controller.lookAtWorkloads();
    expect(cluster.mounts('api')).toEqual(['foo', 'plain', 'foo']);
  });
});

describe('a refusal', () => {
  test.each<[FailureKind, reason: string, next: string]>([
    ['Forbidden', 'ConfigForbidden', 'ClusterRole'],
    ['QuotaExceeded', 'ConfigQuotaExceeded', 'raise the quota'],
    ['Rejected', 'ConfigRejected', 'change what the API server objects to'],
  ])(
    '%s becomes an Event with the server’s words and the next step, and is tried again later',
    async (kind, reason, next) => {
      const shop = new Shop('declared', 10);
      const { cluster, controller } = shop;
      await controller.reconciler.source(key);
      cluster.createSnapshot = refuse(kind);
      await expect(controller.reconciler.source(key)).rejects.toMatchObject({ kind, retryAfterMs: 10_000 });
      await expect(controller.reconciler.source(key)).rejects.toThrow();
      const [event, ...more] = cluster.events;
      expect(more).toEqual([]);
      expect(event).toMatchObject({ reason, severity: 'Warning', once: true, regarding: { name: 'foo' } });
      expect(event?.note).toContain(`the server said ${kind}`);
      expect(event?.note).toContain(next);
    },
  );

  test.each<FailureKind>(['Conflict', 'Unavailable', 'NotFound'])('%s is nobody’s business: no Event', async (kind) => {
    const shop = new Shop('declared', 10);
    await shop.controller.reconciler.source(key);
    shop.cluster.createSnapshot = refuse(kind);
    await expect(shop.controller.reconciler.source(key)).rejects.toMatchObject({ kind });
    expect(shop.cluster.events).toEqual([]);
  });

  test('of the patch keeps back the Event that would have told of it', async () => {
    const shop = new Shop('declared', 10);
    const { cluster, controller } = shop;
    await controller.lookAtSources();
    await controller.lookAtSources();
    cluster.patchWorkload = refuse('Unavailable');
    await expect(controller.reconciler.workload(`Deployment/${NAMESPACE}/api`)).rejects.toThrow();
    expect(cluster.events).toEqual([]);
  });

  test.each<[method: keyof ClusterPort]>([['createSnapshot'], ['patchMetadata'], ['patchWorkload'], ['deleteExactly']])(
    'of every other %s, for a while, costs time and no promise',
    async (method) => {
      const shop = new Shop('declared', 3);
      const { cluster, controller } = shop;
      const original = cluster[method].bind(cluster) as (...args: unknown[]) => unknown;
      let calls = 0;
      Object.assign(cluster, {
        [method]: async (...args: unknown[]) => {
          calls += 1;
          return calls % 2 === 1 ? refuse('Conflict')() : original(...args);
        },
      });
      for (const value of ['b', 'c', 'a', 'b', 'd']) {
        await perform(shop, { do: 'edit', source: 'foo', value });
        await controller.untilQuiet();
        await perform(shop, { do: 'apply', workload: 'api', image: value });
        await controller.untilQuiet();
      }
      expect(calls).toBeGreaterThan(1);
      expect(brokenPromises(shop)).toEqual([]);
    },
  );
});

describe('a sweep', () => {
  /** An hour-old object that claims to be the snapshot of a content that foo had once; nothing mounts it. */
  const leftOver = async (data: Record<string, string>) => {
    const shop = new Shop('declared', 10);
    const hash = contentHash('ConfigMap', 'foo', { data: { k: 'old' }, binaryData: {} });
    const { labels, annotations } = marks(shop);
    await shop.controller.untilQuiet();
    const name = pinned('foo', hash);
    const marked = { labels: { ...labels, 'configrollout.dev/content-hash': hash }, annotations };
    shop.cluster.createConfigMap(name, data, marked, true);
    shop.cluster.deliver();
    shop.cluster.now += 3_600_000;
    return { shop, name };
  };

  test('deletes what was left over', async () => {
    const { shop, name } = await leftOver({ k: 'old' });
    await shop.controller.lookAtSnapshots();
    expect(shop.cluster.configMap(name)).toBeUndefined();
  });

  test('asks the live cluster first: what somebody mounts since then stays', async () => {
    const { shop, name } = await leftOver({ k: 'old' });
    shop.cluster.editWorkload('api', ({ spec }) => {
      Object.assign(spec.template.spec, { volumes: [{ name: 'by-hand', configMap: { name } }] });
    });
    await shop.controller.lookAtSnapshots();
    expect(shop.cluster.configMap(name)).toBeDefined();
  });

  test('does not delete what bears our marks, but not the content that they promise', async () => {
    const { shop, name } = await leftOver({ k: 'precious' });
    await shop.controller.lookAtSnapshots();
    await shop.controller.untilQuiet();
    expect(shop.cluster.configMap(name)).toMatchObject({ data: { k: 'precious' } });
  });
});

test('a dry run prints each line once, names and reasons only', async () => {
  const lines: string[] = [];
  const apply = dryRun((line) => lines.push(line));
  const patch = (why: string): Plan => ({
    actions: [
      {
        type: 'PatchMetadata',
        target: { apiVersion: 'v1', kind: 'ConfigMap', namespace: NAMESPACE, name: 'foo', uid: 'u' },
        annotations: { secret: 'hunter2' },
        why,
      },
    ],
  });
  for (const plan of [patch('first'), patch('first'), patch('second'), { actions: [] }, patch('second')]) {
    await apply('source shop/foo', plan);
  }
  expect(lines).toEqual([
    'source shop/foo: would patch configmap/foo: first',
    'source shop/foo: would patch configmap/foo: second',
  ]);
});
