import { describe, expect, test } from '@jest/globals';
import type { Json } from '../../controller/cli/cluster.ts';
import {
  CONFIDENTIAL,
  configMap,
  deployment,
  MemoryCluster,
  ownerOf,
  run,
  secret,
  snapshotOf,
  workload,
} from '../support/cli.ts';

const mounting = (name: string) => ({ volumes: [{ name: 'config', configMap: { name } }] });
const ownersOf = (cluster: MemoryCluster, name = 'foo') =>
  (cluster.objects.get(`configmaps/${name}`)?.['metadata'] as Json | undefined)?.['ownerReferences'];

const SET = 'kubectl set-owner cm/foo deploy/bar';

describe('set-owner', () => {
  test('adds an owner reference that blocks nothing, guarded, under its own field manager', async () => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar', mounting('foo')));
    const { code, out, err } = await run(cluster, SET);
    expect({ code, out }).toEqual({ code: 0, out: 'configmap/foo owner updated\n' });
    expect(cluster.writes).toEqual([
      {
        key: 'configmaps/foo',
        dryRun: false,
        manager: 'kubectl-set-owner',
        body: { metadata: { uid: 'uid-foo', resourceVersion: '7', ownerReferences: [ownerOf('bar')] } },
      },
    ]);
    expect(err).toBe(
      [
        'Warning: deleting deployment.apps/bar now also deletes configmap/foo; to opt in without that, declare the owner instead:',
        '  kubectl annotate configmap/foo configrollout.dev/owners=deployment/bar --overwrite && kubectl set-owner configmap/foo deployment/bar --remove',
        'or opt in deployment/bar with every ConfigMap and Secret that is referenced there:',
        '  kubectl label deployment/bar configrollout.dev/managed=all --overwrite && kubectl set-owner configmap/foo deployment/bar --remove',
        '',
      ].join('\n'),
    );
  });

  test('changes nothing, and says nothing more, the second time', async () => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar', mounting('foo')));
    await run(cluster, SET);
    expect(await run(cluster, 'kubectl set-owner cm foo deploy/bar')).toEqual({
      code: 0,
      out: 'configmap/foo unchanged\n',
      err: '',
    });
    expect(cluster.writes).toHaveLength(1);
  });

  const stale = ownerOf('bar', { uid: 'uid-of-a-predecessor' });
  const other = { apiVersion: 'example.com/v1', kind: 'Bar', name: 'bar', uid: 'other', controller: true };
  test.each<[string, readonly Json[], readonly Json[] | undefined]>([
    ['keeps other owners', [other], [other, ownerOf('bar')]],
    ['mends a wrong uid in place', [stale, other], [ownerOf('bar'), other]],
    ['keeps one of two references', [stale, other, ownerOf('bar')], [ownerOf('bar'), other]],
    ['leaves a right reference as it is', [ownerOf('bar', { controller: true })], undefined],
    ['mends an outdated group', [ownerOf('bar', { apiVersion: 'extensions/v1beta1' })], [ownerOf('bar')]],
  ])('%s', async (_, before, after) => {
    const cluster = new MemoryCluster(configMap('foo', { ownerReferences: before }), deployment('bar'));
    const { out } = await run(cluster, SET);
    expect(out).toBe(after === undefined ? 'configmap/foo unchanged\n' : 'configmap/foo owner updated\n');
    expect(ownersOf(cluster)).toEqual(after ?? before);
  });

  test('takes several Deployments, in one write', async () => {
    const cluster = new MemoryCluster(
      configMap('foo'),
      deployment('bar', mounting('foo')),
      deployment('baz', mounting('foo')),
    );
    const { err } = await run(cluster, `${SET} deployment.apps/baz`);
    expect(ownersOf(cluster)).toEqual([ownerOf('bar'), ownerOf('baz')]);
    expect(cluster.writes).toHaveLength(1);
    expect(err).toContain(
      'configmap/foo is now deleted with the last of its owners (deployment.apps/bar, deployment.apps/baz);',
    );
    expect(err).toContain('configrollout.dev/owners=deployment/bar,deployment/baz');
  });

  test('warns when nothing mounts the ConfigMap yet', async () => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar', mounting('other')));
    const { out, err } = await run(cluster, `${SET} -n prod`);
    expect(out).toBe('configmap/foo owner updated\n');
    expect(err).toContain(
      'Warning: deployment.apps/bar does not reference configmap/foo yet; to mount it, run:\n  kubectl set-volume deployment/bar -t configmap --configmap-name foo --mount-path PATH -n prod\n',
    );
  });

  test.each([
    ['by its marks', [snapshotOf('foo')]],
    ['by its name, when it is gone', []],
  ])('knows a snapshot %s', async (_, snapshots) => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar', mounting('foo-6ct58987ht')), ...snapshots);
    expect((await run(cluster, SET)).err).not.toContain('does not reference');
  });

  test('warns of an immutable ConfigMap', async () => {
    const cluster = new MemoryCluster(configMap('foo', {}, { immutable: true }), deployment('bar', mounting('foo')));
    expect((await run(cluster, SET)).err).toContain('Warning: configmap/foo is immutable: its content never changes');
  });

  test.each([
    ['cm/nope deploy/bar', 'Error from server (NotFound): configmaps "nope" not found\n'],
    ['cm/foo deploy/nope', 'Error from server (NotFound): deployments.apps "nope" not found\n'],
    ['cm/foo deploy/bar deploy/nope', 'Error from server (NotFound): deployments.apps "nope" not found\n'],
    [
      'cm/hidden deploy/bar',
      'Error from server (Forbidden): configmaps "hidden" is forbidden: User "bob" cannot get it\n',
    ],
    [
      'cm/foo-6ct58987ht deploy/bar',
      "error: configmap/foo-6ct58987ht is a snapshot of configmap/foo, whose owners are config-rollout's to set; name the source instead: kubectl set-owner configmap/foo deployment/bar\n",
    ],
    [
      'cm/foo deploy/leaving',
      'error: deployment.apps/leaving is being deleted, and would take configmap/foo with it; wait until it is gone, and name what replaces it\n',
    ],
    [
      'cm/foo',
      "error: a configmap or secret and a workload are required at least, as in configmap/NAME deployment/NAME\nSee 'kubectl set-owner --help' for usage.\n",
    ],
    ['cm/foo secret/nope deploy/bar', 'Error from server (NotFound): secrets "nope" not found\n'],
    [
      'cm/foo deploy/bar -o wide',
      'error: unable to match a printer suitable for the output format "wide", allowed formats are: json,name,yaml\nSee \'kubectl set-owner --help\' for usage.\n',
    ],
  ])('%s is refused, and nothing is written', async (args, err) => {
    const leaving = deployment('leaving', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    const cluster = new MemoryCluster(
      configMap('foo'),
      configMap('bar'),
      snapshotOf('foo'),
      deployment('bar'),
      leaving,
    );
    cluster.forbidden = ['hidden'];
    expect(await run(cluster, `kubectl set-owner ${args}`)).toEqual({ code: 1, out: '', err });
    expect(cluster.writes).toEqual([]);
  });

  test('looks again after a conflict, and keeps what the other writer wrote', async () => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar', mounting('foo')));
    cluster.meanwhile = () => {
      cluster.meanwhile = () => undefined;
      cluster.put(configMap('foo', { resourceVersion: '8', ownerReferences: [ownerOf('other')] }));
    };
    expect((await run(cluster, SET)).out).toBe('configmap/foo owner updated\n');
    expect(ownersOf(cluster)).toEqual([ownerOf('other'), ownerOf('bar')]);
  });

  test('gives up when conflicts do not end', async () => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar', mounting('foo')));
    let version = 100;
    cluster.meanwhile = () => cluster.put(configMap('foo', { resourceVersion: `${version++}` }));
    const { code, err } = await run(cluster, SET);
    expect({ code, err }).toEqual({
      code: 1,
      err: 'Error from server (Conflict): the object has been modified\nsomething else keeps changing the object; nothing was written, run the command again\n',
    });
  });

  test.each([
    ['--dry-run=client', 'configmap/foo owner updated (dry run)\n', 0],
    ['--dry-run=server', 'configmap/foo owner updated (server dry run)\n', 1],
  ])('%s stores nothing', async (flag, out, writes) => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar', mounting('foo')));
    expect((await run(cluster, `${SET} ${flag}`)).out).toBe(out);
    expect(cluster.writes.map(({ dryRun }) => dryRun)).toEqual(Array.from({ length: writes }, () => true));
    expect(ownersOf(cluster)).toBeUndefined();
  });

  test('prints the object with -o, without managedFields', async () => {
    const cluster = new MemoryCluster(configMap('foo', { managedFields: [{}] }), deployment('bar', mounting('foo')));
    const { out } = await run(cluster, `${SET} --dry-run=client -ojson --field-manager=me`);
    expect(JSON.parse(out)).toEqual(configMap('foo', { ownerReferences: [ownerOf('bar')] }));
  });
});

describe('admission', () => {
  const opted = (admission: MemoryCluster['admission']) => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar', mounting('foo')));
    cluster.admission = admission;
    return cluster;
  };
  const WARNING =
    'Warning: the admission webhook of config-rollout is not installed in this cluster: each "kubectl apply" of a manifest that names configmap/foo itself makes an extra rollout until the controller has pinned it again; to prevent that, let an administrator run, in a checkout of the config-rollout project: kubectl apply -f manifests/install.yaml\n';

  test.each(['', ' --dry-run=server'])(
    'that is not installed is warned of in one line, after all else:%s',
    async (flag) => {
      const cluster = opted('NotFound');
      const { code, out, err } = await run(cluster, `${SET}${flag}`);
      expect(code).toBe(0);
      expect(out).toContain('owner updated');
      expect(err).toMatch(/^Warning: deleting /);
      expect(err.slice(err.lastIndexOf('Warning: '))).toBe(WARNING);
      expect(cluster.clusterScopedReads).toEqual([
        'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/config-rollout',
      ]);
    },
  );

  test.each(['installed', 'Forbidden', 'Unavailable'] as const)('%s gives nothing to say', async (admission) => {
    const { code, err } = await run(opted(admission), SET);
    expect({ code, warnings: err.match(/Warning: /g) }).toEqual({ code: 0, warnings: ['Warning: '] });
    expect(err).not.toContain('admission');
  });

  test.each(['--dry-run=client', '--remove'])('is not asked about with %s', async (flag) => {
    const cluster = opted('NotFound');
    cluster.put(configMap('foo', { ownerReferences: flag === '--remove' ? [ownerOf('bar')] : [] }));
    expect((await run(cluster, `${SET} ${flag}`)).err).not.toContain('admission');
    expect(cluster.clusterScopedReads).toEqual([]);
  });

  test('is not asked about when nothing was written', async () => {
    const cluster = opted('NotFound');
    await run(cluster, SET);
    expect(await run(cluster, SET)).toEqual({ code: 0, out: 'configmap/foo unchanged\n', err: '' });
    expect(cluster.clusterScopedReads).toHaveLength(1);
  });
});

test('set-owner --help says how to be pinned from the first ReplicaSet on', async () => {
  const { out } = await run(new MemoryCluster(), 'kubectl set-owner --help');
  expect(out).toContain('configrollout.dev/managed: owned');
});

describe('set-owner --remove', () => {
  const REMOVE = `${SET} --remove`;

  test('takes the owner away, and says what stays', async () => {
    const cluster = new MemoryCluster(
      configMap('foo', { ownerReferences: [ownerOf('bar')] }),
      deployment('bar', mounting('foo-6ct58987ht')),
      snapshotOf('foo'),
    );
    expect(await run(cluster, REMOVE)).toEqual({
      code: 0,
      out: 'configmap/foo owner removed\n',
      err: "Warning: deployment.apps/bar keeps running with configmap/foo-6ct58987ht; to mount configmap/foo itself again, apply the Deployment's manifest, or run:\n  kubectl set-volume deployment/bar -t configmap --configmap-name foo --overwrite\n",
    });
    expect(cluster.writes[0]?.body).toEqual({
      metadata: { uid: 'uid-foo', resourceVersion: '7', ownerReferences: null },
    });
    expect(ownersOf(cluster)).toBeUndefined();
  });

  test('changes nothing when the Deployment is no owner', async () => {
    const cluster = new MemoryCluster(configMap('foo', { ownerReferences: [ownerOf('baz')] }), deployment('bar'));
    expect(await run(cluster, REMOVE)).toEqual({ code: 0, out: 'configmap/foo unchanged\n', err: '' });
  });

  test('removes an owner that no longer exists', async () => {
    const cluster = new MemoryCluster(configMap('foo', { ownerReferences: [ownerOf('bar'), ownerOf('baz')] }));
    expect((await run(cluster, REMOVE)).out).toBe('configmap/foo owner removed\n');
    expect(ownersOf(cluster)).toEqual([ownerOf('baz')]);
  });

  test('takes one that neither exists nor is an owner for a slip', async () => {
    const cluster = new MemoryCluster(configMap('foo'));
    expect((await run(cluster, REMOVE)).err).toBe('Error from server (NotFound): deployments.apps "bar" not found\n');
  });

  test.each([
    [
      'the annotation',
      { annotations: { 'configrollout.dev/owners': 'deployment/bar, deployment/baz' } },
      {},
      'by its annotation configrollout.dev/owners; to end that, run:\n  kubectl annotate configmap/foo configrollout.dev/owners=deployment/baz --overwrite\n',
    ],
    [
      'the label',
      {},
      { labels: { 'configrollout.dev/managed': 'all' } },
      "by the Deployment's label configrollout.dev/managed=all\n",
    ],
  ])('says that %s still opts in', async (_, onConfigMap, onDeployment, expected) => {
    const cluster = new MemoryCluster(
      configMap('foo', { ownerReferences: [ownerOf('bar')], ...onConfigMap }),
      deployment('bar', mounting('foo'), onDeployment),
    );
    const { err } = await run(cluster, REMOVE);
    expect(err).toBe(`Warning: configmap/foo still rolls out to deployment.apps/bar, ${expected}`);
  });
});

describe('set-owner of a Secret', () => {
  const mountingSecret = (secretName: string) => ({ volumes: [{ name: 'config', secret: { secretName } }] });
  const ownersOfSecret = (cluster: MemoryCluster) =>
    (cluster.objects.get('secrets/foo')?.['metadata'] as Json | undefined)?.['ownerReferences'];
  const clusterOf = (...objects: Json[]) =>
    new MemoryCluster(secret('foo'), configMap('foo'), deployment('bar', mountingSecret('foo')), ...objects);

  test('adds the owner, reads no content, and says where Secrets roll out', async () => {
    const cluster = clusterOf();
    const { code, out, err } = await run(cluster, 'kubectl set-owner secret/foo deploy/bar');
    expect({ code, out }).toEqual({ code: 0, out: 'secret/foo owner updated\n' });
    expect(ownersOfSecret(cluster)).toEqual([ownerOf('bar')]);
    expect(ownersOf(cluster)).toBeUndefined();
    expect(cluster.contentReads).toEqual(['deployments/bar']);
    expect(err).toBe(
      [
        'Warning: deleting deployment.apps/bar now also deletes secret/foo; to opt in without that, declare the owner instead:',
        '  kubectl annotate secret/foo configrollout.dev/owners=deployment/bar --overwrite && kubectl set-owner secret/foo deployment/bar --remove',
        'or opt in deployment/bar with every ConfigMap and Secret that is referenced there:',
        '  kubectl label deployment/bar configrollout.dev/managed=all --overwrite && kubectl set-owner secret/foo deployment/bar --remove',
        'Warning: secret/foo: changes of Secrets roll out only where the controller runs with --secrets',
        '',
      ].join('\n'),
    );
    expect(await run(cluster, 'kubectl set-owner secret/foo deploy/bar')).toEqual({
      code: 0,
      out: 'secret/foo unchanged\n',
      err: '',
    });
  });

  test.each([
    ['-o name', 'secret/foo\n'],
    [
      '--dry-run=client -o yaml',
      /^apiVersion: meta.k8s.io\/v1\nkind: PartialObjectMetadata\nmetadata:\n {2}name: foo\n/,
    ],
    ['--dry-run=server', 'secret/foo owner updated (server dry run)\n'],
    [
      '--dry-run=server -o yaml',
      /^apiVersion: meta.k8s.io\/v1\nkind: PartialObjectMetadata\nmetadata:\n {2}name: foo\n/,
    ],
    ['-o yaml -v=9', /^apiVersion: meta.k8s.io\/v1\nkind: PartialObjectMetadata\nmetadata:\n {2}name: foo\n/],
    [
      '-o json --show-managed-fields',
      /^\{\n {4}"apiVersion": "meta.k8s.io\/v1",\n {4}"kind": "PartialObjectMetadata",/,
    ],
  ])('never has the content sent with %s', async (flags, expected) => {
    const cluster = clusterOf();
    const { out, err } = await run(cluster, `kubectl set-owner secret/foo deploy/bar ${flags}`);
    expect(out).toMatch(expected);
    expect(out + err).not.toContain(CONFIDENTIAL);
    expect(cluster.contentReads).not.toContain('secrets/foo');
  });

  test('prints no content that kubectl apply left in an annotation', async () => {
    const annotations = {
      'kubectl.kubernetes.io/last-applied-configuration': `{"data":{"password":"${CONFIDENTIAL}"}}`,
    };
    const cluster = new MemoryCluster(secret('foo', { annotations: { ...annotations, mine: 'x' } }), deployment('bar'));
    // The last time, nothing is left to write.
    for (const flag of ['--dry-run=client', '--dry-run=server', '--dry-run=none', '--dry-run=none']) {
      const { out } = await run(cluster, `kubectl set-owner secret/foo deploy/bar ${flag} -o json`);
      expect(JSON.parse(out).metadata.annotations).toEqual({ mine: 'x' });
    }
    expect(cluster.objects.get('secrets/foo')).toMatchObject({ metadata: { annotations } });
  });

  test('is not mistaken for the ConfigMap of the same name', async () => {
    const cluster = new MemoryCluster(secret('foo'), configMap('foo'), deployment('bar', mounting('foo')));
    expect((await run(cluster, 'kubectl set-owner secret/foo deploy/bar')).err).toContain(
      'deployment.apps/bar does not reference secret/foo yet; to mount it, run:\n  kubectl set-volume deployment/bar -t secret --secret-name foo --mount-path PATH\n',
    );
    const pinned = clusterOf(
      deployment('bar', mounting('foo-6ct58987ht')),
      snapshotOf('foo', '6ct58987ht', {}, secret),
    );
    expect((await run(pinned, 'kubectl set-owner secret/foo deploy/bar')).err).toContain('does not reference');
  });

  test('is done with others in one command, each guarded by its own version', async () => {
    const cluster = clusterOf(
      deployment('bar', { volumes: [...mounting('foo').volumes, { name: 's', secret: { secretName: 'foo' } }] }),
    );
    cluster.admission = 'NotFound';
    const { out, err } = await run(cluster, 'kubectl set-owner cm,secret foo deploy/bar');
    expect(out).toBe('configmap/foo owner updated\nsecret/foo owner updated\n');
    expect(cluster.writes.map(({ key }) => key)).toEqual(['configmaps/foo', 'secrets/foo']);
    expect(err.match(/manifest that names .* itself/g)).toEqual([
      'manifest that names configmap/foo or secret/foo itself',
    ]);
    expect((await run(cluster, 'kubectl set-owner secret/foo cm/foo deploy/bar --remove')).out).toBe(
      'secret/foo owner removed\nconfigmap/foo owner removed\n',
    );
  });

  test('is refused for a snapshot', async () => {
    const cluster = clusterOf(snapshotOf('foo', '6ct58987ht', {}, secret));
    expect((await run(cluster, 'kubectl set-owner secret/foo-6ct58987ht deploy/bar')).err).toBe(
      "error: secret/foo-6ct58987ht is a snapshot of secret/foo, whose owners are config-rollout's to set; name the source instead: kubectl set-owner secret/foo deployment/bar\n",
    );
  });
});

describe('set-owner to other kinds than Deployments', () => {
  test.each([
    ['sts', 'apps/v1', 'StatefulSet', 'statefulset.apps/bar'],
    ['ds', 'apps/v1', 'DaemonSet', 'daemonset.apps/bar'],
    ['ro', 'argoproj.io/v1alpha1', 'Rollout', 'rollout.argoproj.io/bar'],
  ])('%s', async (alias, apiVersion, kind, printed) => {
    const cluster = new MemoryCluster(configMap('foo'), workload(apiVersion, kind, 'bar', mounting('foo')));
    const { out, err } = await run(cluster, `kubectl set-owner cm/foo ${alias}/bar`);
    expect(out).toBe('configmap/foo owner updated\n');
    expect(ownersOf(cluster)).toEqual([{ apiVersion, kind, name: 'bar', uid: 'uid-bar' }]);
    expect(err).toContain(`Warning: deleting ${printed} now also deletes configmap/foo;`);
    expect(err).toContain(`configrollout.dev/owners=${kind.toLowerCase()}/bar --overwrite`);
  });

  test('--remove leaves the declared owner of the same name and another kind', async () => {
    const annotations = { 'configrollout.dev/owners': 'sts/bar, deploy/bar' };
    const cluster = new MemoryCluster(
      configMap('foo', { annotations, ownerReferences: [ownerOf('bar')] }),
      deployment('bar', mounting('foo')),
    );
    expect((await run(cluster, `${SET} --remove`)).err).toContain('configrollout.dev/owners=sts/bar --overwrite\n');
  });
});

describe('set-owner where a label excludes', () => {
  const none = { labels: { 'configrollout.dev/managed': 'none' } };
  const excluded = { labels: { 'configmap.configrollout.dev/foo': 'excluded' } };
  test.each([
    ['the workload', {}, none, 'configrollout.dev/managed', 'deployment/bar'],
    ['the source', none, {}, 'configrollout.dev/managed', 'configmap/foo'],
    ['the source from the workload', {}, excluded, 'configmap.configrollout.dev/foo', 'deployment/bar'],
  ])('%s says so', async (_, onSource, onWorkload, label, where) => {
    const cluster = new MemoryCluster(configMap('foo', onSource), deployment('bar', mounting('foo'), onWorkload));
    expect((await run(cluster, SET)).err).toContain(
      `Warning: configmap/foo does not roll out to deployment.apps/bar, because of the label ${label} of ${where}; to take it away, run:\n  kubectl label ${where} ${label}-\n`,
    );
  });
});
