// ConfigRollouts: what a person says about the rollouts of one workload, and how they are shown to stand.

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

// biome-ignore lint/suspicious/noExplicitAny: objects of the API, read as they come
type Json = any;

const V3 = { 'config.yml': 'v3' };
const CONFIG_ROLLOUT = '/apis/configrollout.dev/v1alpha1/namespaces/NS/configrollouts/deployment-bar';

let controller: Controller;
beforeAll(async () => {
  controller = await startController();
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
});

const conditions = (object: Json): Record<string, string> =>
  Object.fromEntries((object.status?.conditions ?? []).map(({ type, reason }: Json) => [type, reason]));

function ready(scenario: Scenario, reason: string): Promise<Json> {
  return until(`the ConfigRollout is ${reason}`, async () => {
    const object = await scenario.get(CONFIG_ROLLOUT).catch(() => undefined);
    return conditions(object)['Ready'] === reason && object;
  });
}

const say = (scenario: Scenario, spec: object) =>
  scenario.kubectl('patch', 'configrollout', 'deployment-bar', '--type=merge', '-p', JSON.stringify({ spec }));

const missesDeadline = async (scenario: Scenario): Promise<boolean> =>
  (await scenario.deployment()).status.conditions.some(({ reason }: Json) => reason === 'ProgressDeadlineExceeded');

describe('a ConfigRollout', () => {
  test('is made for a workload that is opted in, owned by it, and shows how it stands', async () => {
    const scenario = await adopted('policy-made');
    const { metadata, spec, status } = await ready(scenario, 'Current');
    const { uid } = (await scenario.deployment()).metadata;
    expect(metadata.ownerReferences).toEqual([{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'bar', uid }]);
    expect(spec).toEqual({ workload: { kind: 'Deployment', name: 'bar' }, paused: false, onFailure: 'Keep' });
    const pin = mountedBy(await scenario.deployment());
    const hash = pin.replace('foo-', '');
    expect(status.sources).toEqual([
      { kind: 'ConfigMap', name: 'foo', hash, rolledHash: hash, snapshot: pin, state: 'Current' },
    ]);
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    const after = await until('the second rollout is shown', async () => {
      const object = await scenario.get(CONFIG_ROLLOUT);
      return object.status.lastRollout.outcome === 'Complete' && object.status.lastRollout.sources[0].from && object;
    });
    expect(after.status.lastRollout).toMatchObject({
      cause: 'configmap/foo: config.yml',
      sources: [{ kind: 'ConfigMap', name: 'foo', from: hash, to: mountedBy(await scenario.deployment()).slice(4) }],
    });
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    expect((await ready(scenario, 'RolledBack')).status.sources[0]).toMatchObject({
      snapshot: pin,
      state: 'RolledBack',
    });
    expect(await scenario.kubectl('get', 'configrollouts')).toMatch(
      /NAME +KIND +WORKLOAD +READY +STATE +PAUSED +LAST ROLLOUT +AGE\ndeployment-bar +Deployment +bar +True +RolledBack +false/,
    );
  });

  test('that is lost loses nothing: no workload is written, and it is made again', async () => {
    const scenario = await adopted('policy-lost');
    const { metadata } = await ready(scenario, 'Current');
    await scenario.quiet();
    const changes = scenario.changes().length;
    await scenario.kubectl('delete', 'configrollout', 'deployment-bar');
    const again = await ready(scenario, 'Current');
    expect(again.metadata.uid).not.toBe(metadata.uid);
    await scenario.quiet();
    expect(scenario.changes()).toHaveLength(changes);
  });

  test('is not written by a controller that starts again', async () => {
    const scenario = await adopted('policy-restart');
    await ready(scenario, 'Current');
    const writes = await scenario.quiet();
    await controller.stop();
    controller = await startController();
    expect(await scenario.quiet()).toBe(writes);
  });

  test('goes with its workload', async () => {
    const scenario = await adopted('policy-gone');
    await ready(scenario, 'Current');
    await scenario.kubectl('delete', 'deployment', 'bar');
    await until('it is gone', async () => (await scenario.get(CONFIG_ROLLOUT).catch(() => undefined)) === undefined);
  });
});

describe('paused', () => {
  test('what changes waits, other changes go on with the former config, and all of it rolls out once at the end', async () => {
    const scenario = await adopted('policy-paused');
    await ready(scenario, 'Current');
    const before = await scenario.deployment();
    const pin = mountedBy(before);
    await say(scenario, { paused: true });
    await scenario.edit(V2);
    const { status } = await ready(scenario, 'Paused');
    expect(status.sources[0]).toMatchObject({ snapshot: pin, state: 'Paused' });
    await scenario.edit(V3);
    await scenario.kubectl('set', 'image', 'deployment/bar', 'app=app:2');
    await scenario.quiet();
    const paused = await scenario.deployment();
    expect([mountedBy(paused), revisionOf(paused)]).toEqual([pin, revisionOf(before) + 1]);

    await say(scenario, { paused: false });
    await scenario.runsWith(V3);
    await ready(scenario, 'Current');
    await scenario.quiet();
    expect(revisionOf(await scenario.deployment())).toBe(revisionOf(before) + 2);
    expect(await scenario.events('ConfigRolledOut', 'bar')).toHaveLength(2);
  });
});

describe('minInterval', () => {
  test('holds the next rollout until its time, and then takes the content of that moment', async () => {
    const scenario = await adopted('policy-interval');
    await ready(scenario, 'Current');
    await say(scenario, { minInterval: '6s' });
    await scenario.edit(V2);
    await ready(scenario, 'Pending');
    await scenario.edit(V3);
    await scenario.runsWith(V3);
    const patches = scenario
      .changes()
      .filter(({ objectRef, verb }) => `${verb} ${objectRef.resource}` === 'patch deployments');
    const rolled = (await scenario.events('ConfigRolledOut', 'bar'))
      .map(({ eventTime }) => Date.parse(eventTime))
      .sort();
    expect(rolled).toHaveLength(2);
    expect((rolled[1] ?? 0) - (rolled[0] ?? 0)).toBeGreaterThan(5000);
    expect(patches.length).toBeGreaterThan(1);
  });
});

describe('settleSeconds', () => {
  test('of one workload wins over the flag', async () => {
    const scenario = await adopted('policy-settle');
    await ready(scenario, 'Current');
    const before = revisionOf(await scenario.deployment());
    await say(scenario, { settleSeconds: 3 });
    await ready(scenario, 'Current');
    await scenario.edit(V2);
    await ready(scenario, 'Pending');
    await scenario.edit(V3);
    await scenario.runsWith(V3);
    expect(revisionOf(await scenario.deployment())).toBe(before + 1);
  });
});

describe('onFailure: Rollback', () => {
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'full' }, spec: { hard: { pods: '2' } } };

  test('takes a rollout back that misses its deadline, once, says so, and rolls the next change out', async () => {
    const scenario = await adopted('policy-failure', { progressDeadlineSeconds: 2 });
    await ready(scenario, 'Current');
    const pin = mountedBy(await scenario.deployment());
    await say(scenario, { onFailure: 'Rollback' });
    // No new pod can be made beside those that run.
    await scenario.apply(quota);
    await scenario.edit(V2);
    const event = await scenario.event('ConfigRolledBack', 'bar');
    expect(event.note).toContain(`configmap/foo: no progress within the deadline; back to configmap/${pin}`);
    const { status } = await ready(scenario, 'RolledBackAfterFailure');
    expect(conditions({ status })['Degraded']).toBe('RolledBackAfterFailure');
    expect(mountedBy(await scenario.deployment())).toBe(pin);
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment())).toBe(pin);
    expect(await scenario.events('ConfigRolledBack', 'bar')).toHaveLength(1);
    expect(await scenario.kubectl('rollout', 'history', 'deployment/bar')).toContain('no progress within the deadline');

    await scenario.kubectl('delete', 'resourcequota', 'full');
    await scenario.edit(V3);
    await scenario.runsWith(V3);
    await ready(scenario, 'Current');
  });

  test('leaves alone what fails later, for another reason', async () => {
    const scenario = await adopted('policy-image', { progressDeadlineSeconds: 2 });
    await ready(scenario, 'Current');
    await say(scenario, { onFailure: 'Rollback' });
    await scenario.edit(V2);
    const pin = await scenario.runsWith(V2);
    await until('the rollout is done', async () => {
      const { status } = await scenario.get(CONFIG_ROLLOUT);
      return status.lastRollout.outcome === 'Complete' && status.lastRollout.sources[0].from !== undefined;
    });
    await scenario.apply(quota);
    await scenario.kubectl('set', 'image', 'deployment/bar', 'app=app:broken');
    await until('the image misses its deadline', () => missesDeadline(scenario));
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment())).toBe(pin);
    expect(await scenario.events('ConfigRolledBack')).toEqual([]);
  });

  test('Keep, the default, leaves it to people, and shows it', async () => {
    const scenario = await adopted('policy-keep', { progressDeadlineSeconds: 2 });
    await ready(scenario, 'Current');
    await scenario.apply(quota);
    await scenario.edit(V2);
    const { status } = await ready(scenario, 'RolloutFailed');
    expect(status.lastRollout.outcome).toBe('Failed');
    await scenario.quiet();
    expect(await scenario.events('ConfigRolledBack')).toEqual([]);
  });

  test('shows what failed while no controller was there', async () => {
    const scenario = await adopted('policy-away', { progressDeadlineSeconds: 2 });
    await ready(scenario, 'Current');
    const pin = mountedBy(await scenario.deployment());
    await scenario.apply(quota);
    await scenario.edit(V2);
    await until('it rolls', async () => mountedBy(await scenario.deployment()) !== pin);
    await controller.stop();
    await until('it misses its deadline', () => missesDeadline(scenario));
    controller = await startController();
    await ready(scenario, 'RolloutFailed');
  });
});

describe('with admission', () => {
  beforeAll(async () => {
    await controller.stop();
    controller = await startController({ admission: true });
  });

  test('paused, an apply of the raw manifest with a new image keeps the config, and says what waits', async () => {
    const scenario = await Scenario.start('policy-admission');
    const owners = { annotations: { 'configrollout.dev/owners': 'deployment/bar' } };
    await scenario.apply(configMapManifest('foo', V1, owners), deploymentManifest());
    await scenario.runsWith(V1);
    await ready(scenario, 'Current');
    const pin = mountedBy(await scenario.deployment());
    await say(scenario, { paused: true });
    await scenario.edit(V2);
    await ready(scenario, 'Paused');
    const manifest = deploymentManifest('bar', 'foo');
    manifest.spec.template.spec.containers[0].image = 'app:2';
    const { stderr } = await runKubectl(['apply', '-n', scenario.namespace, '-f', '-'], JSON.stringify(manifest));
    expect(stderr).toContain(
      'Warning: rollouts of config are paused for deployment/bar: the change of configmap/foo waits',
    );
    const deployment = await scenario.deployment();
    expect([mountedBy(deployment), deployment.spec.template.spec.containers[0].image]).toEqual([pin, 'app:2']);
  });
});
