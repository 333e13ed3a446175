// Mistakes of people, and limits of the cluster: each is met with one Event that says what is wrong and what to do, and
// with nothing else.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generate } from 'selfsigned';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { snapshotNames } from '../../controller/core/snapshot.ts';
import { makeServiceAccountKubeconfig } from '../../hack/embedded/service-account.ts';
import { type Controller, env, startController } from '../support/controller.ts';
import {
  admin,
  adopted,
  auditEntries,
  configMapManifest,
  deploymentManifest,
  mountedBy,
  runKubectl,
  Scenario,
  sleep,
  until,
  V1,
  V2,
} from '../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

let controller: Controller;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'config-rollout-bad-input-'));
  controller = await startController();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  expect(await controller.stop()).toBe(0);
});

const NO_UID = '00000000-0000-4000-8000-000000000000';
const MANAGED = { labels: { 'configrollout.dev/managed': 'all' } };

function declared(owners: string): Json {
  return { annotations: { 'configrollout.dev/owners': owners } };
}

function owned(kind: string, name: string, uid: string): Json {
  return { ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid }] };
}

/** What was said so far in this file; the last test restarts the controller, and looks whether it is said again. */
const said: { scenario: Scenario; reason: string; count: number }[] = [];

/** Waits for the one Event of a reason; its note has to match each of `notes`. */
async function expectSaid(scenario: Scenario, reason: string, about: string, ...notes: RegExp[]): Promise<void> {
  const [kind, name] = about.split('/');
  const event = await scenario.event(reason, name);
  expect(event).toMatchObject({ type: 'Warning', regarding: { kind, name, namespace: scenario.namespace } });
  for (const note of notes) expect(event.note).toMatch(note);
  await scenario.quiet();
  expect(await scenario.events(reason)).toHaveLength(1);
  said.push({ scenario, reason, count: 1 });
}

/** The name that kubectl would give to the snapshot of ConfigMap `foo`. */
async function snapshotName(data: Record<string, string>): Promise<string> {
  const files = Object.entries(data).map(([key, value]) => `--from-literal=${key}=${value}`);
  const args = ['create', 'configmap', 'foo', ...files, '--append-hash', '--dry-run=client', '-o', 'name'];
  return (await runKubectl(args)).stdout.trim().replace('configmap/', '');
}

async function isGone(scenario: Scenario, kind: string, name: string): Promise<boolean> {
  return (await scenario.tryKubectl('get', kind, name)).stderr.includes('NotFound');
}

describe('an owner', () => {
  test('that does not exist, by annotation: said, and nothing is written', async () => {
    const scenario = await Scenario.start('no-owner');
    await scenario.apply(configMapManifest('foo', V1, declared('deployment/bar')));
    await expectSaid(
      scenario,
      'ConfigOwnerNotFound',
      'ConfigMap/foo',
      /^deployment\/bar does not exist in namespace no-owner-/,
      /configmap\/foo rolls out once it is created$/,
    );
    expect(scenario.changes()).toEqual([]);
  });

  test('that does not exist, by reference: said, before Kubernetes deletes the ConfigMap', async () => {
    const scenario = await Scenario.start('no-owner-ref');
    await scenario.apply(configMapManifest('foo', V1, owned('Deployment', 'bar', NO_UID)));
    await until('the garbage collector deletes it', () => isGone(scenario, 'configmap', 'foo'));
    await expectSaid(
      scenario,
      'ConfigOwnerNotFound',
      'ConfigMap/foo',
      /^deployment\/bar does not exist in namespace no-owner-ref-/,
      /Kubernetes deletes objects whose owners do not exist/,
      /run: kubectl set-owner configmap\/foo deployment\/bar --remove$/,
    );
    expect(scenario.changes()).toEqual([]);
  });

  test('with a wrong uid: said, before Kubernetes deletes the ConfigMap; its Deployment is not touched', async () => {
    const scenario = await Scenario.start('wrong-uid');
    await scenario.apply(deploymentManifest());
    const { uid } = (await scenario.deployment()).metadata;
    await scenario.apply(configMapManifest('foo', V1, owned('Deployment', 'bar', NO_UID)));
    await until('the garbage collector deletes it', () => isGone(scenario, 'configmap', 'foo'));
    await expectSaid(
      scenario,
      'ConfigOwnerUidMismatch',
      'ConfigMap/foo',
      new RegExp(`^the owner reference to deployment/bar has uid ${NO_UID}, but deployment/bar has uid ${uid}`),
      /run: kubectl set-owner configmap\/foo deployment\/bar$/,
    );
    expect(scenario.changes()).toEqual([]);
  });

  test('with a wrong uid beside one that is right: Kubernetes drops it, and the other one rolls', async () => {
    const scenario = await Scenario.start('one-wrong-uid');
    await scenario.apply(deploymentManifest('bar'), deploymentManifest('baz'));
    const right = owned('Deployment', 'bar', (await scenario.deployment()).metadata.uid).ownerReferences;
    const wrong = owned('Deployment', 'baz', NO_UID).ownerReferences;
    await scenario.apply(configMapManifest('foo', V1, { ownerReferences: [...wrong, ...right] }));
    await scenario.runsWith(V1);
    // Whether anything is said of it depends on who looks first.
    await until('one owner', async () => (await scenario.configMap('foo')).metadata.ownerReferences.length === 1);
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment('baz'))).toBe('foo');
  });

  test('of an unsupported kind, by annotation: said, and nothing is written', async () => {
    const scenario = await Scenario.start('kind');
    await scenario.apply(configMapManifest('foo', V1, declared('cronjob/bar')), deploymentManifest());
    await expectSaid(
      scenario,
      'ConfigOwnerKindUnsupported',
      'ConfigMap/foo',
      /^annotation configrollout\.dev\/owners: cronjob\/bar: this kind cannot own configmap\/foo/,
      /supported: Deployment/,
    );
    expect(scenario.changes()).toEqual([]);
  });

  test('of an unsupported kind, by reference: said, and nothing is written', async () => {
    const scenario = await Scenario.start('kind-ref');
    const { spec } = deploymentManifest();
    await scenario.apply({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'bar' }, spec });
    const { uid } = (await scenario.get('/apis/apps/v1/namespaces/NS/replicasets/bar')).metadata;
    await scenario.apply(configMapManifest('foo', V1, owned('ReplicaSet', 'bar', uid)));
    await expectSaid(
      scenario,
      'ConfigOwnerKindUnsupported',
      'ConfigMap/foo',
      /^owner reference to replicaset\/bar: this kind cannot own configmap\/foo/,
      /supported: Deployment/,
    );
    expect(scenario.changes()).toEqual([]);
  });

  test('that cannot be read, by annotation: said for each entry, and the entry beside them works', async () => {
    const scenario = await Scenario.start('malformed');
    const entries = ['bar', 'deployment/', 'deployment/Bar!', 'deployment bar', 'deployment/bar/baz'];
    const annotation = declared([...entries, 'deployment/bar'].join(', '));
    await scenario.apply(configMapManifest('foo', V1, annotation), deploymentManifest());
    await scenario.runsWith(V1);
    await scenario.quiet();
    const notes = (await scenario.events('ConfigOwnersInvalid', 'foo')).map(({ note }) => note);
    const expected = entries.map(
      (entry) =>
        `annotation configrollout.dev/owners: "${entry}" is not of the form deployment/NAME; correct the annotation`,
    );
    expect(notes.sort()).toEqual(expected.sort());
    said.push({ scenario, reason: 'ConfigOwnersInvalid', count: entries.length });
  });

  test('that does not reference the ConfigMap: said, and nothing is written', async () => {
    const scenario = await Scenario.start('not-referenced');
    await scenario.apply(deploymentManifest('bar', 'other'));
    const { uid } = (await scenario.deployment()).metadata;
    await scenario.apply(configMapManifest('foo', V1, owned('Deployment', 'bar', uid)));
    await expectSaid(
      scenario,
      'ConfigNotReferenced',
      'ConfigMap/foo',
      /^deployment\/bar does not reference configmap\/foo; /,
      /kubectl set-volume deployment\/bar -t configmap --configmap-name foo --mount-path PATH/,
      /kubectl set-owner configmap\/foo deployment\/bar --remove/,
    );
    expect(scenario.changes()).toEqual([]);
  });

  test('that does not reference the ConfigMap, with names of 253 characters: said, to the end', async () => {
    const scenario = await Scenario.start('long-note');
    const [source, owner] = ['s'.repeat(253), 'o'.repeat(253)];
    await scenario.apply(configMapManifest(source, V1, declared(`deployment/${owner}`)));
    await expectSaid(scenario, 'ConfigOwnerNotFound', `ConfigMap/${source}`, /does not exist in namespace/);
    const manifest = deploymentManifest('bar', 'other');
    await scenario.apply({ ...manifest, metadata: { name: owner } });
    const event = await scenario.event('ConfigNotReferenced', source);
    expect(event.note).toMatch(/^deployment\/o+…o+ does not reference configmap\/s+…s+; mount it .* --remove\)$/);
    await scenario.quiet();
    expect(scenario.changes()).toEqual([]);
  });

  test('of an immutable ConfigMap: said, and nothing is written', async () => {
    const scenario = await Scenario.start('immutable');
    const source = { ...configMapManifest('foo', V1, declared('deployment/bar')), immutable: true };
    await scenario.apply(source, deploymentManifest());
    await expectSaid(
      scenario,
      'ConfigSourceImmutable',
      'ConfigMap/foo',
      /^configmap\/foo is immutable: it cannot change, so nothing will ever roll out; /,
      /take its owner away, or recreate it without immutable$/,
    );
    expect(scenario.changes()).toEqual([]);
  });
});

describe('a snapshot', () => {
  test('whose name is taken by another ConfigMap gets another name; the other one is not touched', async () => {
    const scenario = await Scenario.start('taken');
    const name = await snapshotName(V1);
    await scenario.apply(configMapManifest(name, { mine: 'yes' }));
    const { metadata } = await scenario.configMap(name);
    await scenario.apply(configMapManifest('foo', V1, declared('deployment/bar')), deploymentManifest());
    expect(await scenario.runsWith(V1)).toMatch(new RegExp(`^${name}-[0-9a-f]{5}$`));
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    await scenario.quiet();
    expect((await scenario.configMap(name)).metadata).toEqual(metadata);
    // The other name, too, says whose snapshot it was.
    await scenario.edit({ 'config.yml': 'v3' });
    await scenario.runsWith({ 'config.yml': 'v3' });
    await scenario.edit(V1);
    const salted = await scenario.runsWith(V1);
    await scenario.kubectl('delete', 'configmap', salted);
    await until('it is made again', async () => (await scenario.configMap(salted)).data['config.yml'] === 'v1');
  });

  test.each([
    ['of other content', { data: { forged: 'yes' }, immutable: true }],
    ['that can change', { data: V1, immutable: false }],
  ])(
    'whose name and marks are on a ConfigMap %s gets another name; the forged one is not touched',
    async (_, forged) => {
      const scenario = await Scenario.start('forged');
      const name = await snapshotName(V1);
      const labels = {
        'app.kubernetes.io/managed-by': 'config-rollout',
        'configrollout.dev/source': 'foo',
        'configrollout.dev/content-hash': name.replace('foo-', ''),
      };
      const annotations = { 'configrollout.dev/source-name': 'foo' };
      await scenario.apply({ ...configMapManifest(name, {}, { labels, annotations }), ...forged });
      const { metadata } = await scenario.configMap(name);
      await scenario.apply(configMapManifest('foo', V1, declared('deployment/bar')), deploymentManifest());
      expect(await scenario.runsWith(V1)).toMatch(new RegExp(`^${name}-[0-9a-f]{5}$`));
      await scenario.edit(V2);
      await scenario.runsWith(V2);
      // Past the grace time after which what is ours and unused is swept.
      await sleep(3500);
      await scenario.quiet();
      expect(await scenario.configMap(name)).toMatchObject({ metadata, data: forged.data });
    },
  );

  test('all of whose names are taken: said, and nothing is written until one is free', async () => {
    const scenario = await Scenario.start('all-taken');
    const name = await snapshotName(V1);
    const names = [...snapshotNames('foo', name.replace('foo-', ''))];
    await scenario.apply(...names.map((taken) => configMapManifest(taken, { mine: 'yes' })));
    await scenario.apply(configMapManifest('foo', V1, declared('deployment/bar')), deploymentManifest());
    await expectSaid(
      scenario,
      'ConfigSnapshotNameTaken',
      'ConfigMap/foo',
      /^every name that a snapshot of configmap\/foo .* could have is taken by another ConfigMap; /,
      new RegExp(`delete or rename configmap/${name}$`),
    );
    expect(mountedBy(await scenario.deployment())).toBe('foo');
    await scenario.kubectl('delete', 'configmap', name);
    expect(await scenario.runsWith(V1)).toBe(name);
  });

  test.each([
    ['owned', declared('deployment/bar'), {}],
    ['managed', {}, MANAGED],
  ])(
    'that is mounted, of the content of now, of a %s source, and deleted by hand: it is made again',
    async (_, source, workload) => {
      const scenario = await Scenario.start('deleted');
      await scenario.apply(configMapManifest('foo', V1, source), deploymentManifest('bar', 'foo', {}, workload));
      const name = await scenario.runsWith(V1);
      await scenario.quiet();
      const { uid } = (await scenario.configMap(name)).metadata;
      await scenario.kubectl('delete', 'configmap', name);
      const owners = await until('it is back, with its owners', async () => {
        const { metadata, data } = await scenario.configMap(name);
        expect(data).toEqual(V1);
        return metadata.uid !== uid && metadata.ownerReferences?.length === 2 && metadata.ownerReferences;
      });
      expect(owners.map(({ kind }: Json) => kind).sort()).toEqual(['Deployment', 'ReplicaSet']);
      await scenario.quiet();
      expect(await scenario.revisions()).toHaveLength(1);
      await scenario.edit(V2);
      await scenario.runsWith(V2);
    },
  );

  test.each([
    ['owned', declared('deployment/bar'), {}],
    ['managed', {}, MANAGED],
  ])(
    'that an undo mounted, of a %s source, and deleted by hand: said, and the next change rolls out',
    async (_, source, workload) => {
      const scenario = await Scenario.start('missing');
      await scenario.apply(configMapManifest('foo', V1, source), deploymentManifest('bar', 'foo', {}, workload));
      const name = await scenario.runsWith(V1);
      await scenario.edit(V2);
      await scenario.runsWith(V2);
      await scenario.kubectl('rollout', 'undo', 'deployment/bar');
      await scenario.runsWith(V1);
      await scenario.quiet();
      const before = scenario.changes().length;
      await scenario.kubectl('delete', 'configmap', name);
      await expectSaid(
        scenario,
        'ConfigSnapshotMissing',
        'Deployment/bar',
        new RegExp(`^the template mounts configmap/${name}, a snapshot that was deleted: new pods cannot start; `),
        /run kubectl rollout undo deployment\/bar, or change the source to roll out again$/,
      );
      expect(scenario.changes()).toHaveLength(before);
      expect(mountedBy(await scenario.deployment())).toBe(name);
      await scenario.edit({ 'config.yml': 'v3' });
      await scenario.runsWith({ 'config.yml': 'v3' });
    },
  );

  test('that is given an owner by annotation: said, and nothing rolls out from it', async () => {
    const scenario = await adopted('owned-snapshot');
    const name = mountedBy(await scenario.deployment());
    const before = scenario.changes().length;
    await scenario.kubectl('annotate', 'configmap', name, 'configrollout.dev/owners=deployment/bar');
    await expectSaid(
      scenario,
      'ConfigSnapshotOwnedByHand',
      `ConfigMap/${name}`,
      new RegExp(`^configmap/${name} is a snapshot of configmap/foo, and was given an owner by hand`),
      /annotation configrollout\.dev\/owners/,
      /undo that, and set the owner of configmap\/foo$/,
    );
    expect(scenario.changes()).toHaveLength(before);
  });

  test('that is given another Deployment as its owner: said, and that Deployment is not touched', async () => {
    const scenario = await adopted('owned-by-other');
    const name = mountedBy(await scenario.deployment());
    await scenario.apply(deploymentManifest('baz', 'foo', { replicas: 1 }));
    const owner = owned('Deployment', 'baz', (await scenario.deployment('baz')).metadata.uid).ownerReferences[0];
    const add = [{ op: 'add', path: '/metadata/ownerReferences/-', value: owner }];
    await scenario.kubectl('patch', 'configmap', name, '--type', 'json', '-p', JSON.stringify(add));
    await expectSaid(
      scenario,
      'ConfigSnapshotOwnedByHand',
      `ConfigMap/${name}`,
      new RegExp(
        `^configmap/${name} is a snapshot of configmap/foo, and was given an owner by hand \\(deployment/baz\\)`,
      ),
      /undo that, and set the owner of configmap\/foo$/,
    );
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet();
    expect(mountedBy(await scenario.deployment('baz'))).toBe('foo');
  });
});

describe('the limits of an object', () => {
  test('a ConfigMap of exactly 1 MiB rolls out', async () => {
    const scenario = await Scenario.start('one-mib');
    const half = 512 * 1024;
    // A line feed is two characters in JSON, and a byte of binaryData one and a third.
    const source = {
      ...configMapManifest('foo', { text: 'line\n'.repeat(half / 4).slice(0, half) }, declared('deployment/bar')),
      binaryData: { binary: Buffer.alloc(half, 0xff).toString('base64') },
    };
    await scenario.kubectlWith(source, 'create', '-f', '-');
    await scenario.apply(deploymentManifest());
    const name = await scenario.runsWith(source.data);
    expect((await scenario.configMap(name)).binaryData).toEqual(source.binaryData);
    const more = configMapManifest('more', { text: 'x'.repeat(2 * half + 1) });
    await expect(scenario.kubectlWith(more, 'create', '-f', '-')).rejects.toThrow(/Too long/);
  });

  test('two ConfigMaps whose names of 253 characters differ only at the end are told apart in everything', async () => {
    const scenario = await Scenario.start('long-names');
    const [one, two] = ['1', '2'].map((end) => `${'long.name-'.repeat(25)}ab${end}`) as [string, string];
    expect(one).toHaveLength(253);
    const volumes = [
      { name: 'config', configMap: { name: one } },
      { name: 'two', configMap: { name: two } },
    ];
    await scenario.apply(
      configMapManifest(one, V1),
      configMapManifest(two, { 'config.yml': 'other' }),
      deploymentManifest('bar', '', { template: { spec: { volumes } } }, MANAGED),
    );
    const names = await until('both are pinned', async () => {
      const { spec } = (await scenario.deployment()).spec.template;
      const mounted: string[] = spec.volumes.map((volume: Json) => volume.configMap.name);
      return !mounted.includes(one) && !mounted.includes(two) && mounted;
    });
    await scenario.runsWith(V1);
    expect(names.map((name) => name.length)).toEqual([253, 253]);
    expect((await scenario.configMap(names[1] ?? '')).data).toEqual({ 'config.yml': 'other' });
    await scenario.kubectl('patch', 'configmap', two, '--type', 'merge', '-p', JSON.stringify({ data: V2 }));
    await until('two revisions', async () => (await scenario.revisions()).length === 2);
    await scenario.quiet();
    expect(await scenario.runsWith(V1)).toBe(names[0]);
    const second = (await scenario.deployment()).spec.template.spec.volumes[1].configMap.name;
    expect((await scenario.configMap(second)).data).toEqual(V2);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
    await scenario.quiet();
    expect((await scenario.deployment()).spec.template.spec.volumes[1].configMap.name).toBe(names[1]);
    // Its name has not all of the source's in it; it is recognised when it is lost nevertheless.
    await scenario.kubectl('delete', 'configmap', names[0] ?? '');
    await until('it is made again', async () => (await scenario.configMap(names[0] ?? '')).data['config.yml'] === 'v1');
  });

  test('a Deployment that the API server would refuse if it were patched: said, and the workload stays as it is', async () => {
    const scenario = await Scenario.start('rejected');
    // Annotations hold 256 KiB. This one is not copied to ReplicaSets; the next line of history does not fit beside it.
    const filler = 'kubectl.kubernetes.io/last-applied-configuration';
    const revision = 'deployment.kubernetes.io/revision1';
    const value = 'x'.repeat(256 * 1024 - filler.length - revision.length - 60);
    const manifest = deploymentManifest('bar', 'foo', {}, { annotations: { [filler]: value } });
    // Not by kubectl, which would write that annotation itself.
    await admin().request('POST', `/apis/apps/v1/namespaces/${scenario.namespace}/deployments`, { body: manifest });
    await scenario.apply(configMapManifest('foo', V1, declared('deployment/bar')));
    await expectSaid(
      scenario,
      'ConfigRejected',
      'Deployment/bar',
      /^the configuration of deployment\/bar cannot be rolled out: /,
      /metadata\.annotations: Too long/,
      /; change what the API server objects to$/,
    );
    expect(mountedBy(await scenario.deployment())).toBe('foo');
  });
});

test('a quota that is used up: said; once it is raised, the rollout goes on by itself', async () => {
  const scenario = await Scenario.start('quota');
  await scenario.apply(configMapManifest('foo', V1), deploymentManifest());
  const quota = (hard: number) => ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'few' },
    spec: { hard: { 'count/configmaps': `${hard}` } },
  });
  const used = await until('the ConfigMaps of the namespace', async () => {
    const maps = await scenario.list('/api/v1/namespaces/NS/configmaps');
    return maps.some(({ metadata }) => metadata.name === 'kube-root-ca.crt') && maps.length;
  });
  await scenario.apply(quota(used));
  await until('the quota counts', async () => {
    const { status } = await scenario.get('/api/v1/namespaces/NS/resourcequotas/few');
    return status.used?.['count/configmaps'] === `${used}`;
  });
  await scenario.kubectl('annotate', 'configmap', 'foo', 'configrollout.dev/owners=deployment/bar');
  await expectSaid(
    scenario,
    'ConfigQuotaExceeded',
    'ConfigMap/foo',
    /^the configuration of configmap\/foo cannot be rolled out: .*exceeded quota: few/,
    /; raise the quota, or lower revisionHistoryLimit/,
  );
  expect(mountedBy(await scenario.deployment())).toBe('foo');
  await scenario.apply(quota(used + 1));
  await scenario.runsWith(V1);
  await scenario.quiet();
});

test('an admission policy that refuses the patch: its words are said, as far as an Event holds them', async () => {
  const scenario = await Scenario.start('policy');
  const address = { name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] };
  const certificate = await generate([{ name: 'commonName', value: 'policy' }], { extensions: [address] });
  const policy = createServer({ key: certificate.private, cert: certificate.cert }, async (request, response) => {
    const { uid } = JSON.parse(Buffer.concat(await request.toArray()).toString()).request;
    // 500 characters, and three times as many bytes.
    const status = { code: 403, message: '設定の変更は承認が必要。'.repeat(42) };
    const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' };
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ ...review, response: { uid, allowed: false, status } }));
  });
  await new Promise<void>((resolve) => policy.listen(0, '127.0.0.1', resolve));
  await scenario.apply(configMapManifest('foo', V1), deploymentManifest());
  await scenario.kubectl('label', 'namespace', scenario.namespace, `policy=${scenario.namespace}`);
  try {
    await scenario.apply({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: scenario.namespace },
      webhooks: [
        {
          name: 'policy.example.com',
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          timeoutSeconds: 2,
          namespaceSelector: { matchLabels: { policy: scenario.namespace } },
          rules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['deployments'] }],
          clientConfig: {
            url: `https://127.0.0.1:${(policy.address() as AddressInfo).port}/`,
            caBundle: Buffer.from(certificate.cert).toString('base64'),
          },
        },
      ],
    });
    await until('the policy is in force', async () =>
      (await scenario.tryKubectl('label', 'deployment', 'bar', 'try=it', '--overwrite')).stderr.includes('denied'),
    );
    await scenario.kubectl('annotate', 'configmap', 'foo', 'configrollout.dev/owners=deployment/bar');
    await expectSaid(
      scenario,
      'ConfigForbidden',
      'Deployment/bar',
      /^the configuration of deployment\/bar cannot be rolled out: admission webhook "policy.example.com" denied the/,
      /設定の変更は承認が必要。/,
    );
    expect(mountedBy(await scenario.deployment())).toBe('foo');
  } finally {
    await scenario.kubectl('delete', 'validatingwebhookconfiguration', scenario.namespace);
    policy.close();
    policy.closeAllConnections();
  }
  said.pop();
});

test('a controller that is restarted says none of all this again, and writes nothing', async () => {
  // What the server refused before is tried again, and refused again.
  const changed = () =>
    said.map(({ scenario }) => scenario.changes().filter(({ responseStatus }) => responseStatus.code < 300).length);
  const before = changed();
  await controller.stop();
  controller = await startController();
  await Promise.all(said.map(({ scenario }) => scenario.quiet()));
  for (const { scenario, reason, count } of said) {
    expect([scenario.namespace, reason, (await scenario.events(reason)).length]).toEqual([
      scenario.namespace,
      reason,
      count,
    ]);
  }
  expect(changed()).toEqual(before);
});

describe('a controller without all of its rights', () => {
  // The one with all rights would do what the others cannot.
  beforeAll(() => controller.stop());
  afterAll(async () => {
    controller = await startController();
  });

  const RULES: { apiGroups: string[]; resources: string[]; verbs: string[] }[] = parseAllDocuments(
    readFileSync('manifests/base/rbac.yaml', 'utf8'),
  )
    .map((document) => document.toJSON())
    .find(({ kind }) => kind === 'ClusterRole').rules;

  /** Allows what manifests/base/rbac.yaml grants but for `missing` (`verb resource`), in the scenario's namespace only. */
  async function allow(scenario: Scenario, ...missing: string[]): Promise<void> {
    const rules = RULES.map((rule) => ({
      ...rule,
      verbs: rule.verbs.filter((verb) => !missing.includes(`${verb} ${rule.resources[0]}`)),
    })).filter(({ verbs }) => verbs.length > 0);
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' };
    const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'limited' };
    await scenario.apply(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'limited' } },
      { ...rbac, kind: 'Role', metadata: { name: 'limited' }, rules },
      {
        ...rbac,
        kind: 'RoleBinding',
        metadata: { name: 'limited' },
        roleRef: role,
        subjects: [{ kind: 'ServiceAccount', name: 'limited', namespace: scenario.namespace }],
      },
    );
  }

  function kubeconfigOf(scenario: Scenario): string {
    const path = join(folder, `${scenario.namespace}.kubeconfig`);
    const [kubectl, admin] = [env('TEST_KUBECTL'), env('TEST_KUBECONFIG')];
    writeFileSync(path, makeServiceAccountKubeconfig(kubectl, admin, scenario.namespace, 'limited'), { mode: 0o600 });
    return path;
  }

  async function start(scenario: Scenario, ...missing: string[]): Promise<Controller> {
    await scenario.apply(configMapManifest('foo', V1, declared('deployment/bar')), deploymentManifest());
    await allow(scenario, ...missing);
    return startController({ kubeconfig: kubeconfigOf(scenario), args: ['--namespaces', scenario.namespace] });
  }

  function requests(scenario: Scenario): Json[] {
    const username = `system:serviceaccount:${scenario.namespace}:limited`;
    return auditEntries().filter(({ user }) => user.username === username);
  }

  async function expectNoHotLoop(scenario: Scenario, ms: number): Promise<void> {
    // What was asked for before it failed may come once more.
    await sleep(1000);
    const before = requests(scenario).length;
    await sleep(ms);
    expect(requests(scenario).length - before).toBeLessThanOrEqual(2);
  }

  async function forbiddenNote(scenario: Scenario, about: string): Promise<string> {
    const { note } = await scenario.event('ConfigForbidden', about);
    expect(await scenario.events('ConfigForbidden')).toHaveLength(1);
    expect(note).toMatch(/compare the controller’s ClusterRole with manifests\/base\/rbac\.yaml/);
    return note;
  }

  test('may not create ConfigMaps: said once, tried again without haste, and done when it may', async () => {
    const scenario = await Scenario.start('no-create');
    const limited = await start(scenario, 'create configmaps');
    try {
      expect(await forbiddenNote(scenario, 'foo')).toMatch(
        /^the configuration of configmap\/foo cannot be rolled out: configmaps is forbidden: .*cannot create resource "configmaps"/,
      );
      await expectNoHotLoop(scenario, 5000);
      expect(mountedBy(await scenario.deployment())).toBe('foo');
      await allow(scenario);
      await scenario.runsWith(V1);
      expect(await scenario.events('ConfigForbidden')).toHaveLength(1);
    } finally {
      expect(await limited.stop()).toBe(0);
    }
  });

  test('may not read ConfigMaps: said, and nothing is written', async () => {
    const scenario = await Scenario.start('no-get');
    const limited = await start(scenario, 'get configmaps');
    try {
      expect(await forbiddenNote(scenario, 'foo')).toMatch(/configmap\/foo .*cannot get resource "configmaps"/);
      await expectNoHotLoop(scenario, 3000);
      expect(await scenario.snapshots()).toEqual([]);
    } finally {
      expect(await limited.stop()).toBe(0);
    }
  });

  test('may not patch Deployments: said on the Deployment', async () => {
    const scenario = await Scenario.start('no-patch');
    const limited = await start(scenario, 'patch deployments');
    try {
      expect(await forbiddenNote(scenario, 'bar')).toMatch(/deployment\/bar .*cannot patch resource "deployments"/);
      await expectNoHotLoop(scenario, 3000);
      expect(mountedBy(await scenario.deployment())).toBe('foo');
    } finally {
      expect(await limited.stop()).toBe(0);
    }
  });

  test('may not write Events either: said in the log', async () => {
    const scenario = await Scenario.start('no-events');
    const limited = await start(scenario, 'create configmaps', 'create events', 'get events');
    try {
      const find = (pattern: RegExp) => limited.log.find(({ message }) => pattern.test(String(message)));
      await until('both lines', async () => find(/^event not sent/) && find(/cannot create resource "configmaps"/));
      expect(find(/^event not sent/)).toMatchObject({ level: 'warn', reason: 'ConfigForbidden' });
      expect(find(/cannot create resource "configmaps"/)).toMatchObject({ level: 'error', controller: 'source' });
      await expectNoHotLoop(scenario, 3000);
    } finally {
      expect(await limited.stop()).toBe(0);
    }
  });

  test('may not list ReplicaSets: says which right is missing, and begins when it has it', async () => {
    const scenario = await Scenario.start('no-list');
    const starting = start(scenario, 'list replicasets');
    await until('three attempts', async () => requests(scenario).filter(isForbidden).length >= 3);
    expect(mountedBy(await scenario.deployment())).toBe('foo');
    await allow(scenario);
    const limited = await starting;
    try {
      await scenario.runsWith(V1);
      const lines = limited.log.filter(({ message }) => String(message).startsWith('not allowed to list'));
      expect(lines.filter(({ level }) => level !== 'debug')).toMatchObject([
        {
          level: 'error',
          message: `not allowed to list replicasets in namespace ${scenario.namespace}: grant list and watch on it; retrying`,
        },
      ]);
    } finally {
      expect(await limited.stop()).toBe(0);
    }
  });

  function isForbidden({ annotations }: Json): boolean {
    return annotations?.['authorization.k8s.io/decision'] === 'forbid';
  }
});

const WATCHED = [
  'configmaps',
  'configrollouts',
  'controllerrevisions',
  'daemonsets',
  'deployments',
  'replicasets',
  'rollouts',
  'statefulsets',
];

describe('the command line', () => {
  const lines = (stderr: string) => stderr.trim().split('\n');

  interface Run {
    readonly code: number | null;
    readonly stderr: string;
    readonly ms: number;
  }

  /** Runs the controller until it exits, or gets a SIGTERM once there are `most` lines with `word` on its stderr. */
  async function run(
    args: readonly string[],
    { word = '', most = Number.POSITIVE_INFINITY, environment = {} as Record<string, string> } = {},
  ): Promise<Run> {
    const child = spawn(process.execPath, ['dist/config-rollout-controller', ...args], {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: folder, ...environment },
    });
    let stderr = '';
    let ended = performance.now();
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
      if (!child.killed && lines(stderr).filter((line) => line.includes(word)).length >= most) {
        ended = performance.now();
        child.kill('SIGTERM');
      }
    });
    const [code] = await once(child, 'exit');
    return { code, stderr, ms: performance.now() - ended };
  }

  test('tells all that is wrong with it at once, and exits with 1', async () => {
    const args = ['--concurrency', '0', '--settle', 'soon', '--namespaces', 'a,B!', '--log-format', 'xml'];
    const { code, stderr } = await run(args, { environment: { CONFIG_ROLLOUT_LOG_LEVEL: 'loud' } });
    expect(code).toBe(1);
    expect(lines(stderr)).toEqual([
      'error: --namespaces: "a,B!" is not a comma-separated list of namespaces',
      'error: --concurrency: "0" is not a number from 1 to 256',
      'error: --settle: "soon" is not a duration such as 500ms, 5s or 2m (24h at most)',
      'error: --log-level: "loud" is not one of debug, info, warn, error',
      'error: --log-format: "xml" is not json or text',
      "See 'config-rollout-controller --help' for usage.",
    ]);
  });

  test.each([
    [['--no-such-flag'], /^error: unknown option '--no-such-flag'\n/],
    [['stray'], /^error: too many arguments/],
    [['--settle'], /^error: option '--settle <duration>' argument missing\n/],
  ])('%j: one error, and exit code 1', async (args, expected) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(1);
    expect(stderr).toMatch(expected);
  });

  test('a kubeconfig that does not exist, or is nowhere: one error, and exit code 1', async () => {
    const missing = await run(['--kubeconfig', join(folder, 'missing')]);
    expect(missing.code).toBe(1);
    expect(lines(missing.stderr).at(-1)).toBe(`error: the kubeconfig file "${join(folder, 'missing')}" does not exist`);
    const nowhere = await run([]);
    expect(nowhere.code).toBe(1);
    expect(lines(nowhere.stderr)).toEqual([
      expect.stringMatching(/^error: no kubeconfig found: name one with --kubeconfig/),
    ]);
  });

  test.each([
    ['no YAML', 'users:\n- user: { token: hunter2\n', /^error: the kubeconfig file ".*" cannot be read: (?!.*hunter2)/],
    ['YAML, but no kubeconfig', '- a\n- b\n', /^error: .*kubeconfig/],
    ['empty', '', /has no current context: name one with --context/],
    [
      'without the cluster of its context',
      stringify({
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'gone', user: 'u' } }],
        clusters: [],
        users: [{ name: 'u', user: {} }],
      }),
      /cluster "gone" does not exist/,
    ],
  ])('a kubeconfig that is %s: one error, and exit code 1', async (_, content, expected) => {
    const path = join(folder, 'bad.kubeconfig');
    writeFileSync(path, content);
    const { code, stderr } = await run(['--kubeconfig', path]);
    expect(code).toBe(1);
    expect(lines(stderr)).toEqual([expect.stringMatching(expected)]);
  });

  test('an API server that cannot be reached: said once for each resource, tried again, and SIGTERM ends it at once', async () => {
    const config = parse(readFileSync(env('TEST_CONTROLLER_KUBECONFIG'), 'utf8'));
    config.clusters[0].cluster.server = 'https://127.0.0.1:1';
    const path = join(folder, 'unreachable.kubeconfig');
    writeFileSync(path, stringify(config), { mode: 0o600 });
    const args = ['--kubeconfig', path, '--log-format', 'json', '--log-level', 'debug'];
    const { code, stderr, ms } = await run(args, { word: 'cannot list', most: 3 * WATCHED.length });
    expect(code).toBe(0);
    expect(ms).toBeLessThan(2000);
    const warnings = lines(stderr)
      .map((line) => JSON.parse(line))
      .filter(({ level }) => level === 'warn');
    expect(warnings.map(({ message }) => message).sort()).toEqual(
      WATCHED.map((name) => `cannot list ${name} in all namespaces; retrying`),
    );
    for (const { error } of warnings)
      expect(error).toBe('cannot reach the API server at https://127.0.0.1:1: connection refused');
    // What is logged holds no credentials.
    expect(stderr).not.toContain(config.users[0].user.token);
  });

  test('credentials that the API server does not accept: said once for each resource, and SIGTERM ends it', async () => {
    const config = parse(readFileSync(env('TEST_CONTROLLER_KUBECONFIG'), 'utf8'));
    config.users[0].user = { token: 'wrong' };
    const path = join(folder, 'wrong.kubeconfig');
    writeFileSync(path, stringify(config), { mode: 0o600 });
    const args = ['--kubeconfig', path, '--log-format', 'json'];
    const { code, stderr } = await run(args, { word: 'does not accept our credentials', most: WATCHED.length });
    expect(code).toBe(0);
    const errors = lines(stderr)
      .map((line) => JSON.parse(line))
      .filter(({ level }) => level === 'error');
    expect(errors.map(({ message }) => message).sort()).toEqual(
      WATCHED.map(
        (name) => `the API server does not accept our credentials to list ${name} in all namespaces; retrying`,
      ),
    );
  });
});
