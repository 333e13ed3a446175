// One ConfigMap for workloads of all kinds, that even have one name: each has revisions and undos of its own.

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import { installRolloutCrd, removeRolloutCrd } from '../support/rollout-crd.ts';
import { Scenario, V1, V2 } from '../support/scenario.ts';
import { type RolloutsStandIn, startRolloutsStandIn } from '../support/stand-in-rollouts.ts';
import { atRest, content, KINDS, Subject, source } from '../support/workload-kinds.ts';

let controller: Controller;
let argo: RolloutsStandIn;
beforeAll(async () => {
  await installRolloutCrd();
  argo = startRolloutsStandIn();
  controller = await startController();
});
afterAll(async () => {
  await argo.stop();
  await removeRolloutCrd();
  expect(await controller.stop()).toBe(0);
});

const all = (subjects: readonly Subject[], data: Record<string, string>) =>
  Promise.all(subjects.map((subject) => subject.runsWith(data)));
const each = (subjects: readonly Subject[], revisions: number) =>
  atRest(
    subjects,
    subjects.map(() => revisions),
  );

/** One workload `bar` of each kind, at rest, that have run with V1 and V2 of one ConfigMap. */
async function shared(name: string): Promise<{ scenario: Scenario; subjects: Subject[] }> {
  const scenario = await Scenario.start(name);
  const subjects = KINDS.map((is) => new Subject(is, scenario));
  await scenario.apply(source('v1', ...subjects), ...subjects.map((subject) => subject.manifest()));
  await all(subjects, V1);
  await each(subjects, 1);
  await scenario.edit(V2);
  await all(subjects, V2);
  await each(subjects, 2);
  return { scenario, subjects };
}

/** The kinds that own the snapshot of a content. */
async function ownersOf(scenario: Scenario, data: Record<string, string>): Promise<string[]> {
  const snapshots = (await scenario.snapshots()).filter((each) => JSON.stringify(each.data) === JSON.stringify(data));
  expect(snapshots).toHaveLength(1);
  return snapshots[0].metadata.ownerReferences.map(({ kind }: { kind: string }) => kind).sort();
}

const REVISIONS = ['ControllerRevision', 'ControllerRevision', 'ReplicaSet', 'ReplicaSet'];

test('one edit makes one snapshot, with the revisions of all as owners, and one revision each', async () => {
  const { scenario, subjects } = await shared('one-edit');
  expect(await scenario.snapshots()).toHaveLength(2);
  expect(await ownersOf(scenario, V1)).toEqual(REVISIONS);
  expect(await ownersOf(scenario, V2)).toEqual([...REVISIONS, ...KINDS.map(({ kind }) => kind)].sort());
  for (const subject of subjects) expect((await subject.history())[1]).toBe('configmap/foo: config.yml');
  expect(await scenario.events('ConfigRolledOut', 'bar')).toHaveLength(8);
});

test('one is undone alone, after the other; then a change rolls them all', async () => {
  const { scenario, subjects } = await shared('one-undo');
  for (const [i, subject] of subjects.entries()) {
    await subject.undo();
    await all(subjects.slice(0, i + 1), V1);
    await each(subjects, 2);
    await all(subjects.slice(i + 1), V2);
  }
  await scenario.edit(content('v3'));
  await all(subjects, content('v3'));
  await each(subjects, 3);
});

test.each(KINDS)('the $kind is deleted: the others keep their configs, and can be undone', async (is) => {
  const { scenario, subjects } = await shared(`one-deleted-${is.resource}`);
  await scenario.kubectl('delete', `${is.resource}/bar`);
  const others = subjects.filter((subject) => subject.is !== is);
  await each(others, 2);
  expect(await scenario.snapshots()).toHaveLength(2);
  for (const other of others) await other.undo();
  await all(others, V1);
  await each(others, 2);
  expect((await scenario.configMap('foo')).data).toEqual(V2);
});
