// `kubectl config-rollout who-uses` through the real kubectl: every kind of user and of reference on a real API server,
// without any controller; then the states that a controller brings about.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startController } from '../support/controller.ts';
import { installRolloutCrd, removeRolloutCrd } from '../support/rollout-crd.ts';
import {
  admin,
  adopted,
  configMapManifest,
  deploymentManifest,
  runKubectl,
  Scenario,
  until,
  V1,
  V2,
} from '../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests, as JSON
type Json = any;

const CONFIDENTIAL = 'correct-horse';

const container = (more: Json = {}) => ({ name: 'app', image: 'app:1', ...more });
const mount = (mountPath: string) => ({ name: 'v', mountPath });
const files = {
  volumes: [{ name: 'v', configMap: { name: 'foo' } }],
  containers: [container({ volumeMounts: [mount('/v')] })],
};

const envFrom = { containers: [container({ envFrom: [{ configMapRef: { name: 'foo' } }] })] };
const variable = {
  imagePullSecrets: [{ name: 'foo' }],
  containers: [
    container({ env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'foo', key: 'password' } } }] }),
    container({ name: 'log', envFrom: [{ prefix: 'S_', secretRef: { name: 'foo' } }] }),
  ],
};
const projected = {
  volumes: [{ name: 'v', projected: { sources: [{ configMap: { name: 'foo' } }, { secret: { name: 'foo' } }] } }],
  initContainers: [container({ name: 'init', volumeMounts: [mount('/v')] })],
  containers: [container({ volumeMounts: [mount('/v')] })],
};

function manifest(apiVersion: string, kind: string, name: string, podSpec: Json, spec: Json = {}): Json {
  const template = { metadata: { labels: { app: name } }, spec: podSpec };
  return { apiVersion, kind, metadata: { name }, spec: { ...spec, template } };
}

const select = (app: string) => ({ selector: { matchLabels: { app } } });

/** The version of CronJobs on this server. */
async function cronJobVersion(): Promise<string> {
  const { stdout } = await runKubectl(['api-resources', '--api-group', 'batch', '--no-headers']);
  return /CronJob$/m.test(stdout) && /cronjobs\s.*\bbatch\/v1\s/.test(stdout) ? 'batch/v1' : 'batch/v1beta1';
}

async function everyKind(name: string): Promise<Scenario> {
  const scenario = await Scenario.start(name);
  const never = { restartPolicy: 'Never' };
  const cronJob = { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: { spec: { ...envFrom, ...never } } } } };
  await scenario.apply(
    configMapManifest('foo', V1),
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'foo' }, stringData: { password: CONFIDENTIAL } },
    deploymentManifest('web'),
    deploymentManifest('unrelated', 'food'),
    manifest('apps/v1', 'StatefulSet', 'db', variable, { ...select('db'), serviceName: 'db', replicas: 1 }),
    manifest('apps/v1', 'DaemonSet', 'agent', projected, select('agent')),
    manifest('argoproj.io/v1alpha1', 'Rollout', 'api', files, select('api')),
    { apiVersion: await cronJobVersion(), kind: 'CronJob', metadata: { name: 'report' }, spec: cronJob },
    manifest('apps/v1', 'ReplicaSet', 'old', files, { ...select('old'), replicas: 1 }),
    manifest('batch/v1', 'Job', 'once', { ...files, ...never }),
  );
  // Its ServiceAccount comes a moment after the namespace.
  await until('a pod', async () => {
    await scenario.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'debug' }, spec: envFrom });
    return true;
  });
  return scenario;
}

const whoUses = (scenario: Scenario, ...args: string[]) => scenario.tryKubectl('config-rollout', 'who-uses', ...args);
const linesOf = (text: string) => text.trimEnd().split('\n');

describe('who-uses without any controller', () => {
  let scenario: Scenario;
  beforeAll(async () => {
    await installRolloutCrd();
    scenario = await everyKind('who-uses');
  });
  afterAll(removeRolloutCrd);

  test('lists every kind that uses a ConfigMap', async () => {
    const { code, stdout, stderr } = await whoUses(scenario, 'configmap/foo');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(linesOf(stdout)).toEqual([
      'NAME                      REFERENCE                     CONTAINER   STATE',
      'deployment.apps/web       volume config (/etc/config)   app         not managed',
      'daemonset.apps/agent      projected volume v (/v)       init,app    not managed',
      'rollout.argoproj.io/api   volume v (/v)                 app         not managed',
      'cronjob.batch/report      envFrom                       app         not managed',
      'replicaset.apps/old       volume v (/v)                 app         not managed',
      'job.batch/once            volume v (/v)                 app         not managed',
      'pod/debug                 envFrom                       app         not managed',
    ]);
  });

  test('and a Secret, without reading it', async () => {
    const { code, stdout, stderr } = await whoUses(scenario, 'secret', 'foo', '-v=6');
    expect(code).toBe(0);
    expect(linesOf(stdout)).toEqual([
      'NAME                   REFERENCE                     CONTAINER   STATE',
      'statefulset.apps/db    env PASSWORD (key password)   app         not managed',
      'statefulset.apps/db    envFrom (prefix S_)           log         not managed',
      'statefulset.apps/db    imagePullSecret               <none>      not managed',
      'daemonset.apps/agent   projected volume v (/v)       init,app    not managed',
    ]);
    expect(stderr).toMatch(/^GET \/api\/v1\/namespaces\/[\w-]+\/secrets\/foo OK in/m);
    expect(stdout + stderr).not.toContain(CONFIDENTIAL);
  });

  test('in every namespace, and for machines', async () => {
    const { stdout } = await runKubectl(['config-rollout', 'who-uses', 'cm/foo', 'secret/foo', '-A', '--no-headers']);
    const here = linesOf(stdout).filter((line) => line.startsWith(`${scenario.namespace} `));
    expect(here).toHaveLength(11);
    const { items } = JSON.parse((await whoUses(scenario, 'cm/foo', '-o', 'json')).stdout);
    expect(items).toHaveLength(7);
    for (const { user, reference } of items) {
      // The path leads to the name.
      const path = reference.path
        .slice(1)
        .replaceAll('/', '.')
        .replace(/\.(\d+)/g, '[$1]');
      expect(await scenario.kubectl('get', user.kind, user.name, '-o', `jsonpath={.${path}}`)).toBe('foo');
    }
    expect(linesOf((await whoUses(scenario, 'cm/foo', '-o', 'name')).stdout).slice(0, 2)).toEqual([
      'deployment.apps/web',
      'daemonset.apps/agent',
    ]);
  });

  test('lists with -o wide what the controllers of Kubernetes made', async () => {
    const lines = await until('pods', async () => {
      const found = linesOf((await whoUses(scenario, 'cm/foo', '-o', 'wide')).stdout);
      return (
        found.some((line) => line.startsWith('pod/web-')) && found.some((line) => line.startsWith('pod/old-')) && found
      );
    });
    expect(lines.find((line) => line.startsWith('replicaset.apps/web-'))).toMatch(/ not managed +files updated$/);
    expect(lines.find((line) => line.startsWith('cronjob.batch/report'))).toMatch(/ not managed +next run$/);
    expect(lines.find((line) => line.startsWith('pod/debug'))).toMatch(/ not managed +nothing$/);
  });

  test('warns of kinds that the user may not list, and of what does not exist', async () => {
    await scenario.kubectl('create', 'role', 'few', '--verb=list,get', '--resource=deployments.apps,configmaps');
    await scenario.kubectl('create', 'rolebinding', 'few', '--role=few', '--user=bob');
    const { code, stdout, stderr } = await whoUses(scenario, 'cm/foo', '--as=bob', '--no-headers');
    expect(code).toBe(0);
    expect(linesOf(stdout)).toEqual(['deployment.apps/web   volume config (/etc/config)   app   not managed']);
    expect(stderr).toMatch(
      /^Warning: pods are not looked at: pods is forbidden: User "bob" cannot list resource "pods"/m,
    );
    expect(stderr).toMatch(/^Warning: rollouts are not looked at: /m);
    expect(await whoUses(scenario, 'cm/foo', '--as=alice')).toMatchObject({ code: 1, stdout: '' });
    expect(await whoUses(scenario, 'secret/none')).toEqual({
      code: 0,
      stdout: '',
      stderr: `No resources found in ${scenario.namespace} namespace.\nWarning: secret/none does not exist in namespace ${scenario.namespace}\n`,
    });
  });

  test('does without Rollouts where their kind is not installed', async () => {
    await removeRolloutCrd();
    for (const user of [[], ['--as=bob']]) {
      const { code, stdout, stderr } = await whoUses(scenario, 'cm/foo', '-o', 'name', ...user);
      expect(code).toBe(0);
      expect(stdout).not.toContain('rollout');
      expect(stderr).not.toContain('rollout');
    }
  });
});

describe('who-uses beside a controller', () => {
  const stateOf = async (scenario: Scenario) =>
    linesOf((await whoUses(scenario, 'cm/foo', '--no-headers')).stdout).map((line) => line.split(/ {3,}/).at(-1));

  test('says what is current, rolled back and pending', async () => {
    const controller = await startController();
    let running = true;
    try {
      const scenario = await adopted('who-uses-managed');
      await scenario.apply(deploymentManifest('other'));
      const first = await scenario.runsWith(V1);
      expect(await stateOf(scenario)).toEqual([`✔ Current (${first})`, 'not managed']);
      await scenario.edit(V2);
      const second = await scenario.runsWith(V2);
      expect(await stateOf(scenario)).toEqual([`✔ Current (${second})`, 'not managed']);
      const wide = linesOf((await whoUses(scenario, 'cm/foo', '-o', 'wide')).stdout);
      expect(wide.find((line) => line.startsWith('deployment.apps/bar'))).toMatch(/ +rolls out$/);
      const revisions = wide.filter((line) => line.startsWith('replicaset.apps/bar-'));
      expect(revisions.filter((line) => line.includes(`former revision (${first})`))).toHaveLength(1);
      expect(revisions.filter((line) => line.includes(`✔ Current (${second})`))).toHaveLength(1);
      await scenario.kubectl('rollout', 'undo', 'deployment/bar');
      await scenario.runsWith(V1);
      expect(await stateOf(scenario)).toEqual([`↩ Rolled back (${first})`, 'not managed']);
      expect(await controller.stop()).toBe(0);
      running = false;
      // Nobody is there to roll it out.
      await scenario.edit({ 'config.yml': 'v3' });
      expect(await stateOf(scenario)).toEqual([`◌ Pending (${first})`, 'not managed']);
      await admin().request('DELETE', `/api/v1/namespaces/${scenario.namespace}/configmaps/foo`, { body: {} });
      expect((await whoUses(scenario, 'cm/foo')).stderr).toContain('Warning: configmap/foo does not exist');
    } finally {
      if (running) await controller.stop();
    }
  });
});
