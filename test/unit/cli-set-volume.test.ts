import { describe, expect, test } from '@jest/globals';
import type { Json } from '../../controller/cli/cluster.ts';
import { defaultVolumeName } from '../../controller/cli/set-volume/add.ts';
import { podSpecOf } from '../../controller/cli/set-volume/pod-template.ts';
import { configMap, deployment, MemoryCluster, ownerOf, run, secret, snapshotOf, workload } from '../support/cli.ts';

const FOO = '-t configmap --configmap-name foo';
const volume = (name: string, source = name) => ({ name, configMap: { name: source, defaultMode: 420 } });
const mount = (name: string, mountPath: string, extra: Json = {}) => ({ name, mountPath, ...extra });
const app = (...volumeMounts: Json[]) => ({ name: 'app', ...(volumeMounts.length > 0 && { volumeMounts }) });

const clusterOf = (podSpec: Json, ...more: Json[]) =>
  new MemoryCluster(deployment('bar', podSpec), configMap('foo'), snapshotOf('foo'), configMap('other'), ...more);
const setVolume = (cluster: MemoryCluster, flags: string) => run(cluster, `kubectl set-volume deployment/bar ${flags}`);
const specOf = (cluster: MemoryCluster) => podSpecOf(cluster.objects.get('deployments/bar') ?? {});

describe('set-volume adds', () => {
  test('a volume named like its ConfigMap, mounted in each container, in one guarded patch', async () => {
    const cluster = clusterOf({ containers: [app(), { name: 'sidecar' }], initContainers: [{ name: 'init' }] });
    const { code, out, err } = await setVolume(cluster, `-t configmap --configmapname foo --mount-path /etc/foo/`);
    expect({ code, out, err }).toEqual({ code: 0, out: 'deployment.apps/bar volume updated\n', err: '' });
    expect(cluster.writes[0]).toMatchObject({ key: 'deployments/bar', manager: 'kubectl-set-volume', dryRun: false });
    const operations = cluster.writes[0]?.body as Json[];
    expect(operations.slice(0, 2)).toEqual([
      { op: 'test', path: '/metadata/uid', value: 'uid-bar' },
      { op: 'test', path: '/metadata/generation', value: 3 },
    ]);
    expect(operations.slice(2)).toContainEqual({
      op: 'add',
      path: '/spec/template/spec/volumes',
      value: [{ name: 'foo', configMap: { name: 'foo' } }],
    });
    expect(specOf(cluster)).toEqual({
      volumes: [{ name: 'foo', configMap: { name: 'foo' } }],
      containers: [app(mount('foo', '/etc/foo')), { name: 'sidecar', volumeMounts: [mount('foo', '/etc/foo')] }],
      initContainers: [{ name: 'init' }],
    });
  });

  const mounted = { volumes: [volume('foo')], containers: [app(mount('foo', '/etc/foo'))] };
  const pinned = { volumes: [volume('foo', 'foo-6ct58987ht')], containers: [app(mount('foo', '/etc/foo'))] };
  const named = { volumes: [volume('config', 'foo')], containers: [app(mount('config', '/etc/foo'))] };
  test.each([
    ['again', mounted, `${FOO} -m /etc/foo`],
    ['again, in other words', mounted, '--add --configmap-name=foo --mount-path=/etc//foo/ -c app --overwrite'],
    ['where a snapshot is mounted', pinned, `${FOO} -m /etc/foo`],
    ['where it is mounted under another volume name', named, `${FOO} -m /etc/foo`],
    ['by the name of the volume alone', mounted, '--name foo -m /etc/foo'],
    ['with the default mode that it has', mounted, `${FOO} --default-mode 0644`],
  ])('nothing %s', async (_, podSpec, flags) => {
    const cluster = clusterOf(podSpec);
    expect(await setVolume(cluster, flags)).toEqual({ code: 0, out: 'deployment.apps/bar unchanged\n', err: '' });
    expect(cluster.writes).toEqual([]);
  });

  test('nothing where a snapshot is mounted that was deleted, or may not be read', async () => {
    const gone = new MemoryCluster(deployment('bar', pinned), configMap('foo'));
    expect((await setVolume(gone, `${FOO} -m /etc/foo`)).out).toBe('deployment.apps/bar unchanged\n');
    const hidden = clusterOf(pinned);
    hidden.forbidden = ['foo', 'foo-6ct58987ht'];
    expect((await setVolume(hidden, `${FOO} -m /etc/foo`)).out).toBe('deployment.apps/bar unchanged\n');
  });

  test.each<[string, Json, string, Json]>([
    [
      'a second mount of a volume',
      mounted,
      '--name foo -m /config',
      { ...mounted, containers: [app(mount('foo', '/etc/foo'), mount('foo', '/config'))] },
    ],
    [
      'a moved mount, with --overwrite',
      mounted,
      '--name foo -m /config --overwrite',
      { ...mounted, containers: [app(mount('foo', '/config'))] },
    ],
    [
      'what is mounted at a path, with --overwrite',
      mounted,
      '--configmap-name other -m /etc/foo --overwrite',
      {
        volumes: [volume('foo'), { name: 'other', configMap: { name: 'other' } }],
        containers: [app(mount('other', '/etc/foo'))],
      },
    ],
    [
      'what a volume holds, with --overwrite',
      mounted,
      '--name foo --configmap-name other --overwrite',
      { ...mounted, volumes: [{ name: 'foo', configMap: { name: 'other' } }] },
    ],
    [
      'the ConfigMap itself for its snapshot, with --overwrite',
      pinned,
      `${FOO} --overwrite`,
      { ...pinned, volumes: [volume('foo')] },
    ],
    [
      'another mode, with --overwrite, and keeps the rest of the volume',
      { ...mounted, volumes: [{ name: 'foo', configMap: { name: 'foo', defaultMode: 420, optional: true } }] },
      `${FOO} --default-mode=400 --overwrite --name foo`,
      { ...mounted, volumes: [{ name: 'foo', configMap: { name: 'foo', defaultMode: 256, optional: true } }] },
    ],
    [
      'a volume of its own where another shows some keys only',
      { volumes: [{ name: 'some', configMap: { name: 'foo', items: [] } }], containers: [app()] },
      `${FOO} -m /etc/foo`,
      {
        volumes: [
          { name: 'some', configMap: { name: 'foo', items: [] } },
          { name: 'foo', configMap: { name: 'foo' } },
        ],
        containers: [app(mount('foo', '/etc/foo'))],
      },
    ],
    [
      'read-only files of a Secret',
      { containers: [app()] },
      '--secret-name s -m /s --default-mode 0400 --read-only',
      {
        volumes: [{ name: 's', secret: { secretName: 's', defaultMode: 256 } }],
        containers: [app(mount('s', '/s', { readOnly: true }))],
      },
    ],
    [
      'mounts in the containers that match',
      { containers: [{ name: 'web-1' }, { name: 'web.1' }], initContainers: [{ name: 'web-init' }] },
      `${FOO} -m /etc/foo -c web-*`,
      {
        volumes: [{ name: 'foo', configMap: { name: 'foo' } }],
        containers: [{ name: 'web-1', volumeMounts: [mount('foo', '/etc/foo')] }, { name: 'web.1' }],
        initContainers: [{ name: 'web-init', volumeMounts: [mount('foo', '/etc/foo')] }],
      },
    ],
  ])('%s', async (_, before, flags, after) => {
    const cluster = clusterOf(before);
    expect((await setVolume(cluster, flags)).out).toBe('deployment.apps/bar volume updated\n');
    expect(specOf(cluster)).toEqual(after);
  });

  test('keeps the snapshot of a ConfigMap that rolls out, even with --overwrite', async () => {
    const cluster = clusterOf(pinned, configMap('foo', { ownerReferences: [ownerOf('bar')] }));
    expect(await setVolume(cluster, `${FOO} --overwrite`)).toEqual({
      code: 0,
      out: 'deployment.apps/bar unchanged\n',
      err: 'Warning: configmap/foo rolls out to deployment.apps/bar, which therefore keeps its snapshot; to mount the ConfigMap itself, end that first:\n  kubectl set-owner configmap/foo deployment/bar --remove\n',
    });
  });

  test.each([
    [
      `${FOO} --sub-path a -m /a`,
      [],
      'Warning: a running pod never sees changes of what it mounts by --sub-path; to start new pods at each change of configmap/foo, run:\n  kubectl set-owner configmap/foo deployment/bar\n',
    ],
    [
      `${FOO} --sub-path a -m /a`,
      [configMap('foo', { annotations: { 'configrollout.dev/owners': 'deployment/bar' } })],
      'Warning: a running pod never sees changes of what it mounts by --sub-path; configmap/foo rolls out to deployment.apps/bar, so each change starts new pods, and they do\n',
    ],
    [
      '--configmap-name nope',
      [],
      'Warning: configmap/nope does not exist yet; pods that mount it wait until it does\n',
    ],
    [
      '--configmap-name foo-6ct58987ht',
      [],
      'Warning: configmap/foo-6ct58987ht is a snapshot of configmap/foo: its content never changes\n',
    ],
    ['--secret-name s', [], 'Warning: secret/s does not exist yet; pods that mount it wait until it does\n'],
    ['--secret-name s', [secret('s')], ''],
  ])('%s with a warning', async (flags, more, err) => {
    expect((await setVolume(clusterOf({}, ...more), flags)).err).toBe(err);
  });

  test.each([
    [
      '--configmap-name other -m /etc/foo',
      'mount path /etc/foo of container "app" in deployment.apps/bar is taken by volume "foo". Use --overwrite to replace it, or another --mount-path',
    ],
    [
      `${FOO} -m /etc/foo --sub-path a`,
      'mount path /etc/foo of container "app" in deployment.apps/bar is taken by volume "foo" with another sub-path or mode. Use --overwrite to replace it, or another --mount-path',
    ],
    [
      '--configmap-name other --name foo',
      'volume "foo" of deployment.apps/bar already exists: configMap/foo. Use --overwrite to replace it, or another --name',
    ],
    [
      `${FOO} --default-mode 400`,
      'volume "foo" of deployment.apps/bar already exists with another default mode. Use --overwrite to change it',
    ],
    [
      '--name nope -m /x',
      'volume "nope" not found in deployment.apps/bar; to add it, say what it holds: -t configmap --configmap-name NAME',
    ],
    [`${FOO} -m /x -c side*`, 'deployment.apps/bar does not have any containers matching "side*" (it has: app)'],
  ])('%s is in the way of what is there', async (flags, message) => {
    const cluster = clusterOf(mounted);
    expect(await setVolume(cluster, flags)).toEqual({ code: 1, out: '', err: `error: ${message}\n` });
    expect(cluster.writes).toEqual([]);
  });

  test('looks again after a conflict', async () => {
    const cluster = clusterOf({});
    cluster.meanwhile = () => {
      cluster.meanwhile = () => undefined;
      cluster.put(deployment('bar', { containers: [{ name: 'new' }, app()] }, { generation: 4 }));
    };
    expect((await setVolume(cluster, `${FOO} -m /etc/foo -c app`)).out).toBe('deployment.apps/bar volume updated\n');
    expect(specOf(cluster)?.containers).toEqual([{ name: 'new' }, app(mount('foo', '/etc/foo'))]);
  });

  test('prints the object with --dry-run=client -o yaml, one document for each Deployment', async () => {
    const cluster = clusterOf({}, deployment('baz'));
    const { out } = await setVolume(cluster, `deployment/baz ${FOO} -m /etc/foo --dry-run=client -o yaml`);
    expect(out.split('---\n')).toHaveLength(2);
    expect(out).toContain('      volumes:\n      - configMap:\n          name: foo\n        name: foo\n');
    expect(cluster.writes).toEqual([]);
  });

  test.each([
    ['foo', /^foo$/],
    ['my.app.config', /^my-app-config$/],
    [`${'a'.repeat(62)}.b`, /^a{52}-[0-9a-f]{10}$/],
    [`${'a'.repeat(51)}.${'b'.repeat(20)}`, /^a{51}-[0-9a-f]{10}$/],
  ])('a volume for %s, whose name is a DNS label', (source, name) => {
    expect(defaultVolumeName(source)).toMatch(name);
  });
});

describe('set-volume removes', () => {
  const podSpec = {
    volumes: [volume('foo', 'foo-6ct58987ht'), volume('other')],
    containers: [app(mount('foo', '/a'), mount('foo', '/b'), mount('other', '/o'))],
    initContainers: [{ name: 'init', volumeMounts: [mount('foo', '/a')] }],
  };

  test.each<[string, string, Json]>([
    [
      'a volume and its mounts',
      '--name foo',
      { volumes: [volume('other')], containers: [app(mount('other', '/o'))], initContainers: [{ name: 'init' }] },
    ],
    [
      'the volume of a ConfigMap, pinned or not',
      '--configmap-name foo',
      { volumes: [volume('other')], containers: [app(mount('other', '/o'))], initContainers: [{ name: 'init' }] },
    ],
    ['all, with --confirm', '--confirm', { containers: [{ name: 'app' }], initContainers: [{ name: 'init' }] }],
  ])('%s', async (_, flags, after) => {
    const cluster = clusterOf(podSpec);
    expect((await setVolume(cluster, `--remove ${flags}`)).out).toBe('deployment.apps/bar volume removed\n');
    expect(specOf(cluster)).toEqual(after);
  });

  test.each<[string, string, Json]>([
    ['in one container', '-c app', { ...podSpec, containers: [app(mount('other', '/o'))] }],
    ['at one path', '-m /b/', { ...podSpec, containers: [app(mount('foo', '/a'), mount('other', '/o'))] }],
  ])('mounts %s, and keeps the volume that others mount', async (_, flags, after) => {
    const cluster = clusterOf(podSpec);
    expect((await setVolume(cluster, `--remove --name foo ${flags}`)).out).toBe('deployment.apps/bar volume updated\n');
    expect(specOf(cluster)).toEqual(after);
  });

  test('says that the ConfigMap still has an owner, unless it is referenced elsewhere', async () => {
    const owned = configMap('foo', { ownerReferences: [ownerOf('bar')] });
    expect((await setVolume(clusterOf(podSpec, owned), '--remove --name foo')).err).toBe(
      'Warning: configmap/foo still has deployment.apps/bar as its owner, and is deleted with it; to end that, run:\n  kubectl set-owner configmap/foo deployment/bar --remove\n',
    );
    const envFrom = [{ configMapRef: { name: 'foo-6ct58987ht' } }];
    const elsewhere = clusterOf({ ...podSpec, containers: [{ name: 'app', envFrom }] }, owned);
    expect((await setVolume(elsewhere, '--remove --name foo')).err).toBe('');
  });

  test.each([
    ['--name nope', 'volume "nope" not found in deployment.apps/bar (it has: foo, other)'],
    ['--configmap-name nope', 'a volume of configmap/nope not found in deployment.apps/bar (it has: foo, other)'],
    ['--name foo -m /nope', 'deployment.apps/bar mounts no such volume at /nope'],
    [
      '',
      "must provide --confirm for removing more than one volume; to remove one, give its --name, --configmap-name or --secret-name\nSee 'kubectl set-volume --help' for usage.",
    ],
  ])('nothing for --remove %s', async (flags, message) => {
    const cluster = clusterOf(podSpec);
    expect(await setVolume(cluster, `--remove ${flags}`.trim())).toEqual({
      code: 1,
      out: '',
      err: `error: ${message}\n`,
    });
  });
});

describe('set-volume lists', () => {
  test('the snapshot that is mounted, and the source it stands for', async () => {
    const cluster = clusterOf({
      volumes: [volume('foo', 'foo-6ct58987ht')],
      containers: [app(mount('foo', '/etc/foo'))],
    });
    expect(await run(cluster, 'kubectl set-volume deploy/bar')).toEqual({
      code: 0,
      out: 'Deployment bar\n  configMap/foo (pinned: foo-6ct58987ht) as foo\n    mounted at /etc/foo\n',
      err: '',
    });
  });

  test('volumes of every type, and the container when there are several', async () => {
    const cluster = clusterOf({
      volumes: [
        volume('foo'),
        { name: 's', secret: { secretName: 's' } },
        { name: 'tmp', emptyDir: {} },
        { name: 'host', hostPath: { path: '/var' } },
        { name: 'data', persistentVolumeClaim: { claimName: 'c' } },
        { name: 'csi', csi: { driver: 'd' } },
        {
          name: 'all',
          projected: {
            sources: [{ configMap: { name: 'foo-6ct58987ht' } }, { secret: { name: 's' } }, { downwardAPI: {} }],
          },
        },
      ],
      containers: [app(mount('foo', '/etc/foo', { subPath: 'a' })), { name: 'side' }],
    });
    expect((await run(cluster, 'kubectl set-volume deploy/bar')).out.split('\n')).toEqual([
      'Deployment bar',
      '  configMap/foo as foo',
      '    mounted at /etc/foo (sub-path a) in container app',
      '  secret/s as s',
      '  empty directory as tmp',
      '  host path /var as host',
      '  pvc/c as data',
      '  csi as csi',
      '  projected configMap/foo (pinned: foo-6ct58987ht), secret/s, downwardAPI as all',
      '',
    ]);
    expect((await run(cluster, 'kubectl set-volume deploy/bar --name s')).out).toBe(
      'Deployment bar\n  secret/s as s\n',
    );
    expect((await run(cluster, 'kubectl set-volume deploy/bar --name x')).err).toBe(
      'error: volume "x" not found in deployment.apps/bar\n',
    );
  });
});

describe('set-volume refuses', () => {
  test.each([
    ['--add --remove', 'you may only specify one operation at a time'],
    [
      '--add',
      'must provide --type and a name, as in -t configmap --configmap-name foo; or the --name of a volume that is there',
    ],
    ['-t configmap', 'must provide --configmap-name for --type=configmap'],
    ['-t secret --configmap-name x', 'must provide --secret-name for --type=secret'],
    ['-t emptyDir', 'invalid volume type "emptyDir". Supported types: configmap, secret'],
    ['--configmap-name a --secret-name b', 'either specify --configmap-name or --secret-name but not both'],
    [`${FOO} --default-mode 999`, '--default-mode must be between 0000 and 0777'],
    [`${FOO} -m etc`, '--mount-path "etc" must be an absolute path without ":", and not the root'],
    [`${FOO} -m /`, '--mount-path "/" must be an absolute path without ":", and not the root'],
    [`${FOO} --sub-path a`, '--sub-path and --read-only need a --mount-path'],
    [`${FOO} -m /a --sub-path ../a`, '--sub-path "../a" must be a relative path without ".."'],
    [
      '--remove --name a --overwrite',
      '--sub-path|--default-mode|--read-only|--overwrite are only valid for --add operation',
    ],
    ['--confirm', '--confirm is only valid for --remove'],
    ['-o yaml', 'listing volumes and --output may not be specified together'],
  ])('%s', async (flags, message) => {
    const { code, err } = await setVolume(clusterOf({}), flags);
    expect({ code, err }).toEqual({ code: 1, err: `error: ${message}\nSee 'kubectl set-volume --help' for usage.\n` });
  });
});

describe('set-volume and Secrets', () => {
  const held = (secretName: string) => ({ name: 'foo', secret: { secretName, defaultMode: 420 } });
  const mounting = (secretName: string) => ({ volumes: [held(secretName)], containers: [app(mount('foo', '/s'))] });
  const snapshot = snapshotOf('foo', '6ct58987ht', {}, secret);
  const SECRET = '-t secret --secret-name foo';

  test('lists the Secret whose snapshot is mounted, and not the ConfigMap of the same name', async () => {
    const cluster = clusterOf({
      ...mounting('foo-6ct58987ht'),
      volumes: [
        held('foo-6ct58987ht'),
        { name: 'p', projected: { sources: [{ secret: { name: 'foo-6ct58987ht' } }] } },
      ],
    });
    const list = () => run(cluster, 'kubectl set-volume deploy/bar');
    // Only the ConfigMap of that name is a snapshot.
    expect((await list()).out).toBe(
      'Deployment bar\n  secret/foo-6ct58987ht as foo\n    mounted at /s\n  projected secret/foo-6ct58987ht as p\n',
    );
    cluster.put(snapshot);
    expect((await list()).out).toBe(
      'Deployment bar\n  secret/foo (pinned: foo-6ct58987ht) as foo\n    mounted at /s\n  projected secret/foo (pinned: foo-6ct58987ht) as p\n',
    );
    expect(cluster.contentReads).toEqual(['deployments/bar', 'deployments/bar']);
  });

  test('changes nothing where a snapshot of it is mounted', async () => {
    const cluster = clusterOf(mounting('foo-6ct58987ht'), secret('foo'), snapshot);
    expect(await setVolume(cluster, `${SECRET} -m /s`)).toEqual({
      code: 0,
      out: 'deployment.apps/bar unchanged\n',
      err: '',
    });
  });

  test('puts the Secret itself in the place of its snapshot, unless it rolls out', async () => {
    const cluster = clusterOf(mounting('foo-6ct58987ht'), secret('foo'), snapshot);
    await setVolume(cluster, `${SECRET} --overwrite`);
    expect(specOf(cluster)?.volumes).toEqual([held('foo')]);
    const owned = secret('foo', { ownerReferences: [ownerOf('bar')] });
    expect(await setVolume(clusterOf(mounting('foo-6ct58987ht'), owned, snapshot), `${SECRET} --overwrite`)).toEqual({
      code: 0,
      out: 'deployment.apps/bar unchanged\n',
      err: 'Warning: secret/foo rolls out to deployment.apps/bar, which therefore keeps its snapshot; to mount the Secret itself, end that first:\n  kubectl set-owner secret/foo deployment/bar --remove\n',
    });
  });

  test('removes by the name of the Secret, and says whose it still is', async () => {
    const owned = secret('foo', { ownerReferences: [ownerOf('bar')] });
    const cluster = clusterOf(mounting('foo-6ct58987ht'), owned, snapshot);
    expect((await setVolume(cluster, '--remove --configmap-name foo')).err).toContain(
      'a volume of configmap/foo not found',
    );
    expect(await setVolume(cluster, '--remove --secret-name foo')).toEqual({
      code: 0,
      out: 'deployment.apps/bar volume removed\n',
      err: 'Warning: secret/foo still has deployment.apps/bar as its owner, and is deleted with it; to end that, run:\n  kubectl set-owner secret/foo deployment/bar --remove\n',
    });
  });
});

describe('set-volume and other kinds', () => {
  test.each([
    ['sts', 'apps/v1', 'StatefulSet', 'statefulset.apps/bar'],
    ['ds', 'apps/v1', 'DaemonSet', 'daemonset.apps/bar'],
    ['ro', 'argoproj.io/v1alpha1', 'Rollout', 'rollout.argoproj.io/bar'],
  ])('%s', async (alias, apiVersion, kind, printed) => {
    const cluster = new MemoryCluster(workload(apiVersion, kind, 'bar'), configMap('foo'));
    expect((await run(cluster, `kubectl set-volume ${alias}/bar ${FOO} -m /etc/foo`)).out).toBe(
      `${printed} volume updated\n`,
    );
    expect((await run(cluster, `kubectl set-volume ${alias}/bar`)).out).toBe(
      `${kind} bar\n  configMap/foo as foo\n    mounted at /etc/foo\n`,
    );
  });

  test.each(['', ` ${FOO} -m /etc/foo`])(
    'a Rollout that refers to a Deployment is left alone by "%s"',
    async (flags) => {
      const rollout = {
        ...workload('argoproj.io/v1alpha1', 'Rollout', 'bar'),
        spec: { workloadRef: { kind: 'Deployment', name: 'web' } },
      };
      const cluster = new MemoryCluster(rollout, configMap('foo'));
      expect(await run(cluster, `kubectl set-volume ro/bar${flags}`)).toEqual({
        code: 1,
        out: '',
        err: 'error: rollout.argoproj.io/bar has no pod template of its own; name the workload that it refers to\n',
      });
    },
  );
});
