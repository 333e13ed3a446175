// `kubectl config-rollout history`, `diff` and `undo` through the real kubectl, on what the controller and Kubernetes made.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import { runKubectl, until } from '../support/scenario.ts';
import {
  content,
  DEPLOYMENT,
  type KindUnderTest,
  running,
  type SeenRevision,
  STATEFUL_SET,
  type Subject,
} from '../support/workload-kinds.ts';

let controller: Controller;
beforeAll(async () => {
  controller = await startController({ admission: true });
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
});

const plugin = ({ scenario, ref }: Subject, command: string, ...args: string[]) =>
  scenario.tryKubectl('config-rollout', command, ref, ...args);

/** The lines of the history, as cells, without AGE. */
async function history(subject: Subject): Promise<string[][]> {
  const { code, stdout, stderr } = await plugin(subject, 'history', '--no-headers');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {3,}/).filter((_, i) => i !== 3));
}

const printedKind = ({ resource }: KindUnderTest) => `${resource}.apps/bar`;
const WARNING = 'Warning: configmap/foo keeps its newer content; its next change rolls out again\n';

describe.each([DEPLOYMENT, STATEFUL_SET])('config of a $kind', (is) => {
  let subject: Subject;
  /** The snapshots, and the numbers of the revisions: the first, raw one is gone. */
  let v1: string, v2: string, first: number;
  beforeAll(async () => {
    subject = await running(is, 'cli-history', ['v1', 'v2']);
    await subject.setImage('app:2');
    [{ mount: v1, number: first }, { mount: v2 }] = (await subject.atRest(3)) as [SeenRevision, SeenRevision];
  });

  test('history says what each revision ran with, diff what it changed', async () => {
    expect(await history(subject)).toEqual([
      [`${first}`, 'configmap/foo', v1, '(first)', 'configmap/foo: first snapshot'],
      [`${first + 1}`, 'configmap/foo', v2, '~config.yml', 'configmap/foo: config.yml'],
      [`${first + 2}*`, 'configmap/foo', v2, '<none>', '<none>'],
    ]);
    const wide = (await plugin(subject, 'history', '-o', 'wide')).stdout;
    const newest = await subject.latest();
    expect(wide).toMatch(new RegExp(`^${first + 2}\\* .*\\.apps/${newest.name} +app:2$`, 'm'));

    expect(await plugin(subject, 'diff')).toEqual({ code: 0, stdout: '', stderr: '' });
    const { code, stdout } = await plugin(subject, 'diff', '--revision', `${first},${first + 2}`);
    expect({ code, stdout }).toEqual({
      // kubectl hands the plugin's exit code on.
      code: 1,
      stdout: `--- configmap/foo revision ${first} (${v1}) config.yml\n+++ configmap/foo revision ${first + 2} (${v2}) config.yml\n@@ -1 +1 @@\n-v1\n\\ No newline at end of file\n+v2\n\\ No newline at end of file\n`,
    });
    expect((await plugin(subject, 'diff', '--revision', '99')).code).toBe(2);
    const external = await runKubectl(
      ['config-rollout', 'diff', subject.ref, `--revision=${first}`, '-n', subject.scenario.namespace],
      undefined,
      { KUBECTL_EXTERNAL_DIFF: 'diff -ru' },
    );
    expect(external).toMatchObject({ code: 1, stdout: expect.stringMatching(/^--- .*configmap\.foo\.config\.yml/m) });
  });

  test('undo brings config back, keeps the image, and sticks until the source changes', async () => {
    expect(await plugin(subject, 'undo', '--dry-run=server')).toMatchObject({
      code: 0,
      stdout: `${printedKind(is)} rolled back (server dry run)\n`,
    });
    expect(await plugin(subject, 'undo')).toEqual({
      code: 0,
      stdout: `${printedKind(is)} rolled back\n`,
      stderr: WARNING,
    });
    expect(await subject.runsWith(content('v1'))).toBe(v1);
    const rolledBack = await subject.atRest(4);
    expect(rolledBack.at(-1)).toMatchObject({
      number: first + 3,
      image: 'app:2',
      mount: v1,
      cause: `configmap/foo: back to ${v1} (revision ${first})`,
    });
    expect((await history(subject)).at(-1)).toEqual([
      `${first + 3}*`,
      'configmap/foo',
      v1,
      '~config.yml',
      `configmap/foo: back to ${v1} (revision ${first})`,
    ]);
    expect(await subject.history()).toContain(`configmap/foo: back to ${v1} (revision ${first})`);

    // As a pipeline does: the manifest names the source.
    const [container] = subject.manifest().spec.template.spec.containers;
    const again = subject.manifest({ podSpec: { containers: [{ ...container, image: 'app:2' }] } });
    await subject.scenario.apply(again);
    await subject.scenario.quiet();
    expect(await subject.atRest(4)).toEqual(rolledBack);

    expect(await plugin(subject, 'undo', `--to-revision=${first + 3}`)).toEqual({
      code: 0,
      stdout: `${printedKind(is)} skipped rollback (current config is that of revision ${first + 3})\n`,
      stderr: '',
    });
    expect((await plugin(subject, 'diff', '--revision', `${first + 3},live`)).stdout).toMatch(/^-v1$[\s\S]*^\+v2$/m);
    await subject.edit(content('v3'));
    expect((await subject.latest()).image).toBe('app:2');
  });
});

describe('undo of a Deployment', () => {
  test('is refused while it is paused, as kubectl refuses it', async () => {
    const subject = await running(DEPLOYMENT, 'cli-paused', ['v1', 'v2']);
    const { scenario, ref } = subject;
    await scenario.kubectl('rollout', 'pause', ref);
    const ours = await plugin(subject, 'undo');
    const theirs = await scenario.tryKubectl('rollout', 'undo', ref);
    expect(ours).toMatchObject({ code: theirs.code, stdout: '' });
    const [, words = 'nothing'] = /^error: (you cannot rollback a paused deployment)/.exec(theirs.stderr) ?? [];
    expect(ours.stderr).toContain(words);
    await scenario.kubectl('rollout', 'resume', ref);
    expect((await plugin(subject, 'undo')).code).toBe(0);
    await subject.runsWith(content('v1'));
  });

  test('needs no more rights than the Deployment, its ReplicaSets and ConfigMaps', async () => {
    const subject = await running(DEPLOYMENT, 'cli-rights', ['v1', 'v2']);
    const { scenario } = subject;
    await scenario.kubectl('create', 'role', 'few', '--verb=get,list,patch', '--resource=deployments.apps');
    await scenario.kubectl('create', 'role', 'look', '--verb=get,list', '--resource=replicasets.apps,configmaps');
    for (const role of ['few', 'look']) {
      await scenario.kubectl('create', 'rolebinding', role, `--role=${role}`, '--user=bob');
    }
    const look = await until('the rights of bob', async () => {
      const seen = await plugin(subject, 'history', '--as=bob', '-o', 'name');
      return seen.code === 0 && seen;
    });
    expect(look.stdout).toBe((await subject.revisions()).map(({ name }) => `replicaset.apps/${name}\n`).join(''));
    expect(look.stderr).toBe('');
    expect(await plugin(subject, 'undo', '--as=bob')).toMatchObject({
      code: 0,
      stdout: 'deployment.apps/bar rolled back\n',
    });
    await subject.runsWith(content('v1'));
    expect(await plugin(subject, 'history', '--as=alice')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Error from server \(Forbidden\): deployments\.apps "bar" is forbidden/),
    });
  });
});
