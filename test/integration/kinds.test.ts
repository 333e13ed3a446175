// The promises, for each workload kind: the same scenarios, told by one table.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import { installRolloutCrd, removeRolloutCrd } from '../support/rollout-crd.ts';
import { configMapManifest, mountedBy, Scenario, sleep, until, V1, V2 } from '../support/scenario.ts';
import { type RolloutsStandIn, startRolloutsStandIn } from '../support/stand-in-rollouts.ts';
import {
  content,
  DAEMON_SET,
  DEPLOYMENT,
  KINDS,
  ROLLOUT,
  running,
  STATEFUL_SET,
  Subject,
  source,
} from '../support/workload-kinds.ts';

const ADMISSION = process.env['TEST_ADMISSION'] === 'on';
const OF_NOBODY = { annotations: { 'configrollout.dev/owners': 'rollout/bar' } };
const CHANGED = 'configmap/foo: config.yml';

let controller: Controller;
let argo: RolloutsStandIn | undefined;
beforeAll(async () => {
  await removeRolloutCrd();
  controller = await startController();
});
afterAll(async () => {
  await argo?.stop();
  await removeRolloutCrd();
  expect(await controller.stop()).toBe(0);
});

/** Errors, but for those about a workload that another file has left behind. */
function complaints() {
  return controller.log.filter(
    ({ level, key }) => level === 'error' && (key === undefined || `${key}`.includes('Rollout')),
  );
}

describe('Argo Rollouts', () => {
  test('are not installed: other kinds work, nothing in the log complains, and who wants one is told', async () => {
    const { scenario } = await running(DEPLOYMENT, 'no-crd');
    await scenario.apply(configMapManifest('lonely', V1, OF_NOBODY));
    expect((await scenario.event('ConfigOwnerNotFound', 'lonely')).note).toMatch(/rollout\/bar does not exist/);
    expect(complaints()).toEqual([]);
    expect(controller.log.filter((entry) => JSON.stringify(entry).includes('argoproj'))).toEqual([]);
  });

  test('are installed later: they work without a restart of the controller', async () => {
    await installRolloutCrd();
    argo = startRolloutsStandIn();
    const subject = new Subject(ROLLOUT, await Scenario.start('crd-later'));
    await subject.scenario.apply(source('v1', subject), subject.manifest());
    await subject.runsWith(V1, 75_000);
    await subject.atRest(1);
    expect(complaints()).toEqual([]);
  });
});

/** All of a workload that an apply of its unchanged manifest must leave alone. */
async function standing(subject: Subject) {
  const { metadata, spec } = await subject.read();
  const labels = Object.entries(metadata.labels).sort();
  return { generation: metadata.generation, labels, spec, revisions: await subject.revisions() };
}

describe.each(KINDS)('$kind', (is) => {
  test('is adopted: one pinned revision, owned by it and by the workload', async () => {
    const scenario = await Scenario.start(`adopt-${is.resource}`);
    const subject = new Subject(is, scenario);
    await scenario.apply(configMapManifest('foo', V1), subject.manifest());
    await scenario.kubectl('set-owner', 'configmap/foo', subject.ref);
    const pin = await subject.runsWith(V1);
    const [revision] = await subject.atRest(1);
    expect(revision).toMatchObject({ mount: pin });
    expect(await scenario.snapshots()).toMatchObject([{ metadata: { name: pin }, immutable: true, data: V1 }]);
    const [owner] = (await scenario.configMap('foo')).metadata.ownerReferences;
    expect(owner).toMatchObject({ apiVersion: is.apiVersion, kind: is.kind, name: 'bar' });
  });

  test('has its source changed: one new revision with that content, and a cause', async () => {
    const subject = await running(is, 'change');
    const [first] = await subject.revisions();
    const pin = await subject.edit(V2);
    const revisions = await subject.atRest(2);
    expect(revisions.map(({ mount }) => mount)).toEqual([first?.mount, pin]);
    expect(revisions.map(({ uid }) => uid)[0]).toBe(first?.uid);
    expect((await subject.history())[1]).toBe(CHANGED);
    expect(await subject.scenario.events('ConfigRolledOut', 'bar')).toHaveLength(2);
  });

  test('is undone, twice: the old content, and the new; a change after an undo rolls', async () => {
    const subject = await running(is, 'undo', ['v1', 'v2']);
    await subject.undo();
    await subject.runsWith(V1);
    await subject.atRest(2);
    await subject.undo();
    await subject.runsWith(V2);
    await subject.atRest(2);
    await subject.undo();
    await subject.runsWith(V1);
    expect((await subject.scenario.configMap('foo')).data).toEqual(V2);
    await subject.edit(content('v3'));
    const revisions = await subject.atRest(3);
    expect((await subject.history())[2]).toBe(CHANGED);
    expect(revisions[2]?.mount).toBe(mountedBy(await subject.read()));
  });

  test('is undone to a revision by number, and stays there', async () => {
    const subject = await running(is, 'number', ['v1', 'v2', 'v3']);
    const [first] = await subject.revisions();
    await subject.undo(first?.number);
    await subject.runsWith(V1);
    const revisions = await subject.atRest(3);
    expect(revisions[2]?.uid).toBe(first?.uid);
    await sleep(1500);
    await subject.runsWith(V1);
  });

  test('goes back to old content: the old revision is used again, and its cause is the change', async () => {
    const subject = await running(is, 'back', ['v1', 'v2']);
    const [first] = await subject.revisions();
    expect(await subject.edit(V1)).toBe(first?.mount);
    const revisions = await subject.atRest(2);
    expect(revisions[1]?.uid).toBe(first?.uid);
    expect((await subject.history())[1]).toBe(CHANGED);
  });

  test('has a history limit: snapshots go with their revisions', async () => {
    const subject = await running(is, 'limit', ['v1'], { revisionHistoryLimit: 2 });
    await subject.scenario.apply(configMapManifest('foo-abcdefgh22', V1));
    for (const version of ['v2', 'v3', 'v4']) await subject.edit(content(version));
    const revisions = await subject.atRest(3);
    const snapshots = (await subject.scenario.snapshots()).map(({ metadata }) => metadata.name).sort();
    expect(snapshots).toEqual(revisions.map(({ mount }) => mount).sort());
    expect((await subject.scenario.configMap('foo-abcdefgh22')).data).toEqual(V1);
  });

  test('gets a new image: the pin stays, and the revision has no cause of the controller', async () => {
    const subject = await running(is, 'image', ['v1', 'v2']);
    const { mount } = await subject.latest();
    await subject.setImage('app:2');
    const revisions = await subject.atRest(3);
    expect(revisions[2]).toMatchObject({ mount, image: 'app:2', cause: undefined });
    await subject.undo();
    await subject.runsWith(V2);
    expect((await subject.atRest(3))[2]).toMatchObject({ mount, image: 'app:1' });
  });

  if (ADMISSION) {
    test.each([
      ['kubectl apply', []],
      ['kubectl apply --server-side', ['--server-side']],
    ])('has its raw manifest applied by %s: nothing changes at all', async (_, flags) => {
      const scenario = await Scenario.start(`raw-${is.resource}`);
      const subject = new Subject(is, scenario);
      const manifest = subject.manifest({ metadata: { labels: { 'configrollout.dev/managed': 'owned' } } });
      const apply = (...more: string[]) => scenario.kubectlWith(manifest, 'apply', ...flags, ...more, '-f', '-');
      await scenario.apply(source('v1', subject));
      await apply();
      await subject.runsWith(V1);
      await subject.atRest(1);
      await subject.edit(V2);
      await subject.atRest(2);
      const rolled = await standing(subject);
      await apply();
      expect(await standing(subject)).toEqual(rolled);
      await subject.undo();
      await subject.runsWith(V1);
      await subject.atRest(2);
      const before = await standing(subject);
      if (is.undoBringsDefaults) {
        await apply(...(flags.length > 0 ? ['--force-conflicts'] : []));
        expect((await standing(subject)).revisions).toEqual(before.revisions);
      } else {
        await apply();
        await apply();
        expect(await standing(subject)).toEqual(before);
      }
      await subject.runsWith(V1);
      await subject.atRest(2);
    });
  } else {
    test('has its raw manifest applied: it is pinned again, and the raw revision goes', async () => {
      const subject = await running(is, 'raw', ['v1', 'v2']);
      const apply = async (expected: Record<string, string>) => {
        const { metadata } = await subject.read();
        await subject.scenario.apply(subject.manifest());
        expect((await subject.read()).metadata.generation).toBeGreaterThan(metadata.generation);
        await subject.runsWith(expected);
        await subject.atRest(2);
      };
      await apply(V2);
      await apply(V2);
      await subject.undo();
      await subject.runsWith(V1);
      await subject.atRest(2);
      // The raw manifest does not undo the undo.
      await apply(V1);
    });
  }

  test('is replaced while undone, which drops its labels: it is still known what was rolled last', async () => {
    const subject = await running(is, 'replaced', ['v1', 'v2']);
    const record = `rolled.configrollout.dev/${(await subject.read()).metadata.uid}`;
    const { mount } = await subject.latest();
    await until('it is on record', async () => {
      const { metadata } = await subject.scenario.configMap(mount);
      return metadata.annotations[record] !== undefined;
    });
    await subject.undo();
    await subject.runsWith(V1);
    await subject.atRest(2);
    await subject.scenario.kubectlWith(subject.manifest(), 'replace', '-f', '-');
    await subject.runsWith(V1);
    await subject.atRest(2);
    const labels = Object.keys((await subject.read()).metadata.labels);
    expect(labels).toEqual(expect.arrayContaining(['configmap.configrollout.dev/foo', 'configrollout.dev/managed']));
  });

  test('loses its current revision by hand while undone: the old config survives', async () => {
    const subject = await running(is, 'by-hand', ['v1', 'v2']);
    await subject.undo();
    const pin = await subject.runsWith(V1);
    await subject.atRest(2);
    const current = await subject.latest();
    await subject.scenario.kubectl('delete', is.revisions, current.name);
    // The controller of StatefulSets looks only when something happens to the pods.
    await subject.deletePods();
    await until('a new revision', async () => {
      const { uid, mount } = await subject.latest();
      return mount === pin && uid !== current.uid;
    });
    expect(await subject.runsWith(V1)).toBe(pin);
    expect((await subject.atRest(2))[1]).toMatchObject({ mount: pin });
  });

  test('is deleted: its revisions and snapshots go, and a source that is only declared stays', async () => {
    const { scenario, ref } = await running(is, 'delete', ['v1', 'v2']);
    await scenario.kubectl('delete', ref);
    const gone = async () =>
      (await scenario.snapshots()).length === 0 &&
      (await scenario.list(`/apis/apps/v1/namespaces/NS/${is.revisions}`)).length === 0;
    // The garbage collector learns of a new kind within half a minute.
    await until('nothing is left', gone);
    expect((await scenario.configMap('foo')).data).toEqual(V2);
  });
});

describe('StatefulSet with a partition', () => {
  test('keeps old pods on the old config, whatever the history limit; and can be undone', async () => {
    const spec = { replicas: 3, revisionHistoryLimit: 1 };
    const subject = await running(STATEFUL_SET, 'partition', ['v1'], spec);
    const partition = (n: number) => subject.patch({ spec: { updateStrategy: { rollingUpdate: { partition: n } } } });
    await partition(2);
    for (const version of ['v2', 'v3', 'v4']) {
      await subject.scenario.edit(content(version));
      await subject.reads([V1, V1, content(version)]);
    }
    await until('revisions and snapshots of what runs, and of one more', async () => {
      const versions = (await subject.scenario.snapshots()).map(({ data }) => data['config.yml']).sort();
      return versions.join() === 'v1,v3,v4' && (await subject.revisions()).length === 3;
    });
    // A pod below the partition starts anew with what it ran before.
    await subject.deletePods(1);
    await subject.reads([V1, V1, content('v4')]);
    await subject.undo();
    await subject.reads([V1, V1, content('v3')]);
    await sleep(1500);
    await subject.reads([V1, V1, content('v3')]);
    await partition(0);
    await subject.runsWith(content('v3'));
    await subject.atRest(2);
  });

  test('has its raw manifest applied: all pods are pinned, each to its own', async () => {
    const subject = await running(STATEFUL_SET, 'partition-raw');
    const updateStrategy = { rollingUpdate: { partition: 1 } };
    await subject.patch({ spec: { updateStrategy } });
    await subject.scenario.edit(V2);
    await subject.reads([V1, V2]);
    await subject.scenario.apply(subject.manifest({ spec: { updateStrategy } }));
    await until('two pinned revisions', async () => {
      const mounts = (await subject.revisions()).map(({ mount }) => mount);
      return mounts.length === 2 && !mounts.includes('foo');
    });
    await subject.reads([V1, V2]);
    expect(mountedBy(await subject.read())).not.toBe('foo');
    await subject.undo();
    await subject.reads([V1, V1]);
    await sleep(1500);
    await subject.reads([V1, V1]);
  });
});

describe.each([
  { is: STATEFUL_SET, kept: 'v1,v3,v4' },
  // Its controller counts a revision that pods run on among those to keep.
  { is: DAEMON_SET, kept: 'v1,v4' },
])('$is.kind with the strategy OnDelete', ({ is, kept }) => {
  const ON_DELETE = { updateStrategy: { type: 'OnDelete', rollingUpdate: null } };
  const all = (version: string) => Array<Record<string, string>>(is.pods).fill(content(version));

  test('runs on with the old config until its pods are deleted by hand, and then with the new', async () => {
    const subject = await running(is, 'on-delete');
    await subject.patch({ spec: ON_DELETE });
    for (const [act, before, after] of [
      [() => subject.scenario.edit(V2), 'v1', 'v2'],
      [() => subject.undo(), 'v2', 'v1'],
      [() => subject.scenario.edit(content('v3')), 'v1', 'v3'],
    ] as const) {
      const { number } = await subject.latest();
      await act();
      await until('a new number', async () => (await subject.latest()).number > number);
      await sleep(300);
      await subject.reads(all(before));
      await subject.deletePods();
      await subject.reads(all(after));
    }
    const mounts = (await subject.revisions()).map(({ mount }) => mount);
    const snapshots = (await subject.scenario.snapshots()).map(({ metadata }) => metadata.name);
    expect(snapshots.sort()).toEqual(mounts.sort());
    expect(mounts).toHaveLength(3);
  });

  test('keeps the config that its pods run on, however small the history limit', async () => {
    const subject = await running(is, 'on-delete-limit', ['v1'], { revisionHistoryLimit: 1 });
    await subject.patch({ spec: ON_DELETE });
    for (const version of ['v2', 'v3', 'v4']) {
      const { number } = await subject.latest();
      await subject.scenario.edit(content(version));
      await until('a new revision', async () => (await subject.latest()).number > number);
    }
    await until(`only the snapshots ${kept}`, async () => {
      const versions = (await subject.scenario.snapshots()).map(({ data }) => data['config.yml']).sort();
      if (versions.join() !== kept) throw new Error(`there are ${versions}`);
      return true;
    });
    await subject.reads(all('v1'));
    await subject.deletePods();
    await subject.reads(all('v4'));
  });

  test('keeps its raw revision while a pod runs on it, and no longer', async () => {
    const subject = new Subject(is, await Scenario.start(`on-delete-raw-${is.resource}`));
    await subject.scenario.apply(configMapManifest('foo', V1), subject.manifest({ spec: ON_DELETE }));
    await subject.reads(all('v1'));
    await subject.scenario.kubectl('set-owner', 'configmap/foo', subject.ref);
    await until('a pinned revision', async () => (await subject.latest()).mount !== 'foo');
    await sleep(1500);
    expect((await subject.revisions()).map(({ mount }) => mount === 'foo')).toEqual([true, false]);
    await subject.deletePods();
    await subject.reads(all('v1'));
    await until('the raw revision is gone', async () => (await subject.revisions()).length === 1);
  });
});

describe.each([DEPLOYMENT, ROLLOUT])('$kind, paused', (is) => {
  test('changes twice: one revision when it goes on, and the content in between is swept', async () => {
    const subject = await running(is, 'paused');
    await subject.patch({ spec: { paused: true } });
    for (const version of ['v2', 'v3']) {
      await subject.scenario.edit(content(version));
      await until(`pinned to ${version}`, async () => {
        const { data } = await subject.scenario.configMap(mountedBy(await subject.read()));
        return data['config.yml'] === version;
      });
    }
    await subject.reads([V1, V1]);
    expect(await subject.revisions()).toHaveLength(1);
    await subject.patch({ spec: { paused: null } });
    await subject.runsWith(content('v3'));
    await subject.atRest(2);
    expect((await subject.history())[1]).toBe(CHANGED);
    await subject.undo();
    await subject.runsWith(V1);
  });
});

// As people do to change what cannot be changed of a StatefulSet.
describe.each([DEPLOYMENT, STATEFUL_SET, DAEMON_SET])('$kind, deleted without its pods and applied again', (is) => {
  test(`runs with its config${ADMISSION ? ', and its pods never stop' : ''}`, async () => {
    const { scenario } = await running(is, 'orphan', ['v1', 'v2']);
    const subject = new Subject(is, scenario);
    const before = await subject.revisions();
    const podsBefore = (await subject.pods()).map(({ metadata }) => metadata.uid);
    await scenario.kubectl('delete', subject.ref, '--cascade=orphan');
    await scenario.apply(subject.manifest({ metadata: { labels: { 'configrollout.dev/managed': 'owned' } } }));
    await subject.runsWith(V2);
    const revisions = await subject.atRest(2);
    expect(revisions.map(({ mount }) => mount)).toEqual(before.map(({ mount }) => mount));
    if (ADMISSION) expect((await subject.pods()).map(({ metadata }) => metadata.uid)).toEqual(podsBefore);
    await subject.undo();
    await subject.runsWith(V1);
    await subject.atRest(2);
  });
});

test('a restart of the controller writes nothing, be they rolled or undone', async () => {
  const subjects = await Promise.all(
    KINDS.flatMap((is) => [running(is, 'rolled', ['v1', 'v2']), running(is, 'undone', ['v1', 'v2'])]),
  );
  const undone = subjects.filter((_, i) => i % 2 === 1);
  await Promise.all(undone.map((subject) => subject.undo().then(() => subject.runsWith(V1))));
  await Promise.all(subjects.map((subject) => subject.atRest(2)));
  const writes = async () => {
    await Promise.all(subjects.map(({ scenario }) => scenario.quiet(3000)));
    return subjects.map(({ scenario }) => [scenario.namespace, scenario.writes().length]);
  };
  const before = await writes();
  await controller.stop();
  controller = await startController();
  expect(await writes()).toEqual(before);
  await controller.kill();
  controller = await startController();
  expect(await writes()).toEqual(before);
  await Promise.all(undone.map((subject) => subject.runsWith(V1)));
});

test('Argo Rollouts are taken away again: nothing in the log complains, and other kinds work', async () => {
  await removeRolloutCrd();
  await running(DEPLOYMENT, 'no-crd-again');
  await sleep(3000);
  expect(complaints()).toEqual([]);
});
