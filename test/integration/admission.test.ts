// Admission: raw references become pins in the request that brings them, whatever client sends it.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CLIENTS, type Sync } from '../support/clients.ts';
import { type Controller, startController } from '../support/controller.ts';
import {
  adopted,
  configMapManifest,
  deploymentManifest,
  mountedBy,
  revisionOf,
  Scenario,
  V1,
  V2,
} from '../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

let controller: Controller;
beforeAll(async () => {
  controller = await startController({ admission: true });
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
});

const RAW = deploymentManifest();

function withImage(image: string, manifest: Json = RAW): Json {
  const copy = structuredClone(manifest);
  copy.spec.template.spec.containers[0].image = image;
  return copy;
}

/** All of a Deployment that a sync of an unchanged manifest must leave alone, and the names of its revisions. */
async function standing(scenario: Scenario): Promise<Json> {
  const { metadata, spec } = await scenario.deployment();
  const revisions = await scenario.revisions();
  return {
    generation: metadata.generation,
    revision: revisionOf({ metadata }),
    state: Object.entries(metadata.labels).sort(),
    template: spec.template,
    revisions: revisions.map((each) => each.metadata.name),
  };
}

async function syncThrice(scenario: Scenario, sync: Sync, manifest: Json): Promise<void> {
  const before = await standing(scenario);
  const versions = new Set<string>();
  for (let i = 0; i < 3; i += 1) {
    await sync(scenario, manifest);
    expect(await standing(scenario)).toEqual(before);
    versions.add((await scenario.deployment()).metadata.resourceVersion);
  }
  // The first may have to settle who owns which field; then not even that is written.
  expect(versions.size).toBe(1);
  await scenario.quiet();
  expect(await standing(scenario)).toEqual(before);
}

describe.each(Object.entries(CLIENTS))('%s', (_, sync) => {
  let scenario: Scenario;

  test('of an unchanged manifest changes nothing', async () => {
    scenario = await Scenario.start('sync');
    await scenario.apply(configMapManifest('foo', V1));
    await sync(scenario, RAW);
    await scenario.kubectl('set-owner', 'configmap/foo', 'deployment/bar');
    await scenario.runsWith(V1);
    await scenario.quiet();
    await syncThrice(scenario, sync, RAW);
  });

  test('changes nothing after the controller has rolled', async () => {
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet();
    await syncThrice(scenario, sync, RAW);
    await scenario.runsWith(V2);
  });

  test('leaves an undone config where it is', async () => {
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    await scenario.quiet();
    await syncThrice(scenario, sync, RAW);
    await scenario.runsWith(V1);
  });

  test('of a new image makes exactly one revision, pinned to the config that ran', async () => {
    const before = await standing(scenario);
    await sync(scenario, withImage('app:2'));
    const pinned = await scenario.runsWith(V1);
    await scenario.quiet();
    const after = await standing(scenario);
    expect({ revision: after.revision, generation: after.generation }).toEqual({
      revision: before.revision + 1,
      generation: before.generation + 1,
    });
    const newest = (await scenario.revisions()).at(-1);
    expect(newest.spec.template.spec.containers[0].image).toBe('app:2');
    expect(mountedBy(newest)).toBe(pinned);
    await syncThrice(scenario, sync, withImage('app:2'));
  });
});

// Some of them are lists or structs with one owner for the whole.
test('server-side apply of every kind of reference never conflicts, and moves them all', async () => {
  const every = deploymentManifest();
  const { spec } = every.spec.template;
  const [container] = spec.containers;
  Object.assign(container, {
    envFrom: [{ configMapRef: { name: 'foo' }, prefix: 'ALL_' }, { configMapRef: { name: 'other', optional: true } }],
    env: [
      { name: 'ONE', valueFrom: { configMapKeyRef: { name: 'foo', key: 'config.yml' } } },
      { name: 'PLAIN', value: 'x' },
    ],
  });
  spec.initContainers = [{ name: 'first', image: 'app:1', envFrom: [{ configMapRef: { name: 'foo' } }] }];
  const projection = [{ configMap: { name: 'foo' } }, { downwardAPI: { items: [] } }];
  spec.volumes.push({ name: 'projected', projected: { sources: projection } });
  const sync = CLIENTS['kubectl apply --server-side'] as Sync;
  const scenario = await Scenario.start('every');
  await scenario.apply(configMapManifest('foo', V1));
  await sync(scenario, every);
  await scenario.kubectl('set-owner', 'configmap/foo', 'deployment/bar');
  for (const [content, change] of [
    [V1, async () => undefined],
    [V2, () => scenario.edit(V2)],
    [V1, () => scenario.kubectl('rollout', 'undo', 'deployment/bar')],
  ] as const) {
    await change();
    const pinned = await scenario.runsWith(content);
    await scenario.quiet();
    await syncThrice(scenario, sync, every);
    const named = JSON.stringify((await scenario.deployment()).spec.template.spec).match(/"name":"foo[^"]*"/g);
    expect(named).toEqual(Array.from({ length: 5 }, () => `"name":"${pinned}"`));
  }
});

describe('one apply', () => {
  test('of a new config and a new image makes one revision with both', async () => {
    const scenario = await adopted('both');
    const before = await standing(scenario);
    await scenario.apply(configMapManifest('foo', V2), withImage('app:2'));
    const pinned = await scenario.runsWith(V2);
    await scenario.quiet();
    const after = await standing(scenario);
    expect(after.revision).toBe(before.revision + 1);
    expect(after.template.spec.containers[0].image).toBe('app:2');
    expect(mountedBy((await scenario.revisions()).at(-1))).toBe(pinned);
    expect(await scenario.kubectl('rollout', 'history', 'deployment/bar')).toMatch(/configmap\/foo: config\.yml/);
  });

  test('of a new config and the unchanged workload makes one revision', async () => {
    const scenario = await adopted('config');
    const before = await standing(scenario);
    await scenario.apply(configMapManifest('foo', V2), RAW);
    await scenario.runsWith(V2);
    await scenario.quiet();
    expect((await standing(scenario)).revision).toBe(before.revision + 1);
  });

  test.each([
    ['label managed=all on the Deployment', { 'configrollout.dev/managed': 'all' }, {}],
    [
      'annotation on the ConfigMap, and label managed=owned',
      { 'configrollout.dev/managed': 'owned' },
      { annotations: { 'configrollout.dev/owners': 'deployment/bar' } },
    ],
  ])('that creates both, opted in by %s, pins the first revision', async (_, labels, metadata) => {
    const scenario = await Scenario.start('create');
    await scenario.apply(configMapManifest('foo', V1, metadata), deploymentManifest('bar', 'foo', {}, { labels }));
    const pinned = await scenario.runsWith(V1);
    await scenario.quiet();
    expect((await scenario.revisions()).map((each) => [revisionOf(each), mountedBy(each)])).toEqual([[1, pinned]]);
    const [snapshot] = await scenario.snapshots();
    const owners: string[] = snapshot.metadata.ownerReferences.map(({ kind }: Json) => kind);
    expect(owners.sort()).toEqual(['Deployment', 'ReplicaSet']);
  });
});
