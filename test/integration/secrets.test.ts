// Secrets: the same promises as for ConfigMaps, and one more, that no value is ever told to anybody.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { installComponent } from '../support/components.ts';
import { type Controller, startController } from '../support/controller.ts';
import {
  auditEntries,
  configMapManifest,
  deploymentManifest,
  isController,
  mountedBy,
  runKubectl,
  Scenario,
  until,
} from '../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

const OWNED = { annotations: { 'configrollout.dev/owners': 'deployment/bar' } };

/** Every value that a test has put into a Secret, as text and as base64. */
const planted: string[] = [];
function plant(): string {
  const value = `planted-${randomBytes(9).toString('hex')}`;
  // Without the last characters, which depend on what follows.
  planted.push(value, Buffer.from(value).toString('base64').slice(0, 28));
  return value;
}

let controller: Controller;
let uninstall: () => Promise<void>;
const logs: Controller['log'][] = [];
beforeAll(async () => {
  uninstall = await installComponent('secrets');
  controller = await startController({ args: ['--secrets'], admission: true });
  logs.push(controller.log);
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
  await uninstall();
});

function secretManifest(name: string, data: Record<string, string>, more: Json = {}): Json {
  const { metadata = OWNED, ...rest } = more;
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, ...metadata }, stringData: data, ...rest };
}

/** A Deployment whose volume `config` is the Secret. */
function deploymentOf(secret: string, spec: Json = {}): Json {
  const volumes = [{ name: 'config', secret: { secretName: secret } }];
  return deploymentManifest('bar', '', { ...spec, template: { spec: { volumes, ...spec.template?.spec } } });
}

const secret = (scenario: Scenario, name: string): Promise<Json> =>
  scenario.get(`/api/v1/namespaces/NS/secrets/${name}`);

async function snapshots(scenario: Scenario, source = 'foo'): Promise<Json[]> {
  const all = await scenario.list('/api/v1/namespaces/NS/secrets');
  return all.filter(({ metadata }) => metadata.annotations?.['configrollout.dev/source-name'] === source);
}

const mounted = ({ spec }: Json): string =>
  spec.template.spec.volumes.find(({ name }: Json) => name === 'config').secret.secretName;

/** Waits until the Deployment is complete with this value mounted from a snapshot; gives its name. */
async function runsWith(scenario: Scenario, value: string, key = 'password'): Promise<string> {
  return until('the pods run with the value', async () => {
    const { metadata, spec, status } = await scenario.deployment();
    const { data, immutable } = await secret(scenario, mounted({ spec }));
    const isComplete =
      status.observedGeneration === metadata.generation &&
      status.availableReplicas === spec.replicas &&
      status.updatedReplicas === status.replicas &&
      status.replicas === spec.replicas;
    const isRight = immutable && Buffer.from(data[key] ?? '', 'base64').toString() === value;
    return isComplete && isRight && mounted({ spec });
  });
}

async function edit(scenario: Scenario, value: string, key = 'password'): Promise<string> {
  const patch = JSON.stringify({ stringData: { [key]: value } });
  await scenario.kubectl('patch', 'secret', 'foo', '--type', 'merge', '-p', patch);
  return runsWith(scenario, value, key);
}

test('a Secret that a Deployment owns rolls out, is undone, and is pruned with its revisions', async () => {
  const scenario = await Scenario.start('secret');
  const [v1, v2] = [plant(), plant()];
  await scenario.apply(secretManifest('foo', { password: v1 }, { metadata: {} }), deploymentOf('foo'));
  await scenario.kubectl('set-owner', 'secret/foo', 'deployment/bar');
  const first = await runsWith(scenario, v1);
  await scenario.quiet();
  // The hash that kubectl computes.
  const args = ['create', 'secret', 'generic', 'foo', `--from-literal=password=${v1}`, '--append-hash'];
  expect(await scenario.kubectl(...args, '--dry-run=client', '-o', 'name')).toBe(`secret/${first}\n`);
  const second = await edit(scenario, v2);
  await scenario.quiet();
  const revisions = await scenario.revisions();
  expect(revisions.map(mounted)).toEqual([first, second]);
  expect(await scenario.kubectl('rollout', 'history', 'deployment/bar')).toMatch(/secret\/foo: password/);
  const { metadata } = await secret(scenario, second);
  expect(metadata.ownerReferences.map(({ uid }: Json) => uid)).toContain(revisions[1].metadata.uid);
  expect((await scenario.deployment()).metadata.labels).toMatchObject({
    'secret.configrollout.dev/foo': metadata.labels['configrollout.dev/content-hash'],
  });
  await scenario.kubectl('rollout', 'undo', 'deployment/bar');
  expect(await runsWith(scenario, v1)).toBe(first);
  const writes = await scenario.quiet();
  await controller.stop();
  controller = await startController({ args: ['--secrets'], admission: true });
  logs.push(controller.log);
  expect(await scenario.quiet(3000)).toBe(writes);
  expect(await runsWith(scenario, v1)).toBe(first);
  // Kubernetes may prune, a person may not.
  const refused = await scenario.tryKubectl('delete', 'secret', second);
  expect(refused.stderr).toMatch(/secret\/foo-\w+ is the configuration of revision \d+ of deployment\/bar/);
  await scenario.kubectl('delete', 'deployment', 'bar');
  await until('the snapshots are gone', async () => (await snapshots(scenario)).length === 0);
});

test('every place that names a Secret for the pod is pinned, and none that names one for the kubelet or a driver', async () => {
  const scenario = await Scenario.start('secret-places');
  const value = plant();
  const keyRef = { valueFrom: { secretKeyRef: { name: 'foo', key: 'password' } } };
  const manifest = deploymentOf('foo', {
    template: {
      spec: {
        imagePullSecrets: [{ name: 'foo' }],
        initContainers: [{ name: 'init', image: 'init:1', env: [{ name: 'PASSWORD', ...keyRef }] }],
        containers: [{ name: 'app', image: 'app:1', envFrom: [{ secretRef: { name: 'foo' } }] }],
        volumes: [
          { name: 'config', secret: { secretName: 'foo' } },
          { name: 'all', projected: { sources: [{ secret: { name: 'foo' } }] } },
          { name: 'driver', csi: { driver: 'example.com', nodePublishSecretRef: { name: 'foo' } } },
        ],
      },
    },
  });
  await scenario.apply(secretManifest('foo', { password: value }), manifest);
  const pin = await until('it is pinned', async () => {
    const name = mounted(await scenario.deployment());
    return name !== 'foo' && name;
  });
  const { spec } = (await scenario.deployment()).spec.template;
  expect([
    spec.initContainers[0].env[0].valueFrom.secretKeyRef.name,
    spec.containers[0].envFrom[0].secretRef.name,
    spec.volumes[1].projected.sources[0].secret.name,
  ]).toEqual([pin, pin, pin]);
  expect([spec.imagePullSecrets[0].name, spec.volumes[2].csi.nodePublishSecretRef.name]).toEqual(['foo', 'foo']);
});

test('server-side apply and apply of the raw manifest change nothing once it is pinned', async () => {
  const scenario = await Scenario.start('secret-apply');
  const value = plant();
  const manifest = deploymentOf('foo');
  await scenario.apply(secretManifest('foo', { password: value }), manifest);
  await runsWith(scenario, value);
  const pin = await edit(scenario, plant());
  await scenario.quiet();
  const seen = async () => {
    const deployment = await scenario.deployment();
    return [mounted(deployment), deployment.metadata.generation, (await scenario.revisions()).length];
  };
  const before = await seen();
  expect(before[0]).toBe(pin);
  await scenario.kubectlWith(manifest, 'apply', '-f', '-');
  expect(await seen()).toEqual(before);
  // kubectl moves its annotation when one way of applying follows the other: a generation, and no revision.
  await scenario.kubectlWith(manifest, 'apply', '--server-side', '--force-conflicts', '-f', '-');
  const [, generation] = await seen();
  await scenario.kubectlWith(manifest, 'apply', '--server-side', '-f', '-');
  expect(await seen()).toEqual([pin, generation, before[2]]);
});

test.each<[type: string, data: Record<string, () => string>]>([
  ['kubernetes.io/tls', { 'tls.crt': plant, 'tls.key': plant }],
  ['kubernetes.io/basic-auth', { username: plant, password: plant }],
  [
    'kubernetes.io/dockerconfigjson',
    { '.dockerconfigjson': () => JSON.stringify({ auths: { x: { auth: plant() } } }) },
  ],
  ['example.com/own', { password: plant }],
])('a Secret of type %s is copied with its type', async (type, values) => {
  const scenario = await Scenario.start('secret-type');
  const data = Object.fromEntries(Object.entries(values).map(([key, make]) => [key, make()]));
  await scenario.apply(secretManifest('foo', data, { type }), deploymentOf('foo'));
  const [key = '', value = ''] = Object.entries(data)[0] ?? [];
  const copy = await secret(scenario, await runsWith(scenario, value, key));
  const original = await secret(scenario, 'foo');
  expect([copy.type, copy.data, copy.immutable]).toEqual([type, original.data, true]);
  expect(original.immutable).toBeUndefined();
});

describe('what is refused', () => {
  const TYPES = ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token', 'helm.sh/release.v1'];

  test.each(TYPES)('a Secret of type %s that opts in: an Event says so, and nothing is copied', async (type) => {
    const scenario = await Scenario.start('secret-refused');
    const metadata = { annotations: { ...OWNED.annotations, 'kubernetes.io/service-account.name': 'default' } };
    if (type.includes('service-account')) await scenario.kubectl('create', 'serviceaccount', 'default').catch(() => '');
    await scenario.apply(secretManifest('foo', { password: plant() }, { type, metadata }), deploymentOf('foo'));
    const event = await scenario.event('ConfigSecretRefused', 'foo');
    expect(event.note).toMatch(new RegExp(`secret/foo is of type ${type}, of which no copies are made`));
    await scenario.quiet();
    expect(await snapshots(scenario)).toEqual([]);
    expect(mounted(await scenario.deployment())).toBe('foo');
  });

  test('under managed=all they are passed over without a word, and the others are pinned', async () => {
    const scenario = await Scenario.start('secret-all');
    const value = plant();
    const [, type = ''] = TYPES;
    const manifest = deploymentOf('foo', {
      template: {
        spec: {
          volumes: [
            { name: 'config', secret: { secretName: 'foo' } },
            { name: 'token', secret: { secretName: 'token' } },
          ],
        },
      },
    });
    manifest.metadata.labels = { 'configrollout.dev/managed': 'all' };
    await scenario.apply(
      secretManifest('foo', { password: value }, { metadata: {} }),
      secretManifest('token', { 'token-id': plant() }, { metadata: {}, type }),
      manifest,
    );
    await runsWith(scenario, value);
    await scenario.quiet();
    expect((await scenario.deployment()).spec.template.spec.volumes[1].secret.secretName).toBe('token');
    expect(await scenario.events('ConfigSecretRefused')).toEqual([]);
  });
});

test('a ConfigMap and a Secret of the same name are two sources: one changes, the other stays', async () => {
  const scenario = await Scenario.start('secret-namesake');
  const [v1, v2] = [plant(), plant()];
  const more = { name: 'more', configMap: { name: 'foo' } };
  const volumes = [{ name: 'config', secret: { secretName: 'foo' } }, more];
  await scenario.apply(
    secretManifest('foo', { password: v1 }),
    configMapManifest('foo', { level: 'info' }, OWNED),
    deploymentOf('foo', { template: { spec: { volumes } } }),
  );
  await runsWith(scenario, v1);
  await scenario.quiet();
  const configMapPin = async () => (await scenario.deployment()).spec.template.spec.volumes[1].configMap.name;
  const before = await configMapPin();
  expect(before).toMatch(/^foo-[bcdfghkmt2456789]{10}$/);
  const pin = await edit(scenario, v2);
  expect(await configMapPin()).toBe(before);
  await scenario.edit({ level: 'debug' });
  await until('the ConfigMap rolls', async () => (await configMapPin()) !== before);
  expect(mounted(await scenario.deployment())).toBe(pin);
  await scenario.kubectl('rollout', 'undo', 'deployment/bar');
  await until('the ConfigMap is undone', async () => (await configMapPin()) === before);
  expect(mounted(await scenario.deployment())).toBe(pin);
});

describe('no more is read than is rolled out', () => {
  test('only the content of Secrets that are opted in, and of their snapshots', async () => {
    const scenario = await Scenario.start('secret-reads');
    const value = plant();
    const volumes = ['foo', 'bystander'].map((name) => ({
      name: name === 'foo' ? 'config' : name,
      secret: { secretName: name },
    }));
    await scenario.apply(
      secretManifest('foo', { password: value }),
      secretManifest('bystander', { password: plant() }, { metadata: {} }),
      deploymentOf('foo', { template: { spec: { volumes } } }),
    );
    await runsWith(scenario, value);
    await edit(scenario, plant());
    await scenario.apply(deploymentOf('foo', { template: { spec: { volumes } } }));
    await scenario.quiet();
    const read = scenario.audited(({ verb, objectRef }) => objectRef.resource === 'secrets' && verb === 'get');
    const names = new Set(read.map(({ objectRef }) => objectRef.name));
    expect(names).toContain('foo');
    for (const name of names) expect(name).toMatch(/^foo(-[bcdfghkmt2456789]{10})?$/);
  });

  test('nothing at all without the flag: the default install has no right to', async () => {
    const scenario = await Scenario.start('secret-off');
    await controller.stop();
    const since = auditEntries().length;
    controller = await startController({ admission: true });
    logs.push(controller.log);
    const more = { name: 'more', configMap: { name: 'foo' } };
    const volumes = [{ name: 'config', secret: { secretName: 'foo' } }, more];
    await scenario.apply(
      secretManifest('foo', { password: plant() }),
      configMapManifest('foo', { level: 'info' }, OWNED),
      deploymentOf('foo', { template: { spec: { volumes } } }),
    );
    await until('the ConfigMap is pinned', async () => {
      const { spec } = await scenario.deployment();
      return (
        mountedBy({
          spec: { template: { spec: { volumes: [{ ...spec.template.spec.volumes[1], name: 'config' }] } } },
        }) !== 'foo'
      );
    });
    await scenario.quiet();
    expect(mounted(await scenario.deployment())).toBe('foo');
    const asked = auditEntries()
      .slice(since)
      .filter((entry) => isController(entry) && entry.objectRef?.resource === 'secrets')
      .filter(({ objectRef }) => objectRef.namespace !== 'config-rollout');
    expect(asked).toEqual([]);
  });
});

const printed: string[] = [];
test('a dry run prints what would be made of a Secret', async () => {
  const scenario = await Scenario.start('secret-dry-run');
  await controller.stop();
  const args = ['--secrets', '--dry-run', '--namespaces', scenario.namespace];
  controller = await startController({ args, admission: false });
  logs.push(controller.log);
  await scenario.apply(secretManifest('foo', { password: plant() }), deploymentOf('foo'));
  await until('a plan', async () => controller.stdout.some((line) => /would create secret\/foo-\w{10}/.test(line)));
  printed.push(...controller.stdout);
});

test('no planted value is in any log, Event, object but Secrets, or output', async () => {
  expect(planted.length).toBeGreaterThan(30);
  const objects = await Promise.all(
    ['events', 'deployments,replicasets,configmaps,pods', 'mutatingwebhookconfigurations'].map(async (resources) => {
      const { stdout } = await runKubectl(['get', resources, '-A', '-o', 'json']);
      return stdout;
    }),
  );
  const said = [JSON.stringify(logs), printed.join('\n'), JSON.stringify(auditEntries()), ...objects];
  for (const text of said) {
    expect(text.length).toBeGreaterThan(0);
    expect(planted.filter((value) => text.includes(value))).toEqual([]);
  }
});
