// Where a template can name a ConfigMap, and by which words a person opts one in: everything that is named is pinned, and
// nothing else is touched.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import {
  admin,
  configMapManifest,
  deploymentManifest,
  mountedBy,
  Scenario,
  until,
  V1,
  V2,
} from '../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

let controller: Controller;
beforeAll(async () => {
  controller = await startController();
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
});

const DECLARED = { annotations: { 'configrollout.dev/owners': 'deployment/bar' } };
const MANAGED = { labels: { 'configrollout.dev/managed': 'all' } };

/** The template with each name of a ConfigMap replaced, and nothing else. */
function renamed(template: Json, rename: (name: string) => string): Json {
  return JSON.parse(JSON.stringify(template), (key, value) =>
    ['configMap', 'configMapRef', 'configMapKeyRef'].includes(key) ? { ...value, name: rename(value.name) } : value,
  );
}

/** The names of all ConfigMaps that a template names, in the order of its JSON. */
function named(template: Json): string[] {
  const names: string[] = [];
  renamed(template, (name) => {
    names.push(name);
    return name;
  });
  return names;
}

function template(object: Json): Json {
  return object.spec.template;
}

/** A Deployment that mounts each of `sources` at a volume of that name; the first at `config`. */
function mounting(name: string, sources: readonly string[], metadata: Json = {}): Json {
  const volumes = sources.map((source, i) => ({ name: i === 0 ? 'config' : source, configMap: { name: source } }));
  return deploymentManifest(name, '', { replicas: 1, template: { spec: { volumes } } }, metadata);
}

async function pinned(scenario: Scenario, deployment = 'bar', raw: readonly string[] = []): Promise<Json> {
  return until(`every reference of ${deployment} is pinned, but for ${raw}`, async () => {
    const object = await scenario.deployment(deployment);
    const names = named(template(object));
    const sources = new Set<string>((await scenario.list('/api/v1/namespaces/NS/configmaps')).flatMap(sourceOf));
    const left = names.filter((name) => sources.has(name) || raw.includes(name));
    if (left.join() !== raw.join()) throw new Error(`it names ${names}`);
    return object;
  });
}

function sourceOf({ metadata }: Json): string[] {
  return metadata.annotations?.['configrollout.dev/source-name'] === undefined ? [metadata.name] : [];
}

/** What each revision mounts at `config`, oldest first. */
async function revisions(scenario: Scenario): Promise<string[]> {
  return (await scenario.revisions()).map(mountedBy);
}

async function own(scenario: Scenario, source: string, ...deployments: string[]): Promise<void> {
  const ownerReferences = await Promise.all(
    deployments.map(async (name) => {
      const { uid } = (await scenario.deployment(name)).metadata;
      return { apiVersion: 'apps/v1', kind: 'Deployment', name, uid };
    }),
  );
  const patch = JSON.stringify({ metadata: { ownerReferences } });
  await scenario.kubectl('patch', 'configmap', source, '--type', 'merge', '-p', patch);
}

describe('every place that can name a ConfigMap', () => {
  const CONFIG_MAPS: Json[] = [
    configMapManifest('foo', { 'config.yml': 'v1', 'log.level': 'info', '.hidden': '', 'a-b_c.d': 'x' }, DECLARED),
    configMapManifest('flags', { FAST: 'yes' }, DECLARED),
    configMapManifest('more', { key: 'v1' }, DECLARED),
    configMapManifest('initial', { STEP: '1' }, DECLARED),
    { ...configMapManifest('mixed', { text: 'x' }, DECLARED), binaryData: { 'logo.png': 'iVBORw0KGgoA/w==' } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'empty', ...DECLARED } },
    // Mounted beside the others, and owned by nobody.
    configMapManifest('bystander', { key: 'v1' }),
  ];
  const SOURCES = ['foo', 'flags', 'more', 'initial', 'mixed', 'empty'];
  const fromKey = (name: string, key: string, rest = {}) => ({
    valueFrom: { configMapKeyRef: { name, key, ...rest } },
  });
  const DEPLOYMENT = deploymentManifest('bar', 'foo', {
    template: {
      spec: {
        initContainers: [
          {
            name: 'init',
            image: 'init:1',
            envFrom: [{ configMapRef: { name: 'initial' } }],
            env: [{ name: 'LEVEL', ...fromKey('foo', 'log.level') }],
          },
        ],
        containers: [
          {
            name: 'app',
            image: 'app:1',
            envFrom: [
              { configMapRef: { name: 'flags' } },
              { prefix: 'LATER_', configMapRef: { name: 'later', optional: true } },
              { prefix: 'BY_', configMapRef: { name: 'bystander' } },
              { secretRef: { name: 'foo', optional: true } },
            ],
            env: [
              { name: 'PLAIN', value: 'foo' },
              { name: 'LEVEL', ...fromKey('foo', 'log.level') },
              { name: 'MAYBE', ...fromKey('foo', 'no-such-key', { optional: true }) },
              { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'foo', key: 'password', optional: true } } },
              { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            ],
            volumeMounts: [
              { name: 'config', mountPath: '/etc/config' },
              { name: 'all', mountPath: '/etc/all' },
              { name: 'empty', mountPath: '/etc/empty' },
            ],
          },
          { name: 'foo', image: 'sidecar:1', env: [{ name: 'FAST', ...fromKey('flags', 'FAST') }] },
        ],
        volumes: [
          { name: 'config', configMap: { name: 'foo', defaultMode: 0o440 } },
          {
            name: 'items',
            configMap: { name: 'foo', optional: true, items: [{ key: 'log.level', path: 'a/level', mode: 0o400 }] },
          },
          {
            name: 'all',
            projected: {
              sources: [
                { configMap: { name: 'more' } },
                { secret: { name: 'foo', optional: true } },
                { configMap: { name: 'foo', items: [{ key: 'config.yml', path: 'copy.yml' }] } },
                { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
              ],
            },
          },
          { name: 'mixed', configMap: { name: 'mixed' } },
          { name: 'empty', configMap: { name: 'empty' } },
          { name: 'secret', secret: { secretName: 'foo', optional: true } },
          { name: 'foo', emptyDir: {} },
        ],
      },
    },
  });

  test('is pinned; a change is one revision, an undo restores all, and what was missing is pinned when it appears', async () => {
    const scenario = await Scenario.start('places');
    const applied = template(
      JSON.parse(await scenario.kubectlWith(DEPLOYMENT, 'apply', '--dry-run=server', '-o', 'json', '-f', '-')),
    );
    expect(named(applied)).toHaveLength(14);
    await scenario.apply(...CONFIG_MAPS, DEPLOYMENT);
    const pins = async () => {
      const entries = SOURCES.map(async (source) => [source, (await scenario.snapshots(source)).at(-1)?.metadata.name]);
      return Object.fromEntries(await Promise.all(entries));
    };
    const expectPinned = async (to: Record<string, string>) =>
      expect(template(await scenario.deployment())).toEqual(renamed(applied, (name) => to[name] ?? name));

    await pinned(scenario, 'bar', ['bystander']);
    await scenario.kubectl('rollout', 'status', 'deployment/bar', '--timeout=20s');
    await scenario.quiet();
    const first = await pins();
    expect(Object.values(first)).not.toContain(undefined);
    await expectPinned(first);
    expect(await revisions(scenario)).toEqual([first.foo]);
    for (const source of SOURCES) {
      const [original, copy] = [await scenario.configMap(source), await scenario.configMap(first[source])];
      expect([source, copy.data, copy.binaryData]).toEqual([source, original.data, original.binaryData]);
      expect(copy.metadata.name).toMatch(new RegExp(`^${source}-[bcdfghkmt2456789]{10}$`));
    }
    expect((await scenario.configMap('bystander')).metadata.labels).toBeUndefined();

    // One that is named at six places, and one that is named at two; within the moment that changes are waited for.
    const edit = (source: string, data: Json) =>
      admin().request('PATCH', `/api/v1/namespaces/${scenario.namespace}/configmaps/${source}`, { body: { data } });
    await Promise.all([edit('foo', { 'config.yml': 'v2' }), edit('flags', { FAST: 'no' })]);
    await until('two revisions', async () => (await revisions(scenario)).length === 2);
    await scenario.quiet();
    const snapshotOf = async (source: string, key: string, value: string) =>
      (await scenario.snapshots(source)).find(({ data }) => data[key] === value).metadata.name;
    const second = {
      ...first,
      foo: await snapshotOf('foo', 'config.yml', 'v2'),
      flags: await snapshotOf('flags', 'FAST', 'no'),
    };
    await expectPinned(second);
    expect(await revisions(scenario)).toEqual([first.foo, second.foo]);

    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.quiet();
    await expectPinned(first);

    await scenario.apply(configMapManifest('later', { NEW: '1' }, DECLARED));
    await pinned(scenario, 'bar', ['bystander']);
    await scenario.quiet();
    await expectPinned({ ...first, later: (await scenario.snapshots('later'))[0].metadata.name });
    // The first revision is gone: it differed from this one in nothing but that it named `later` raw.
    expect(await revisions(scenario)).toEqual([second.foo, first.foo]);
  });
});

describe('opting in', () => {
  test('by annotation, for several Deployments, in any of kubectl’s spellings; others that mount it stay raw', async () => {
    const scenario = await Scenario.start('annotation');
    const owners = ' deployment/a,deploy/b ,\n deployments.apps/c,, ';
    await scenario.apply(
      ...['a', 'b', 'c', 'd'].map((name) => mounting(name, ['foo'])),
      configMapManifest('foo', V1, { annotations: { 'configrollout.dev/owners': owners } }),
    );
    for (const name of ['a', 'b', 'c']) await scenario.runsWith(V1, name);
    await scenario.quiet();
    expect(await scenario.snapshots()).toHaveLength(1);
    const other = await scenario.deployment('d');
    expect(mountedBy(other)).toBe('foo');
    expect(other.metadata.labels).toBeUndefined();
    expect(scenario.changes().filter(({ objectRef }) => objectRef.name === 'd')).toEqual([]);
    expect((await scenario.events('ConfigOwnersInvalid')).length).toBe(0);
  });

  test('by owner reference, for two Deployments: one snapshot, and taking one of them away leaves the other', async () => {
    const scenario = await Scenario.start('owners');
    await scenario.apply(configMapManifest('foo', V1), mounting('a', ['foo']), mounting('b', ['foo']));
    await own(scenario, 'foo', 'a', 'b');
    const pin = await scenario.runsWith(V1, 'a');
    expect(await scenario.runsWith(V1, 'b')).toBe(pin);
    await own(scenario, 'foo', 'a');
    await scenario.edit(V2);
    await scenario.runsWith(V2, 'a');
    await scenario.quiet();
    expect(await scenario.runsWith(V1, 'b')).toBe(pin);
  });

  test('for all that a Deployment references: nothing that it does not reference is touched', async () => {
    const scenario = await Scenario.start('all');
    const elsewhere = await Scenario.start('all-elsewhere');
    await elsewhere.apply(configMapManifest('foo', V1), mounting('bar', ['foo']));
    const bystanders = ['unreferenced', 'foreign', 'foo-abcdefgh22'];
    await scenario.apply(
      ...['foo', 'more', ...bystanders].map((name) => configMapManifest(name, V1)),
      mounting('stranger', ['foreign', 'foo']),
      mounting('bar', ['foo', 'more'], MANAGED),
    );
    await pinned(scenario, 'bar');
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet();
    for (const name of bystanders) {
      const { metadata, data } = await scenario.configMap(name);
      expect([name, metadata.labels, data]).toEqual([name, undefined, V1]);
      expect(await scenario.snapshots(name)).toEqual([]);
    }
    expect(named(template(await scenario.deployment('stranger')))).toEqual(['foreign', 'foo']);
    expect(elsewhere.changes()).toEqual([]);
    expect((await scenario.deployment()).metadata.labels['configrollout.dev/managed']).toBe('all');
  });

  test('for all, with an immutable ConfigMap among them: it stays raw, and nobody is told off', async () => {
    const scenario = await Scenario.start('all-immutable');
    await scenario.apply(
      configMapManifest('foo', V1),
      { ...configMapManifest('fixed', V1), immutable: true },
      mounting('bar', ['foo', 'fixed'], MANAGED),
    );
    await pinned(scenario, 'bar', ['fixed']);
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet();
    expect(await scenario.events('ConfigSourceImmutable')).toEqual([]);
    expect(await scenario.snapshots('fixed')).toEqual([]);
    expect((await scenario.configMap('fixed')).metadata.labels).toBeUndefined();
    expect(await revisions(scenario)).toHaveLength(2);
  });

  test('for all, taken back: later edits change nothing, and the pins stay', async () => {
    const scenario = await Scenario.start('all-taken');
    await scenario.apply(configMapManifest('foo', V1), mounting('bar', ['foo'], MANAGED));
    await scenario.runsWith(V1);
    await scenario.quiet();
    await scenario.kubectl('label', 'deployment', 'bar', 'configrollout.dev/managed-');
    await scenario.edit(V2);
    await scenario.quiet();
    await scenario.runsWith(V1);
    expect(await revisions(scenario)).toHaveLength(1);
  });

  test.each([
    ['owner reference', { ownerReferences: null }],
    ['annotation', { annotations: null }],
  ])('by %s, taken back: later edits change nothing, and the pins stay', async (_, metadata) => {
    const scenario = await Scenario.start('taken');
    await scenario.apply(configMapManifest('foo', V1, 'annotations' in metadata ? DECLARED : {}), deploymentManifest());
    if ('ownerReferences' in metadata) await own(scenario, 'foo', 'bar');
    await scenario.runsWith(V1);
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet();
    await scenario.kubectl('patch', 'configmap', 'foo', '--type', 'merge', '-p', JSON.stringify({ metadata }));
    const before = scenario.changes().length;
    await scenario.edit({ 'config.yml': 'v3' });
    await scenario.quiet();
    expect(scenario.changes()).toHaveLength(before);
    await scenario.runsWith(V2);
    // History is kept for as long as Kubernetes keeps it, and works.
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    // Opting in again takes the content of now.
    await own(scenario, 'foo', 'bar');
    await scenario.runsWith({ 'config.yml': 'v3' });
  });
});

describe('a template that changes', () => {
  test('drops a source and takes another: what it took is pinned, in one revision, and an undo swaps them back', async () => {
    const scenario = await Scenario.start('swap');
    const maps = ['foo', 'one', 'two'].map((name) => configMapManifest(name, V1));
    await scenario.apply(...maps, mounting('bar', ['foo', 'one'], MANAGED));
    const before = named(template(await pinned(scenario)));
    await scenario.quiet();
    await scenario.apply(mounting('bar', ['foo', 'two'], MANAGED));
    const after = await until('two is pinned', async () => {
      const names = named(template(await pinned(scenario)));
      return names[1]?.startsWith('two-') && names;
    });
    expect(after[0]).toBe(before[0]);
    await until('the revision in between is gone', async () => (await revisions(scenario)).length === 2);
    await scenario.quiet();
    // What the template names no more belongs to its history alone.
    const owners = (await scenario.snapshots('one'))[0].metadata.ownerReferences.map(({ kind }: Json) => kind);
    expect(owners).toEqual(['ReplicaSet']);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.quiet();
    expect(named(template(await scenario.deployment()))).toEqual(before);
    expect((await scenario.revisions()).map(({ spec }) => named(spec.template))).toEqual([after, before]);
  });

  test('is pointed at another ConfigMap by hand: that one is pinned if it opted in, and left raw if not', async () => {
    const scenario = await Scenario.start('rename');
    await scenario.apply(
      configMapManifest('foo', V1, DECLARED),
      configMapManifest('other', V2, DECLARED),
      configMapManifest('free', { 'config.yml': 'free' }),
      mounting('bar', ['foo']),
    );
    await scenario.runsWith(V1);
    const point = (to: string) =>
      scenario.kubectl(
        'patch',
        'deployment',
        'bar',
        '-p',
        JSON.stringify({ spec: { template: { spec: { volumes: [{ name: 'config', configMap: { name: to } }] } } } }),
      );
    await point('other');
    expect(mountedBy(await pinned(scenario))).toMatch(/^other-[bcdfghkmt2456789]{10}$/);
    await scenario.runsWith(V2);
    await scenario.quiet();
    await point('free');
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment())).toBe('free');
    expect((await scenario.configMap('free')).metadata.labels).toBeUndefined();
    // A change of what it names no more is none of its business.
    const { generation } = (await scenario.deployment()).metadata;
    await scenario.edit({ 'config.yml': 'v3' });
    await scenario.quiet();
    expect((await scenario.deployment()).metadata.generation).toBe(generation);
    await point('foo');
    expect(await scenario.runsWith({ 'config.yml': 'v3' })).toMatch(/^foo-/);
  });

  test('drops a source, that changes meanwhile: an undo brings it back as it was, and stays', async () => {
    const scenario = await Scenario.start('dropped');
    const maps = ['foo', 'one'].map((name) => configMapManifest(name, V1));
    await scenario.apply(...maps, mounting('bar', ['foo', 'one'], MANAGED));
    const before = named(template(await pinned(scenario)));
    await scenario.quiet();
    await scenario.apply(mounting('bar', ['foo'], MANAGED));
    await pinned(scenario);
    await scenario.quiet();
    await scenario.edit(V2, 'one');
    await scenario.quiet();
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.quiet();
    expect(named(template(await scenario.deployment()))).toEqual(before);
    // Mentioned again by a manifest, it comes with its content of now.
    await scenario.apply(mounting('bar', ['foo'], MANAGED));
    await pinned(scenario);
    await scenario.quiet();
    await scenario.edit({ 'config.yml': 'v3' }, 'one');
    await scenario.quiet();
    await scenario.apply(mounting('bar', ['foo', 'one'], MANAGED));
    const [, again = ''] = named(template(await pinned(scenario)));
    expect((await scenario.configMap(again)).data).toEqual({ 'config.yml': 'v3' });
  });
});
