import { describe, expect, test } from '@jest/globals';
import type { Json } from '../../controller/cli/cluster.ts';
import { ageOf } from '../../controller/cli/view/age.ts';
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
  mounting,
  PASSWORDS,
  revision,
  shop,
  snapshot,
} from '../support/cli-revisions.ts';

const history = (cluster: MemoryCluster, args: string) => run(cluster, `kubectl config-rollout history ${args}`.trim());
const linesOf = (text: string) => text.trimEnd().split('\n');
/** The cells of one column, by its header. */
async function column(cluster: MemoryCluster, args: string, header: string): Promise<string[]> {
  const [head = '', ...rows] = linesOf((await history(cluster, args)).out);
  const at = head.split(/ {3,}/).indexOf(header);
  return rows.map((row) => row.split(/ {3,}/)[at] ?? '');
}

describe('history', () => {
  test('prints a line for each revision and source', async () => {
    const { code, out, err } = await history(shop(), 'deployment/bar');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(linesOf(out)).toEqual([
      'REVISION   SOURCE          SNAPSHOT         AGE   CHANGED                         CHANGE-CAUSE',
      '5          configmap/foo   <raw>            9d    (first)                         <none>',
      '5          secret/db       <raw>            9d    (first)                         <none>',
      `6          configmap/foo   ${FOO1}   8d    <unknown>                       configmap/foo: first snapshot; secret/db: first snapshot`,
      `6          secret/db       ${DB1}    8d    <unknown>                       configmap/foo: first snapshot; secret/db: first snapshot`,
      `7*         configmap/foo   ${FOO2}   25h   ~config.yml +tls.yml -old.yml   configmap/foo: config.yml, tls.yml`,
      `7*         secret/db       ${DB2}    25h   ~password +ca.crt               configmap/foo: config.yml, tls.yml`,
    ]);
  });

  test('says which workload a line is about where there are several, and with -o wide what ran', async () => {
    const { out } = await history(shop(), 'sts/store deploy/bar -o wide --no-headers');
    const store = (number: string, snapshot: string, age: string, changed: string) => [
      ...['statefulset.apps/store', number, 'configmap/foo', snapshot, age, changed, '<none>'],
      ...[`controllerrevision.apps/store-${number[0]}`, 'app:1'],
    ];
    const cells = linesOf(out).map((line) => line.split(/ {3,}/));
    expect(cells.slice(0, 3)).toEqual([
      store('1', '<gone>', '25h', '(first)'),
      store('2', FOO1, '2d1h', '<unknown>'),
      store('3*', FOO2, '3d1h', '~config.yml +tls.yml -old.yml'),
    ]);
    expect(cells.slice(3).map(([name]) => name)).toEqual(Array(6).fill('deployment.apps/bar'));
    expect(out).toMatch(/7\* .* replicaset\.apps\/bar-7 +app:2$/m);
  });

  test('shows all of a type, or those with a label', async () => {
    const cluster = shop();
    cluster.put(deployment('labelled', mounting([FOO2]), { labels: { team: 'a' } }));
    cluster.put(revision('labelled', 1, [FOO2]));
    expect(await column(cluster, 'deployments,sts', 'NAME')).toEqual([
      ...Array(6).fill('deployment.apps/bar'),
      'deployment.apps/labelled',
      ...Array(3).fill('statefulset.apps/store'),
    ]);
    expect(await column(cluster, 'deploy -l team=a', 'NAME')).toEqual(['deployment.apps/labelled']);
    expect(await history(cluster, 'deploy/bar -l team=a')).toMatchObject({
      code: 1,
      err: expect.stringContaining('error: name cannot be provided when a selector is specified'),
    });
    expect(await history(cluster, 'daemonsets')).toEqual({
      code: 0,
      out: '',
      err: 'No resources found in default namespace.\n',
    });
  });

  test('prints the objects alone, for xargs', async () => {
    expect(linesOf((await history(shop(), 'sts/store deploy/bar -o name')).out)).toEqual([
      ...[1, 2, 3].map((number) => `controllerrevision.apps/store-${number}`),
      ...[5, 6, 7].map((number) => `replicaset.apps/bar-${number}`),
    ]);
  });

  test('prints the same for machines', async () => {
    const { items } = JSON.parse((await history(shop(), 'deploy/bar --revision 7 -o json')).out);
    expect(items[0]).toEqual({
      workload: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'default', name: 'bar', uid: 'uid-bar' },
      revision: 7,
      current: true,
      object: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'bar-7', uid: 'uid-bar-7' },
      created: expect.stringMatching(/^\d{4}-.*Z$/),
      changeCause: 'configmap/foo: config.yml, tls.yml',
      images: ['app:2'],
      source: { kind: 'ConfigMap', name: 'foo' },
      snapshots: [FOO2],
      gone: [],
      raw: false,
      first: false,
      changes: { changed: ['config.yml'], added: ['tls.yml'], removed: ['old.yml'] },
    });
    expect(items).toHaveLength(2);
    const gone = JSON.parse((await history(shop(), 'sts/store --revision 1 -o json')).out).items;
    expect(gone).toMatchObject([{ snapshots: [], gone: [GONE], first: true }]);
  });

  test('tells a revision that changed something else from one that changed config', async () => {
    const cluster = new MemoryCluster(
      foo(),
      snapshot('foo', FOO[0]),
      snapshot('foo', FOO[1]),
      bar([FOO2], [FOO2]),
      revision('bar', 1, [FOO1]),
      revision('bar', 2, [FOO1], { image: 'app:0' }),
      revision('bar', 3, ['other']),
      revision('bar', 4, [FOO2], { image: 'app:2' }),
    );
    expect(await column(cluster, 'deploy/bar', 'CHANGED')).toEqual([
      '(first)',
      '<none>',
      '~config.yml +tls.yml -old.yml',
    ]);
    expect(await column(cluster, 'deploy/bar', 'REVISION')).toEqual(['1', '2', '4*']);
  });

  test('names a few keys only, but with -o wide', async () => {
    const many = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, 'x']));
    const after = snapshot('foo', many);
    const name = (after['metadata'] as { name: string }).name;
    const cluster = new MemoryCluster(
      foo(many),
      snapshot('foo', {}),
      after,
      bar([name], [name]),
      revision('bar', 1, [(snapshot('foo', {})['metadata'] as { name: string }).name]),
      revision('bar', 2, [name], { image: 'app:2' }),
    );
    expect((await column(cluster, 'deploy/bar', 'CHANGED'))[1]).toBe('+k0 +k1 +k2 +k3 +k4 and 3 more');
    expect((await column(cluster, 'deploy/bar -o wide', 'CHANGED'))[1]).toBe('+k0 +k1 +k2 +k3 +k4 +k5 +k6 +k7');
  });

  test('reads the snapshots that it compares, and no source', async () => {
    const cluster = shop();
    await history(cluster, 'deploy/bar --revision 7');
    const read = cluster.contentReads.filter((key) => /^(configmaps|secrets)\//.test(key));
    expect(read.sort()).toEqual(
      [`configmaps/${FOO1}`, `configmaps/${FOO2}`, `secrets/${DB1}`, `secrets/${DB2}`].sort(),
    );
    expect(cluster.writes).toEqual([]);
  });

  test.each(['', '-o wide', '-o json', '-o yaml'])('shows no value of a Secret %s', async (flags) => {
    const { out, err } = await history(shop(), `deploy/bar ${flags}`.trim());
    for (const password of PASSWORDS) {
      expect(out + err).not.toContain(password);
      expect(out + err).not.toContain(Buffer.from(password).toString('base64'));
    }
  });

  test('goes on without Secrets that may not be seen, and says so', async () => {
    const cluster = shop();
    cluster.unlistable = ['secrets'];
    const { code, out, err } = await history(cluster, 'deploy/bar');
    expect(code).toBe(0);
    expect(linesOf(out)).toHaveLength(4);
    expect(err).toMatch(/^Warning: Secrets are not looked at: secrets is forbidden: /);
    // Nothing of that is of interest where no Secret was rolled out.
    expect((await history(cluster, 'sts/store')).err).toBe('');
  });

  test('does not know what changed in a snapshot that may not be read', async () => {
    const cluster = shop();
    cluster.forbidden = [DB1];
    expect((await column(cluster, 'deploy/bar', 'CHANGED')).at(-1)).toBe('<unknown>');
  });

  test.each<[args: string, code: number, err: RegExp]>([
    ['', 1, /^error: name a workload, as deployment\|/],
    ['deploy/none', 1, /^Error from server \(NotFound\): deployments\.apps "none" not found\n$/],
    ['cm/foo', 1, /^error: configmap\/foo is no workload; /],
    ['deploy/bar --revision 4', 1, /^error: deployment\.apps\/bar has no revision 4 .*\(there are: 5, 6, 7\)\n$/],
    ['deploy/bar --revision x', 1, /^error: "x" is no revision: /],
    ['deploy/bar -o jsonpath=x', 1, /^error: unable to match a printer /],
    ['deploy/unmanaged', 0, /^Warning: no revision of deployment\.apps\/unmanaged has configuration /],
  ])('history %s ends with %i', async (args, code, err) => {
    const outcome = await history(shop(), args);
    expect(outcome).toMatchObject({ code, out: '' });
    expect(outcome.err).toMatch(err);
  });

  test('shows what opted out, or was deleted, as long as revisions name its snapshots', async () => {
    const cluster = shop();
    cluster.objects.delete('configmaps/foo');
    expect(await column(cluster, 'deploy/bar --revision 7', 'SNAPSHOT')).toEqual([FOO2, DB2]);
    cluster.put(configMap('foo'));
    cluster.put(deployment('bar', mounting([FOO2, DB2], 'app:2')) as Json);
    expect(await column(cluster, 'deploy/bar --revision 7', 'SNAPSHOT')).toEqual([FOO2, DB2]);
  });
});

describe('an age', () => {
  const SECOND = 1000;
  const MINUTE = 60 * SECOND;
  const HOUR = 60 * MINUTE;
  const DAY = 24 * HOUR;
  test.each([
    [-5 * SECOND, '0s'],
    [119 * SECOND, '119s'],
    [2 * MINUTE, '2m'],
    [125 * SECOND, '2m5s'],
    [10 * MINUTE + 5 * SECOND, '10m'],
    [179 * MINUTE, '179m'],
    [3 * HOUR + 10 * MINUTE, '3h10m'],
    [9 * HOUR + 10 * MINUTE, '9h'],
    [47 * HOUR, '47h'],
    [2 * DAY + 3 * HOUR, '2d3h'],
    [9 * DAY + 3 * HOUR, '9d'],
    [729 * DAY, '729d'],
    [731 * DAY, '2y1d'],
    [9 * 365 * DAY + DAY, '9y'],
  ])('of %i ms is %s, as kubectl prints it', (ms, text) => {
    expect(ageOf(1e12 - ms, 1e12)).toBe(text);
  });

  test('is not known of what does not say', () => {
    expect(ageOf(undefined, 1e12)).toBe('<unknown>');
  });
});
