// Last of all: what the controller was allowed, and what it asked for, in everything that the other files made it do.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { manifestsWith } from '../../hack/kustomize.ts';
import { installComponent } from '../support/components.ts';
import { type Controller, startController } from '../support/controller.ts';
import { installRolloutCrd, removeRolloutCrd } from '../support/rollout-crd.ts';
import {
  admin,
  auditEntries,
  configMapManifest,
  deploymentManifest,
  isController,
  mountedBy,
  Scenario,
  until,
} from '../support/scenario.ts';
import { startRolloutsStandIn } from '../support/stand-in-rollouts.ts';
import { DAEMON_SET, ROLLOUT, running, STATEFUL_SET } from '../support/workload-kinds.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests and audit entries, read as they come
type Json = any;

const SECRET = '/api/v1/namespaces/config-rollout/secrets/config-rollout-webhook-tls';

const LEASE = '/apis/coordination.k8s.io/v1/namespaces/config-rollout/leases/config-rollout';

const COMPONENTS = {
  secrets: { resource: 'secrets', argument: '--secrets' },
  'namespace-selector': {
    resource: 'namespaces',
    argument: '--namespace-selector=configrollout.dev/rollout=enabled',
  },
};

describe('rights', () => {
  let controller: Controller;
  const uninstalls: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    controller = await startController();
    for (const component of Object.keys(COMPONENTS)) uninstalls.push(await installComponent(component));
  });
  afterAll(async () => {
    expect(await controller.stop()).toBe(0);
    for (const uninstall of uninstalls) await uninstall();
  });

  async function restart(...args: string[]): Promise<void> {
    await controller.stop();
    controller = await startController({ args });
  }

  /** `verb group/resource`, subresources included. */
  function used(): string[] {
    const requests = auditEntries().filter(isController);
    const names = requests.map(({ verb, objectRef = {}, requestURI }) => {
      const { apiGroup = '', resource, subresource } = objectRef;
      return resource === undefined
        ? `${verb} ${requestURI}`
        : `${verb} ${apiGroup}/${resource}${subresource ? `/${subresource}` : ''}`;
    });
    return [...new Set(names)].sort();
  }

  /** What the roles of this kind allow, as kustomize makes them with these components. */
  async function granted(kind: 'ClusterRole' | 'Role', ...components: string[]): Promise<string[]> {
    return rightsOf(await manifestsWith({ components }), kind);
  }

  // Those that are bound to it: others are there for people.
  function rightsOf(manifests: Json[], kind: string): string[] {
    const bound = manifests.flatMap(({ roleRef }) => (roleRef?.kind === kind ? [roleRef.name] : []));
    return manifests
      .filter((manifest) => manifest.kind === kind && bound.includes(manifest.metadata.name))
      .flatMap(({ rules }) => rules)
      .flatMap(({ apiGroups, resources, verbs }: Json) =>
        apiGroups.flatMap((group: string) =>
          resources.flatMap((resource: string) => verbs.map((verb: string) => `${verb} ${group}/${resource}`)),
        ),
      );
  }

  test('scenarios that need them all', async () => {
    const scenario = await Scenario.start('rights');
    const [v1, v2] = [{ 'config.yml': 'v1' }, { 'config.yml': 'v2' }];
    const owners = { annotations: { 'configrollout.dev/owners': 'deployment/bar, deployment/none' } };
    // Adoption, and something to say about it.
    await scenario.apply(configMapManifest('foo', v1, owners), deploymentManifest());
    await scenario.runsWith(v1);
    await scenario.event('ConfigOwnerNotFound', 'foo');
    // Without admission, a raw apply leaves a ReplicaSet that has to go, unless the controller is quicker than that of Deployments.
    await until('a raw ReplicaSet is deleted', async () => {
      await scenario.apply(deploymentManifest());
      await scenario.runsWith(v1);
      return scenario.changes().some(({ verb, objectRef }) => `${verb} ${objectRef.resource}` === 'delete replicasets');
    });
    // A restarted controller looks whether it has spoken before; and one that serves admission makes a certificate, makes
    // it known, and mends it.
    await controller.stop();
    await admin()
      .request('DELETE', SECRET, { body: {} })
      .catch(() => undefined);
    controller = await startController({ admission: true });
    const broken = { data: { 'tls.key': '' } };
    const { resourceVersion } = (await admin().request<Json>('PATCH', SECRET, { body: broken })).metadata;
    await until('the certificate is mended', async () => {
      const { metadata, data } = await admin().request<Json>('GET', SECRET);
      return metadata.resourceVersion !== resourceVersion && data['tls.key'] !== '';
    });
    // What is mounted nowhere is swept: the change that a pause kept from becoming a revision.
    await scenario.kubectl('rollout', 'pause', 'deployment/bar');
    for (const data of [v2, { 'config.yml': 'v3' }]) {
      await scenario.apply(configMapManifest('foo', data, owners));
      const pin = await until('it is pinned', async () => {
        const name = mountedBy(await scenario.deployment());
        return (await scenario.configMap(name)).data['config.yml'] === data['config.yml'] && name;
      });
      expect(pin).not.toBe('foo');
    }
    await until('the snapshot in between is swept', async () =>
      (await scenario.snapshots()).every(({ data }) => data['config.yml'] !== 'v2'),
    );
  });

  test.each([STATEFUL_SET, DAEMON_SET])(
    'and one of a $kind, whose old revisions are used again, and raw ones go',
    async (kind) => {
      await restart();
      const subject = await running(kind, 'rights', ['v1', 'v2']);
      await subject.edit({ 'config.yml': 'v1' });
      await subject.atRest(2);
      await until('a raw revision is deleted', async () => {
        await subject.scenario.apply(subject.manifest());
        await subject.runsWith({ 'config.yml': 'v1' });
        return subject.scenario
          .changes()
          .some(({ verb, objectRef }) => `${verb} ${objectRef.resource}` === 'delete controllerrevisions');
      });
    },
  );

  test('and one of a Rollout', async () => {
    await restart();
    await installRolloutCrd();
    const standIn = startRolloutsStandIn();
    try {
      await running(ROLLOUT, 'rights');
    } finally {
      await standIn.stop();
      await removeRolloutCrd();
    }
  });

  test('and one of a Secret, in a namespace that a selector has to find', async () => {
    await restart('--secrets', '--namespace-selector', 'rights=all');
    const scenario = await Scenario.start('rights-secret');
    await scenario.kubectl('label', 'namespace', scenario.namespace, 'rights=all');
    const owners = { annotations: { 'configrollout.dev/owners': 'deployment/bar' } };
    const secret = (value: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'foo', ...owners },
      stringData: { key: value },
    });
    const volumes = [{ name: 'config', secret: { secretName: 'foo' } }];
    await scenario.apply(
      secret('v1'),
      deploymentManifest('bar', '', { paused: true, template: { spec: { volumes } } }),
    );
    const copies = async () =>
      (await scenario.list('/api/v1/namespaces/NS/secrets')).filter(({ immutable }) => immutable);
    await until('a snapshot', async () => (await copies()).length === 1);
    for (const value of ['v2', 'v3']) {
      await scenario.quiet();
      await scenario.apply(secret(value));
    }
    await until('what no revision mounts is swept', async () => {
      const values = (await copies()).map(({ data }) => Buffer.from(data.key, 'base64').toString());
      return values.join() === 'v3';
    });
  });

  test('and one of two replicas, of which the second takes over', async () => {
    await admin()
      .request('DELETE', LEASE, { body: {} })
      .catch(() => undefined);
    const holder = async () => (await admin().request<Json>('GET', LEASE)).spec.holderIdentity;
    await restart('--leader-elect');
    const first = await until('the first leads', holder);
    const second = await startController({ args: ['--leader-elect'] });
    await controller.stop();
    controller = second;
    await until('the second leads', async () => !['', undefined, first].includes(await holder()));
  });

  test('what the manifests grant is what was used, no more and no less', async () => {
    // A watch is in the audit log when it has ended.
    await controller.stop();
    const all = [...(await granted('ClusterRole', ...Object.keys(COMPONENTS))), ...(await granted('Role'))];
    const expected = [...new Set(all)].sort();
    await until('the audit log has it all', async () => expected.every((right) => used().includes(right))).catch(
      () => undefined,
    );
    expect(used()).toEqual(expected);
  });

  test.each(Object.entries(COMPONENTS))(
    'the component %s brings the rights that its name says, and the flag',
    async (name, flag) => {
      const without = await granted('ClusterRole');
      const added = (await granted('ClusterRole', name)).filter((right) => !without.includes(right));
      expect(new Set(added.map((right) => right.split('/')[1]))).toEqual(new Set([flag.resource]));
      const deployment = (await manifestsWith({ components: [name] })).find(({ kind }) => kind === 'Deployment');
      expect(deployment.spec.template.spec.containers[0].args).toContain(flag.argument);
    },
  );

  test('no right is a wildcard, or on rights themselves; and by default the only Secret is that of its certificate', async () => {
    for (const right of await granted('ClusterRole'))
      expect(right).not.toMatch(/\*|secrets|rbac\.|escalate|bind|impersonate/);
    expect((await granted('Role')).sort()).toEqual([
      'create /secrets',
      'create coordination.k8s.io/leases',
      'get /secrets',
      'get coordination.k8s.io/leases',
      'update /secrets',
      'update coordination.k8s.io/leases',
      'watch coordination.k8s.io/leases',
    ]);
    const own = auditEntries().filter(
      ({ objectRef, ...entry }) =>
        isController(entry) && objectRef?.resource === 'secrets' && objectRef.namespace === 'config-rollout',
    );
    for (const { verb, objectRef } of own)
      if (verb !== 'create') expect(objectRef.name).toBe('config-rollout-webhook-tls');
  });
});
