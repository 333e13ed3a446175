// Installing, upgrading and taking away, by kubectl and by Helm, on a cluster of its own: other files run under the rules
// that are installed on theirs.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { down, up } from '../../hack/embedded/cluster.ts';
import { componentsFor } from '../../hack/embedded/install.ts';
import { makeServiceAccountKubeconfig } from '../../hack/embedded/service-account.ts';
import { type Manifest, manifestsWith, type Selection } from '../../hack/kustomize.ts';
import { krewPlugin } from '../../hack/release/krew.ts';
import { env, startController } from '../support/controller.ts';
import { CHART, runHelm } from '../support/helm.ts';
import {
  adopted,
  auditEntries,
  mountedBy,
  type Result,
  runKubectl,
  type Scenario,
  until,
  V1,
  V2,
} from '../support/scenario.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'config-rollout-manifests-'));
const NAME = 'config-rollout';
let suited: string[] = [];

beforeAll(async () => {
  const cluster = await up({ dataDir });
  // Of this file alone: each has an environment of its own.
  Object.assign(process.env, { TEST_KUBECONFIG: cluster.kubeconfig, TEST_AUDIT_LOG: cluster.auditLog });
  suited = componentsFor(env('TEST_KUBECTL'), cluster.kubeconfig);
});
afterAll(() => down(dataDir));

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runKubectl(args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}`);
  return stdout;
}

/** What people get who select this, and run a server as old as ours. */
async function manifests({ components = [], ...selection }: Selection = {}): Promise<string> {
  return asText(await manifestsWith({ ...selection, components: [...components, ...suited] }));
}

function asText(objects: readonly Manifest[]): string {
  return objects.map((object) => stringify(object)).join('---\n');
}

/** What kubectl did with each object. */
async function applied(input: string, ...args: string[]): Promise<string[]> {
  const lines = (await kubectl(['apply', '-f', '-', ...args], input)).trim().split('\n');
  return [...new Set(lines.map((line) => line.split(' ').at(-1) ?? ''))].sort();
}

/** The kubeconfig of a ServiceAccount, as a file. */
function kubeconfigOf(namespace: string, name: string): string {
  const path = join(dataDir, `${namespace}-${name}.kubeconfig`);
  const config = makeServiceAccountKubeconfig(env('TEST_KUBECTL'), env('TEST_KUBECONFIG'), namespace, name);
  writeFileSync(path, config, { mode: 0o600 });
  return path;
}

interface Standing {
  readonly pin: string;
  readonly generation: number;
  readonly revisions: readonly string[];
  readonly snapshots: readonly string[];
}

/** All that a rollout would change. */
async function standing(scenario: Scenario): Promise<Standing> {
  const deployment = await scenario.deployment();
  const uids = async (objects: Promise<Manifest[]>) => (await objects).map(({ metadata }) => metadata.uid).sort();
  return {
    pin: mountedBy(deployment),
    generation: deployment.metadata.generation,
    revisions: await uids(scenario.list('/apis/apps/v1/namespaces/NS/replicasets')),
    snapshots: await uids(scenario.snapshots()),
  };
}

/** A workload that has rolled once, under a controller with the rights that are installed now. */
async function rolledOnce(name: string): Promise<Scenario> {
  const controller = await startController({ kubeconfig: kubeconfigOf(NAME, NAME) });
  try {
    const scenario = await adopted(name);
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet();
    return scenario;
  } finally {
    await controller.stop();
  }
}

/** Undoing takes no controller: the old revision's snapshot is there. */
async function expectUndoable(scenario: Scenario): Promise<void> {
  await scenario.kubectl('rollout', 'undo', 'deployment/bar');
  await scenario.runsWith(V1);
}

/** The definition of what others bring, good enough to be applied. */
function foreignCrd(group: string, version: string, kind: string): Manifest {
  const plural = `${kind.toLowerCase()}s`;
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
}

describe('the namespaced overlay', () => {
  test('is installed by somebody with all rights in one namespace and no other, and works there', async () => {
    await kubectl(['create', 'namespace', 'tenant']);
    await kubectl(['create', 'serviceaccount', 'owner', '-n', 'tenant']);
    await kubectl(['create', 'role', 'all', '-n', 'tenant', '--verb=*', '--resource=*.*']);
    await kubectl(['create', 'rolebinding', 'all', '-n', 'tenant', '--role=all', '--serviceaccount=tenant:owner']);
    const owner = ['--kubeconfig', kubeconfigOf('tenant', 'owner')];
    const text = await manifests({ resource: 'overlays/namespaced' });
    expect(await applied(text, '-n', 'tenant', ...owner)).toEqual(['created']);
    expect(await applied(text, '-n', 'tenant', ...owner)).toEqual(['unchanged']);

    const deployment = JSON.parse(await kubectl(['get', 'deployment', NAME, '-n', 'tenant', '-o', 'json']));
    const [{ args }] = deployment.spec.template.spec.containers;
    // The ports are those of a pod of its own.
    const flags = args
      .filter((flag: string) => !flag.includes('-bind-address='))
      .map((flag: string) => flag.replace('$(POD_NAMESPACE)', 'tenant'));
    const controller = await startController({ kubeconfig: kubeconfigOf('tenant', NAME), args: flags });
    try {
      const input = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'foo' }, data: V1 };
      await kubectl(['apply', '-n', 'tenant', '-f', '-'], JSON.stringify(input));
      await kubectl(['create', 'deployment', 'bar', '-n', 'tenant', '--image=app:1']);
      await kubectl(['set-volume', 'deployment/bar', '-n', 'tenant', ...MOUNT]);
      await kubectl(['set-owner', 'configmap/foo', 'deployment/bar', '-n', 'tenant']);
      const first = await mounted((name) => name !== 'foo');
      await kubectl(['patch', 'configmap', 'foo', '-n', 'tenant', '--type=merge', '-p', JSON.stringify({ data: V2 })]);
      await mounted((name) => name !== first);
      await kubectl(['rollout', 'undo', 'deployment/bar', '-n', 'tenant']);
      expect(await mounted((name) => name === first)).toBe(first);
    } finally {
      expect(await controller.stop()).toBe(0);
    }
    const refused = auditEntries().filter(
      ({ user, annotations }) =>
        user.username === 'system:serviceaccount:tenant:config-rollout' &&
        annotations?.['authorization.k8s.io/decision'] !== 'allow',
    );
    expect(refused.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
    await kubectl(['delete', '-n', 'tenant', '-f', '-', ...owner], text);
  });

  const MOUNT = ['-t', 'configmap', '--configmap-name', 'foo', '--mount-path', '/etc/foo'];

  function mounted(isMeant: (name: string) => boolean): Promise<string> {
    return until('the Deployment mounts what is meant', async () => {
      const { spec } = JSON.parse(await kubectl(['get', 'deployment', 'bar', '-n', 'tenant', '-o', 'json']));
      const [volume] = spec.template.spec.volumes;
      return isMeant(volume.configMap.name) && volume.configMap.name;
    });
  }
});

describe('kubectl apply', () => {
  test('of install.yaml, twice: the second changes nothing', async () => {
    const text = await manifests();
    expect(await applied(text)).toEqual(['created']);
    expect(await applied(text)).toEqual(['unchanged']);
    await kubectl(['rollout', 'status', `deployment/${NAME}`, '-n', NAME, '--timeout=60s']);
  });

  test.each(['secrets', 'namespace-selector', 'network-policy', 'cert-manager', 'monitoring'])(
    'with the component %s, and back',
    async (component) => {
      const crds = {
        'cert-manager': [
          foreignCrd('cert-manager.io', 'v1', 'Certificate'),
          foreignCrd('cert-manager.io', 'v1', 'Issuer'),
        ],
        monitoring: [
          foreignCrd('monitoring.coreos.com', 'v1', 'ServiceMonitor'),
          foreignCrd('monitoring.coreos.com', 'v1', 'PrometheusRule'),
        ],
      }[component];
      if (crds !== undefined) {
        await kubectl(['apply', '-f', '-'], asText(crds));
        await kubectl(['wait', '--for=condition=established', 'crd', ...crds.map(({ metadata }) => metadata.name)]);
      }
      const text = await manifests({ components: [component] });
      expect(await applied(text)).toEqual(expect.arrayContaining(['created', 'unchanged']));
      expect(await applied(text)).toEqual(['unchanged']);
      const base = await manifests();
      await applied(base);
      const names = (await manifestsWith({ components: suited })).map(({ kind, metadata }) => kind + metadata.name);
      const added = (await manifestsWith({ components: [component, ...suited] })).filter(
        ({ kind, metadata }) => !names.includes(kind + metadata.name),
      );
      await kubectl(['delete', '-f', '-'], asText(added));
    },
  );

  test('and kubectl delete: workloads go on with what they have pinned, and can be undone', async () => {
    const scenario = await rolledOnce('uninstalled');
    const before = await standing(scenario);
    expect(before).toMatchObject({ revisions: [expect.any(String), expect.any(String)], snapshots: { length: 2 } });
    await kubectl(['delete', '-f', '-'], await manifests());
    expect((await runKubectl(['get', 'namespace', NAME])).stderr).toMatch(/NotFound/);
    expect(await standing(scenario)).toEqual(before);
    await scenario.runsWith(V2);
    await expectUndoable(scenario);
  });
});

describe('Helm', () => {
  const helm = async (...args: string[]): Promise<Result> => runHelm(args, env('TEST_KUBECONFIG'));
  const release = [NAME, CHART, '--namespace', NAME];

  test('install, upgrade without a change, uninstall: nothing rolls, and workloads and CRD stay', async () => {
    expect(await helm('install', ...release, '--create-namespace')).toMatchObject({ code: 0 });
    await kubectl(['rollout', 'status', `deployment/${NAME}`, '-n', NAME, '--timeout=60s']);
    const scenario = await rolledOnce('helm');
    const before = await standing(scenario);
    const generation = ['get', 'deployment', NAME, '-n', NAME, '-o', 'jsonpath={.metadata.generation}'];
    const own = await kubectl(generation);

    expect(await helm('upgrade', ...release)).toMatchObject({ code: 0 });
    expect(await kubectl(generation)).toBe(own);
    expect(await standing(scenario)).toEqual(before);

    expect(await helm('uninstall', NAME, '--namespace', NAME)).toMatchObject({ code: 0 });
    await kubectl(['get', 'crd', 'configrollouts.configrollout.dev']);
    expect(await kubectl(['get', 'clusterroles,mutatingwebhookconfigurations', '-o', 'name'])).not.toContain(NAME);
    expect(await standing(scenario)).toEqual(before);
    await expectUndoable(scenario);

    // The CRD that is left belongs to the release, should it come back.
    expect(await helm('install', ...release)).toMatchObject({ code: 0 });
    expect(await helm('uninstall', NAME, '--namespace', NAME)).toMatchObject({ code: 0 });
  });
});

test('what krew unpacks is a plugin that kubectl finds, with every command in it', async () => {
  const folder = join(dataDir, 'krew');
  mkdirSync(folder);
  const [plugin, license] = [readFileSync('dist/kubectl-config_rollout'), readFileSync('LICENSE')];
  const { archive } = krewPlugin({ version: '1.2.3', baseUrl: undefined, plugin, license });
  execFileSync('tar', ['xz', '-C', folder], { input: archive });
  // Node, and nothing else of ours.
  const variables = { PATH: `${folder}:${dirname(process.execPath)}` };
  const { stdout } = await runKubectl(['plugin', 'list'], '', variables);
  expect(stdout).toContain(join(folder, 'kubectl-config_rollout'));
  const help = await runKubectl(['config-rollout', 'help'], '', variables);
  expect(help).toEqual({ code: 0, stdout: expect.stringContaining('who-uses'), stderr: '' });
  expect(help.stdout).toContain('set-owner');
});
