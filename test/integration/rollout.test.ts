// The main job: changes roll out, undos bring the old config back, and nothing is written that need not be.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import {
  adopted,
  configMapManifest,
  deploymentManifest,
  mountedBy,
  revisionOf,
  Scenario,
  sleep,
  until,
  V1,
  V2,
} from '../support/scenario.ts';

let controller: Controller;
beforeAll(async () => {
  controller = await startController();
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
});

describe('a source that is owned by a Deployment', () => {
  test('is adopted: one pinned revision, owned by its ReplicaSet and its Deployment', async () => {
    const scenario = await adopted('adoption');
    const snapshot = (await scenario.snapshots())[0];
    expect(await scenario.snapshots()).toHaveLength(1);
    expect(snapshot).toMatchObject({ immutable: true, data: V1 });
    expect(snapshot.metadata.labels).toMatchObject({
      'configrollout.dev/source': 'foo',
      'app.kubernetes.io/managed-by': 'config-rollout',
    });
    const revisions = await scenario.revisions();
    expect(revisions.map(mountedBy)).toEqual([snapshot.metadata.name]);
    const owners = snapshot.metadata.ownerReferences.map(
      (owner: { kind: string; name: string }) => `${owner.kind}/${owner.name}`,
    );
    expect(owners.sort()).toEqual(['Deployment/bar', `ReplicaSet/${revisions[0].metadata.name}`]);
    expect((await scenario.configMap('foo')).data).toEqual(V1);
    const group = await scenario.kubectl('get', 'configmap', '-l', 'configrollout.dev/source=foo', '-o', 'name');
    expect(group.trim().split('\n').sort()).toEqual(['configmap/foo', `configmap/${snapshot.metadata.name}`]);
  });

  test('changes: one new revision, that mounts exactly that content, with a cause', async () => {
    const scenario = await adopted('change');
    const before = await scenario.quiet();
    await scenario.edit(V2);
    const snapshot = await scenario.runsWith(V2);
    // Two of them show in the ConfigRollout that it rolls, and that it is done.
    expect((await scenario.quiet()) - before).toBeLessThanOrEqual(8);
    const revisions = await scenario.revisions();
    expect(revisions).toHaveLength(2);
    expect(mountedBy(revisions[1])).toBe(snapshot);
    expect(revisionOf(revisions[1]) - revisionOf(revisions[0])).toBe(1);
    expect(await scenario.kubectl('rollout', 'history', 'deployment/bar')).toMatch(/configmap\/foo: config\.yml/);
    expect(await scenario.events('ConfigRolledOut', 'bar')).toHaveLength(2);
  });

  test('is undone: the old config is back in the pods, and stays, through a restart of the controller', async () => {
    const scenario = await adopted('undo');
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    const old = await scenario.runsWith(V1);
    const writes = await scenario.quiet();
    await controller.stop();
    controller = await startController();
    expect(await scenario.quiet(3000)).toBe(writes);
    expect(mountedBy(await scenario.deployment())).toBe(old);
    expect((await scenario.configMap('foo')).data).toEqual(V2);
  });

  test('is undone twice: the second undo brings the new config back', async () => {
    const scenario = await adopted('toggle');
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V2);
    await scenario.quiet();
    expect(await scenario.revisions()).toHaveLength(2);
  });

  test('goes to a revision by number', async () => {
    const scenario = await adopted('to-revision');
    const target = revisionOf((await scenario.revisions())[0]);
    for (const version of ['v2', 'v3']) {
      await scenario.edit({ 'config.yml': version });
      await scenario.runsWith({ 'config.yml': version });
    }
    await scenario.kubectl('rollout', 'undo', 'deployment/bar', `--to-revision=${target}`);
    await scenario.runsWith(V1);
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment())).toBe(mountedBy((await scenario.revisions()).at(-1)));
    await scenario.runsWith(V1);
  });

  test('goes back to old content: the old ReplicaSet is used again', async () => {
    const scenario = await adopted('there-and-back');
    const first = (await scenario.revisions())[0].metadata.uid;
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.edit(V1);
    await scenario.runsWith(V1);
    await scenario.quiet();
    const revisions = await scenario.revisions();
    expect(revisions).toHaveLength(2);
    expect(revisions[1].metadata.uid).toBe(first);
  });

  test('changes after an undo: it rolls out again', async () => {
    const scenario = await adopted('after-undo');
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    await scenario.quiet();
    await scenario.edit({ 'config.yml': 'v3' });
    await scenario.runsWith({ 'config.yml': 'v3' });
    await scenario.quiet();
    expect(await scenario.revisions()).toHaveLength(3);
  });

  test('has its annotations edited: nothing is written', async () => {
    const scenario = await adopted('annotation');
    const writes = await scenario.quiet();
    await scenario.kubectl('annotate', 'configmap', 'foo', 'note=hello');
    await scenario.kubectl('label', 'configmap', 'foo', 'team=a');
    expect(await scenario.quiet(3000)).toBe(writes);
  });

  test('is left alone when the controller restarts: nothing is written at all', async () => {
    const scenario = await adopted('restart');
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    const writes = await scenario.quiet();
    await controller.stop();
    controller = await startController();
    expect(await scenario.quiet(3000)).toBe(writes);
    await controller.kill();
    controller = await startController();
    expect(await scenario.quiet(3000)).toBe(writes);
  });

  test('changes while the controller is down: it rolls out once, when it is back', async () => {
    const scenario = await adopted('down');
    await controller.stop();
    await scenario.edit(V2);
    await scenario.edit({ 'config.yml': 'v3' });
    controller = await startController();
    await scenario.runsWith({ 'config.yml': 'v3' });
    await scenario.quiet();
    expect(await scenario.revisions()).toHaveLength(2);
  });
});

describe('several sources and several Deployments', () => {
  test('two sources changed together make one revision', async () => {
    const scenario = await Scenario.start('together');
    const volumes = [
      { name: 'config', configMap: { name: 'foo' } },
      { name: 'more', configMap: { name: 'more' } },
    ];
    const owners = { annotations: { 'configrollout.dev/owners': 'deployment/bar' } };
    await scenario.apply(
      configMapManifest('foo', V1, owners),
      configMapManifest('more', { key: 'v1' }, owners),
      deploymentManifest('bar', 'foo', { template: { spec: { volumes } } }),
    );
    await scenario.runsWith(V1);
    await scenario.quiet();
    expect(await scenario.revisions()).toHaveLength(1);
    await scenario.apply(configMapManifest('foo', V2, owners), configMapManifest('more', { key: 'v2' }, owners));
    await scenario.runsWith(V2);
    await scenario.quiet();
    const revisions = await scenario.revisions();
    expect(revisions).toHaveLength(2);
    const names = revisions[1].spec.template.spec.volumes.map(
      (volume: { configMap: { name: string } }) => volume.configMap.name,
    );
    expect((await scenario.configMap(names[1])).data).toEqual({ key: 'v2' });
    const cause = revisions[1].metadata.annotations['kubernetes.io/change-cause'];
    expect(cause.split('; ').sort()).toEqual(['configmap/foo: config.yml', 'configmap/more: key']);
  });

  test('one source rolls twenty Deployments, one revision each, from one snapshot', async () => {
    const scenario = await Scenario.start('twenty');
    const names = Array.from({ length: 20 }, (_, i) => `bar-${i}`);
    await scenario.apply(
      configMapManifest('foo', V1),
      ...names.map((name) => deploymentManifest(name, 'foo', { replicas: 1 })),
    );
    await scenario.kubectl('set-owner', 'configmap/foo', ...names.map((name) => `deployment/${name}`));
    await Promise.all(names.map((name) => scenario.runsWith(V1, name)));
    await scenario.quiet();
    await scenario.edit(V2);
    await Promise.all(names.map((name) => scenario.runsWith(V2, name)));
    await scenario.quiet();
    expect(await scenario.snapshots()).toHaveLength(2);
    for (const name of names) expect(await scenario.revisions(name)).toHaveLength(2);
    const snapshot = (await scenario.snapshots()).find(({ data }) => data['config.yml'] === 'v2');
    expect(snapshot.metadata.ownerReferences).toHaveLength(40);
    // One undo of twenty is one undo.
    await scenario.kubectl('rollout', 'undo', 'deployment/bar-7');
    await scenario.runsWith(V1, 'bar-7');
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment('bar-8'))).toBe(snapshot.metadata.name);
  });

  test('a writer that never rests is slowed down; its last content wins', async () => {
    const scenario = await adopted('runaway');
    for (let i = 0; i < 15; i += 1) {
      await scenario.edit({ 'config.yml': `run ${i}` });
      // Longer than the settle time: each of them is due on its own.
      await sleep(500);
    }
    const slowed = await scenario.event('ConfigRolloutsSlowed', 'bar');
    expect(slowed.note).toMatch(/configmap\/foo changes too often/);
    expect((await scenario.revisions()).length).toBeLessThanOrEqual(7);
    await until('the last content', async () => (await scenario.contentInPods())['config.yml'] === 'run 14');
    await scenario.quiet();
    expect((await scenario.revisions()).length).toBeLessThanOrEqual(8);
  });
});

test('a dry run prints its plans, to the rollout, and writes nothing', async () => {
  const scenario = await Scenario.start('dry-run');
  const owners = { annotations: { 'configrollout.dev/owners': 'deployment/bar' } };
  await controller.stop();
  controller = await startController({ args: ['--dry-run', '--namespaces', scenario.namespace], admission: false });
  await scenario.apply(configMapManifest('foo', V1, owners), deploymentManifest());
  const printed = (text: RegExp) =>
    until(`a line like ${text}`, async () => controller.stdout.some((line) => text.test(line)));
  await printed(/would create configmap\/foo-\w{10}: content of configmap\/foo$/);
  await printed(/would patch deployment\/bar: configmap\/foo: first snapshot; pinned to configmap\/foo-\w{10}$/);
  await sleep(1000);
  expect(scenario.writes()).toEqual([]);
  expect(controller.stdout.join('\n')).not.toContain('v1');
});
