// Ways to opt in, and out: Reloader's annotations, exclusions, and the scope that the flags set.

import { afterEach, describe, expect, test } from '@jest/globals';
import { installComponent } from '../support/components.ts';
import { type Controller, startController } from '../support/controller.ts';
import {
  adopted,
  configMapManifest,
  deploymentManifest,
  mountedBy,
  Scenario,
  until,
  V1,
  V2,
} from '../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests, as people write them
type Json = any;

let controller: Controller | undefined;
afterEach(async () => {
  expect(await controller?.stop()).toBe(0);
  controller = undefined;
});

async function start(...args: string[]): Promise<void> {
  controller = await startController({ args });
}

const SOURCES = ['foo', 'web-settings', 'api-settings', 'other'];
const volumes = SOURCES.map((name) => ({ name, configMap: { name } }));

/** A Deployment that mounts them all. */
function mountingAll(metadata: Json, templateAnnotations: Record<string, string> = {}): Json {
  const manifest = deploymentManifest('bar', '', { replicas: 1, template: { spec: { volumes } } }, metadata);
  manifest.spec.template.metadata.annotations = templateAnnotations;
  manifest.spec.template.spec.containers[0].volumeMounts = [];
  return manifest;
}

/** The sources that are pinned, once the controller has nothing left to do. */
async function pinned(scenario: Scenario): Promise<string[]> {
  await scenario.quiet();
  const { spec } = await scenario.deployment();
  const names: string[] = spec.template.spec.volumes.map(({ configMap }: Json) => configMap.name);
  return SOURCES.filter((source) => !names.includes(source));
}

describe('Reloader’s annotations', () => {
  const AUTO = { 'reloader.stakater.com/auto': 'true' };
  const MATCH = { 'reloader.stakater.com/match': 'true' };
  const IGNORE = { 'reloader.stakater.com/ignore': 'true' };

  test.each<
    [what: string, own: Record<string, string>, template: Record<string, string>, marks: Json, asked: string[]]
  >([
    ['auto asks for all', AUTO, {}, {}, SOURCES],
    ['auto on the template asks for all', {}, AUTO, {}, SOURCES],
    [
      'auto with exclusions, and one that is to be ignored',
      { ...AUTO, 'configmaps.exclude.reloader.stakater.com/reload': 'other' },
      {},
      { foo: IGNORE },
      ['web-settings', 'api-settings'],
    ],
    [
      'a list with a regular expression asks for what it matches',
      { 'configmap.reloader.stakater.com/reload': 'foo, .*-settings' },
      {},
      {},
      ['foo', 'web-settings', 'api-settings'],
    ],
    ['a list of Secrets asks for no ConfigMap', { 'secret.reloader.stakater.com/reload': 'foo' }, {}, {}, []],
    ['search asks for what is marked', { 'reloader.stakater.com/search': 'true' }, {}, { other: MATCH }, ['other']],
  ])('%s', async (_, own, template, marks, asked) => {
    await start('--reloader-annotations');
    const scenario = await Scenario.start('reloader');
    const sources = SOURCES.map((name) => configMapManifest(name, V1, { annotations: marks[name] ?? {} }));
    await scenario.apply(...sources, mountingAll({ annotations: own }, template));
    expect(await pinned(scenario)).toEqual(asked);
  });

  test('mean nothing without the flag; with it they roll once, and again with the next change', async () => {
    await start();
    const scenario = await Scenario.start('reloader-flag');
    await scenario.apply(configMapManifest('foo', V1), deploymentManifest('bar', 'foo', {}, { annotations: AUTO }));
    await until('a first revision', async () => (await scenario.revisions()).length === 1);
    await scenario.quiet();
    expect(scenario.changes()).toEqual([]);
    await controller?.stop();
    await start('--reloader-annotations');
    await scenario.runsWith(V1);
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    await scenario.quiet();
    expect((await scenario.revisions()).length).toBe(2);
  });
});

describe('an exclusion', () => {
  const ALL = { 'configrollout.dev/managed': 'all' };
  const DECLARED = { annotations: { 'configrollout.dev/owners': 'deployment/bar' } };

  test('of a source of one workload, of a source, and of a workload wins over every opt-in', async () => {
    await start();
    const scenario = await Scenario.start('excluded');
    const [foo, web, api, other] = SOURCES.map((name) => configMapManifest(name, V1));
    web.metadata.labels = { 'configrollout.dev/managed': 'none' };
    other.metadata.annotations = DECLARED.annotations;
    const labels = { ...ALL, 'configmap.configrollout.dev/other': 'excluded' };
    await scenario.apply(foo, web, api, other, mountingAll({ labels }));
    expect(await pinned(scenario)).toEqual(['foo', 'api-settings']);
    // A change of what is excluded is nobody's business, and one of the rest still is.
    const before = scenario.changes().length;
    await scenario.edit(V2, 'other');
    await scenario.edit(V2, 'web-settings');
    await scenario.quiet();
    expect(scenario.changes()).toHaveLength(before);
    await scenario.kubectl('label', 'deployment', 'bar', 'configrollout.dev/managed=none', '--overwrite');
    await scenario.edit(V2, 'foo');
    await scenario.quiet();
    expect(scenario.changes()).toHaveLength(before);
    // Taken back, everything is as it was, and rolls.
    await scenario.kubectl('label', 'deployment', 'bar', 'configrollout.dev/managed=all', '--overwrite');
    await scenario.kubectl('label', 'deployment', 'bar', 'configmap.configrollout.dev/other-');
    await scenario.kubectl('label', 'configmap', 'web-settings', 'configrollout.dev/managed-');
    expect(await pinned(scenario)).toEqual(SOURCES);
    const [, newest] = (await scenario.snapshots('foo')).map(({ data }) => data['config.yml']).sort();
    expect(newest).toBe('v2');
  });
});

describe('the scope', () => {
  const OWNED = { annotations: { 'configrollout.dev/owners': 'deployment/bar' } };

  test('--namespace-selector: works where the labels match, from then on, and nowhere else', async () => {
    const uninstall = await installComponent('namespace-selector');
    try {
      await start('--namespace-selector', 'rollout=enabled,stage!=test');
      const scenario = await Scenario.start('selected');
      await scenario.apply(configMapManifest('foo', V1, OWNED), deploymentManifest());
      await until('a first revision', async () => (await scenario.revisions()).length === 1);
      await scenario.quiet();
      expect(scenario.writes()).toEqual([]);
      const label = (...labels: string[]) => scenario.kubectl('label', 'namespace', scenario.namespace, ...labels);
      await label('rollout=enabled');
      await scenario.runsWith(V1);
      await scenario.quiet();
      await label('stage=test');
      const before = scenario.writes().length;
      await scenario.edit(V2);
      await scenario.quiet();
      expect(scenario.writes()).toHaveLength(before);
      await label('stage-');
      await scenario.runsWith(V2);
    } finally {
      await uninstall();
    }
  });

  test('--resource-label-selector: rolls out the sources that it matches', async () => {
    await start('--resource-label-selector', 'tier in (web, api)');
    const scenario = await Scenario.start('labelled');
    const [foo, web, api, other] = SOURCES.map((name) => configMapManifest(name, V1, OWNED));
    web.metadata.labels = { tier: 'web' };
    api.metadata.labels = { tier: 'api' };
    await scenario.apply(foo, web, api, other, mountingAll({}));
    expect(await pinned(scenario)).toEqual(['web-settings', 'api-settings']);
    await scenario.kubectl('label', 'configmap', 'foo', 'tier=web');
    expect(await pinned(scenario)).toEqual(['foo', 'web-settings', 'api-settings']);
  });

  test('--namespaces: works in those only', async () => {
    const [inside, outside] = [await Scenario.start('inside'), await Scenario.start('outside')];
    await start('--namespaces', inside.namespace);
    for (const scenario of [inside, outside]) {
      await scenario.apply(configMapManifest('foo', V1, OWNED), deploymentManifest());
    }
    await inside.runsWith(V1);
    await outside.quiet();
    expect(outside.audited()).toEqual([]);
  });
});

describe('taken out, and opted in again', () => {
  test.each([
    ['whole', [], 'configrollout.dev/managed-'],
    ['for one source', ['--source', 'configmap/foo'], 'configmap.configrollout.dev/foo-'],
  ])(
    '%s, after an undo: it starts from the content of now, not from what it was undone to',
    async (_, source, label) => {
      await start();
      const scenario = await adopted('out-and-in');
      await scenario.edit(V2);
      await scenario.runsWith(V2);
      await scenario.kubectl('rollout', 'undo', 'deployment/bar');
      await scenario.runsWith(V1);
      await scenario.kubectl('config-rollout', 'unpin', 'deployment/bar', ...source);
      await scenario.quiet();
      expect(mountedBy(await scenario.deployment())).toBe('foo');
      await scenario.kubectl('label', 'deployment', 'bar', label);
      await scenario.runsWith(V2);
      await scenario.quiet();
      expect(mountedBy(await scenario.deployment())).not.toBe('foo');
    },
  );
});
