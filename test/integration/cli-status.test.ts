// `kubectl config-rollout status`, `tree`, `pause`, `resume` and `unpin`, and completion, through the real kubectl, on what the
// controller and Kubernetes made.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import { installRolloutCrd, removeRolloutCrd } from '../support/rollout-crd.ts';
import {
  adopted,
  deploymentManifest,
  mountedBy,
  type Result,
  revisionOf,
  runKubectl,
  type Scenario,
  until,
  V1,
  V2,
} from '../support/scenario.ts';
import { type RolloutsStandIn, startRolloutsStandIn } from '../support/stand-in-rollouts.ts';
import { DAEMON_SET, ROLLOUT, running, STATEFUL_SET } from '../support/workload-kinds.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API, read as they come
type Json = any;

let controller: Controller;
beforeAll(async () => {
  await installRolloutCrd();
  controller = await startController({ admission: true });
});
afterAll(async () => {
  // First what would keep this process alive.
  const code = await controller.stop();
  await removeRolloutCrd();
  expect(code).toBe(0);
});

const CONFIG_ROLLOUT = '/apis/configrollout.dev/v1alpha1/namespaces/NS/configrollouts/deployment-bar';
const V3 = { 'config.yml': 'v3' };
// Each new pod keeps the others waiting, so that there is something to watch.
const SLOW = { minReadySeconds: 2, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };

const config = (scenario: Scenario, ...args: string[]) => scenario.tryKubectl('config-rollout', ...args);
const linesOf = ({ stdout }: Result) => stdout.trimEnd().split('\n');
/** The table at the end, as cells, without its header. */
const tableOf = (result: Result) => linesOf(result).slice(-1)[0]?.split(/ {3,}/);

async function statusOf(scenario: Scenario): Promise<Json> {
  const { stdout } = await config(scenario, 'status', 'deploy/bar', '--watch=false', '-o', 'json');
  return JSON.parse(stdout).items[0].status;
}

describe('kubectl config-rollout status', () => {
  test('follows a rollout to its end, and says what the controller says', async () => {
    const scenario = await adopted('status-follow', SLOW);
    await scenario.edit(V2);
    const short = await config(scenario, 'status', 'deployment/bar', '--timeout', '1s');
    expect(short).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: timed out waiting for deployment/) });
    const { code, stdout, stderr } = await config(scenario, 'status', 'deployment/bar', '--timeout=2m');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^deployment\.apps\/bar: ◌ Progressing, [12]\/2 updated$/m);
    expect(stdout).toMatch(/^deployment\.apps\/bar: ✔ Current, 2\/2 updated$/m);
    const revision = String(revisionOf(await scenario.deployment()));
    expect(tableOf({ code, stdout, stderr })).toEqual(['deployment.apps/bar', '✔ Current', '1/1', revision, '2/2']);
    expect(await scenario.contentInPods()).toEqual(V2);
    const written = await until('the controller says so too', async () => {
      const { status } = await scenario.get(CONFIG_ROLLOUT);
      return status.lastRollout.outcome === 'Complete' && status;
    });
    expect(await statusOf(scenario)).toEqual(written);
  });

  test('sees the same without a ConfigRollout', async () => {
    const scenario = await adopted('status-alone');
    const status = await statusOf(scenario);
    await controller.stop();
    try {
      await scenario.kubectl('delete', 'configrollout', 'deployment-bar');
      const alone = await statusOf(scenario);
      expect(alone.sources).toEqual(status.sources);
      expect(alone.lastRollout).toMatchObject({ outcome: 'Complete', cause: status.lastRollout.cause });
      expect(alone.conditions.map(({ reason }: Json) => reason)).toEqual(
        status.conditions.map(({ reason }: Json) => reason),
      );
      await scenario.edit(V2);
      expect((await config(scenario, 'status', '--no-headers')).stdout).toMatch(/◌ Pending +0\/1/);
    } finally {
      controller = await startController({ admission: true });
    }
    expect((await config(scenario, 'status', 'deploy/bar')).code).toBe(0);
    expect(await scenario.contentInPods()).toEqual(V2);
  });

  test('exits with 1 when a rollout fails, and knows one that was rolled back', async () => {
    const scenario = await adopted('status-failed', { progressDeadlineSeconds: 2 });
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'full' },
      spec: { hard: { pods: '2' } },
    };
    await scenario.apply(quota);
    await scenario.edit(V2);
    const failed = await config(scenario, 'status', 'deploy/bar');
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringMatching(/✘ Failed +0\/1/) });
    await scenario.kubectl('delete', 'resourcequota', 'full');
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    const back = await config(scenario, 'status', 'deploy/bar');
    expect(back).toMatchObject({ code: 0, stdout: expect.stringMatching(/↩ Rolled back +0\/1 +\d+ +2\/2/) });
    expect(await scenario.contentInPods()).toEqual(V1);
  });

  test('of an empty namespace is empty', async () => {
    const scenario = await adopted('status-none');
    const { code, stdout, stderr } = await config(scenario, 'status', 'statefulsets');
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: '',
      stderr: `No resources found in ${scenario.namespace} namespace.\n`,
    });
  });
});

describe('kubectl config-rollout pause and resume', () => {
  test('keep a change back, and let it go', async () => {
    const scenario = await adopted('pause', SLOW);
    expect(await config(scenario, 'pause', 'deploy/bar', '--dry-run=server')).toEqual({
      code: 0,
      stdout: 'deployment.apps/bar config rollouts paused (server dry run)\n',
      stderr: '',
    });
    expect((await scenario.get(CONFIG_ROLLOUT)).spec.paused).toBe(false);
    expect((await config(scenario, 'pause', 'deploy/bar')).stdout).toBe('deployment.apps/bar config rollouts paused\n');
    expect((await config(scenario, 'pause', 'deploy/bar')).stdout).toBe(
      'deployment.apps/bar config rollouts already paused\n',
    );
    await scenario.edit(V2);
    const paused = await config(scenario, 'status', 'deploy/bar');
    expect(tableOf(paused)).toEqual(
      expect.arrayContaining(['॥ Paused', '0/1', '2/2', 'configmap/foo: 1 change waiting']),
    );
    expect(paused.code).toBe(0);
    await scenario.quiet();
    expect(await scenario.contentInPods()).toEqual(V1);
    expect((await config(scenario, 'resume', 'deploy/bar')).stdout).toBe(
      'deployment.apps/bar config rollouts resumed\n',
    );
    expect((await config(scenario, 'status', 'deploy/bar')).stdout).toMatch(/✔ Current +1\/1/);
    expect(await scenario.contentInPods()).toEqual(V2);
  });

  test('make the ConfigRollout of a workload that has none', async () => {
    const scenario = await adopted('pause-new');
    await scenario.apply(deploymentManifest('web', 'foo'));
    const { code, stderr } = await config(scenario, 'pause', 'deploy/web');
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('nothing rolls out to deployment/web'),
    });
    const made = await scenario.get(CONFIG_ROLLOUT.replace('-bar', '-web'));
    expect(made.spec).toEqual({ workload: { kind: 'Deployment', name: 'web' }, paused: true, onFailure: 'Keep' });
    // It holds from the first snapshot on.
    await scenario.kubectl('set-owner', 'configmap/foo', 'deployment/web');
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment('web'))).toBe('foo');
    await scenario.kubectl('config-rollout', 'resume', 'deploy/web');
    await scenario.runsWith(V1, 'web');
  });
});

describe('kubectl config-rollout tree', () => {
  test('shows snapshots, workloads, revisions and pods', async () => {
    const scenario = await adopted('tree');
    const first = mountedBy(await scenario.deployment());
    await scenario.edit(V2);
    const second = await scenario.runsWith(V2);
    const [old, now] = (await scenario.revisions()).slice(-2);
    const result = await config(scenario, 'tree', 'cm/foo', '-o', 'wide');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const shapes = linesOf(result).map((line) => line.split(/(?<=[\w✘✔]) {3,}/)[0]);
    expect(shapes).toEqual([
      expect.stringMatching(/^NAME/),
      '⚙ foo',
      `├──⧉ ${second}`,
      '│  └──⟳ bar',
      `│     └──# revision:${revisionOf(now)} ${now.metadata.name}`,
      expect.stringContaining(`│        ├──□ ${now.metadata.name}-`),
      expect.stringContaining(`│        └──□ ${now.metadata.name}-`),
      `└──⧉ ${first}`,
      '   └──⟳ bar',
      `      └──# revision:${revisionOf(old)} ${old.metadata.name}`,
    ]);
    expect((await config(scenario, 'tree', `cm/${first}`, '-o', 'wide')).stdout.split(' ')[0]).toBe('NAME');
    const workload = await config(scenario, 'tree', 'deploy/bar');
    expect(workload.stdout).toMatch(/^⟳ bar .*✔ Current .*2\/2\n└──⚙ foo .*✔ Current/m);
    expect(workload.stdout).toMatch(/ 2 pods, configmap\/foo: config\.yml$/m);
  });
});

describe('kubectl config-rollout unpin', () => {
  test('takes a workload out, for good, and leaves its history alone', async () => {
    const scenario = await adopted('unpin');
    await scenario.edit(V2);
    const pin = await scenario.runsWith(V2);
    const before = (await scenario.snapshots()).map(({ metadata }) => metadata.name);
    const { code, stdout, stderr } = await config(scenario, 'unpin', 'deployment/bar');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'deployment.apps/bar unpinned\n' });
    expect(stderr).toContain('Warning: the pods of deployment.apps/bar restart once\n');
    await until('the pods are on the source itself', async () => {
      expect(await scenario.contentInPods()).toEqual(V2);
      return mountedBy(await scenario.deployment()) === 'foo';
    });
    const { metadata } = await scenario.deployment();
    expect(metadata.labels).toEqual({ 'configrollout.dev/managed': 'none' });
    expect(revisionOf({ metadata })).toBe(4);

    // Neither a change nor an apply pins it again.
    await scenario.edit(V3);
    await scenario.apply(deploymentManifest());
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment())).toBe('foo');
    expect(revisionOf(await scenario.deployment())).toBe(4);
    // The revisions own what they mount, so nothing of it was swept.
    const owners = (await scenario.snapshots()).flatMap((snapshot) => snapshot.metadata.ownerReferences);
    expect((await scenario.snapshots()).map((snapshot) => snapshot.metadata.name)).toEqual(before);
    expect(new Set(owners.map(({ kind }: Json) => kind))).toEqual(new Set(['ReplicaSet']));
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await until('the undo is complete', async () => mountedBy(await scenario.deployment()) === pin);
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment())).toBe(pin);

    // And in again.
    await scenario.kubectl('label', 'deployment', 'bar', 'configrollout.dev/managed-');
    await scenario.runsWith(V3);
  });

  test('takes one source out', async () => {
    const scenario = await adopted('unpin-source');
    const { code, stderr } = await config(scenario, 'unpin', 'deploy/bar', '--source', 'cm/foo');
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('kubectl label deployment bar -n'),
    });
    await scenario.edit(V2);
    await scenario.quiet();
    const deployment = await scenario.deployment();
    expect(mountedBy(deployment)).toBe('foo');
    expect(deployment.metadata.labels).toMatchObject({ 'configmap.configrollout.dev/foo': 'excluded' });
    // An undo would pin it for good: only by name, and with a word on it.
    const refused = await config(scenario, 'undo', 'deploy/bar');
    expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('or go back all the same') });
    const named = await config(scenario, 'undo', 'deploy/bar', '--source', 'cm/foo');
    expect(named).toMatchObject({ code: 0, stderr: expect.stringContaining('stays at this snapshot until') });
    const pin = mountedBy(await scenario.deployment());
    await scenario.edit(V3);
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment())).toBe(pin);
    expect((await config(scenario, 'status', 'deploy/bar', '-o', 'wide')).stdout).toContain(
      `not managed (pinned: configmap/${pin})`,
    );
    await scenario.kubectl('label', 'deployment', 'bar', 'configmap.configrollout.dev/foo-');
    await scenario.runsWith(V3);
  });
});

describe.each([STATEFUL_SET, DAEMON_SET, ROLLOUT])('of a $kind', (is) => {
  let argo: RolloutsStandIn | undefined;
  beforeAll(() => {
    if (is === ROLLOUT) argo = startRolloutsStandIn();
  });
  afterAll(() => argo?.stop());

  test('status waits for the pods, tree counts them, unpin takes it out', async () => {
    const subject = await running(is, 'cli-kinds');
    const { scenario, ref } = subject;
    await scenario.edit(V2);
    const { code, stdout } = await config(scenario, 'status', ref, '--timeout', '1m');
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/✔ Current +1\/1 +\d+ +(\d+)\/\1\n$/) });
    expect(await subject.contents()).toEqual(Array(is.pods).fill(V2));
    const tree = await config(scenario, 'tree', ref);
    expect(tree.stdout).toMatch(new RegExp(` ${is.pods} pods?, configmap/foo: config\\.yml$`, 'm'));
    expect((await config(scenario, 'unpin', ref)).code).toBe(0);
    await scenario.edit(V3);
    await until('the pods are on the source itself', async () => {
      const pods = await subject.pods();
      return pods.length === is.pods && pods.every(({ spec }: Json) => mountsFoo(spec));
    });
    await scenario.quiet();
    expect(mountedBy(await subject.read())).toBe('foo');
    expect((await config(scenario, 'status', ref, '--no-headers')).stdout).toMatch(/ not managed /);
  });
});

test.each([STATEFUL_SET, DAEMON_SET])('status of a $kind with OnDelete says which pods are behind', async (is) => {
  const { scenario, ref } = await running(is, 'cli-on-delete');
  const onDelete = { spec: { updateStrategy: { type: 'OnDelete', rollingUpdate: null } } };
  await scenario.kubectl('patch', ref, '--type', 'merge', '-p', JSON.stringify(onDelete));
  await scenario.edit(V2);
  const { code, stdout } = await config(scenario, 'status', ref, '--timeout', '1m');
  const pods =
    is.pods === 1 ? '1 pod keeps older config until it is' : `${is.pods} pods keep older config until they are`;
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`✔ Current +1/1 +\\d+ +0/${is.pods} +${pods} deleted \\(OnDelete\\)\n$`)),
  });
  expect((await config(scenario, 'unpin', ref)).stderr).toContain('until they are deleted (OnDelete)\n');
});

const mountsFoo = ({ volumes }: Json) => volumes.some(({ configMap }: Json) => configMap?.name === 'foo');

describe('completion by kubectl', () => {
  const complete = async (...words: string[]) => {
    const { code, stdout } = await runKubectl(['__complete', ...words]);
    expect(code).toBe(0);
    return stdout.trimEnd().split('\n');
  };

  test('of commands, types, names and namespaces, without the snapshots', async () => {
    const scenario = await adopted('completion');
    const { namespace } = scenario;
    expect(await complete('config-rollout', 'sta')).toEqual([expect.stringMatching(/^status\tShow/), ':4']);
    expect(await complete('config-rollout', 'status', '')).toEqual([
      ...['deployment/', 'statefulset/', 'daemonset/', 'rollout/', ':6'],
    ]);
    expect(await complete('config-rollout', 'status', '-n', namespace, 'deploy/')).toEqual(['deploy/bar', ':4']);
    expect(await complete('config-rollout', 'tree', '-n', namespace, 'cm/f')).toEqual(['cm/foo', ':4']);
    expect(await complete('set-owner', '-n', namespace, 'cm/foo', 'deploy', '')).toEqual(['bar', ':4']);
    expect(await complete('set-volume', 'deploy/bar', '-n', namespace, '--configmap-name', 'f')).toEqual(['foo', ':4']);
    expect(await complete('config-rollout', 'status', '-n', namespace.slice(0, -1))).toContain(namespace);
    expect(await complete('config-rollout', 'status', '--kubeconfig', '/none', 'deploy/')).toEqual([':4']);
  });
});
