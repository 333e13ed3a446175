import { describe, expect, test } from '@jest/globals';
import { ClusterError } from '../../controller/app/errors.ts';
import type { Json } from '../../controller/cli/cluster.ts';
import { type Following, follow, parseTimeout } from '../../controller/cli/status/follow.ts';
import { readStatuses, type Statuses } from '../../controller/cli/status/read.ts';
import { parseSome } from '../../controller/cli/view/selection.ts';
import { deployment, MemoryCluster, run, secret } from '../support/cli.ts';
import {
  bar,
  DB,
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
  PAUSED_BAR,
  revision,
  shop,
  snapshot,
} from '../support/cli-revisions.ts';

const status = (cluster: MemoryCluster, args = '') => run(cluster, `kubectl config-rollout status ${args}`.trim());
const linesOf = (text: string) => text.trimEnd().split('\n');

const COMPLETE = { observedGeneration: 3, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
const MOVING = { observedGeneration: 3, replicas: 3, updatedReplicas: 1, availableReplicas: 2 };
const failing = (revision: string): Json => ({
  ...MOVING,
  conditions: [
    {
      type: 'Progressing',
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: `ReplicaSet "${revision}" has timed out progressing.`,
    },
  ],
});

/** The source, both snapshots, and revisions 6 and 7 of `bar`, that mounts `names` and was last rolled to `to`. */
function world(
  names: readonly string[],
  to: readonly string[],
  now: Json = COMPLETE,
  metadata: Json = {},
): MemoryCluster {
  return new MemoryCluster(
    foo(),
    snapshot('foo', FOO[0]),
    snapshot('foo', FOO[1]),
    { ...bar(names, to, metadata), status: now },
    revision('bar', 6, [FOO1], { image: 'app:2', days: 8 }),
    revision('bar', 7, [FOO2], { image: 'app:2', cause: 'configmap/foo: config.yml' }),
  );
}

const failedLabels = {
  'configrollout.dev/managed': 'owned',
  'configmap.configrollout.dev/foo': hashIn(FOO2),
  'configrollout.dev/after-revision': '6',
  'configrollout.dev/failed-rollout': '6',
};

describe('the state of a workload', () => {
  test.each<[state: string, cluster: MemoryCluster, row: string]>([
    ['Current', world([FOO2], [FOO2]), '✔ Current   1/1   7   2/2'],
    ['Progressing', world([FOO2], [FOO2], MOVING), '◌ Progressing   1/1   7   1/2   pods are being replaced'],
    ['Pending', world([FOO1], [FOO1]), '◌ Pending   0/1   6   2/2   configmap/foo: 1 change about to roll out'],
    [
      'Rolled back',
      world([FOO1], [FOO2]),
      '↩ Rolled back   0/1   6   2/2   configmap/foo: went back; the next change rolls out again',
    ],
    [
      'Failed',
      world([FOO2], [FOO2], failing('bar-7')),
      '✘ Failed   0/1   7   1/2   configmap/foo: no progress within the deadline',
    ],
    [
      'Progressing, with a verdict of the rollout before',
      world([FOO2], [FOO2], failing('bar-6')),
      '◌ Progressing   1/1   7   1/2   pods are being replaced',
    ],
    [
      'taken back after a failure',
      world([FOO1], [FOO2], COMPLETE, { labels: failedLabels }),
      '↩ Rolled back   0/1   6   2/2   configmap/foo: failed, and taken back; the next change rolls out again',
    ],
    [
      'a snapshot that is gone',
      world([GONE], [FOO2]),
      `✘ Snapshot missing   0/1   <none>   2/2   configmap/${GONE}: mounted, and gone; new pods cannot start`,
    ],
    [
      'not managed',
      world([FOO2], [FOO2], COMPLETE, { labels: { 'configrollout.dev/managed': 'none' } }),
      'not managed   <none>   7   2/2   no ConfigMap or Secret that its template names is opted in',
    ],
  ])('%s', async (_, cluster, row) => {
    const { code, out, err } = await status(cluster, 'deploy/bar --watch=false --no-headers');
    const isFailed = /✘|failed/.test(row);
    expect({ code, out, err }).toEqual({
      code: isFailed ? 1 : 0,
      out: `deployment.apps/bar   ${row}\n`,
      err: '',
    });
    expect(cluster.writes).toEqual([]);
  });

  test('Paused, once a change waits; before, only the message says so', async () => {
    const waiting = world([FOO1], [FOO1]);
    waiting.put(PAUSED_BAR);
    expect((await status(waiting, 'deploy/bar --no-headers')).out).toBe(
      'deployment.apps/bar   ॥ Paused   0/1   6   2/2   configmap/foo: 1 change waiting\n',
    );
    const quiet = world([FOO2], [FOO2]);
    quiet.put(PAUSED_BAR);
    expect((await status(quiet, 'deploy/bar --no-headers')).out).toBe(
      'deployment.apps/bar   ✔ Current   1/1   7   2/2   paused: the next change waits\n',
    );
  });

  test('takes a rollout that the ConfigRollout says is complete for complete, whatever its pods do later', async () => {
    const cluster = world([FOO2], [FOO2], failing('bar-7'));
    const to = hashIn(FOO2);
    const lastRollout = {
      time: daysAgo(1),
      outcome: 'Complete',
      sources: [{ kind: 'ConfigMap', name: 'foo', to }],
    };
    const sources = [{ kind: 'ConfigMap', name: 'foo', hash: to, rolledHash: to, state: 'Current' }];
    cluster.put({
      ...PAUSED_BAR,
      spec: { workload: { kind: 'Deployment', name: 'bar' } },
      status: { sources, lastRollout },
    });
    expect((await status(cluster, 'deploy/bar --no-headers')).out).toMatch(/✔ Current/);
  });
});

describe('the table', () => {
  const two = () => {
    const cluster = shop();
    cluster.put({ ...bar([FOO2, DB1], [FOO2, DB2], { labels: { team: 'a', ...labelsOf() } }), status: COMPLETE });
    return cluster;
  };
  const labelsOf = () => ({
    'configrollout.dev/managed': 'owned',
    'configmap.configrollout.dev/foo': hashIn(FOO2),
    'secret.configrollout.dev/db': hashIn(DB2),
  });

  test('has all that are managed, of all kinds', async () => {
    const { code, out, err } = await status(two());
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(linesOf(out)).toEqual([
      'NAME                     STATE           SOURCES   REVISION   UPDATED   MESSAGE',
      'deployment.apps/bar      ↩ Rolled back   1/2       <none>     2/2       secret/db: went back; the next change rolls out again',
      'statefulset.apps/store   ◌ Progressing   1/1       3          0/2       pods are being replaced',
    ]);
  });

  test('names the snapshots with -o wide, and no content of Secrets anywhere', async () => {
    const { out } = await status(two(), '-o wide');
    expect(linesOf(out)[1]).toContain(`✔ configmap/${FOO2}, ↩ secret/${DB1}`);
    const all = await Promise.all(['-o wide', '-o json', '-o yaml'].map((args) => status(two(), args)));
    for (const password of PASSWORDS) expect(JSON.stringify(all)).not.toContain(password);
  });

  test('names the pins of what is not managed with -o wide, as who-uses does', async () => {
    const none = world([FOO1], [FOO1], COMPLETE, { labels: { 'configrollout.dev/managed': 'none' } });
    expect((await status(none, 'deploy/bar -o wide')).out).toContain(`not managed (pinned: configmap/${FOO1})`);
    const cluster = two();
    cluster.put({
      ...bar([FOO2, DB1], [], { labels: { ...labelsOf(), 'secret.configrollout.dev/db': 'excluded' } }),
      status: COMPLETE,
    });
    expect((await status(cluster, 'deploy/bar -o wide')).out).toContain(
      `✔ configmap/${FOO2}, not managed (pinned: secret/${DB1})`,
    );
  });

  test('is narrowed by type and label', async () => {
    expect((await status(two(), 'sts -o name')).out).toBe('statefulset.apps/store\n');
    expect((await status(two(), '-l team=a --watch=false -o name')).out).toBe('deployment.apps/bar\n');
    expect(await status(two(), 'daemonsets')).toEqual({
      code: 0,
      out: '',
      err: 'No resources found in default namespace.\n',
    });
  });

  test('says the namespace with -A', async () => {
    const cluster = new MemoryCluster(
      ...[foo(), snapshot('foo', FOO[1]), { ...bar([FOO2], [FOO2]), status: COMPLETE }].map((object) => ({
        ...(object as Json),
        metadata: { ...(object as { metadata: Json }).metadata, namespace: 'prod' },
      })),
    );
    expect(linesOf((await status(cluster, '-A')).out)).toEqual([
      'NAMESPACE   NAME                  STATE       SOURCES   REVISION   UPDATED   MESSAGE',
      'prod        deployment.apps/bar   ✔ Current   1/1       <none>     2/2',
    ]);
    expect((await status(new MemoryCluster(), '-A')).err).toBe('No resources found\n');
  });

  test('is an object of items for machines, with the status as the controller writes it', async () => {
    const { out } = await status(world([FOO2], [FOO2]), 'deploy/bar -o json');
    const { items } = JSON.parse(out);
    expect(items).toEqual([
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        namespace: 'default',
        name: 'bar',
        uid: 'uid-bar',
        revision: 7,
        updated: 2,
        desired: 2,
        paused: false,
        status: {
          conditions: [
            expect.objectContaining({ type: 'Ready', status: 'True', reason: 'Current' }),
            expect.objectContaining({ type: 'Progressing', status: 'False', reason: 'Complete' }),
            expect.objectContaining({ type: 'Degraded', status: 'False', reason: 'AsExpected' }),
          ],
          sources: [
            {
              kind: 'ConfigMap',
              name: 'foo',
              hash: hashIn(FOO2),
              rolledHash: hashIn(FOO2),
              snapshot: FOO2,
              state: 'Current',
            },
          ],
          lastRollout: {
            time: expect.stringMatching(/Z$/),
            outcome: 'Complete',
            cause: 'configmap/foo: config.yml',
            sources: [{ kind: 'ConfigMap', name: 'foo', to: hashIn(FOO2) }],
          },
        },
      },
    ]);
    expect((await status(new MemoryCluster(), '-o yaml')).out).toBe('items: []\n');
  });
});

describe('pods that a rollout leaves as they are', () => {
  const store = (updateStrategy: Json, updatedReplicas: number) => {
    const cluster = shop();
    const object = cluster.objects.get('statefulsets/store') as { spec: Json };
    cluster.put({
      ...object,
      spec: { ...object.spec, updateStrategy },
      status: { observedGeneration: 3, replicas: 2, readyReplicas: 2, updatedReplicas },
    });
    return cluster;
  };
  const onDelete = { type: 'OnDelete' };
  const partition = { type: 'RollingUpdate', rollingUpdate: { partition: 1 } };

  test.each([
    [onDelete, 0, '2 pods keep older config until they are deleted (OnDelete)'],
    [onDelete, 1, '1 pod keeps older config until it is deleted (OnDelete)'],
    [onDelete, 2, undefined],
    [partition, 1, '1 pod keeps older config while the partition is 1'],
    [{ type: 'RollingUpdate' }, 1, 'pods are being replaced'],
  ])('%j with %i updated', async (strategy, updated, message) => {
    const { code, out } = await status(store(strategy, updated), 'sts/store --watch=false --no-headers');
    const [, , , , pods, said] = linesOf(out).at(-1)?.split(/ {3,}/) ?? [];
    expect({ code, pods, said }).toEqual({ code: 0, pods: `${updated}/2`, said: message });
  });

  test('are told of when the rollout ends, too', async () => {
    const [target] = parseSome(['sts/store']);
    const looks = [store({ type: 'RollingUpdate' }, 0), store(onDelete, 1)];
    const told: string[] = [];
    await follow({
      look: () => readStatuses(looks.shift() as MemoryCluster, { targets: target ? [target] : [] }),
      tell: (line) => void told.push(line),
      warn: () => undefined,
      timeoutMs: undefined,
      sleep: async () => undefined,
      now: () => 0,
    });
    expect(told.at(-1)).toBe(
      'statefulset.apps/store: ✔ Current, 1 pod keeps older config until it is deleted (OnDelete)\n',
    );
  });
});

describe('what may not be read', () => {
  test('ConfigRollouts: told, but not where they are not installed', async () => {
    const cluster = world([FOO2], [FOO2]);
    cluster.unlistable = ['configrollouts'];
    const { code, err } = await status(cluster);
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringMatching(/^Warning: whether rollouts are paused is not known: configrollouts is forbidden/),
    });
    cluster.unserved = ['configrollout.dev/v1alpha1/configrollouts'];
    expect((await status(cluster)).err).toBe('');
  });

  test('a source: what was rolled out last is taken for its content', async () => {
    // One that no snapshot says to have been made of, so that it has to be read.
    const cluster = world([FOO2], [FOO2]);
    cluster.forbidden = ['foo'];
    const { out, err } = await status(cluster, '--no-headers');
    expect(out).toMatch(/✔ Current/);
    expect(err).toBe(
      'Warning: configmap/foo may not be read: what was rolled out last is taken for its content of now\n',
    );
  });
});

describe('a Secret', () => {
  const secretUser = (labels: Json) => {
    const cluster = shop();
    cluster.put({ ...deployment('bar', mounting(['db']), { labels }), status: COMPLETE });
    return cluster;
  };

  test('that the label asks for, and that was never rolled out, counts for nothing: it may be no business of the controller', async () => {
    const cluster = secretUser({ 'configrollout.dev/managed': 'all' });
    cluster.put(secret('db', {}, { data: DB[1] }));
    expect((await status(cluster, 'deploy/bar --no-headers')).out).toMatch(/not managed +<none>/);
    expect(cluster.contentReads).not.toContain('secrets/db');
  });

  test('that is opted in by name is pending, with a word on why that may stay so', async () => {
    const { out, err } = await status(secretUser({}), 'deploy/bar --watch=false');
    expect(out).toMatch(/◌ Pending +0\/1/);
    expect(err).toBe('Warning: secret/db: changes of Secrets roll out only where the controller runs with --secrets\n');
  });
});

describe('arguments', () => {
  test.each([
    ['cm/foo', /configmap\/foo is no workload/],
    ['deploy/bar -A', /a resource cannot be retrieved by name across all namespaces/],
    ['deploy/bar -l a=b', /name cannot be provided when a selector is specified/],
    ['--watch=perhaps', /invalid argument "perhaps" for "-w, --watch" flag/],
    ['--timeout 5', /invalid argument "5" for "--timeout" flag: it is a duration/],
    ['-o custom', /unable to match a printer suitable for the output format "custom"/],
  ])('%s is refused', async (args, message) => {
    const { code, out, err } = await status(shop(), args);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
  });

  test('a workload that does not exist is an error', async () => {
    expect(await status(shop(), 'deploy/none')).toEqual({
      code: 1,
      out: '',
      err: 'Error from server (NotFound): deployments.apps "none" not found\n',
    });
  });

  test.each([
    ['0', undefined],
    ['0s', undefined],
    ['90s', 90_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
  ])('--timeout %s', (text, ms) => {
    expect(parseTimeout(text)).toBe(ms);
  });
});

describe('a watch', () => {
  const named = { targets: [{ resource: resourceOf(), name: 'bar' }] };
  const seen = (cluster: MemoryCluster): Promise<Statuses> => readStatuses(cluster, named);

  /** Looks at one after the other, and at the last for ever; every second of the clock is a sleep. */
  async function watch(looks: readonly (() => Promise<Statuses>)[], timeoutMs?: number) {
    const told: string[] = [];
    const warned: string[] = [];
    let [i, now] = [0, 0];
    const following: Following = {
      look: () => (looks[Math.min(i++, looks.length - 1)] as () => Promise<Statuses>)(),
      tell: (line) => void told.push(line.trimEnd()),
      warn: (text) => void warned.push(`${now / 1000}s: ${text}`),
      timeoutMs,
      sleep: async (ms) => {
        now += ms;
      },
      now: () => now,
    };
    const end = await follow(following).then(
      ({ statuses }) => statuses.map(({ reason }) => reason).join(),
      (error: Error) => error.message,
    );
    return { told, end, now, warned };
  }
  const unavailable = async () => {
    throw new ClusterError('Unavailable', 'connection refused');
  };

  test('tells what changes, and ends with the rollout', async () => {
    const looks = [
      world([FOO1], [FOO1]),
      world([FOO1], [FOO1]),
      world([FOO2], [FOO2], MOVING),
      world([FOO2], [FOO2], { ...MOVING, updatedReplicas: 2 }),
      world([FOO2], [FOO2]),
    ];
    expect(await watch(looks.map((cluster) => () => seen(cluster)))).toEqual({
      told: [
        'deployment.apps/bar: ◌ Pending, configmap/foo: 1 change about to roll out',
        'deployment.apps/bar: ◌ Progressing, 1/2 updated',
        'deployment.apps/bar: ◌ Progressing, 2/2 updated',
        'deployment.apps/bar: ✔ Current, 2/2 updated',
      ],
      end: 'Current',
      // One second after each, and two after a look that showed nothing new.
      now: 5000,
      warned: [],
    });
  });

  test('looks less often while nothing changes', async () => {
    const times: number[] = [];
    let now = 0;
    const moving = world([FOO2], [FOO2], MOVING);
    const done = world([FOO2], [FOO2]);
    await follow({
      look: () => {
        times.push(now / 1000);
        return seen(times.length < 8 ? moving : done);
      },
      tell: () => undefined,
      warn: () => undefined,
      timeoutMs: undefined,
      sleep: async (ms) => {
        now += ms;
      },
      now: () => now,
    });
    expect(times).toEqual([0, 1, 3, 7, 12, 17, 22, 27]);
  });

  test('tells each warning at once, and once, and says it again when the time is up', async () => {
    const cluster = shop();
    cluster.put({ ...deployment('bar', mounting(['db']), { labels: {} }), status: COMPLETE });
    const warning = 'secret/db: changes of Secrets roll out only where the controller runs with --secrets';
    const { warned, end } = await watch([() => seen(cluster)], 10_000);
    expect(warned).toEqual([`0s: ${warning}`]);
    expect(end).toBe(
      `timed out waiting for deployment.apps/bar: ◌ Pending, secret/db: 1 change about to roll out (${warning})`,
    );
    const { err } = await status(cluster, 'deploy/bar --timeout 1ms');
    expect(err).toBe(`Warning: ${warning}\nerror: ${end}\n`);
  });

  test('says once what to look at when nothing begins', async () => {
    const { warned } = await watch([() => seen(world([FOO1], [FOO1]))], 120_000);
    expect(warned).toEqual([
      '32s: deployment.apps/bar has been pending for a while: no controller seems to work on it; check that one runs (kubectl -n config-rollout get pods), that it runs with --namespaces and --namespace-selector that include default, and what its log says',
    ]);
    const cluster = shop();
    cluster.put({ ...bar([FOO2, DB1], [FOO2, DB1]), status: COMPLETE });
    const ofSecret = await watch([() => seen(cluster)], 40_000);
    expect(ofSecret.warned).toEqual([expect.stringContaining('runs with --secrets, and with --namespaces')]);
  });

  test('has no such hint while pods are replaced, or while a policy holds the change', async () => {
    expect((await watch([() => seen(world([FOO2], [FOO2], MOVING))], 120_000)).warned).toEqual([]);
    const held = world([FOO1], [FOO1]);
    const lastRollout = { time: daysAgo(0), outcome: 'Complete', sources: [] };
    const spec = { workload: { kind: 'Deployment', name: 'bar' }, minInterval: '5h' };
    held.put({ ...PAUSED_BAR, spec, status: { lastRollout } });
    expect((await watch([() => seen(held)], 120_000)).warned).toEqual([]);
  });

  test('says nothing of what has ended before', async () => {
    expect(await watch([() => seen(world([FOO2], [FOO2]))])).toEqual({ told: [], end: 'Current', now: 0, warned: [] });
  });

  test('waits for the pods of an undo', async () => {
    const verdictBefore = failing('bar-7');
    const looks = [world([FOO1], [FOO2], verdictBefore), world([FOO1], [FOO2], MOVING), world([FOO1], [FOO2])];
    expect(await watch(looks.map((cluster) => () => seen(cluster)))).toMatchObject({ end: 'RolledBack', now: 3000 });
  });

  test('gives up when the time is up, and says what it waits for', async () => {
    expect(await watch([() => seen(world([FOO2], [FOO2], MOVING))], 2500)).toEqual({
      told: ['deployment.apps/bar: ◌ Progressing, 1/2 updated'],
      end: 'timed out waiting for deployment.apps/bar: ◌ Progressing, 1/2 updated',
      now: 2500,
      warned: [],
    });
  });

  test('gets over a server that restarts, but not over one that is not there', async () => {
    const moving = () => seen(world([FOO2], [FOO2], MOVING));
    const done = () => seen(world([FOO2], [FOO2]));
    expect(await watch([moving, unavailable, unavailable, done])).toMatchObject({ end: 'Current' });
    expect(await watch([moving, unavailable])).toMatchObject({ end: 'connection refused' });
    expect(await watch([unavailable, done])).toMatchObject({ end: 'connection refused', now: 0 });
  });

  test('exits with 1 when a rollout failed, and with 0 otherwise', async () => {
    const failed = await status(world([FOO2], [FOO2], failing('bar-7')), 'deploy/bar');
    expect(failed.code).toBe(1);
    expect(failed.out).toMatch(/✘ Failed/);
    expect((await status(world([FOO1], [FOO2]), 'deploy/bar')).code).toBe(0);
    expect((await status(world([FOO1], [FOO2], COMPLETE, { labels: failedLabels }), 'deploy/bar')).code).toBe(1);
    expect((await status(world([FOO2], [FOO2], failing('bar-7')))).code).toBe(0);
  });

  test('looks twice before it says that a snapshot is missing: lists are not of one moment', async () => {
    const cluster = world([FOO2], [FOO2]);
    const snapshots = [...cluster.objects].filter(([key]) => key === `configmaps/${FOO2}`);
    cluster.objects.delete(`configmaps/${FOO2}`);
    const list = cluster.list.bind(cluster);
    let lists = 0;
    cluster.list = (resource, options) => {
      if (resource.resource === 'configmaps' && ++lists === 2)
        for (const [key, object] of snapshots) cluster.objects.set(key, object);
      return list(resource, options);
    };
    expect((await status(cluster, 'deploy/bar')).out).toMatch(/✔ Current/);
  });
});

function resourceOf() {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    resource: 'deployments',
    printed: 'deployment.apps',
    aliases: ['deployment'],
  };
}
