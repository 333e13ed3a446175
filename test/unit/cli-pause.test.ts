import { describe, expect, test } from '@jest/globals';
import type { Json } from '../../controller/cli/cluster.ts';
import { ServerError } from '../../controller/cli/errors.ts';
import { deployment, MemoryCluster, run, workload } from '../support/cli.ts';
import { PAUSED_BAR } from '../support/cli-revisions.ts';

const config = (cluster: MemoryCluster, args: string) => run(cluster, `kubectl config-rollout ${args}`);
const managed = (name: string) => deployment(name, {}, { labels: { 'configrollout.dev/managed': 'owned' } });
const withSpec = (spec: Json): Json => ({
  ...PAUSED_BAR,
  spec: { workload: { kind: 'Deployment', name: 'bar' }, ...spec },
});
const KEY = 'configrollouts/deployment-bar';
const specOf = (cluster: MemoryCluster) => cluster.objects.get(KEY)?.['spec'];

describe('pause', () => {
  test('makes a ConfigRollout where there is none, that goes with its workload', async () => {
    const cluster = new MemoryCluster(managed('bar'));
    expect(await config(cluster, 'pause deployment/bar')).toEqual({
      code: 0,
      out: 'deployment.apps/bar config rollouts paused\n',
      err: '',
    });
    expect(cluster.writes).toEqual([
      {
        key: KEY,
        dryRun: false,
        manager: 'kubectl-config-rollout',
        body: {
          apiVersion: 'configrollout.dev/v1alpha1',
          kind: 'ConfigRollout',
          metadata: {
            namespace: 'default',
            name: 'deployment-bar',
            labels: { 'app.kubernetes.io/managed-by': 'config-rollout' },
            ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'bar', uid: 'uid-bar' }],
          },
          spec: { workload: { kind: 'Deployment', name: 'bar' }, paused: true },
        },
      },
    ]);
  });

  test('writes one field of the ConfigRollout that there is, and only over the version that was read', async () => {
    const cluster = new MemoryCluster(managed('bar'), withSpec({ paused: false, minInterval: '10m' }));
    expect((await config(cluster, 'pause deploy bar')).out).toBe('deployment.apps/bar config rollouts paused\n');
    expect(cluster.writes.map(({ body }) => body)).toEqual([
      { metadata: { uid: 'uid-deployment-bar', resourceVersion: '3' }, spec: { paused: true } },
    ]);
    expect(specOf(cluster)).toMatchObject({ paused: true, minInterval: '10m' });
  });

  test('changes nothing the second time', async () => {
    const cluster = new MemoryCluster(managed('bar'), PAUSED_BAR);
    expect(await config(cluster, 'pause deploy/bar')).toEqual({
      code: 0,
      out: 'deployment.apps/bar config rollouts already paused\n',
      err: '',
    });
    expect(cluster.writes).toEqual([]);
  });

  test('looks again when another writes in between', async () => {
    const cluster = new MemoryCluster(managed('bar'), withSpec({ paused: false }));
    let others = 0;
    cluster.meanwhile = () => {
      if (others++ > 0) return;
      const metadata = { ...(PAUSED_BAR['metadata'] as Json), resourceVersion: '4' };
      cluster.put({ ...withSpec({ paused: false, onFailure: 'Rollback' }), metadata });
    };
    expect((await config(cluster, 'pause deploy/bar')).code).toBe(0);
    expect(specOf(cluster)).toMatchObject({ paused: true, onFailure: 'Rollback' });
  });

  test('patches when the controller makes the ConfigRollout in between', async () => {
    const cluster = new MemoryCluster(managed('bar'));
    const get = cluster.get.bind(cluster);
    let reads = 0;
    cluster.get = async (resource, name) => {
      if (resource.resource !== 'configrollouts' || ++reads > 1) return get(resource, name);
      const seen = get(resource, name);
      cluster.put(withSpec({ paused: false }));
      return seen;
    };
    expect((await config(cluster, 'pause deploy/bar')).code).toBe(0);
    expect(specOf(cluster)).toMatchObject({ paused: true });
  });

  test.each([
    [{}, /^Warning: nothing rolls out to deployment\/bar yet/],
    [{ labels: { 'configrollout.dev/managed': 'none' } }, /^Warning: deployment\/bar has the label .*=none/],
  ])('is allowed before anything is opted in, with a word: %j', async (metadata, message) => {
    const cluster = new MemoryCluster(deployment('bar', {}, metadata));
    const { code, out, err } = await config(cluster, 'pause deploy/bar');
    expect({ code, out }).toEqual({ code: 0, out: 'deployment.apps/bar config rollouts paused\n' });
    expect(err).toMatch(message);
  });

  test('says how to install what it needs', async () => {
    const cluster = new MemoryCluster(managed('bar'));
    cluster.unserved = ['configrollout.dev/v1alpha1/configrollouts'];
    const { code, out, err } = await config(cluster, 'pause deploy/bar');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(
      /^error: the server does not know ConfigRollouts.*kubectl apply -k crds \(on a server before 1\.25: .*old-servers, see docs\/operations\.md\)\n$/,
    );
    // Without rights to what is not there, the server says forbidden.
    cluster.forbidden = ['deployment-bar'];
    expect((await config(cluster, 'pause deploy/bar')).err).toBe(err);
    cluster.unserved = [];
    expect((await config(cluster, 'pause deploy/bar')).err).toMatch(/^Error from server \(Forbidden\): configrollouts/);
  });

  test('writes nothing before all were found', async () => {
    const cluster = new MemoryCluster(managed('bar'));
    expect(await config(cluster, 'pause deploy/bar sts/none')).toMatchObject({
      code: 1,
      err: 'Error from server (NotFound): statefulsets.apps "none" not found\n',
    });
    expect(cluster.writes).toEqual([]);
  });

  test.each([
    ['', /name one or more workloads/],
    ['cm/foo', /configmap\/foo is no workload/],
    ['deploy/bar -o wide', /unable to match a printer/],
  ])('"%s" is refused', async (args, message) => {
    const { code, err } = await config(new MemoryCluster(), `pause ${args}`.trim());
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});

describe('resume', () => {
  test('takes the pause back, of several kinds at once', async () => {
    const store = workload('apps/v1', 'StatefulSet', 'store', {}, { labels: { 'configrollout.dev/managed': 'all' } });
    const cluster = new MemoryCluster(managed('bar'), store, PAUSED_BAR);
    expect(await config(cluster, 'resume deploy/bar sts/store')).toEqual({
      code: 0,
      out: 'deployment.apps/bar config rollouts resumed\nstatefulset.apps/store config rollouts not paused\n',
      err: '',
    });
    expect(cluster.writes).toHaveLength(1);
    expect(specOf(cluster)).toMatchObject({ paused: false });
  });
});

describe('--dry-run and -o', () => {
  test.each([
    ['client', '(dry run)', []],
    ['server', '(server dry run)', [true]],
  ])('%s writes nothing', async (mode, suffix, dryRuns) => {
    const cluster = new MemoryCluster(managed('bar'), PAUSED_BAR);
    const { out } = await config(cluster, `resume deploy/bar --dry-run=${mode}`);
    expect(out).toBe(`deployment.apps/bar config rollouts resumed ${suffix}\n`);
    expect(cluster.writes.map(({ dryRun }) => dryRun)).toEqual(dryRuns);
    expect(specOf(cluster)).toMatchObject({ paused: true });
  });

  test('print the ConfigRollout', async () => {
    const cluster = new MemoryCluster(managed('bar'), PAUSED_BAR);
    expect((await config(cluster, 'resume deploy/bar -o name')).out).toBe(
      'configrollout.configrollout.dev/deployment-bar\n',
    );
    expect(JSON.parse((await config(cluster, 'pause deploy/bar -o json --dry-run=client')).out)).toMatchObject({
      kind: 'ConfigRollout',
      spec: { workload: { kind: 'Deployment', name: 'bar' }, paused: true },
    });
  });

  test('a refusal of the server is told in its words', async () => {
    const cluster = new MemoryCluster(managed('bar'), PAUSED_BAR);
    cluster.patch = async () => {
      throw new ServerError({ kind: 'Forbidden', status: 403, reason: 'Forbidden', message: 'not you' });
    };
    expect(await config(cluster, 'resume deploy/bar')).toEqual({
      code: 1,
      out: '',
      err: 'Error from server (Forbidden): not you\n',
    });
  });
});
