import { describe, expect, test } from '@jest/globals';
import type { Json } from '../../controller/cli/cluster.ts';
import { configMap, deployment, MemoryCluster, run, secret, workload } from '../support/cli.ts';
import {
  bar,
  DB1,
  DB2,
  daysAgo,
  FOO,
  FOO1,
  FOO2,
  foo,
  GONE,
  hashIn,
  mounting,
  PASSWORDS,
  revision,
  shop,
  snapshot,
} from '../support/cli-revisions.ts';

const tree = (cluster: MemoryCluster, args: string) => run(cluster, `kubectl config-rollout tree ${args}`);
/** Without padding, and without what is at the end of a line. */
const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/(?<=[\w>)]) {3,}/g, '   '));
const COMPLETE = { observedGeneration: 3, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };

function pod(name: string, kind: string, owner: string, labels: Json = {}, phase = 'Running'): Json {
  const ownerReferences = [{ apiVersion: 'apps/v1', kind, name: owner, uid: `uid-${owner}`, controller: true }];
  const metadata = { namespace: 'default', name, uid: `uid-${name}`, resourceVersion: '1', labels, ownerReferences };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, creationTimestamp: daysAgo(1) }, status: { phase } };
}

/** Deployment `bar` at revision 7, with two pods there and none at 6; an unused snapshot, and a stranger. */
function world(): MemoryCluster {
  return new MemoryCluster(
    foo(),
    snapshot('foo', FOO[0]),
    snapshot('foo', FOO[1]),
    snapshot('foo', { 'config.yml': 'nobody\n' }),
    { ...bar([FOO2], [FOO2], { creationTimestamp: daysAgo(9) }), status: COMPLETE },
    revision('bar', 6, [FOO1], { image: 'app:2', days: 8 }),
    revision('bar', 7, [FOO2], { image: 'app:2', cause: 'configmap/foo: config.yml, tls.yml' }),
    pod('bar-7-a', 'ReplicaSet', 'bar-7'),
    pod('bar-7-b', 'ReplicaSet', 'bar-7', {}, 'Pending'),
    deployment('stranger', mounting(['foo'])),
  );
}
const UNUSED =
  [...world().objects.keys()]
    .filter((key) => key.startsWith('configmaps/foo-'))
    .at(-1)
    ?.slice(11) ?? '';

describe('the tree of a source', () => {
  test('has its snapshots, what mounts them, and how many pods run each revision', async () => {
    const { code, out, err } = await tree(world(), 'cm/foo');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(linesOf(out)).toEqual([
      'NAME   KIND   STATUS   AGE   INFO',
      `⚙ foo   ConfigMap   ✔ Current   ${hashIn(FOO2)}`,
      '├──⟳ stranger   Deployment   not managed   0/2',
      `├──⧉ ${FOO1}   Snapshot`,
      '│  └──⟳ bar   Deployment   9d   former revisions',
      '│     └──# revision:6 bar-6   ReplicaSet   8d',
      `├──⧉ ${FOO2}   Snapshot   current`,
      '│  └──⟳ bar   Deployment   ✔ Current   9d   2/2',
      '│     └──# revision:7 bar-7   ReplicaSet   ✔ Current   25h   2 pods, configmap/foo: config.yml, tls.yml',
      `└──⧉ ${UNUSED}   Snapshot   unused (swept after a while)`,
    ]);
  });

  test('is drawn in columns', async () => {
    const { out } = await tree(world(), 'configmap foo --no-headers');
    const [first = '', ...rest] = out.trimEnd().split('\n');
    const column = first.indexOf('ConfigMap');
    expect(rest.map((line) => line.slice(column).split(' ')[0])).toEqual([
      ...['Deployment', 'Snapshot', 'Deployment', 'ReplicaSet', 'Snapshot', 'Deployment', 'ReplicaSet', 'Snapshot'],
    ]);
  });

  test('shows each pod with -o wide', async () => {
    const lines = linesOf((await tree(world(), 'cm/foo -o wide')).out);
    expect(lines.slice(8, 11)).toEqual([
      '│     └──# revision:7 bar-7   ReplicaSet   ✔ Current   25h   configmap/foo: config.yml, tls.yml',
      '│        ├──□ bar-7-a   Pod   Running   25h',
      '│        └──□ bar-7-b   Pod   Pending   25h',
    ]);
  });

  test('is the same for one of its snapshots', async () => {
    expect((await tree(world(), `cm/${FOO1}`)).out).toBe((await tree(world(), 'cm/foo')).out);
  });

  test('outlives the source', async () => {
    const cluster = world();
    cluster.objects.delete('configmaps/foo');
    const lines = linesOf((await tree(cluster, 'cm/foo --no-headers')).out);
    expect(lines[0]).toBe('⚙ foo   ConfigMap   ✘ Gone');
    expect(lines).toContain(`├──⧉ ${FOO2}   Snapshot`);
  });

  test('has snapshots that are mounted and gone', async () => {
    const cluster = world();
    cluster.put({ ...bar([GONE], [FOO2]), status: COMPLETE });
    expect(linesOf((await tree(cluster, 'cm/foo')).out).slice(-2)).toEqual([
      `└──⧉ ${GONE}   Snapshot   ✘ Gone`,
      '   └──⟳ bar   Deployment   ✘ Snapshot missing   2/2',
    ]);
  });

  test('that nobody uses is one line', async () => {
    expect(linesOf((await tree(new MemoryCluster(configMap('lone')), 'cm/lone')).out)).toEqual([
      'NAME   KIND   STATUS   AGE   INFO',
      '⚙ lone   ConfigMap   not managed',
    ]);
  });

  test('says the state of its users that is worst', async () => {
    const cluster = shop();
    cluster.put({ ...bar([FOO1, DB2], [FOO2, DB2]), status: COMPLETE });
    const [, root] = linesOf((await tree(cluster, 'cm/foo')).out);
    expect(root).toMatch(/↩ Rolled back/);
  });
});

describe('the tree of a workload', () => {
  test('has its sources, and of each what it names', async () => {
    const cluster = shop();
    cluster.put({ ...bar([FOO2, DB1, 'other'], [FOO2, DB2]), status: COMPLETE });
    const lines = linesOf((await tree(cluster, 'deploy/bar --no-headers')).out);
    expect(lines.filter((line) => !line.includes('#'))).toEqual([
      '⟳ bar   Deployment   ↩ Rolled back   2/2',
      `├──⚙ foo   ConfigMap   ✔ Current   ${hashIn(FOO2)}`,
      `│  ├──⧉ ${FOO2}   Snapshot   current`,
      `│  ├──⧉ ${FOO1}   Snapshot`,
      '├──⚙ other   ConfigMap   not managed',
      `└──⚙ db   Secret   ↩ Rolled back   ${hashIn(DB2)}`,
      `   ├──⧉ ${DB1}   Snapshot`,
      `   ├──⧉ ${DB2}   Snapshot   current`,
    ]);
    // What they were before they were pinned.
    expect(lines.filter((line) => line.includes('revision:5'))).toHaveLength(2);
    for (const args of ['deploy/bar -o wide', 'deploy/bar -o json', 'secret/db -o yaml']) {
      for (const password of PASSWORDS) expect((await tree(cluster, args)).out).not.toContain(password);
    }
  });

  test.each([
    ['StatefulSet', 'store-3'],
    ['DaemonSet', '3'],
  ])('knows the pods of the revisions of a %s', async (kind, hash) => {
    const cluster = shop();
    const labels = { 'configmap.configrollout.dev/foo': hashIn(FOO2) };
    cluster.put(workload('apps/v1', kind, 'store', mounting([FOO2]), { labels }));
    const own = [...cluster.objects].filter(([key]) => key.startsWith('controllerrevisions/'));
    for (const [key, object] of own) {
      const metadata = object['metadata'] as Json;
      const ownerReferences = [{ apiVersion: 'apps/v1', kind, name: 'store', uid: 'uid-store', controller: true }];
      cluster.objects.set(key, { ...object, metadata: { ...metadata, ownerReferences } });
    }
    cluster.put(pod('store-0', kind, 'store', { 'controller-revision-hash': hash }));
    cluster.put(pod('store-1', kind, 'other', { 'controller-revision-hash': hash }));
    const { out } = await tree(cluster, `${kind}/store`);
    expect(out).toMatch(/revision:3 store-3 .* 1 pod$/m);
    expect(out).not.toMatch(/revision:[12] .*pod/);
  });
});

describe('arguments', () => {
  test('several make several trees', async () => {
    const { out } = await tree(shop(), 'cm/foo deploy/unmanaged --no-headers');
    expect(linesOf(out).filter((line) => /^[⚙⟳]/.test(line))).toEqual([
      expect.stringContaining('⚙ foo'),
      expect.stringContaining('⟳ unmanaged'),
    ]);
  });

  test.each([
    ['--no-headers', /name one or more, as configmap\/NAME or deployment\/NAME/],
    ['cm/none', /configmaps "none" not found/],
    ['deploy/none', /deployments.apps "none" not found/],
    ['cm/foo deploy/none', /deployments.apps "none" not found/],
    ['cm/foo -o name', /unable to match a printer suitable for the output format "name"/],
  ])('%s is refused', async (args, message) => {
    const { code, out, err } = await tree(shop(), args);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
  });

  test('pods that may not be listed are told, and left out', async () => {
    const cluster = world();
    cluster.unlistable = ['pods'];
    const { code, out, err } = await tree(cluster, 'cm/foo');
    expect(code).toBe(0);
    expect(out).not.toMatch(/2 pods/);
    expect(err).toMatch(/^Warning: pods are not looked at: pods is forbidden/);
  });

  test('reads the metadata of pods alone, unless each is shown, and no Secret', async () => {
    const cluster = world();
    cluster.put(secret('lone'));
    await tree(cluster, 'cm/foo');
    expect(cluster.contentReads.filter((key) => /^(pods|secrets)\//.test(key))).toEqual([]);
    expect(cluster.writes).toEqual([]);
  });

  test('is an object of items for machines', async () => {
    const { items } = JSON.parse((await tree(world(), 'cm/foo -o json')).out);
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      role: 'source',
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'foo',
      status: '✔ Current',
      info: hashIn(FOO2),
    });
    expect(items[0].children[2]).toMatchObject({ role: 'snapshot', name: FOO2, children: [{ role: 'workload' }] });
  });
});
