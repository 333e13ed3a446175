import { describe, expect, test } from '@jest/globals';
import type { Json } from '../../controller/cli/cluster.ts';
import { viewNamespace } from '../../controller/cli/view/load.ts';
import { parseOne, parseSelection } from '../../controller/cli/view/selection.ts';
import { freshPacing } from '../../controller/core/pacing.ts';
import { planWorkload } from '../../controller/core/plan-workload.ts';
import { deployment, MemoryCluster, workload } from '../support/cli.ts';
import {
  bar,
  DB2,
  FOO,
  FOO1,
  FOO2,
  foo,
  mounting,
  PAUSED_BAR,
  revision,
  shop,
  snapshot,
} from '../support/cli-revisions.ts';

const BAR = parseOne(['deploy/bar']);

async function viewOf(cluster: MemoryCluster, words: readonly string[] = ['deploy/bar']) {
  const view = await viewNamespace(cluster, parseSelection(words, undefined));
  const [target] = view.targets;
  if (target === undefined) throw new Error('nothing was selected');
  return { view, target };
}

/** What the controller would do on what the command sees. */
async function planOf(cluster: MemoryCluster) {
  const { view, target } = await viewOf(cluster);
  const { observation } = await view.observe(target);
  return planWorkload({ ...observation, pacing: freshPacing(observation.now), settleMs: 0, admission: false });
}

describe('a command sees a workload as the controller does', () => {
  test('at rest', async () => {
    expect(await planOf(shop())).toMatchObject({ actions: [], pending: false });
  });

  test('rolled back', async () => {
    const cluster = shop();
    cluster.put(bar([FOO1, DB2], [FOO2, DB2]));
    expect(await planOf(cluster)).toMatchObject({ pending: false });
  });

  test('with a change that is due', async () => {
    const cluster = shop();
    cluster.put(foo({ 'config.yml': 'a: 9\n' }));
    expect(await planOf(cluster)).toMatchObject({ pending: true, awaits: 'snapshot' });
  });

  test('paused', async () => {
    const cluster = shop();
    cluster.put(PAUSED_BAR);
    const { view, target } = await viewOf(cluster);
    const { observation, workload } = await view.observe(target);
    expect(observation.policy.paused).toBe(true);
    expect(view.configRolloutOf(workload)?.name).toBe('deployment-bar');
  });

  test('but not by annotations that the controller may not heed', async () => {
    const cluster = new MemoryCluster(
      snapshot('foo', FOO[1]),
      { ...foo(), metadata: { ...(foo()['metadata'] as Json), ownerReferences: [] } },
      bar(['foo'], [], { annotations: { 'reloader.stakater.com/auto': 'true' } }),
    );
    const { view, target } = await viewOf(cluster);
    expect(view.look(target).managed).toEqual([]);
    // It was rolled: the controller does.
    cluster.put(bar([FOO2], [FOO2], { annotations: { 'reloader.stakater.com/auto': 'true' } }));
    const rolled = await viewOf(cluster);
    expect((await rolled.view.observe(rolled.target)).observation.sources).toMatchObject([{ name: 'foo' }]);
  });
});

describe('a look', () => {
  test('reads no content', async () => {
    const cluster = shop();
    const { view, target } = await viewOf(cluster);
    const { managed, sources, revisions, current } = view.look(target);
    expect(managed.map(({ name }) => name)).toEqual(['foo', 'db']);
    expect(sources.map(({ name }) => name)).toEqual(['foo', 'db']);
    expect(revisions.map(({ number }) => number)).toEqual([5, 6, 7]);
    expect(current?.number).toBe(7);
    expect(view.snapshotsOf(sources[0] ?? { kind: 'ConfigMap', namespace: 'default', name: '' })).toHaveLength(2);
    expect(cluster.contentReads.filter((key) => /^(configmaps|secrets)\//.test(key))).toEqual([]);
  });

  test('knows the current revision by the highest number, when two have one template', async () => {
    const cluster = shop();
    cluster.put(revision('bar', 8, [FOO2, DB2], { image: 'app:2' }));
    const { view, target } = await viewOf(cluster);
    expect(view.look(target).current?.number).toBe(8);
  });

  test('reads a content once', async () => {
    const cluster = shop();
    const { view } = await viewOf(cluster);
    const name = { kind: 'ConfigMap', namespace: 'default', name: FOO1 } as const;
    expect((await Promise.all([view.content(name), view.content(name)])).map((read) => read?.content.data)).toEqual([
      FOO[0],
      FOO[0],
    ]);
    expect(cluster.contentReads.filter((key) => key.endsWith(FOO1))).toHaveLength(1);
    expect(await view.content({ ...name, name: 'none' })).toBeUndefined();
  });

  test('is of what was selected only', async () => {
    const { view } = await viewOf(shop());
    expect(() => view.look({ ...parseOne(['sts/store']), namespace: 'default' })).toThrow(
      'statefulset/store was not read',
    );
  });
});

describe('the revisions of a named workload', () => {
  test('are asked for by its selector', async () => {
    const cluster = shop();
    const selectors: unknown[] = [];
    const list = cluster.list.bind(cluster);
    cluster.list = (resource, options = {}) => {
      if (resource.resource === 'replicasets') selectors.push(options.labelSelector);
      return list(resource, {});
    };
    const matchExpressions = [
      { key: 'tier', operator: 'In', values: ['a', 'b'] },
      { key: 'old', operator: 'DoesNotExist' },
      { key: 'app', operator: 'Exists' },
      { key: 'x', operator: 'NotIn', values: ['y'] },
    ];
    const object = bar([FOO2], [FOO2]);
    const spec = { ...(object['spec'] as Json), selector: { matchLabels: { app: 'bar' }, matchExpressions } };
    cluster.put({ ...object, spec });
    await viewNamespace(cluster, { targets: [BAR] });
    expect(selectors).toEqual(['app=bar,tier in (a,b),!old,app,x notin (y)']);
  });
});

describe('what was selected', () => {
  test('is in the order in which it was named, or by type and name', async () => {
    const names = async (...words: string[]) =>
      (await viewNamespace(shop(), parseSelection(words, undefined))).targets.map(({ name }) => name);
    expect(await names('sts/store', 'deploy/unmanaged', 'deploy/bar')).toEqual(['store', 'unmanaged', 'bar']);
    expect(await names()).toEqual(['bar', 'unmanaged', 'store']);
    expect(await names('deployments')).toEqual(['bar', 'unmanaged']);
    expect(await names('deploy', 'bar', 'bar')).toEqual(['bar']);
  });

  test('may be in every namespace', async () => {
    const cluster = shop();
    cluster.put({
      ...deployment('bar', mounting(['foo'])),
      metadata: { namespace: 'other', name: 'bar', uid: 'u', resourceVersion: '1' },
    });
    const view = await viewNamespace(cluster, { ...parseSelection([], undefined), allNamespaces: true });
    expect(view.targets.map(({ namespace, name }) => `${namespace}/${name}`)).toEqual([
      'default/bar',
      'default/unmanaged',
      'other/bar',
      'default/store',
    ]);
    const [first, , other] = view.targets;
    expect(first && view.look(first).managed).toHaveLength(2);
    expect(other && view.look(other).managed).toEqual([]);
  });

  test('leaves out kinds that are not there, or may not be seen', async () => {
    const cluster = shop();
    cluster.unserved = ['argoproj.io/v1alpha1/rollouts'];
    cluster.unlistable = ['statefulsets'];
    const view = await viewNamespace(cluster, parseSelection([], undefined));
    expect(view.targets.map(({ name }) => name)).toEqual(['bar', 'unmanaged']);
    expect(view.refusals).toEqual([
      expect.stringMatching(/^statefulsets are not looked at: statefulsets is forbidden/),
    ]);
    cluster.unlistable = ['rollouts'];
    expect((await viewNamespace(cluster, parseSelection([], undefined))).refusals).toEqual([]);
    cluster.unlistable = ['deployments'];
    await expect(viewNamespace(cluster, parseSelection(['deploy'], undefined))).rejects.toThrow(
      /deployments is forbidden/,
    );
  });

  test('has a policy that may not be seen, and says so', async () => {
    const cluster = shop();
    cluster.forbidden = ['deployment-bar'];
    const { view, target } = await viewOf(cluster);
    expect(view.look(target).refusals).toEqual([]);
    expect((await view.observe(target)).refusals).toEqual([
      expect.stringMatching(/^whether rollouts are paused is not known/),
    ]);
    cluster.unserved = ['configrollout.dev/v1alpha1/configrollouts'];
    const without = await viewOf(cluster);
    expect((await without.view.observe(without.target)).refusals).toEqual([]);
  });

  test('reads the one policy of what was named, and lists none', async () => {
    const cluster = shop();
    cluster.put(PAUSED_BAR);
    cluster.unlistable = ['configrollouts'];
    const { view, target } = await viewOf(cluster);
    const { refusals, observation } = await view.observe(target);
    expect({ refusals, paused: observation.policy.paused }).toEqual({ refusals: [], paused: true });
    expect(cluster.contentReads).toContain('configrollouts/deployment-bar');
  });

  test.each([
    [['cm/foo'], /configmap\/foo is no workload/],
    [['cm'], /lacks a name/],
  ])('is not %j', (words, message) => {
    expect(() => parseSelection(words, undefined)).toThrow(message);
  });

  test('is one, where one is asked for', () => {
    expect(parseOne(['deploy', 'bar'])).toMatchObject({ name: 'bar' });
    for (const words of [[], ['deploy'], ['deploy/a', 'deploy/b']])
      expect(() => parseOne(words)).toThrow('name one workload');
  });
});

test('of several failures, the one about the workload is told', async () => {
  const cluster = shop();
  cluster.unlistable = ['configmaps', 'replicasets', 'deployments'];
  await expect(viewNamespace(cluster, parseSelection(['deploy'], undefined))).rejects.toThrow(
    /^deployments is forbidden/,
  );
  cluster.forbidden = ['bar'];
  await expect(viewNamespace(cluster, { targets: [BAR] })).rejects.toThrow(/^deployments\.apps "bar" is forbidden/);
});

test('nothing of a workload that is not there is listed', async () => {
  const cluster = new MemoryCluster(workload('apps/v1', 'DaemonSet', 'agent', mounting(['foo'])));
  await expect(viewNamespace(cluster, { targets: [BAR] })).rejects.toThrow('deployments.apps "bar" not found');
});
