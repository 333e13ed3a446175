// Admission over the caches of a controller that may be behind, and a cluster that may refuse.

import { beforeEach, describe, expect, test } from '@jest/globals';
import type { AdmissionRequest } from '../../controller/app/admission.ts';
import { snapshotAdmission } from '../../controller/app/admit-snapshot.ts';
import { ClusterError } from '../../controller/app/errors.ts';
import { aDeployment, aTemplate, NAMESPACE, NOON } from '../support/builders.ts';
import { SimulatedCluster } from '../support/simulated-cluster.ts';
import { SimulatedController } from '../support/simulated-controller.ts';
import type { Template } from '../support/simulated-objects.ts';
import { manifest, Shop } from '../support/simulated-shop.ts';
import { perform } from '../support/simulated-steps.ts';

const MANAGED = 'configrollout.dev/managed';
const FOO = 'configmap.configrollout.dev/foo';
const OWNERS = 'configrollout.dev/owners';
const CAUSE = 'kubernetes.io/change-cause';

const refuse = (kind: 'QuotaExceeded' | 'Unavailable') => async () => {
  throw new ClusterError(kind, `the server said ${kind}`);
};
const template = (...mounts: string[]) => aTemplate(mounts) as unknown as Template;
const created = ({ writes }: SimulatedCluster) => writes.filter((write) => write.startsWith('create'));

describe('a new workload', () => {
  let cluster: SimulatedCluster;
  let controller: SimulatedController;
  beforeEach(() => {
    cluster = new SimulatedCluster(NOON);
    controller = new SimulatedController(cluster);
    cluster.admission = controller.admit;
  });
  const declared = { annotations: { [OWNERS]: 'deployment/new' } };

  test.each([
    ['owned', declared],
    ['all', {}],
  ])(
    '(%s) of the same apply as its source, which the cache has not seen, is pinned from the start',
    async (how, optsIn) => {
      cluster.createConfigMap('foo', { k: 'b' }, optsIn);
      await cluster.applyNewDeployment('new', template('foo'), { labels: { [MANAGED]: how } });
      const [pin = ''] = cluster.mounts('new');
      expect(pin).toMatch(/^foo-/);
      expect(cluster.configMap(pin)).toMatchObject({ immutable: true, data: { k: 'b' } });
      expect(cluster.configMap(pin)?.metadata.ownerReferences ?? []).toEqual([]);
      expect(cluster.workload('new').metadata).toMatchObject({ labels: { [MANAGED]: how, [FOO]: pin.slice(4) } });
      expect(cluster.workload('new').metadata.annotations).toBeUndefined();

      await controller.untilQuiet();
      expect(cluster.mounts('new')).toEqual([pin]);
      expect(cluster.workload('new').metadata.generation).toBe(2);
      const [only, ...others] = cluster.history('new');
      expect(others).toEqual([]);
      const owners = cluster.configMap(pin)?.metadata.ownerReferences?.map(({ kind, name }) => `${kind}/${name}`);
      expect(owners?.sort()).toEqual(['Deployment/new', `ReplicaSet/${only?.metadata.name}`]);
    },
  );

  test('whose name the server makes up is pinned where all is opted in', async () => {
    cluster.createConfigMap('foo', { k: 'b' });
    const answer = await controller.admit({
      ...aRequest(),
      name: '',
      object: { metadata: { generateName: 'web-', labels: { [MANAGED]: 'all' } }, spec: { template: template('foo') } },
    });
    expect(answer.operations).toContainEqual({
      op: 'replace',
      path: '/spec/template/spec/volumes/0/configMap/name',
      value: expect.stringMatching(/^foo-/),
    });
  });

  test('stays raw, and says so, when no snapshot can be made; the controller pins it later', async () => {
    const create = cluster.createSnapshot;
    cluster.createSnapshot = refuse('QuotaExceeded');
    cluster.createConfigMap('foo', { k: 'b' }, declared);
    await cluster.applyNewDeployment('new', template('foo'), { labels: { [MANAGED]: 'owned' } });
    expect(cluster.mounts('new')).toEqual(['foo']);
    expect(cluster.warnings).toEqual([expect.stringContaining('configmap/foo could not be copied now')]);
    cluster.createSnapshot = create;
    await controller.untilQuiet();
    expect(cluster.mounts('new')).toEqual([expect.stringMatching(/^foo-/)]);
  });

  test.each<[what: string, names: readonly string[]]>([
    ['a source that does not opt it in', ['plain']],
    ['a source that does not exist', ['none']],
    ['nothing', []],
  ])('that mounts %s is left alone', async (_, names) => {
    cluster.createConfigMap('plain', { k: 'b' });
    await cluster.applyNewDeployment('new', template(...names), { labels: { [MANAGED]: 'owned' } });
    expect(cluster.mounts('new')).toEqual(names);
    expect(cluster.workload('new').metadata.labels).toEqual({ [MANAGED]: 'owned' });
    expect(created(cluster)).toEqual([]);
  });

  test('in the place of one that was just deleted gets its snapshot back, which the garbage collector takes', async () => {
    cluster.createConfigMap('foo', { k: 'b' }, declared);
    const create = () => cluster.applyNewDeployment('new', template('foo'), { labels: { [MANAGED]: 'owned' } });
    await create();
    await controller.untilQuiet();
    const [pin = ''] = cluster.mounts('new');
    cluster.delete('Deployment', 'new');
    await create();
    expect(cluster.mounts('new')).toEqual([pin]);
    cluster.collectGarbage();
    expect(cluster.configMap(pin)).toBeUndefined();
    await controller.untilQuiet();
    expect(cluster.mounts('new')).toEqual([pin]);
    expect(cluster.configMap(pin)).toBeDefined();
  });

  test('that mounts what cannot change is left on it', async () => {
    cluster.createConfigMap('foo', { k: 'b' }, {}, true);
    cluster.createConfigMap('bar', { k: 'b' });
    await cluster.applyNewDeployment('new', template('foo', 'bar'), { labels: { [MANAGED]: 'all' } });
    expect(cluster.mounts('new')).toEqual(['foo', expect.stringMatching(/^bar-/)]);
    // Nor does the controller pin it, nor admission later.
    await controller.untilQuiet();
    const { version } = cluster;
    await cluster.writeWorkload('apply', 'new', ({ spec }) => {
      spec.template = template('foo', 'bar');
    });
    expect(cluster.version).toBe(version);
  });
});

/** A shop at rest, with admission; foo was changed once, so that there is an undo. */
async function aShop(how: 'declared' | 'all' = 'declared') {
  const shop = new Shop(how, 10, 'controller');
  await shop.controller.untilQuiet();
  await perform(shop, { do: 'edit', source: 'foo', value: 'b' });
  await shop.controller.untilQuiet();
  return shop;
}
const apply = (shop: Shop, image = shop.images.api) => perform(shop, { do: 'apply', workload: 'api', image });

describe('an update', () => {
  test('of config and image in one apply is one revision with both, though the cache has not seen the config', async () => {
    const shop = await aShop();
    const { cluster, controller } = shop;
    const { generation = 0 } = cluster.workload('api').metadata;
    const revisions = cluster.history('api').length;
    await perform(shop, { do: 'edit', source: 'foo', value: 'c' });
    await apply(shop, 'img:2');
    expect(cluster.mounts('api')).toEqual(shop.currentMounts('api'));
    expect(cluster.workload('api').metadata).toMatchObject({
      generation: generation + 1,
      labels: { [FOO]: shop.currentHash('foo') },
      annotations: { [CAUSE]: 'configmap/foo: k' },
    });
    await controller.untilQuiet();
    expect(cluster.history('api')).toHaveLength(revisions + 1);
    expect(cluster.mounts('api')).toEqual(shop.currentMounts('api'));
  });

  test('of the manifest as it was brings a change that the cache has seen, and is no rollout where it has not', async () => {
    const shop = await aShop();
    const { cluster } = shop;
    const before = cluster.mounts('api');
    await perform(shop, { do: 'edit', source: 'foo', value: 'c' });
    await apply(shop);
    expect(cluster.mounts('api')).toEqual(before);
    cluster.deliver();
    await apply(shop);
    expect(cluster.mounts('api')).toEqual(shop.currentMounts('api'));
  });

  test('that mounts a new source instead of the old one pins it, though the cache has not seen it', async () => {
    const shop = await aShop('all');
    const { cluster } = shop;
    cluster.createConfigMap('baz', { k: 'v' });
    await cluster.writeWorkload('apply', 'api', ({ spec }) => {
      spec.template = template('baz');
    });
    expect(cluster.mounts('api')).toEqual([expect.stringMatching(/^baz-/)]);
  });

  test('keeps what runs, and says so, when no snapshot can be made; the controller rolls out later', async () => {
    const shop = await aShop();
    const { cluster, controller } = shop;
    const create = cluster.createSnapshot;
    const before = cluster.mounts('api');
    cluster.createSnapshot = refuse('QuotaExceeded');
    await perform(shop, { do: 'edit', source: 'foo', value: 'c' });
    await apply(shop, 'img:2');
    expect(cluster.mounts('api')).toEqual(before);
    expect(cluster.warnings).toEqual([expect.stringContaining('goes on with its former content')]);
    cluster.createSnapshot = create;
    await controller.untilQuiet();
    expect(cluster.mounts('api')).toEqual(shop.currentMounts('api'));
  });

  describe('that mounts a snapshot again, as an undo does,', () => {
    let shop: Shop;
    let former: string[];
    const owners = () => {
      const found = shop.cluster.configMap(former[0] ?? '')?.metadata.ownerReferences ?? [];
      return found.map(({ kind, name }) => `${kind}/${name}`);
    };
    beforeEach(async () => {
      shop = await aShop();
      former = shop.cluster.mounts('api');
      await perform(shop, { do: 'edit', source: 'foo', value: 'c' });
      await shop.controller.untilQuiet();
      expect(owners()).not.toContain('Deployment/api');
    });

    test('finds the workload among its owners, though the controller has seen nothing', async () => {
      const { cluster } = shop;
      expect(await cluster.undo('api')).toBe(true);
      expect(cluster.mounts('api')).toEqual(former);
      expect(owners()).toContain('Deployment/api');
      const written = cluster.writes.length;
      await apply(shop);
      expect(cluster.mounts('api')).toEqual(former);
      expect(cluster.writes.slice(written)).toEqual([]);
    });

    test('is not kept up when the workload cannot be made its owner', async () => {
      const { cluster, controller } = shop;
      const { patchMetadata } = cluster;
      cluster.patchMetadata = refuse('Unavailable');
      expect(await cluster.undo('api')).toBe(true);
      cluster.patchMetadata = patchMetadata;
      expect(cluster.mounts('api')).toEqual(former);
      await controller.untilQuiet();
      expect(owners()).toContain('Deployment/api');
    });
  });

  test('of no source that opts in is left as it is', async () => {
    const shop = await aShop();
    const { cluster } = shop;
    cluster.editConfig('ConfigMap', 'foo', ({ metadata }) => {
      metadata.annotations = {};
    });
    cluster.deliver();
    await apply(shop);
    expect(cluster.mounts('api')).toEqual(['foo', 'plain', 'foo']);
  });

  test('to a revision from before the opt-in keeps the config, and says so', async () => {
    const shop = new Shop('declared', 10);
    await perform(shop, { do: 'setImage', workload: 'api', image: 'img:2' });
    shop.cluster.runWorkloadControllers();
    const { cluster, controller } = shop;
    await controller.untilQuiet();
    cluster.admission = controller.admit;
    const before = cluster.mounts('api');
    expect(await cluster.undo('api', 1)).toBe(true);
    expect(cluster.mounts('api')).toEqual(before);
    expect(cluster.warnings).toEqual([expect.stringContaining('revision 1 ran on configmap/foo itself')]);
  });
});

describe('a source that is gone', () => {
  test.each<[what: string, prepare: (shop: Shop) => Promise<void>]>([
    ['and the cache knows', async ({ cluster }) => cluster.deliver()],
    ['and the cache does not know', async () => undefined],
  ])('(%s) leaves the pin, also to a new image', async (_, prepare) => {
    const shop = await aShop();
    const before = shop.cluster.mounts('api');
    shop.cluster.delete('ConfigMap', 'foo');
    await prepare(shop);
    await apply(shop);
    expect(shop.cluster.mounts('api')).toEqual(before);
    await apply(shop, 'img:2');
    expect(shop.cluster.mounts('api')).toEqual(before);
    await shop.controller.untilQuiet();
    expect(shop.cluster.mounts('api')).toEqual(before);
  });

  test('before its last content was read leaves the pin', async () => {
    const shop = await aShop();
    const { cluster } = shop;
    const before = cluster.mounts('api');
    await perform(shop, { do: 'edit', source: 'foo', value: 'c' });
    cluster.deliver();
    cluster.delete('ConfigMap', 'foo');
    await apply(shop);
    expect(cluster.mounts('api')).toEqual(before);
  });
});

test('a source that changes while it is read leaves the pin, or is mounted as it is then', async () => {
  const shop = await aShop();
  const { cluster } = shop;
  const before = cluster.mounts('api');
  const read = cluster.readSource.bind(cluster);
  cluster.readSource = async (source) => {
    const answer = await read(source);
    if (source.name === 'foo') {
      await perform(shop, { do: 'edit', source: 'foo', value: `${cluster.version}` });
      cluster.deliver();
    }
    return answer;
  };
  await apply(shop, 'img:2');
  expect([before, shop.currentMounts('api')]).toContainEqual(cluster.mounts('api'));
});

describe('a cluster that cannot be asked', () => {
  test('leaves the pin, also to a new image', async () => {
    const shop = await aShop();
    const { cluster } = shop;
    const before = cluster.mounts('api');
    await perform(shop, { do: 'edit', source: 'foo', value: 'c' });
    cluster.deliver();
    cluster.readSource = refuse('Unavailable');
    await apply(shop);
    await apply(shop, 'img:2');
    expect(cluster.mounts('api')).toEqual(before);
  });

  test('leaves a new workload on its source', async () => {
    const { cluster } = await aShop('all');
    cluster.readSource = refuse('Unavailable');
    cluster.createConfigMap('baz', { k: 'v' });
    await cluster.applyNewDeployment('new', template('baz'), { labels: { [MANAGED]: 'all' } });
    expect(cluster.mounts('new')).toEqual(['baz']);
  });
});

// Of two controllers both answer, and the caches of one may be behind what the other did.
describe('a replica that is behind', () => {
  let shop: Shop;
  let before: string[];
  beforeEach(async () => {
    shop = await aShop();
    const behind = shop.controller;
    shop.restart();
    await perform(shop, { do: 'edit', source: 'foo', value: 'c' });
    await shop.controller.untilQuiet();
    before = shop.cluster.mounts('api');
    expect(before).toEqual(shop.currentMounts('api'));
    shop.cluster.admission = behind.admit;
  });

  test('writes nothing for the manifest as it was', async () => {
    const { version } = shop.cluster;
    await apply(shop);
    expect(shop.cluster.mounts('api')).toEqual(before);
    expect(shop.cluster.version).toBe(version);
  });

  test('pins a new image to what runs', async () => {
    await apply(shop, 'img:2');
    expect(shop.cluster.mounts('api')).toEqual(before);
  });

  test('keeps what an undo brought back', async () => {
    expect(await shop.cluster.undo('api')).toBe(true);
    const undone = shop.cluster.mounts('api');
    expect(undone).not.toEqual(before);
    await apply(shop);
    await apply(shop, 'img:2');
    expect(shop.cluster.mounts('api')).toEqual(undone);
  });

  test('leaves the pin when the source is gone, and does not go back to the content that it knew', async () => {
    shop.cluster.delete('ConfigMap', 'foo');
    await apply(shop);
    expect(shop.cluster.mounts('api')).toEqual(before);
    await apply(shop, 'img:2');
    expect(shop.cluster.mounts('api')).toEqual(before);
  });
});

function aRequest(overrides: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    uid: 'request-1',
    operation: 'CREATE',
    kind: { group: 'apps', kind: 'Deployment' },
    namespace: NAMESPACE,
    name: 'api',
    object: undefined,
    oldObject: undefined,
    dryRun: false,
    user: { name: 'somebody', groups: [] },
    fieldManager: 'kubectl-client-side-apply',
    ...overrides,
  };
}

describe('a request', () => {
  const NAMES = [
    '/spec/template/spec/volumes/0/configMap/name',
    '/spec/template/spec/initContainers/0/envFrom/0/configMapRef/name',
  ];
  /** Of the first of them, as the API server has it. */
  const OWNED = {
    'f:spec': {
      'f:template': { 'f:spec': { 'f:volumes': { 'k:{"name":"config"}': { 'f:configMap': { 'f:name': {} } } } } },
    },
  };
  const applied = { manager: 'gitops', operation: 'Apply', fieldsV1: OWNED };

  /** Of the unchanged manifest, by one client; gives the paths that are written, and the managedFields. */
  async function answerTo(fieldManager: string, template?: Template) {
    const { cluster, controller } = await aShop();
    const oldObject = structuredClone(cluster.workload('api'));
    const object = structuredClone(oldObject);
    const updated = { manager: fieldManager, operation: 'Update', fieldsV1: { ...OWNED, 'f:metadata': {} } };
    Object.assign(object.metadata, { managedFields: [applied, updated] });
    object.spec.template = template ?? object.spec.template;
    const asked = aRequest({ operation: 'UPDATE', object, oldObject, fieldManager });
    const { operations = [] } = await controller.admit(asked);
    const writes = operations.filter(({ op }) => op !== 'test');
    const settled = writes.find(({ path }) => path === '/metadata/managedFields');
    return { paths: writes.map(({ path }) => path), managedFields: settled && 'value' in settled && settled.value };
  }
  const disowned = (manager: string) => [applied, { manager, operation: 'Update', fieldsV1: { 'f:metadata': {} } }];

  test('of a person pins the names, and lets nobody own them but those who apply on the server', async () => {
    expect(await answerTo('kubectl', manifest('api', 'img:1'))).toEqual({
      paths: [...NAMES, '/metadata/managedFields'],
      managedFields: disowned('kubectl'),
    });
  });

  test('of a person who pins, as an undo does, does not make them the owner either', async () => {
    expect(await answerTo('kubectl')).toEqual({
      paths: ['/metadata/managedFields'],
      managedFields: disowned('kubectl'),
    });
  });

  test('of the controller is not decided on again, and does not make it the owner', async () => {
    expect(await answerTo('config-rollout')).toEqual({
      paths: ['/metadata/managedFields'],
      managedFields: disowned('config-rollout'),
    });
    expect((await answerTo('config-rollout', manifest('api', 'img:1'))).paths).toEqual([]);
  });

  test('that is a dry run shows the pin of a content that has no snapshot, and makes none', async () => {
    const shop = await aShop();
    const oldObject = structuredClone(shop.cluster.workload('api'));
    const object = { ...oldObject, spec: { ...oldObject.spec, template: manifest('api', 'img:2') } };
    await perform(shop, { do: 'edit', source: 'foo', value: 'c' });
    const writes = shop.cluster.writes.length;
    const asked = aRequest({ operation: 'UPDATE', object, oldObject, dryRun: true });
    const { operations, warnings } = await shop.controller.admit(asked);
    expect(operations).toContainEqual({ op: 'replace', path: NAMES[0], value: shop.currentMount('foo') });
    expect(warnings).toEqual([]);
    expect(shop.cluster.writes.slice(writes)).toEqual([]);
  });

  const aRaw = (metadata = {}) => aDeployment({ metadata: { labels: { [MANAGED]: 'all' }, ...metadata } });
  const answered = async (overrides: Partial<AdmissionRequest>) => {
    const { controller } = await aShop('all');
    const {
      operations = [],
      warnings = [],
      refusal,
    } = await controller.admit(aRequest({ object: aRaw(), ...overrides }));
    return { operations: operations.length, warnings, refusal };
  };

  test('about a Deployment is answered with operations', async () => {
    expect((await answered({})).operations).toBeGreaterThan(0);
  });

  test.each<[what: string, overrides: Partial<AdmissionRequest>]>([
    ['another kind', { kind: { group: 'batch', kind: 'CronJob' } }],
    ['a kind of that name in another group', { kind: { group: 'example.org', kind: 'Deployment' } }],
    ['a number', { object: 7 }],
    ['nothing', { object: undefined }],
    ['an object without metadata', { object: { spec: aRaw().spec } }],
    ['a Deployment that is being deleted', { object: aRaw({ deletionTimestamp: '2026-06-01T12:00:00Z' }) }],
  ])('about %s is let through', async (_, overrides) => {
    expect(await answered(overrides)).toEqual({ operations: 0, warnings: [], refusal: undefined });
  });
});

describe('a snapshot that revisions mount', () => {
  const PERSON = { name: 'ada', groups: ['system:masters', 'system:authenticated'] };

  async function refusalOf(overrides: Partial<AdmissionRequest>, name?: string) {
    const shop = await aShop();
    const oldObject = shop.cluster.configMap(name ?? shop.currentMount('foo'));
    const request = { operation: 'DELETE', kind: { group: '', kind: 'ConfigMap' }, user: PERSON };
    const admit = snapshotAdmission(shop.controller.world, 'ours');
    return (await admit(aRequest({ ...request, oldObject, ...overrides }))).refusal;
  }

  test('is not deleted by a person', async () => {
    expect(await refusalOf({})).toMatch(/is the configuration of revision \d of deployment\/.* and 1 more: without it/);
  });

  test('is not deleted by what shares a part of its name with those who may', async () => {
    const groups = ['system:serviceaccounts', 'system:serviceaccounts:kube-systems', 'system:serviceaccounts:our'];
    expect(await refusalOf({ user: { name: 'kube-controller-manager', groups } })).toBeDefined();
  });

  test.each<[who: string, user: AdmissionRequest['user']]>([
    ['the controller manager', { name: 'system:kube-controller-manager', groups: [] }],
    [
      'the garbage collector',
      {
        name: 'system:serviceaccount:kube-system:generic-garbage-collector',
        groups: ['system:serviceaccounts:kube-system'],
      },
    ],
    ['the controller', { name: 'system:serviceaccount:ours:config-rollout', groups: ['system:serviceaccounts:ours'] }],
  ])('is deleted by %s', async (_, user) => {
    expect(await refusalOf({ user })).toBeUndefined();
  });

  test.each<[what: string, change: (metadata: { labels?: object }) => void, isRefused: boolean]>([
    ['labels of its own', (metadata) => Object.assign(metadata.labels ?? {}, { team: 'a' }), false],
    [
      'another hash',
      (metadata) => Object.assign(metadata.labels ?? {}, { 'configrollout.dev/content-hash': 'x' }),
      true,
    ],
    ['no labels', (metadata) => delete metadata.labels, true],
    [
      'no uid and no version, as a PUT may',
      (metadata) => Object.assign(metadata, { uid: undefined, resourceVersion: undefined }),
      false,
    ],
  ])('that is given %s: refused %#', async (_, change, isRefused) => {
    const shop = await aShop();
    const oldObject = shop.cluster.configMap(shop.currentMount('foo'));
    const object = structuredClone(oldObject);
    change(object?.metadata ?? {});
    const refused = await refusalOf({ operation: 'UPDATE', object, oldObject });
    expect(refused !== undefined).toBe(isRefused);
  });

  test('is not confused with a ConfigMap that is none', async () => {
    expect(await refusalOf({}, 'plain')).toBeUndefined();
  });
});
