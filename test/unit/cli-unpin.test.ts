import { describe, expect, test } from '@jest/globals';
import type { Json } from '../../controller/cli/cluster.ts';
import { WORKLOAD_KINDS } from '../../controller/workloads/kinds.ts';
import { configMap, deployment, MemoryCluster, run } from '../support/cli.ts';
import {
  bar,
  DB1,
  DB2,
  FOO,
  FOO1,
  FOO2,
  foo,
  GONE,
  hashIn,
  mounting,
  PASSWORDS,
  shop,
  snapshot,
} from '../support/cli-revisions.ts';

const unpin = (cluster: MemoryCluster, args: string) => run(cluster, `kubectl config-rollout unpin ${args}`);
const current = (cluster: MemoryCluster) =>
  WORKLOAD_KINDS[0]?.project(cluster.objects.get('deployments/bar')) ?? {
    references: [],
    labels: {},
    cause: undefined,
  };
const namesIn = (cluster: MemoryCluster) => current(cluster).references.map(({ name }) => name);
const state = {
  'configmap.configrollout.dev/foo': hashIn(FOO2),
  'secret.configrollout.dev/db': hashIn(DB2),
  'configrollout.dev/after-revision': '6',
  'configrollout.dev/failed-rollout': '5',
};
const WAY_BACK =
  'Warning: nothing rolls out to deployment/bar any more; to opt in again: kubectl label deployment bar configrollout.dev/managed-\n';
const owned = (name: string) =>
  `Warning: deleting deployment.apps/bar still deletes ${name}; to prevent that: kubectl config-rollout set-owner ${name} deployment/bar --remove\n`;

describe('unpin', () => {
  test('names every source itself again, and takes all marks away but one', async () => {
    const cluster = shop();
    const labels = { team: 'a', 'configrollout.dev/managed': 'owned', ...state };
    cluster.put(bar([FOO2, DB2], [], { labels }));
    expect(await unpin(cluster, 'deployment/bar')).toEqual({
      code: 0,
      out: 'deployment.apps/bar unpinned\n',
      err: `Warning: the pods of deployment.apps/bar restart once\n${WAY_BACK}${owned('configmap/foo')}${owned('secret/db')}`,
    });
    expect(namesIn(cluster)).toEqual(['foo', 'db']);
    const { metadata } = cluster.objects.get('deployments/bar') as { metadata: Json };
    expect(metadata['labels']).toEqual({ team: 'a', 'configrollout.dev/managed': 'none' });
    expect(cluster.writes).toHaveLength(1);
  });

  test('guards what it writes by uid, version and each old value', async () => {
    const cluster = new MemoryCluster(foo(), snapshot('foo', FOO[1]), bar([FOO2], [FOO2]));
    await unpin(cluster, 'deployment/bar');
    const [write] = cluster.writes;
    const tests = ((write?.body ?? []) as readonly Json[]).filter(({ op }) => op === 'test');
    expect(tests).toEqual([
      { op: 'test', path: '/metadata/uid', value: 'uid-bar' },
      { op: 'test', path: '/metadata/resourceVersion', value: '9' },
      { op: 'test', path: '/spec/template/spec/volumes/0/configMap/name', value: FOO2 },
      { op: 'test', path: '/metadata/labels/configmap.configrollout.dev~1foo', value: hashIn(FOO2) },
    ]);
    expect(write?.manager).toBe('kubectl-config-rollout');
  });

  test('changes nothing the second time', async () => {
    const cluster = shop();
    await unpin(cluster, 'deploy/bar');
    expect(await unpin(cluster, 'deploy/bar')).toEqual({ code: 0, out: 'deployment.apps/bar unchanged\n', err: '' });
    expect(cluster.writes).toHaveLength(1);
  });

  test('says where pods get another content than they ran with, of Secrets too, but not which', async () => {
    const cluster = shop();
    cluster.put(bar([FOO1, DB1], [FOO2, DB2]));
    const { out, err } = await unpin(cluster, 'deploy/bar');
    expect(err).toContain(
      `Warning: configmap/foo is not what they ran with (${FOO1}): they start with its content of now\nWarning: secret/db is not what they ran with (${DB1}): they start with its content of now\n`,
    );
    for (const password of PASSWORDS) expect(out + err).not.toContain(password);
  });

  test('says so where that cannot be known', async () => {
    const cluster = shop();
    cluster.forbidden = ['foo'];
    const { code, err } = await unpin(cluster, 'deploy/bar');
    expect(code).toBe(0);
    expect(err).toContain('Warning: configmap/foo may not be read: whether it is what they ran with is not known\n');
    expect(namesIn(cluster)).toEqual(['foo', 'db']);
  });

  test('knows pins whose snapshot is gone', async () => {
    const cluster = new MemoryCluster(foo(), bar([GONE], [FOO2]));
    expect((await unpin(cluster, 'deploy/bar')).code).toBe(0);
    expect(namesIn(cluster)).toEqual(['foo']);
  });

  test('refuses where the source is gone: pods could not start', async () => {
    const cluster = new MemoryCluster(snapshot('foo', FOO[1]), bar([FOO2], [FOO2]));
    expect(await unpin(cluster, 'deploy/bar')).toEqual({
      code: 1,
      out: '',
      err: `error: configmap/foo does not exist, and pods that name it cannot start; create it first, perhaps from configmap/${FOO2}\n`,
    });
    expect(cluster.writes).toEqual([]);
  });

  test('leaves names alone that only look like snapshots', async () => {
    const cluster = new MemoryCluster(
      configMap('their-6ct58987ht'),
      deployment('bar', mounting(['their-6ct58987ht', GONE]), { labels: { 'configrollout.dev/managed': 'owned' } }),
    );
    expect((await unpin(cluster, 'deploy/bar')).code).toBe(0);
    expect(namesIn(cluster)).toEqual(['their-6ct58987ht', GONE]);
    expect(current(cluster).labels).toEqual({ 'configrollout.dev/managed': 'none' });
  });

  test.each(['deploy/unmanaged', 'deploy/unmanaged --source cm/other', 'deploy/unmanaged --dry-run=server'])(
    'leaves alone what was never managed: %s',
    async (args) => {
      const cluster = shop();
      const { code, out, err } = await unpin(cluster, args);
      expect({ code, out, err }).toEqual({
        code: 0,
        out: expect.stringMatching(/^deployment\.apps\/unmanaged unchanged \(nothing rolls out to it\)/),
        err: '',
      });
      expect(cluster.writes).toEqual([]);
    },
  );

  test('takes out what is opted in, though no controller has seen it yet, and what may be', async () => {
    const cluster = new MemoryCluster(foo(), deployment('bar', mounting(['foo'])));
    expect((await unpin(cluster, 'deploy/bar')).out).toBe('deployment.apps/bar unpinned\n');
    expect(current(cluster).labels).toEqual({ 'configrollout.dev/managed': 'none' });
    const hidden = new MemoryCluster(deployment('bar', mounting(['foo'])));
    hidden.forbidden = ['foo'];
    expect((await unpin(hidden, 'deploy/bar')).out).toBe('deployment.apps/bar unpinned\n');
  });

  test.each([
    [
      { type: 'OnDelete' },
      'the pods of statefulset.apps/store keep the snapshots that they run with until they are deleted (OnDelete)',
    ],
    [
      { type: 'RollingUpdate', rollingUpdate: { partition: 2 } },
      'the pods of statefulset.apps/store from number 2 on restart once; those before it keep the snapshots that they run with (partition)',
    ],
    [{ type: 'RollingUpdate' }, 'the pods of statefulset.apps/store restart once'],
  ])('says what becomes of the pods with %j', async (updateStrategy, text) => {
    const cluster = shop();
    const object = cluster.objects.get('statefulsets/store') as { spec: Json };
    cluster.put({ ...object, spec: { ...object.spec, updateStrategy } });
    expect((await unpin(cluster, 'sts/store')).err).toContain(`Warning: ${text}\n`);
  });

  test('keeps a person’s exclusions, and takes only our own change cause away', async () => {
    const excluded = { 'configmap.configrollout.dev/x': 'excluded' };
    const labels = { 'configrollout.dev/managed': 'all', ...excluded, ...state };
    const annotations = { 'kubernetes.io/change-cause': 'ours', 'configrollout.dev/change-cause': 'ours' };
    const cluster = shop();
    cluster.put(bar([FOO2], [], { labels, annotations }));
    const { err } = await unpin(cluster, 'deploy/bar');
    expect(current(cluster).labels).toEqual({ 'configrollout.dev/managed': 'none', ...excluded });
    expect(current(cluster).cause).toBeUndefined();
    // The way back of one that asked for all is that label, and a manifest may put it back.
    expect(err).toContain('to opt in again: kubectl label deployment bar --overwrite configrollout.dev/managed=all\n');
    expect(err).toContain('Warning: where a manifest says configrollout.dev/managed: all, it has to say none');

    cluster.put(bar([FOO2], [FOO2], { annotations: { ...annotations, 'kubernetes.io/change-cause': 'a person’s' } }));
    await unpin(cluster, 'deploy/bar');
    expect(current(cluster).cause).toBe('a person’s');
  });

  test('names the namespace in what a person pastes', async () => {
    const { err } = await unpin(shop(), 'deploy/bar -n default');
    expect(err).toContain('kubectl label deployment bar -n default configrollout.dev/managed-\n');
    expect(err).toContain('set-owner configmap/foo deployment/bar -n default --remove\n');
  });
});

describe('unpin --source', () => {
  test('takes one source out, and leaves the others managed', async () => {
    const cluster = shop();
    const { code, err } = await unpin(cluster, 'deploy/bar --source cm/foo');
    expect(code).toBe(0);
    expect(namesIn(cluster)).toEqual(['foo', DB2]);
    expect(current(cluster).labels).toEqual({
      'configrollout.dev/managed': 'owned',
      'configmap.configrollout.dev/foo': 'excluded',
      'secret.configrollout.dev/db': hashIn(DB2),
    });
    expect(err).toBe(
      `Warning: the pods of deployment.apps/bar restart once\nWarning: changes of configmap/foo roll out to deployment/bar no more; to opt in again: kubectl label deployment bar configmap.configrollout.dev/foo-\n${owned('configmap/foo')}`,
    );
    expect((await unpin(cluster, 'deploy/bar --source cm/foo')).out).toBe('deployment.apps/bar unchanged\n');
  });

  test.each([
    ['deploy/bar --source cm/other', /^error: deployment\/bar does not name ConfigMap other, nor a snapshot of it\n$/],
    ['deploy/bar --source deploy/bar', /--source deployment\/bar is no ConfigMap or Secret/],
    ['cm/foo', /configmap\/foo is no workload/],
    ['--source cm/foo', /name one or more workloads/],
    ['deploy/bar deploy/none', /deployments.apps "none" not found/],
  ])('%s is refused, and nothing is written', async (args, message) => {
    const cluster = shop();
    const { code, out, err } = await unpin(cluster, args);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
    expect(cluster.writes).toEqual([]);
  });
});

describe('--dry-run and -o', () => {
  test.each([
    ['client', '(dry run)', []],
    ['server', '(server dry run)', [true]],
  ])('%s writes nothing, and warns all the same', async (mode, suffix, dryRuns) => {
    const cluster = shop();
    const { out, err } = await unpin(cluster, `deploy/bar --dry-run=${mode}`);
    expect(out).toBe(`deployment.apps/bar unpinned ${suffix}\n`);
    expect(err).toContain('Warning: the pods of deployment.apps/bar restart once\n');
    expect(cluster.writes.map(({ dryRun }) => dryRun)).toEqual(dryRuns);
    expect(namesIn(cluster)).toEqual([FOO2, DB2]);
    const { out: yaml } = await unpin(cluster, `deploy/bar --dry-run=${mode} -o yaml`);
    expect(yaml).toContain('configrollout.dev/managed: none');
    expect(yaml).not.toContain(FOO2);
  });

  test('looks again when another writes in between', async () => {
    const cluster = shop();
    let others = 0;
    cluster.meanwhile = () => {
      if (others++ === 0) cluster.put(bar([FOO1, DB2], [FOO2, DB2], { resourceVersion: '10' }));
    };
    expect((await unpin(cluster, 'deploy/bar')).code).toBe(0);
    expect(namesIn(cluster)).toEqual(['foo', 'db']);
  });
});
