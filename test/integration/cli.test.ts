// The plugins, called by the real kubectl, against the real API server and a running controller.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Controller, startController } from '../support/controller.ts';
import {
  configMapManifest,
  deploymentManifest,
  mountedBy,
  runKubectl,
  Scenario,
  until,
  V1,
} from '../support/scenario.ts';

let controller: Controller;
beforeAll(async () => {
  controller = await startController();
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
});

describe('kubectl set-owner', () => {
  test('makes Deployments the owners, says what that means, and changes nothing the second time', async () => {
    const scenario = await Scenario.start('set-owner');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest('bar'), deploymentManifest('baz'));
    const first = await scenario.tryKubectl('set-owner', 'configmap/foo', 'deployment/bar', 'deployment/baz');
    expect(first).toMatchObject({ code: 0, stdout: 'configmap/foo owner updated\n' });
    expect(first.stderr).toMatch(/Warning: .*delet/);
    expect(first.stderr).toMatch(/configrollout\.dev\/owners/);
    const { metadata } = await scenario.configMap('foo');
    const deployment = await scenario.deployment('bar');
    expect(metadata.ownerReferences[0]).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'bar',
      uid: deployment.metadata.uid,
    });
    expect(metadata.ownerReferences).toHaveLength(2);
    await Promise.all([scenario.runsWith(V1, 'bar'), scenario.runsWith(V1, 'baz')]);
    const again = await scenario.tryKubectl('set-owner', 'cm', 'foo', 'deploy/bar');
    expect(again).toMatchObject({ code: 0, stdout: 'configmap/foo unchanged\n' });
  });

  test('takes an owner away: later changes roll nothing out, and the pods keep what they run with', async () => {
    const scenario = await Scenario.start('remove-owner');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest());
    await scenario.kubectl('set-owner', 'cm/foo', 'deploy/bar');
    const pin = await scenario.runsWith(V1);
    expect((await scenario.tryKubectl('set-owner', 'cm/foo', 'deploy/bar', '--remove')).stdout).toBe(
      'configmap/foo owner removed\n',
    );
    expect((await scenario.configMap('foo')).metadata.ownerReferences ?? []).toEqual([]);
    await scenario.edit({ 'config.yml': 'v2' });
    await scenario.quiet();
    expect(await scenario.runsWith(V1)).toBe(pin);
  });

  test.each([
    [
      'a ConfigMap that does not exist',
      ['configmap/none', 'deployment/bar'],
      /^Error from server \(NotFound\): configmaps "none" not found\n$/,
    ],
    [
      'a Deployment that does not exist',
      ['configmap/foo', 'deployment/none'],
      /^Error from server \(NotFound\): deployments\.apps "none" not found\n$/,
    ],
    [
      'a kind that cannot own',
      ['configmap/foo', 'cronjob/x'],
      /^error: cronjob\/x: objects of kind CronJob are not supported/,
    ],
    [
      'an unknown flag',
      ['configmap/foo', 'deployment/bar', '--nope'],
      /^error: unknown flag: --nope\nSee 'kubectl set-owner --help' for usage\.\n$/,
    ],
    ['no owner', ['configmap/foo'], /^error: /],
  ])('refuses %s, and writes nothing', async (_, args, message) => {
    const scenario = await Scenario.start('refused');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest());
    const { resourceVersion } = (await scenario.configMap('foo')).metadata;
    const result = await scenario.tryKubectl('set-owner', ...args);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(message);
    expect((await scenario.configMap('foo')).metadata.resourceVersion).toBe(resourceVersion);
  });

  test('refuses a snapshot, and names its source', async () => {
    const scenario = await Scenario.start('snapshot-owner');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest());
    await scenario.kubectl('set-owner', 'cm/foo', 'deploy/bar');
    const snapshot = await scenario.runsWith(V1);
    const result = await scenario.tryKubectl('set-owner', `cm/${snapshot}`, 'deploy/bar');
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/snapshot.*configmap\/foo/s);
  });

  test.each(['client', 'server'])('writes nothing with --dry-run=%s', async (mode) => {
    const scenario = await Scenario.start('dry');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest());
    const { stdout } = await scenario.tryKubectl('set-owner', 'cm/foo', 'deploy/bar', `--dry-run=${mode}`);
    expect(stdout).toBe(`configmap/foo owner updated (${mode === 'server' ? 'server ' : ''}dry run)\n`);
    expect((await scenario.configMap('foo')).metadata.ownerReferences).toBeUndefined();
    const yaml = await scenario.kubectl('set-owner', 'cm/foo', 'deploy/bar', `--dry-run=${mode}`, '-o', 'yaml');
    expect(yaml).toMatch(/ownerReferences:\n\s+- apiVersion: apps\/v1/);
  });
});

describe('kubectl set-volume', () => {
  test('mounts a ConfigMap, and the same command again changes nothing, raw or pinned', async () => {
    const scenario = await Scenario.start('set-volume');
    const bare = deploymentManifest();
    bare.spec.template.spec = { containers: [{ name: 'app', image: 'app:1' }] };
    await scenario.apply(configMapManifest('foo', V1), bare);
    const args = [
      'set-volume',
      'deployment/bar',
      '-t',
      'configmap',
      '--configmapname',
      'foo',
      '--mount-path',
      '/etc/foo',
    ];
    expect(await scenario.kubectl(...args)).toBe('deployment.apps/bar volume updated\n');
    expect(await scenario.kubectl(...args)).toBe('deployment.apps/bar unchanged\n');
    await scenario.kubectl('set-owner', 'configmap/foo', 'deployment/bar');
    const pinned = await until('pinned', async () => {
      const { spec } = await scenario.deployment();
      const [volume] = spec.template.spec.volumes;
      return volume.name === 'foo' && volume.configMap.name !== 'foo' && volume.configMap.name;
    });
    expect(await scenario.kubectl(...args)).toBe('deployment.apps/bar unchanged\n');
    const listed = await scenario.kubectl('set-volume', 'deploy/bar');
    expect(listed).toBe(`Deployment bar\n  configMap/foo (pinned: ${pinned}) as foo\n    mounted at /etc/foo\n`);
  });
});

describe('the plugins and Secrets', () => {
  const PASSWORD = 'correct-horse';

  test('name owners of a Secret, and show its content to nobody who did not ask', async () => {
    const scenario = await Scenario.start('secret-owner');
    const mounting = deploymentManifest();
    mounting.spec.template.spec.volumes = [{ name: 'config', secret: { secretName: 'foo' } }];
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'foo' }, stringData: { password: PASSWORD } };
    await scenario.apply(secret, configMapManifest('foo', V1), mounting);
    const first = await scenario.tryKubectl('set-owner', 'secret/foo', 'deployment/bar', '-v=9');
    expect(first).toMatchObject({ code: 0, stdout: 'secret/foo owner updated\n' });
    expect(first.stderr).toMatch(/^PATCH \/api\/v1\/namespaces\/.*\/secrets\/foo OK/m);
    expect(first.stderr).toMatch(/only where the controller runs with --secrets/);
    const { metadata, data } = await scenario.get('/api/v1/namespaces/NS/secrets/foo');
    expect(metadata.ownerReferences).toMatchObject([{ kind: 'Deployment', name: 'bar' }]);
    expect((await scenario.configMap('foo')).metadata.ownerReferences).toBeUndefined();
    const again = await scenario.tryKubectl('set-owner', 'secret', 'foo', 'deploy/bar', '-o', 'yaml', '-v=9');
    expect(again.stdout).toMatch(/^kind: PartialObjectMetadata$/m);
    const listed = await scenario.tryKubectl('set-volume', 'deploy/bar', '-v=9');
    expect(listed.stdout).toBe('Deployment bar\n  secret/foo as config\n    mounted at /etc/config\n');
    const all = [first, again, listed].map(({ stdout, stderr }) => stdout + stderr).join('');
    expect(all).not.toContain(PASSWORD);
    expect(all).not.toContain(data.password);
    const removed = await scenario.tryKubectl('set-owner', 'secret/foo', 'deploy/bar', '--remove', '-o', 'name');
    expect(removed).toEqual({ code: 0, stdout: 'secret/foo\n', stderr: '' });
  });

  test('mount one in a StatefulSet, beside the ConfigMap of the same name', async () => {
    const scenario = await Scenario.start('secret-volume');
    const { spec } = deploymentManifest();
    spec.template.spec = { containers: [{ name: 'app', image: 'app:1' }] };
    const stateful = {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'bar' },
      spec: { ...spec, serviceName: 'bar' },
    };
    await scenario.apply(stateful, configMapManifest('foo', V1));
    await scenario.kubectl('set-volume', 'sts/bar', '-t', 'configmap', '--configmap-name', 'foo', '-m', '/etc/foo');
    const args = [
      'set-volume',
      'sts/bar',
      '-t',
      'secret',
      '--secret-name',
      'foo',
      '--name',
      'secrets',
      '-m',
      '/etc/secrets',
    ];
    const mounted = await scenario.tryKubectl(...args);
    expect(mounted).toEqual({
      code: 0,
      stdout: 'statefulset.apps/bar volume updated\n',
      stderr: 'Warning: secret/foo does not exist yet; pods that mount it wait until it does\n',
    });
    expect(await scenario.kubectl('set-volume', 'sts/bar')).toBe(
      'StatefulSet bar\n  configMap/foo as foo\n    mounted at /etc/foo\n  secret/foo as secrets\n    mounted at /etc/secrets\n',
    );
  });
});

describe('kubectl config-rollout create', () => {
  test('does what the proposal writes as create configmap --owner', async () => {
    const scenario = await Scenario.start('create');
    await scenario.apply(deploymentManifest());
    const file = join(mkdtempSync(join(tmpdir(), 'config-rollout-cli-')), 'config.yml');
    writeFileSync(file, 'v1');
    const created = await scenario.kubectl(
      'config-rollout',
      'create',
      'foo',
      `--from-file=${file}`,
      '--owner',
      'deployment/bar',
    );
    expect(created).toBe('configmap/foo created\n');
    await scenario.runsWith(V1);
    const again = await scenario.tryKubectl(
      'config-rollout',
      'create',
      'foo',
      '--from-literal=a=b',
      '--owner',
      'deployment/bar',
    );
    expect(again).toMatchObject({
      code: 1,
      stderr: 'error: failed to create configmap: configmaps "foo" already exists\n',
    });
  });

  test('declares owners for Git, without a cluster', async () => {
    const args = [
      'config-rollout',
      'create',
      'foo',
      '--from-literal=config.yml=v1',
      '--owner=deployment/bar',
      '--declare',
      '--dry-run=client',
      '-o',
      'yaml',
    ];
    const { stdout } = await runKubectl([...args, '-n', 'anywhere']);
    expect(stdout).toMatch(/configrollout\.dev\/owners: deployment\/bar/);
    const scenario = await Scenario.start('declared');
    await scenario.apply(deploymentManifest());
    expect(
      await runKubectl(['apply', '-n', scenario.namespace, '-f', '-'], stdout.replace('anywhere', scenario.namespace)),
    ).toMatchObject({ code: 0 });
    await scenario.runsWith(V1);
    expect(mountedBy(await scenario.deployment())).toMatch(/^foo-/);
  });
});
