import { describe, expect, test } from '@jest/globals';
import type { Json } from '../../controller/cli/cluster.ts';
import { renderTable } from '../../controller/cli/table.ts';
import { findPlaces } from '../../controller/cli/who-uses/places.ts';
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

const WHO = 'kubectl config-rollout who-uses';
// As `kubectl create configmap --append-hash` names the content of configMap('foo'), and another one.
const NOW = '8c7dmftt2h';
const THEN = '98hk5tdbg4';

const volumes = (name: string) => [{ name: 'config', configMap: { name } }];
const app = (name = 'app', more: Json = {}) => ({
  name,
  volumeMounts: [{ name: 'config', mountPath: '/etc/foo' }],
  ...more,
});
const mounting = (name: string) => ({ volumes: volumes(name), containers: [app()] });
const rolled = (hash: string, kind = 'configmap') => ({ labels: { [`${kind}.configrollout.dev/foo`]: hash } });
const owned = (metadata: Json = {}) => configMap('foo', { ownerReferences: [ownerOf('bar')], ...metadata });
const controlledBy = (kind: string, name: string) => ({
  ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid: `uid-${name}`, controller: true }],
});
const pod = (name: string, podSpec: Json, metadata: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'default', name, uid: `uid-${name}`, resourceVersion: '1', ...metadata },
  spec: podSpec,
});
const cronJob = (name: string, podSpec: Json): Json => ({
  ...pod(name, {}),
  kind: 'CronJob',
  spec: { jobTemplate: { spec: { template: { spec: podSpec } } } },
});
const replicaSet = (name: string, podSpec: Json, metadata: Json = {}, replicas = 2): Json => {
  const made = workload('apps/v1', 'ReplicaSet', name, podSpec, metadata);
  return { ...made, spec: { ...(made['spec'] as Json), replicas } };
};

/** The first lines of stdout and stderr. */
async function lines(cluster: MemoryCluster, args: string) {
  const { code, out, err } = await run(cluster, `${WHO} ${args}`);
  return { code, out: out.trimEnd().split('\n'), err };
}

/** The state of the only line, or of each. */
async function states(cluster: MemoryCluster, args = 'cm/foo --no-headers'): Promise<string[]> {
  const { out } = await run(cluster, `${WHO} ${args}`);
  return out.split('\n').flatMap((line) => (line === '' ? [] : (line.split(/ {3,}/).at(-1) ?? '')));
}

const shop = () =>
  new MemoryCluster(
    owned(),
    snapshotOf('foo', NOW),
    deployment('bar', mounting(`foo-${NOW}`), rolled(NOW)),
    deployment('other', mounting('food')),
    workload('apps/v1', 'StatefulSet', 'db', { containers: [app('db'), app('log')], volumes: volumes('foo') }),
    workload('argoproj.io/v1alpha1', 'Rollout', 'api', mounting('foo')),
    cronJob('report', {
      containers: [
        { name: 'report', env: [{ name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'foo', key: 'log.level' } } }] },
      ],
    }),
    replicaSet('bar-7', mounting(`foo-${NOW}`), controlledBy('Deployment', 'bar')),
    replicaSet('bar-6', mounting('foo-98hk5tdbg4'), controlledBy('Deployment', 'bar'), 0),
    pod('bar-7-x', mounting(`foo-${NOW}`), controlledBy('ReplicaSet', 'bar-7')),
    workload('batch/v1', 'Job', 'once', mounting('foo')),
    pod('debug', mounting('foo')),
  );

describe('who-uses', () => {
  test('prints a line for each place, without what a listed owner implies', async () => {
    expect(await lines(shop(), 'configmap/foo')).toEqual({
      code: 0,
      out: [
        'NAME                      REFERENCE                   CONTAINER   STATE',
        `deployment.apps/bar       volume config (/etc/foo)    app         ✔ Current (foo-${NOW})`,
        'statefulset.apps/db       volume config (/etc/foo)    db,log      not managed',
        'rollout.argoproj.io/api   volume config (/etc/foo)    app         not managed',
        'cronjob.batch/report      env LEVEL (key log.level)   report      not managed',
        'job.batch/once            volume config (/etc/foo)    app         not managed',
        'pod/debug                 volume config (/etc/foo)    app         not managed',
      ],
      err: '',
    });
  });

  test('prints all of them with -o wide, and what a change does', async () => {
    expect((await lines(shop(), 'cm foo -o wide')).out).toEqual([
      'NAME                      REFERENCE                   CONTAINER   STATE                              ON CHANGE',
      `deployment.apps/bar       volume config (/etc/foo)    app         ✔ Current (foo-${NOW})         rolls out`,
      'statefulset.apps/db       volume config (/etc/foo)    db,log      not managed                        files updated',
      'rollout.argoproj.io/api   volume config (/etc/foo)    app         not managed                        files updated',
      'cronjob.batch/report      env LEVEL (key log.level)   report      not managed                        next run',
      'replicaset.apps/bar-6     volume config (/etc/foo)    app         former revision (foo-98hk5tdbg4)   nothing',
      `replicaset.apps/bar-7     volume config (/etc/foo)    app         ✔ Current (foo-${NOW})         rolls out`,
      'job.batch/once            volume config (/etc/foo)    app         not managed                        files updated',
      `pod/bar-7-x               volume config (/etc/foo)    app         ✔ Current (foo-${NOW})         rolls out`,
      'pod/debug                 volume config (/etc/foo)    app         not managed                        files updated',
    ]);
  });

  test.each([
    ['2', '◌ Pending', 'rolls out'],
    ['1', 'former revision', 'nothing'],
  ])(
    'a ReplicaSet without pods, of revision %s of 2, that names the same snapshot: %s',
    async (number, state, effect) => {
      const numbered = (revision: string) => ({ annotations: { 'deployment.kubernetes.io/revision': revision } });
      const cluster = new MemoryCluster(
        owned(),
        snapshotOf('foo', THEN),
        deployment('bar', mounting(`foo-${THEN}`), numbered('2')),
        replicaSet('bar-6', mounting(`foo-${THEN}`), { ...controlledBy('Deployment', 'bar'), ...numbered(number) }, 0),
      );
      const { out } = await run(cluster, `${WHO} cm/foo -o wide --no-headers`);
      expect(out.split('\n')[1]).toMatch(
        new RegExp(`^replicaset.apps/bar-6 .* ${state} \\(foo-${THEN}\\) +${effect}$`),
      );
    },
  );

  test('prints names once each, for xargs', async () => {
    expect((await lines(shop(), 'cm/foo -o name')).out).toEqual([
      'deployment.apps/bar',
      'statefulset.apps/db',
      'rollout.argoproj.io/api',
      'cronjob.batch/report',
      'job.batch/once',
      'pod/debug',
    ]);
  });

  test('prints the same for machines', async () => {
    const cluster = new MemoryCluster(owned(), deployment('bar', mounting(`foo-${NOW}`), rolled(NOW)));
    const item = {
      source: { kind: 'ConfigMap', namespace: 'default', name: 'foo' },
      user: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'default', name: 'bar', uid: 'uid-bar' },
      reference: {
        text: 'volume config (/etc/foo)',
        name: `foo-${NOW}`,
        path: '/spec/template/spec/volumes/0/configMap/name',
        containers: ['app'],
      },
      state: 'Current',
      snapshot: `foo-${NOW}`,
      onChange: 'rolls out',
    };
    expect(JSON.parse((await run(cluster, `${WHO} cm/foo -o json`)).out)).toEqual({ items: [item] });
    expect((await run(cluster, `${WHO} cm/foo -o yaml`)).out).toContain('  state: Current\n');
    expect(await run(cluster, `${WHO} cm/bar -o json`)).toMatchObject({ out: '{\n    "items": []\n}\n', code: 0 });
  });

  test('takes several, and says which one a line is about', async () => {
    const cluster = new MemoryCluster(
      configMap('foo'),
      secret('foo'),
      deployment('bar', { ...mounting('foo'), imagePullSecrets: [{ name: 'foo' }] }),
    );
    expect(await lines(cluster, 'cm,secret foo')).toEqual({
      code: 0,
      out: [
        'SOURCE          NAME                  REFERENCE                  CONTAINER   STATE',
        'configmap/foo   deployment.apps/bar   volume config (/etc/foo)   app         not managed',
        'secret/foo      deployment.apps/bar   imagePullSecret            <none>      not managed',
      ],
      err: '',
    });
  });

  test('looks at every namespace with -A, each with a source of its own', async () => {
    const elsewhere = { namespace: 'prod' };
    const cluster = new MemoryCluster(
      owned(),
      deployment('bar', mounting(`foo-${NOW}`), rolled(NOW)),
      configMap('foo', { ...elsewhere, ownerReferences: [ownerOf('bar')] }, { data: { 'config.yml': 'a: 2\n' } }),
      snapshotOf('foo', NOW, elsewhere),
      deployment('bar', mounting(`foo-${NOW}`), { ...elsewhere, ...rolled(NOW) }),
      configMap('foo', { namespace: 'unused' }),
    );
    expect(await lines(cluster, 'cm/foo -A --no-headers')).toEqual({
      code: 0,
      out: [
        `default   deployment.apps/bar   volume config (/etc/foo)   app   ✔ Current (foo-${NOW})`,
        `prod      deployment.apps/bar   volume config (/etc/foo)   app   ◌ Pending (foo-${NOW})`,
      ],
      err: '',
    });
    expect(cluster.contentReads.filter((key) => key.includes('configmaps'))).toEqual([
      'configmaps/foo',
      'prod/configmaps/foo',
    ]);
  });

  test.each([
    [
      'cm/nope',
      'No resources found in default namespace.\nWarning: configmap/nope does not exist in namespace default\n',
    ],
    ['cm/nope -A', 'No resources found\nWarning: configmap/nope does not exist in any namespace\n'],
    [
      'cm/nope -o name',
      'No resources found in default namespace.\nWarning: configmap/nope does not exist in namespace default\n',
    ],
    ['secret/foo', 'No resources found in default namespace.\n'],
  ])('%s finds nothing, which is no error', async (args, err) => {
    const cluster = shop();
    cluster.put(secret('foo'));
    expect(await run(cluster, `${WHO} ${args}`)).toEqual({ code: 0, out: '', err });
  });

  test('lists the users of a source that is gone', async () => {
    const cluster = new MemoryCluster(deployment('bar', mounting('foo')));
    expect(await lines(cluster, 'cm/foo --no-headers')).toEqual({
      code: 0,
      out: ['deployment.apps/bar   volume config (/etc/foo)   app   not managed'],
      err: 'Warning: configmap/foo does not exist in namespace default\n',
    });
  });

  test('of a snapshot lists those that name exactly it', async () => {
    const cluster = shop();
    cluster.put(snapshotOf('foo', THEN));
    cluster.put(deployment('baz', mounting(`foo-${THEN}`)));
    expect((await lines(cluster, `cm/foo-${THEN} --no-headers`)).out).toEqual([
      `deployment.apps/baz   volume config (/etc/foo)   app   not managed (pinned: foo-${THEN})`,
    ]);
    expect((await lines(cluster, `cm/foo-${NOW} --no-headers`)).out).toEqual([
      `deployment.apps/bar   volume config (/etc/foo)   app   ✔ Current (foo-${NOW})`,
    ]);
  });

  test.each([
    ['', 'name one or more, as configmap/NAME or secret/NAME'],
    [
      'deploy/bar',
      'deployment/bar is no ConfigMap or Secret; name those whose users are to be listed, as configmap/NAME or secret/NAME',
    ],
    [
      'cm/foo -o jsonpath={.items}',
      'unable to match a printer suitable for the output format "jsonpath={.items}", allowed formats are: json,name,wide,yaml',
    ],
  ])('refuses "%s"', async (args, message) => {
    expect(await run(shop(), `${WHO} ${args}`.trim())).toEqual({
      code: 1,
      out: '',
      err: `error: ${message}\nSee 'kubectl config-rollout who-uses --help' for usage.\n`,
    });
  });
});

describe('what who-uses says of a user', () => {
  const pinnedTo = (hash: string, label: string | undefined, source = owned()) =>
    new MemoryCluster(
      source,
      snapshotOf('foo', hash),
      deployment('bar', mounting(`foo-${hash}`), label === undefined ? {} : rolled(label)),
    );
  const all = { labels: { 'configrollout.dev/managed': 'all' } };

  test.each<[string, MemoryCluster, string]>([
    ['pinned to the content of now', pinnedTo(NOW, NOW), `✔ Current (foo-${NOW})`],
    ['rolled back since', pinnedTo(THEN, NOW), `↩ Rolled back (foo-${THEN})`],
    [
      'rolled back to a template from before the source',
      pinnedTo(THEN, `${NOW}.unreferenced`),
      `↩ Rolled back (foo-${THEN})`,
    ],
    ['not rolled yet', pinnedTo(THEN, THEN), `◌ Pending (foo-${THEN})`],
    ['opted in a moment ago', new MemoryCluster(owned(), deployment('bar', mounting('foo'))), '◌ Pending'],
    [
      'opted in by its label',
      new MemoryCluster(configMap('foo'), deployment('bar', mounting('foo'), all)),
      '◌ Pending',
    ],
    ['no longer opted in', pinnedTo(NOW, NOW, configMap('foo')), `not managed (pinned: foo-${NOW})`],
    [
      'of another uid',
      pinnedTo(NOW, NOW, owned({ ownerReferences: [ownerOf('bar', { uid: 'old' })] })),
      `not managed (pinned: foo-${NOW})`,
    ],
    [
      'excluded, source',
      pinnedTo(NOW, NOW, owned({ labels: { 'configrollout.dev/managed': 'none' } })),
      `not managed (pinned: foo-${NOW})`,
    ],
    [
      'excluded, workload',
      new MemoryCluster(
        owned(),
        deployment('bar', mounting('foo'), { labels: { 'configrollout.dev/managed': 'none' } }),
      ),
      'not managed',
    ],
    [
      'excluded, both',
      new MemoryCluster(owned(), deployment('bar', mounting('foo'), rolled('excluded'))),
      'not managed',
    ],
    [
      'managed, of a source that is gone',
      new MemoryCluster(
        deployment('bar', mounting(`foo-${NOW}`), { labels: { ...all.labels, ...rolled(NOW).labels } }),
      ),
      `✔ Current (foo-${NOW})`,
    ],
  ])('%s', async (_, cluster, state) => {
    expect(await states(cluster)).toEqual([state]);
  });

  test('that lost its label is told by the record on the snapshot', async () => {
    const annotations = { 'configrollout.dev/source-name': 'foo', 'rolled.configrollout.dev/uid-bar': '4' };
    const cluster = pinnedTo(THEN, undefined);
    expect(await states(cluster)).toEqual([`◌ Pending (foo-${THEN})`]);
    cluster.put(snapshotOf('foo', NOW, { annotations }));
    expect(await states(cluster)).toEqual([`↩ Rolled back (foo-${THEN})`]);
  });

  test('takes the hash from the snapshot that notes the version of the source, and reads no content', async () => {
    const cluster = pinnedTo(THEN, THEN);
    const annotations = {
      'configrollout.dev/source-name': 'foo',
      'configrollout.dev/source-uid': 'uid-foo',
      'configrollout.dev/source-resource-version': '7',
    };
    cluster.put(snapshotOf('foo', THEN, { annotations }));
    expect(await states(cluster)).toEqual([`✔ Current (foo-${THEN})`]);
    expect(cluster.contentReads).not.toContain('configmaps/foo');
  });

  test('does not take what kustomize made for a snapshot', async () => {
    const cluster = new MemoryCluster(
      configMap('foo'),
      configMap(`foo-${NOW}`),
      deployment('bar', mounting(`foo-${NOW}`)),
    );
    expect(await run(cluster, `${WHO} cm/foo`)).toMatchObject({ out: '', code: 0 });
  });

  test('knows a snapshot that was deleted by its name', async () => {
    expect(await states(new MemoryCluster(configMap('foo'), deployment('bar', mounting(`foo-${NOW}`))))).toEqual([
      `not managed (pinned: foo-${NOW})`,
    ]);
  });

  test('lists a pod into which something else put the source', async () => {
    const cluster = new MemoryCluster(
      owned(),
      deployment('bar'),
      replicaSet('bar-7', {}, controlledBy('Deployment', 'bar')),
      pod('bar-7-x', mounting('foo'), controlledBy('ReplicaSet', 'bar-7')),
      pod('operated', mounting('foo'), controlledBy('CloneSet', 'unknown')),
    );
    expect((await lines(cluster, 'cm/foo --no-headers')).out).toEqual([
      'pod/bar-7-x    volume config (/etc/foo)   app   not managed',
      'pod/operated   volume config (/etc/foo)   app   not managed',
    ]);
  });
});

describe('who-uses and Secrets', () => {
  const mountingSecret = (secretName: string) => ({
    volumes: [{ name: 'config', secret: { secretName } }],
    containers: [app()],
  });
  const pinnedTo = (hash: string, label: string) =>
    new MemoryCluster(
      secret('foo', { ownerReferences: [ownerOf('bar')] }),
      snapshotOf('foo', hash, {}, secret),
      deployment('bar', mountingSecret(`foo-${hash}`), rolled(label, 'secret')),
    );

  test.each([
    [NOW, NOW, `✔ Current (foo-${NOW})`],
    [THEN, NOW, `↩ Rolled back (foo-${THEN})`],
  ])('pinned to %s, rolled to %s: compares the label, and reads no content', async (hash, label, state) => {
    const cluster = pinnedTo(hash, label);
    expect(await states(cluster, 'secret/foo --no-headers')).toEqual([state]);
    expect(cluster.contentReads).toEqual(['deployments/bar']);
    for (const output of ['json', 'yaml', 'wide']) {
      expect((await run(cluster, `${WHO} secret/foo -o ${output}`)).out).not.toContain(CONFIDENTIAL);
    }
  });

  test('says what a pending one may wait for', async () => {
    const cluster = new MemoryCluster(
      secret('foo', { ownerReferences: [ownerOf('bar')] }),
      deployment('bar', mountingSecret('foo')),
    );
    expect(await lines(cluster, 'secret/foo --no-headers')).toEqual({
      code: 0,
      out: ['deployment.apps/bar   volume config (/etc/foo)   app   ◌ Pending'],
      err: 'Warning: secret/foo: changes of Secrets roll out only where the controller runs with --secrets\n',
    });
  });

  test('does not take a ConfigMap of the same name for it', async () => {
    const cluster = pinnedTo(NOW, NOW);
    cluster.put(configMap('foo'));
    expect(await run(cluster, `${WHO} cm/foo`)).toMatchObject({ out: '' });
  });
});

describe('who-uses with few rights', () => {
  test('lists what may be listed, and warns of the rest', async () => {
    const cluster = shop();
    cluster.unlistable = ['pods', 'jobs'];
    const { code, out, err } = await lines(cluster, 'cm/foo -o name');
    expect({ code, out }).toEqual({
      code: 0,
      out: ['deployment.apps/bar', 'statefulset.apps/db', 'rollout.argoproj.io/api', 'cronjob.batch/report'],
    });
    expect(err).toBe(
      [
        'Warning: jobs are not looked at: jobs is forbidden: User "bob" cannot list resource "jobs"',
        'Warning: pods are not looked at: pods is forbidden: User "bob" cannot list resource "pods"',
        '',
      ].join('\n'),
    );
  });

  test('says nothing of a kind that may not be listed because it is not there', async () => {
    const cluster = shop();
    cluster.unlistable = ['rollouts'];
    expect((await lines(cluster, 'cm/foo')).err).toContain('Warning: rollouts are not looked at:');
    cluster.unserved = ['argoproj.io/v1alpha1/rollouts'];
    expect((await lines(cluster, 'cm/foo')).err).toBe('');
  });

  test('does not say that nothing uses it when nothing may be listed', async () => {
    const cluster = shop();
    cluster.unlistable = [
      'deployments',
      'statefulsets',
      'daemonsets',
      'rollouts',
      'replicasets',
      'cronjobs',
      'jobs',
      'pods',
    ];
    expect(await run(cluster, `${WHO} cm/foo`)).toEqual({
      code: 1,
      out: '',
      err: 'Error from server (Forbidden): deployments is forbidden: User "bob" cannot list resource "deployments"\n',
    });
  });

  test('tells managed users by their labels, and snapshots by their names', async () => {
    const cluster = shop();
    cluster.forbidden = ['foo', `foo-${NOW}`];
    cluster.unlistable = ['configmaps'];
    const { out, err } = await lines(cluster, 'cm/foo --no-headers');
    expect(out[0]).toBe(`deployment.apps/bar       volume config (/etc/foo)    app      ✔ Current (foo-${NOW})`);
    expect(err).toBe(
      [
        'Warning: configmap/foo may not be read: whether it exists, and whom it rolls out to, is told from the labels of its users',
        'Warning: configmaps is forbidden: User "bob" cannot list resource "configmaps"; snapshots are told by their names, and states from the labels of workloads',
        '',
      ].join('\n'),
    );
    expect((await lines(cluster, 'cm/foo -A --no-headers')).out[0]).toContain(`✔ Current (foo-${NOW})`);
  });

  test('finds CronJobs on servers that know them by an older version', async () => {
    const cluster = shop();
    cluster.unserved = ['batch/v1/cronjobs', 'argoproj.io/v1alpha1/rollouts'];
    const { out, err } = await run(cluster, `${WHO} cm/foo -o json`);
    expect(out).toContain('"apiVersion": "batch/v1beta1"');
    expect(err).toBe('');
  });
});

describe('places', () => {
  const places = (spec: Json) =>
    findPlaces({ spec }).map(({ kind, name, pointer, text, containers, pinnable, isLive }) =>
      [kind, name, pointer, text, containers.join(), pinnable ? 'pinnable' : '-', isLive ? 'live' : '-'].join(' | '),
    );
  const mount = (mountPath: string, more: Json = {}) => ({ name: 'v', mountPath, ...more });
  const one = { name: 'v', configMap: { name: 'foo' } };
  const at = '/spec/volumes/0/configMap/name';

  test.each<[string, Json, string[]]>([
    [
      'a volume at several paths, and in other containers elsewhere',
      {
        volumes: [one],
        initContainers: [{ name: 'init', volumeMounts: [mount('/a')] }],
        containers: [
          { name: 'a', volumeMounts: [mount('/a'), mount('/b')] },
          { name: 'b', volumeMounts: [mount('/a')] },
          { name: 'c' },
        ],
      },
      [
        `ConfigMap | foo | ${at} | volume v (/a) | init,b | pinnable | live`,
        `ConfigMap | foo | ${at} | volume v (/a, /b) | a | pinnable | live`,
      ],
    ],
    [
      'a sub-path, that no running pod sees change',
      { volumes: [one], containers: [{ name: 'a', volumeMounts: [mount('/a.yml', { subPath: 'a' })] }] },
      [`ConfigMap | foo | ${at} | volume v (/a.yml sub-path a) | a | pinnable | -`],
    ],
    [
      'no mount',
      { volumes: [one], containers: [] },
      [`ConfigMap | foo | ${at} | volume v (not mounted) |  | pinnable | -`],
    ],
    [
      'a projected volume',
      {
        volumes: [{ name: 'v', projected: { sources: [{ downwardAPI: {} }, { secret: { name: 's' } }] } }],
        containers: [{ name: 'a', volumeMounts: [mount('/p')] }],
      },
      ['Secret | s | /spec/volumes/0/projected/sources/1/secret/name | projected volume v (/p) | a | pinnable | live'],
    ],
    [
      'the environment',
      {
        initContainers: [{ name: 'init', envFrom: [{ secretRef: { name: 's' } }] }],
        containers: [
          {
            name: 'a',
            envFrom: [{ prefix: 'X_', configMapRef: { name: 'foo' } }],
            env: [
              { name: 'A', value: 'x' },
              { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
            ],
          },
        ],
      },
      [
        'Secret | s | /spec/initContainers/0/envFrom/0/secretRef/name | envFrom | init | pinnable | -',
        'ConfigMap | foo | /spec/containers/0/envFrom/0/configMapRef/name | envFrom (prefix X_) | a | pinnable | -',
        'Secret | s | /spec/containers/0/env/1/valueFrom/secretKeyRef/name | env B (key k) | a | pinnable | -',
      ],
    ],
    [
      'what names a Secret for the kubelet or a driver',
      {
        imagePullSecrets: [{ name: 'pull' }],
        volumes: [
          { name: 'v', csi: { driver: 'd', nodePublishSecretRef: { name: 'c' } } },
          { name: 'w', azureFile: { secretName: 'z' } },
          { name: 'x', rbd: { secretRef: { name: 'r' } } },
        ],
        containers: [{ name: 'a', volumeMounts: [mount('/c')] }],
      },
      [
        'Secret | c | /spec/volumes/0/csi/nodePublishSecretRef/name | csi volume v (/c) | a | - | -',
        'Secret | z | /spec/volumes/1/azureFile/secretName | azureFile volume w (not mounted) |  | - | -',
        'Secret | r | /spec/volumes/2/rbd/secretRef/name | rbd volume x (not mounted) |  | - | -',
        'Secret | pull | /spec/imagePullSecrets/0/name | imagePullSecret |  | - | -',
      ],
    ],
    ['nothing', {}, []],
  ])('%s', (_, spec, expected) => {
    expect(places(spec)).toEqual(expected);
  });
});

test('tables show control characters, and end no line with blanks', () => {
  expect(
    renderTable(
      ['A', 'B'],
      [
        ['x\u001b[31m\n', ''],
        ['✔', '1'],
      ],
    ),
  ).toBe('A           B\nx^[[31m^J\n✔           1\n');
  expect(renderTable(undefined, [['a', 'b']])).toBe('a   b\n');
});

test('tables show what would turn the direction of text, and leave text that is written from right to left', () => {
  for (const code of ['202A', '202E', '2066', '2069']) {
    const turned = `a${String.fromCharCode(Number.parseInt(code, 16))}b`;
    expect(renderTable(undefined, [[turned, 'c']])).toBe(`a<U+${code}>b   c\n`);
  }
  expect(renderTable(undefined, [['שלום', 'c']])).toBe('שלום   c\n');
});
