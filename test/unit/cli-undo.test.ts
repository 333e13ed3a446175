import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { Json } from '../../controller/cli/cluster.ts';
import { deployment, MemoryCluster, ownerOf, run, secret } from '../support/cli.ts';
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
  PAUSED_BAR,
  revision,
  shop,
  snapshot,
} from '../support/cli-revisions.ts';

const undo = (cluster: MemoryCluster, args: string) => run(cluster, `kubectl config-rollout undo ${args}`.trim());
const keeps = (source: string) => `Warning: ${source} keeps its newer content; its next change rolls out again\n`;

/** What the template of an object names, in order, and its image. */
function templateOf(cluster: MemoryCluster, key = 'deployments/bar') {
  const { spec } = cluster.objects.get(key) as { spec: { template: { spec: Json } } };
  const { containers, volumes } = spec.template.spec as {
    containers: readonly { image: string }[];
    volumes: readonly { configMap?: { name: string }; secret?: { secretName: string } }[];
  };
  return {
    image: containers[0]?.image,
    names: volumes.map(({ configMap, secret }) => configMap?.name ?? secret?.secretName),
  };
}

const metadataOf = (cluster: MemoryCluster, key = 'deployments/bar') =>
  (cluster.objects.get(key) as { metadata: { labels: Json; annotations?: Json } }).metadata;

/** Deployment `bar` with `foo` only: revision 1 ran with the former content, revision 2 is that of now. */
function small(more: Json = {}): MemoryCluster {
  return new MemoryCluster(
    foo(),
    snapshot('foo', FOO[0]),
    snapshot('foo', FOO[1]),
    { ...bar([FOO2], [FOO2]), ...more },
    revision('bar', 1, [FOO1]),
    revision('bar', 2, [FOO2], { image: 'app:2' }),
  );
}

describe('undo', () => {
  test('brings the config before back, and leaves image and state labels as they are', async () => {
    const cluster = shop();
    const labels = metadataOf(cluster).labels;
    expect(await undo(cluster, 'deployment/bar')).toEqual({
      code: 0,
      out: 'deployment.apps/bar rolled back\n',
      err: keeps('configmap/foo') + keeps('secret/db'),
    });
    expect(templateOf(cluster)).toEqual({ image: 'app:2', names: [FOO1, DB1] });
    const { annotations, labels: after } = metadataOf(cluster);
    expect(after).toEqual(labels);
    const cause = `configmap/foo: back to ${FOO1} (revision 6); secret/db: back to ${DB1} (revision 6)`;
    expect(annotations).toEqual({ 'kubernetes.io/change-cause': cause, 'configrollout.dev/change-cause': cause });
    expect(cluster.writes).toMatchObject([
      { key: 'deployments/bar', manager: 'kubectl-config-rollout', dryRun: false },
    ]);
  });

  test('guards each value that it replaces', async () => {
    const cluster = small();
    await undo(cluster, 'deploy/bar');
    const path = '/spec/template/spec/volumes/0/configMap/name';
    expect(cluster.writes[0]?.body).toEqual([
      { op: 'test', path: '/metadata/uid', value: 'uid-bar' },
      { op: 'test', path: '/metadata/generation', value: 3 },
      { op: 'test', path: '/metadata/resourceVersion', value: '9' },
      { op: 'test', path, value: FOO2 },
      { op: 'replace', path, value: FOO1 },
      expect.objectContaining({ op: 'add', path: '/metadata/annotations/kubernetes.io~1change-cause' }),
      expect.objectContaining({ op: 'add', path: '/metadata/annotations/configrollout.dev~1change-cause' }),
    ]);
  });

  test('goes back to the revision, and with the source, that was named', async () => {
    const cluster = shop();
    expect(await undo(cluster, 'deploy/bar --to-revision 6 --source configmap/foo')).toEqual({
      code: 0,
      out: 'deployment.apps/bar rolled back\n',
      err: keeps('configmap/foo'),
    });
    expect(templateOf(cluster).names).toEqual([FOO1, DB2]);
    expect(await undo(cluster, 'deploy/bar --to-revision=6 --source secret/db --field-manager me')).toMatchObject({
      code: 0,
      err: keeps('secret/db'),
    });
    expect(templateOf(cluster).names).toEqual([FOO1, DB1]);
    expect(cluster.writes.map(({ manager }) => manager)).toEqual(['kubectl-config-rollout', 'me']);
  });

  test('has no warning for content that is that of now', async () => {
    const cluster = small();
    cluster.put(bar([FOO1], [FOO2]));
    expect(await undo(cluster, 'deploy/bar --to-revision 2')).toEqual({
      code: 0,
      out: 'deployment.apps/bar rolled back\n',
      err: '',
    });
    expect(templateOf(cluster).names).toEqual([FOO2]);
  });

  test('skips what is so already', async () => {
    const cluster = shop();
    expect(await undo(cluster, 'deploy/bar --to-revision 7')).toEqual({
      code: 0,
      out: 'deployment.apps/bar skipped rollback (current config is that of revision 7)\n',
      err: '',
    });
    expect(cluster.writes).toEqual([]);
  });

  test('goes past revisions that changed something else, and raw ones', async () => {
    const cluster = small();
    cluster.put(revision('bar', 3, ['foo'], { image: 'app:3' }));
    cluster.put(revision('bar', 4, [FOO2], { image: 'app:4' }));
    cluster.put(revision('bar', 5, [FOO2], { image: 'app:5' }));
    cluster.put(deployment('bar', mounting([FOO2], 'app:5'), { labels: metadataOf(cluster).labels }));
    expect((await undo(cluster, 'deploy/bar --to-revision=0')).code).toBe(0);
    expect(templateOf(cluster)).toEqual({ image: 'app:5', names: [FOO1] });
  });

  test('goes past one in which another source was raw', async () => {
    const cluster = shop();
    cluster.put(revision('bar', 5, [FOO1, DB1]));
    cluster.put(revision('bar', 6, [FOO1, 'db']));
    expect((await undo(cluster, 'deploy/bar')).code).toBe(0);
    expect(templateOf(cluster).names).toEqual([FOO1, DB1]);
    expect(metadataOf(cluster).annotations).toHaveProperty(
      ['kubernetes.io/change-cause'],
      expect.stringContaining('(revision 5)'),
    );
  });

  test('brings a StatefulSet back, that has no annotations yet', async () => {
    const cluster = shop();
    expect((await undo(cluster, 'sts/store')).out).toBe('statefulset.apps/store rolled back\n');
    expect(templateOf(cluster, 'statefulsets/store').names).toEqual([FOO1]);
    expect(metadataOf(cluster, 'statefulsets/store').annotations).toHaveProperty(
      ['kubernetes.io/change-cause'],
      `configmap/foo: back to ${FOO1} (revision 2)`,
    );
  });

  test('pins what is raw now', async () => {
    const cluster = small();
    cluster.put(bar(['foo'], [FOO2]));
    await undo(cluster, 'deploy/bar --to-revision 1');
    expect(templateOf(cluster).names).toEqual([FOO1]);
  });

  test('leaves a source alone that the revision did not use', async () => {
    const cluster = shop();
    cluster.put(revision('bar', 4, [FOO1]));
    expect(await undo(cluster, 'deploy/bar --to-revision 4')).toMatchObject({
      code: 0,
      err: `Warning: revision 4 did not use secret/db, which stays as it is\n${keeps('configmap/foo')}`,
    });
    expect(templateOf(cluster).names).toEqual([FOO1, DB2]);
  });

  test('writes no cause over one that a person wrote, and its own again', async () => {
    const annotations = { 'kubernetes.io/change-cause': 'ticket 7' };
    const cluster = small(bar([FOO2], [FOO2], { annotations }));
    await undo(cluster, 'deploy/bar');
    expect(metadataOf(cluster).annotations).toEqual(annotations);
    const own = small(
      bar([FOO2], [FOO2], {
        annotations: { 'kubernetes.io/change-cause': 'x', 'configrollout.dev/change-cause': 'x' },
      }),
    );
    await undo(own, 'deploy/bar');
    expect(metadataOf(own).annotations).toHaveProperty(
      ['kubernetes.io/change-cause'],
      `configmap/foo: back to ${FOO1} (revision 1)`,
    );
  });

  test('tries again when somebody else wrote in between, with what is there then', async () => {
    const cluster = small();
    let count = 0;
    cluster.meanwhile = () => {
      count += 1;
      if (count === 1) cluster.put({ ...bar([FOO2], [FOO2], { generation: 4 }) });
    };
    expect((await undo(cluster, 'deploy/bar')).code).toBe(0);
    expect(count).toBe(2);
    expect(templateOf(cluster).names).toEqual([FOO1]);
  });
});

describe('undo without writing', () => {
  test.each([
    ['--dry-run=client', ' (dry run)', 0],
    ['--dry-run=server', ' (server dry run)', 1],
  ])('%s', async (flag, suffix, requests) => {
    const cluster = small();
    expect((await undo(cluster, `deploy/bar ${flag}`)).out).toBe(`deployment.apps/bar rolled back${suffix}\n`);
    expect(cluster.writes.filter(({ dryRun }) => dryRun)).toHaveLength(requests);
    expect(cluster.writes).toHaveLength(requests);
    expect(templateOf(cluster).names).toEqual([FOO2]);
    const { out } = await undo(cluster, `deploy/bar ${flag} -o yaml`);
    expect(parse(out).spec.template.spec.volumes[0].configMap.name).toBe(FOO1);
    expect(parse(out).kind).toBe('Deployment');
  });

  test('-o name prints the name', async () => {
    expect((await undo(small(), 'deploy/bar -o name')).out).toBe('deployment.apps/bar\n');
  });

  test('no Secret is printed', async () => {
    const { out, err } = await undo(shop(), 'deploy/bar -o json');
    for (const password of PASSWORDS) expect(out + err).not.toContain(Buffer.from(password).toString('base64'));
  });
});

describe('undo of what is about to roll out', () => {
  const changed = () => {
    const cluster = small();
    cluster.put(foo({ 'config.yml': 'a: 9\n' }));
    return cluster;
  };

  test('warns that it will not last', async () => {
    expect((await undo(changed(), 'deploy/bar')).err).toBe(
      'Warning: configmap/foo has changed, and the controller is about to roll that out over this; to keep it back, run: kubectl config-rollout pause deployment/bar\n',
    );
    expect((await undo(changed(), 'deploy/bar -n default')).err).toMatch(/pause deployment\/bar -n default\n$/);
  });

  test('does not where rollouts are paused', async () => {
    const cluster = changed();
    cluster.put(PAUSED_BAR);
    expect((await undo(cluster, 'deploy/bar')).err).toBe(
      'Warning: configmap/foo has changed, which rolls out once its rollouts are resumed\n',
    );
  });
});

describe('undo is refused', () => {
  const paused = () => {
    const object = bar([FOO2], [FOO2]);
    return small({ ...object, spec: { ...(object['spec'] as Json), paused: true } });
  };

  test.each<[why: string, cluster: () => MemoryCluster, args: string, err: RegExp]>([
    ['of none', shop, '', /^error: name one workload, /],
    [
      'of what does not exist',
      shop,
      'deploy/none',
      /^Error from server \(NotFound\): deployments\.apps "none" not found\n$/,
    ],
    ['to what is no revision', shop, 'deploy/bar --to-revision=-1', /^error: "-1" is no revision/],
    [
      'to a revision that does not exist',
      shop,
      'deploy/bar --to-revision 4',
      /^error: deployment\.apps\/bar has no revision 4 with configuration \(there are: 5, 6, 7\)\n$/,
    ],
    [
      'to a snapshot that is gone',
      shop,
      'sts/store --to-revision 1',
      new RegExp(
        `^error: configmap/foo: ${GONE}, the snapshot of revision 1, was deleted; nothing was written: try another revision\n$`,
      ),
    ],
    [
      'to what was raw',
      shop,
      'deploy/bar --to-revision 5',
      /^error: configmap\/foo: revision 5 did not pin it, .*; secret\/db: revision 5 did not pin it, .*nothing was written/,
    ],
    [
      'of a Deployment that is paused',
      paused,
      'deploy/bar',
      /^error: deployments\.apps "bar" is paused: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume deployment\/bar' and try again\n$/,
    ],
    [
      'of what nothing rolls out to',
      shop,
      'deploy/unmanaged',
      /^error: no ConfigMap or Secret rolls out to deployment\.apps\/unmanaged; .*kubectl config-rollout set-owner/,
    ],
    [
      'of the source of another',
      shop,
      'deploy/bar --source cm/other',
      /is not among the sources of deployment\.apps\/bar \(they are: configmap\/foo, secret\/db\)\n$/,
    ],
    [
      'where there is nothing to go back to',
      () => new MemoryCluster(foo(), snapshot('foo', FOO[1]), bar([FOO2], [FOO2]), revision('bar', 1, [FOO2])),
      'deploy/bar',
      /^error: no older revision of deployment\.apps\/bar ran with another config /,
    ],
    ['in a format that there is not', shop, 'deploy/bar -o wide', /^error: unable to match a printer /],
  ])('%s', async (_, make, args, err) => {
    const cluster = make();
    const outcome = await undo(cluster, args);
    expect(outcome).toMatchObject({ code: 1, out: '' });
    expect(outcome.err).toMatch(err);
    expect(cluster.writes).toEqual([]);
  });

  test('to the revision before, whose snapshot is gone, and nobody is taken further back', async () => {
    const cluster = shop();
    cluster.objects.delete(`configmaps/${FOO1}`);
    cluster.put(revision('bar', 4, [FOO2, DB1]));
    const { err } = await undo(cluster, 'deploy/bar --source cm/foo');
    expect(err).toMatch(/^error: configmap\/foo: foo-\w+, the snapshot of revision 6, was deleted; /);
  });

  test('to the snapshot of one source that is gone, but not of the other', async () => {
    const cluster = shop();
    cluster.objects.delete(`secrets/${DB1}`);
    const { err } = await undo(cluster, 'deploy/bar');
    expect(err).toMatch(
      /^error: secret\/db: db-\w+, the snapshot of revision 6, was deleted; .*or some of the sources only, with --source\n$/,
    );
    expect((await undo(cluster, 'deploy/bar --source cm/foo')).code).toBe(0);
    expect(templateOf(cluster).names).toEqual([FOO1, DB2]);
  });
});

describe('undo with few rights', () => {
  test('leaves Secrets alone that may not be seen, and says so', async () => {
    const cluster = shop();
    cluster.unlistable = ['secrets'];
    const { code, err } = await undo(cluster, 'deploy/bar');
    expect({ code, names: templateOf(cluster).names }).toEqual({ code: 0, names: [FOO1, DB2] });
    expect(err).toMatch(/^Warning: Secrets are not looked at: /);
  });

  test('goes on without the content of a source', async () => {
    const cluster = shop();
    cluster.forbidden = ['db'];
    expect(await undo(cluster, 'deploy/bar')).toMatchObject({ code: 0, err: keeps('configmap/foo') });
  });
});

describe('undo of what is not managed', () => {
  const of = (labels: Json) => shopWith(labels);
  function shopWith(labels: Json): MemoryCluster {
    const cluster = shop();
    cluster.put(bar([FOO2, DB2], [], { labels: { 'configrollout.dev/managed': 'owned', ...labels } }));
    return cluster;
  }
  const excluded = () =>
    of({ 'configmap.configrollout.dev/foo': 'excluded', 'secret.configrollout.dev/db': DB2.slice('db-'.length) });
  const stays = (until: string) =>
    `Warning: configmap/foo is not managed here: deployment.apps/bar stays at this snapshot until it is opted in again, with: ${until}\n`;

  test('leaves a source out that was taken out, and says so', async () => {
    const cluster = excluded();
    expect(await undo(cluster, 'deploy/bar')).toEqual({
      code: 0,
      out: 'deployment.apps/bar rolled back\n',
      err: `Warning: configmap/foo is not managed here, and stays as it is; to bring it back all the same, name it: --source configmap/foo\n${keeps('secret/db')}`,
    });
    expect(templateOf(cluster).names).toEqual([FOO2, DB1]);
  });

  test('brings it back where it is named, and says what that means', async () => {
    const cluster = excluded();
    expect(await undo(cluster, 'deploy/bar --source cm/foo -n default')).toMatchObject({
      code: 0,
      err: stays('kubectl label deployment bar -n default configmap.configrollout.dev/foo-'),
    });
    expect(templateOf(cluster).names).toEqual([FOO1, DB2]);
    const unpinned = of({ 'configrollout.dev/managed': 'none' });
    expect((await undo(unpinned, 'deploy/bar --source cm/foo')).err).toBe(
      stays('kubectl label deployment bar configrollout.dev/managed-'),
    );
  });

  test('names the label on the source, or that nobody opted it in', async () => {
    const cluster = shop();
    const metadata = (cluster.objects.get('configmaps/foo') as { metadata: Json }).metadata;
    cluster.put({ ...foo(), metadata: { ...metadata, labels: { 'configrollout.dev/managed': 'none' } } });
    expect((await undo(cluster, 'deploy/bar --source cm/foo')).err).toBe(
      stays('kubectl label configmap foo configrollout.dev/managed-'),
    );
    const disowned = shop();
    disowned.put({ ...foo(), metadata: { ...metadata, ownerReferences: [] } });
    expect((await undo(disowned, 'deploy/bar --source cm/foo')).err).toBe(
      stays('kubectl config-rollout set-owner configmap/foo deployment/bar'),
    );
  });

  test('is refused where nothing is left, with the way back in', async () => {
    const cluster = of({ 'configrollout.dev/managed': 'none' });
    expect(await undo(cluster, 'deploy/bar')).toEqual({
      code: 1,
      out: '',
      err: 'error: nothing rolls out to deployment.apps/bar any more (not managed here: configmap/foo, secret/db); opt in again with: kubectl label deployment bar configrollout.dev/managed-; or go back all the same, with --source configmap/foo\n',
    });
    expect(cluster.writes).toEqual([]);
  });
});

test('undo does not promise that a Secret rolls out that never did', async () => {
  const cluster = shop();
  const labels = { 'configrollout.dev/managed': 'owned', 'configmap.configrollout.dev/foo': FOO2.slice('foo-'.length) };
  cluster.put(bar([FOO2, DB2], [], { labels }));
  cluster.put(secret('db', { ownerReferences: [ownerOf('bar')] }, { data: { password: 'bmV3' } }));
  expect((await undo(cluster, 'deploy/bar --source secret/db')).err).toBe(
    'Warning: secret/db was never rolled out here: a controller that runs with --secrets is about to roll it out over this; to keep it back, run: kubectl config-rollout pause deployment/bar\n',
  );
});

test('undo works where the source was deleted', async () => {
  const cluster = small();
  cluster.objects.delete('configmaps/foo');
  expect(await undo(cluster, 'deploy/bar')).toEqual({ code: 0, out: 'deployment.apps/bar rolled back\n', err: '' });
});
