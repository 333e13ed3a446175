// The history that people see: what is pruned, what survives, and what the usual commands of kubectl do to it.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import {
  adopted,
  configMapManifest,
  deploymentManifest,
  mountedBy,
  revisionOf,
  runKubectl,
  Scenario,
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

const DECLARED = { annotations: { 'configrollout.dev/owners': 'deployment/bar' } };
const MANAGED = { labels: { 'configrollout.dev/managed': 'all' } };

async function edit(scenario: Scenario, data: Record<string, string>): Promise<string> {
  await scenario.edit(data);
  return scenario.runsWith(data);
}

describe('pruning', () => {
  test('revisionHistoryLimit prunes snapshots with their ReplicaSets, and nothing else', async () => {
    const scenario = await adopted('prune', { revisionHistoryLimit: 2 });
    await scenario.apply(
      configMapManifest('foo-bystander', { other: 'x' }),
      configMapManifest('foo-abcdefgh22', { other: 'y' }),
    );
    for (const version of ['v2', 'v3', 'v4', 'v5']) await edit(scenario, { 'config.yml': version });
    const mounted = await until('three revisions, and a snapshot for each', async () => {
      const revisions = (await scenario.revisions()).map(mountedBy).sort();
      const snapshots = (await scenario.snapshots()).map(({ metadata }) => metadata.name).sort();
      return revisions.length === 3 && JSON.stringify(revisions) === JSON.stringify(snapshots) && revisions;
    });
    expect(mounted).toHaveLength(3);
    for (const name of ['foo', 'foo-bystander', 'foo-abcdefgh22'])
      expect((await scenario.configMap(name)).metadata.name).toBe(name);
  });

  test('a snapshot that never was mounted is swept', async () => {
    const scenario = await adopted('sweep');
    await scenario.kubectl('rollout', 'pause', 'deployment/bar');
    for (const version of ['p1', 'p2', 'p3']) {
      await scenario.edit({ 'config.yml': version });
      await until(version, async () => (await scenario.snapshots()).some(({ data }) => data['config.yml'] === version));
    }
    await until('the template has the last', async () => {
      const { data } = await scenario.configMap(mountedBy(await scenario.deployment()));
      return data['config.yml'] === 'p3';
    });
    await scenario.kubectl('rollout', 'resume', 'deployment/bar');
    await scenario.runsWith({ 'config.yml': 'p3' });
    await until('two snapshots', async () => (await scenario.snapshots()).length === 2);
    expect((await scenario.revisions()).map(mountedBy).sort()).toEqual(
      (await scenario.snapshots()).map(({ metadata }) => metadata.name).sort(),
    );
  });

  test('the current ReplicaSet is deleted by hand after an undo: the old config survives', async () => {
    const scenario = await adopted('by-hand');
    await edit(scenario, V2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    const snapshot = await scenario.runsWith(V1);
    await scenario.quiet();
    const current = (await scenario.revisions()).at(-1);
    await scenario.kubectl('delete', 'replicaset', current.metadata.name);
    await until('a new ReplicaSet', async () =>
      (await scenario.revisions()).some(
        (revision) => mountedBy(revision) === snapshot && revision.metadata.uid !== current.metadata.uid,
      ),
    );
    expect(await scenario.runsWith(V1)).toBe(snapshot);
    await until('the new ReplicaSet owns the snapshot', async () => {
      const revision = (await scenario.revisions()).find((candidate) => mountedBy(candidate) === snapshot);
      const { metadata } = await scenario.configMap(snapshot);
      return metadata.ownerReferences.some(({ uid }: { uid: string }) => uid === revision.metadata.uid);
    });
  });
});

describe('deleting', () => {
  const gone = (scenario: Scenario) =>
    until(
      'snapshots and source are gone',
      async () =>
        (await scenario.snapshots()).length === 0 && (await scenario.tryKubectl('get', 'configmap', 'foo')).code !== 0,
    );

  test.each(['background', 'foreground'])(
    'the Deployment in %s mode takes snapshots and an owned source with it',
    async (mode) => {
      const scenario = await adopted(`delete-${mode}`);
      await edit(scenario, V2);
      await scenario.kubectl('delete', 'deployment', 'bar', `--cascade=${mode}`);
      await gone(scenario);
      expect(await scenario.list('/apis/apps/v1/namespaces/NS/replicasets')).toEqual([]);
    },
  );

  test('the Deployment in orphan mode leaves the source, and the snapshots that ReplicaSets mount', async () => {
    const scenario = await adopted('delete-orphan');
    await edit(scenario, V2);
    await scenario.quiet();
    await scenario.kubectl('delete', 'deployment', 'bar', '--cascade=orphan');
    await until(
      'the Deployment is gone',
      async () => (await scenario.tryKubectl('get', 'deployment', 'bar')).code !== 0,
    );
    await scenario.quiet(4000);
    const replicaSets = await scenario.list('/apis/apps/v1/namespaces/NS/replicasets');
    expect(replicaSets.map(mountedBy).sort()).toEqual(
      (await scenario.snapshots()).map(({ metadata }) => metadata.name).sort(),
    );
    expect((await scenario.configMap('foo')).data).toEqual(V2);
  });

  test('the source, and making it again with the same content: nothing rolls', async () => {
    const scenario = await Scenario.start('recreated');
    await scenario.apply(configMapManifest('foo', V1, DECLARED), deploymentManifest());
    const snapshot = await scenario.runsWith(V1);
    await scenario.quiet();
    const { generation } = (await scenario.deployment()).metadata;
    await scenario.kubectl('delete', 'configmap', 'foo');
    await scenario.quiet(4000);
    expect(await scenario.runsWith(V1)).toBe(snapshot);
    await scenario.apply(configMapManifest('foo', V1, DECLARED));
    await scenario.quiet();
    expect((await scenario.deployment()).metadata.generation).toBe(generation);
    await scenario.kubectl('delete', 'configmap', 'foo');
    await scenario.apply(configMapManifest('foo', V2, DECLARED));
    await scenario.runsWith(V2);
  });

  test('a workload, again and again: what it leaves on a snapshot that others need does not add up', async () => {
    const scenario = await Scenario.start('comes-and-goes');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest('stays', 'foo', {}, MANAGED));
    for (let times = 0; times < 3; times += 1) {
      if (times > 0) await scenario.kubectl('delete', 'deployment', 'bar');
      await scenario.apply(deploymentManifest('bar', 'foo', {}, MANAGED));
      await scenario.runsWith(V1);
      await scenario.quiet();
    }
    const [snapshot, ...others] = await scenario.snapshots();
    expect(others).toEqual([]);
    const uids = (await scenario.list('/apis/apps/v1/namespaces/NS/deployments')).map(({ metadata }) => metadata.uid);
    expect(Object.keys(snapshot.metadata.annotations).filter((key) => key.startsWith('rolled.'))).toHaveLength(2);
    expect(uids.every((uid) => `rolled.configrollout.dev/${uid}` in snapshot.metadata.annotations)).toBe(true);
  });

  test('a whole namespace: it goes, and the controller does not fight for it', async () => {
    const scenario = await adopted('terminating');
    await edit(scenario, V2);
    await scenario.end();
    await until(
      'the namespace is gone',
      async () => (await scenario.tryKubectl('get', 'namespace', scenario.namespace)).code !== 0,
    );
    const errors = controller.log.filter(
      ({ level, key }) => level === 'error' && `${key}`.includes(scenario.namespace),
    );
    expect(errors).toEqual([]);
  });
});

describe('orders of creation', () => {
  test('the ConfigMap first: the Deployment is pinned when it appears', async () => {
    const scenario = await Scenario.start('map-first');
    await scenario.apply(configMapManifest('foo', V1, DECLARED));
    expect((await scenario.event('ConfigOwnerNotFound', 'foo')).note).toMatch(/deployment\/bar does not exist/);
    await scenario.apply(deploymentManifest());
    await scenario.runsWith(V1);
    await scenario.quiet();
    expect(await scenario.revisions()).toHaveLength(1);
  });

  test('the Deployment first: it is pinned when the ConfigMap appears', async () => {
    const scenario = await Scenario.start('deployment-first');
    await scenario.apply(deploymentManifest('bar', 'foo', {}, MANAGED));
    await scenario.quiet();
    await scenario.apply(configMapManifest('foo', V1));
    await scenario.runsWith(V1);
    expect((await scenario.deployment()).metadata.labels['configrollout.dev/managed']).toBe('all');
  });
});

describe('kubectl', () => {
  test('scale keeps pins and revisions', async () => {
    const scenario = await adopted('scale');
    const writes = await scenario.quiet();
    await scenario.kubectl('scale', 'deployment', 'bar', '--replicas=3');
    await scenario.runsWith(V1);
    expect(await scenario.quiet()).toBe(writes);
    expect(await scenario.revisions()).toHaveLength(1);
  });

  test('set image makes one revision with the same pin, and without the controller’s change cause', async () => {
    const scenario = await adopted('image');
    const pin = await edit(scenario, V2);
    await scenario.quiet();
    await scenario.kubectl('set', 'image', 'deployment/bar', 'app=app:2');
    expect(await scenario.runsWith(V2)).toBe(pin);
    await scenario.quiet();
    const revisions = await scenario.revisions();
    expect(revisions).toHaveLength(3);
    expect(revisions[2].metadata.annotations['kubernetes.io/change-cause']).toBeUndefined();
    // Both revisions with the new content own it.
    const owners = (await scenario.configMap(pin)).metadata.ownerReferences.map(({ uid }: { uid: string }) => uid);
    expect(owners).toEqual(expect.arrayContaining([revisions[1].metadata.uid, revisions[2].metadata.uid]));
  });

  test('a change cause that a person wrote is kept', async () => {
    const scenario = await adopted('cause');
    await scenario.kubectl('annotate', 'deployment', 'bar', 'kubernetes.io/change-cause=ticket 42');
    await edit(scenario, V2);
    await scenario.quiet();
    expect((await scenario.deployment()).metadata.annotations['kubernetes.io/change-cause']).toBe('ticket 42');
  });

  test('rollout restart makes one revision with the same pin', async () => {
    const scenario = await adopted('restarted');
    const pin = mountedBy(await scenario.deployment());
    await scenario.kubectl('rollout', 'restart', 'deployment/bar');
    await until('two revisions', async () => (await scenario.revisions()).length === 2);
    expect(await scenario.runsWith(V1)).toBe(pin);
  });

  test('pause and resume: changes made meanwhile are one revision', async () => {
    const scenario = await adopted('paused');
    await scenario.kubectl('rollout', 'pause', 'deployment/bar');
    for (const version of ['v2', 'v3']) {
      await scenario.edit({ 'config.yml': version });
      await scenario.quiet();
    }
    expect(await scenario.revisions()).toHaveLength(1);
    await scenario.kubectl('rollout', 'resume', 'deployment/bar');
    await scenario.runsWith({ 'config.yml': 'v3' });
    await scenario.quiet();
    expect(await scenario.revisions()).toHaveLength(2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
  });

  test('apply of the raw manifest is pinned again, its raw ReplicaSet goes, and undo lands where a person expects', async () => {
    const scenario = await Scenario.start('raw');
    await scenario.apply(configMapManifest('foo', V1, DECLARED), deploymentManifest());
    await scenario.runsWith(V1);
    await edit(scenario, V2);
    await scenario.quiet();
    for (let i = 0; i < 3; i += 1) {
      await scenario.apply(deploymentManifest());
      await until('pinned again', async () => mountedBy(await scenario.deployment()) !== 'foo');
      await scenario.runsWith(V2);
      await until('only pinned revisions', async () =>
        (await scenario.revisions()).every((revision) => mountedBy(revision) !== 'foo'),
      );
    }
    expect(await scenario.revisions()).toHaveLength(2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    await scenario.quiet();
    // While undone, the raw manifest does not undo the undo.
    await scenario.apply(deploymentManifest());
    await until('pinned again', async () => mountedBy(await scenario.deployment()) !== 'foo');
    await scenario.runsWith(V1);
    await scenario.quiet();
    expect(await scenario.revisions()).toHaveLength(2);
  });

  test.each(['running', 'paused'])(
    'apply of a changed ConfigMap with the raw manifest, while %s: the new content runs',
    async (state) => {
      const scenario = await Scenario.start('raw-changed');
      await scenario.apply(configMapManifest('foo', V1, DECLARED), deploymentManifest());
      await scenario.runsWith(V1);
      await scenario.quiet();
      const paused = { paused: state === 'paused' };
      for (const data of [V2, V1, V2]) {
        await scenario.apply(configMapManifest('foo', data, DECLARED), deploymentManifest('bar', 'foo', paused));
        await scenario.quiet();
        await until(
          'pinned again',
          async () =>
            (await scenario.configMap(mountedBy(await scenario.deployment()))).data['config.yml'] ===
            data['config.yml'],
        );
      }
      await scenario.apply(deploymentManifest());
      await scenario.runsWith(V2);
      await until('two pinned revisions', async () => {
        const revisions = await scenario.revisions();
        return revisions.length === 2 && revisions.every((revision) => mountedBy(revision) !== 'foo');
      });
    },
  );

  test('apply of the raw manifest with a new image: new image, pinned config, and an undo brings the old image back', async () => {
    const scenario = await Scenario.start('raw-image');
    await scenario.apply(configMapManifest('foo', V1, DECLARED), deploymentManifest());
    const pin = await scenario.runsWith(V1);
    const manifest = deploymentManifest();
    manifest.spec.template.spec.containers[0].image = 'app:2';
    await scenario.apply(manifest);
    await until('two pinned revisions', async () => {
      const revisions = await scenario.revisions();
      return revisions.length === 2 && revisions.every((revision) => mountedBy(revision) === pin);
    });
    await scenario.runsWith(V1);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await until(
      'the old image',
      async () => (await scenario.deployment()).spec.template.spec.containers[0].image === 'app:1',
    );
    await scenario.runsWith(V1);
  });

  test('undo to a revision from before the opt-in, with an image of its own: old image, pinned config', async () => {
    const scenario = await Scenario.start('before');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest());
    await until('a first revision', async () => (await scenario.revisions()).length === 1);
    await scenario.kubectl('set', 'image', 'deployment/bar', 'app=app:2');
    await until('a second revision', async () => (await scenario.revisions()).length === 2);
    await scenario.kubectl('annotate', 'configmap', 'foo', 'configrollout.dev/owners=deployment/bar');
    const pin = await scenario.runsWith(V1);
    await scenario.quiet();
    const images = (await scenario.revisions()).map((revision) => revision.spec.template.spec.containers[0].image);
    expect(images).toEqual(['app:1', 'app:2']);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await until('the old image, pinned', async () => {
      const { spec } = await scenario.deployment();
      return spec.template.spec.containers[0].image === 'app:1' && mountedBy({ spec }) === pin;
    });
    await scenario.quiet();
    expect(revisionOf((await scenario.revisions()).at(-1))).toBe(revisionOf(await scenario.deployment()));
  });

  test('replace without the state label: what was rolled last is known from the snapshots', async () => {
    const scenario = await adopted('replace');
    await edit(scenario, V2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    await scenario.quiet();
    const manifest = JSON.stringify({
      ...deploymentManifest(),
      metadata: { name: 'bar', namespace: scenario.namespace },
    });
    expect(await runKubectl(['replace', '-f', '-'], manifest)).toMatchObject({ code: 0 });
    await until('pinned again', async () => mountedBy(await scenario.deployment()) !== 'foo');
    await scenario.runsWith(V1);
    await scenario.quiet();
    expect(Object.keys((await scenario.deployment()).metadata.labels)).toEqual(
      expect.arrayContaining(['configmap.configrollout.dev/foo', 'configrollout.dev/managed']),
    );
  });
});
