// What the manifests promise, and that the Helm chart makes the same of its values as kustomize does of its components.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { type Manifest, manifestsWith, parseManifests, type Selection } from '../../hack/kustomize.ts';
import { CHART, rendered, runHelm } from '../support/helm.ts';

// Each starts programs.
const SLOW = 60_000;
const packageJson = JSON.parse(readFileSync('package.json', 'utf8'));
const install = parseManifests(readFileSync('manifests/install.yaml', 'utf8'));

const find = (manifests: readonly Manifest[], kind: string, name = 'config-rollout') =>
  manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
const podOf = (manifests: readonly Manifest[]) => find(manifests, 'Deployment').spec.template.spec;
const isForPeople = ({ metadata }: Manifest) => JSON.stringify(metadata.labels).includes('/aggregate-to-');
const idOf = ({ kind, metadata }: Manifest) => `${kind}/${metadata.name}`;

describe('install.yaml', () => {
  const { replicas, selector, template } = find(install, 'Deployment').spec;
  const [container] = template.spec.containers;

  test('is what kustomize makes of the shortest name', async () => {
    expect(await manifestsWith()).toEqual(install);
  });

  test('runs two replicas that prefer different nodes, of which a drain takes one at a time', () => {
    expect(replicas).toBe(2);
    expect(container.args).toContain('--leader-elect');
    const [{ podAffinityTerm }] =
      template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution;
    expect(podAffinityTerm).toEqual({ topologyKey: 'kubernetes.io/hostname', labelSelector: selector });
    const budget = find(install, 'PodDisruptionBudget');
    expect([budget.apiVersion, budget.spec]).toEqual(['policy/v1', { maxUnavailable: 1, selector }]);
    expect(selector.matchLabels).toEqual(template.metadata.labels);
  });

  test('each port that a flag opens is named, and asked at', () => {
    const ports = Object.fromEntries(container.ports.map(({ name, containerPort }: Manifest) => [name, containerPort]));
    expect(ports).toEqual({ metrics: 8080, probes: 8081, webhook: 9443 });
    expect(container.args).toEqual(
      expect.arrayContaining([
        '--metrics-bind-address=:8080',
        '--health-probe-bind-address=:8081',
        '--webhook-port=9443',
      ]),
    );
    expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'probes' });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'probes' });
    expect(find(install, 'Service', 'config-rollout-webhook').spec.ports[0].targetPort).toBe('webhook');
  });

  test('only the Deployment gets a token, and no variable of a Service takes the place of a flag', () => {
    expect(find(install, 'ServiceAccount').automountServiceAccountToken).toBe(false);
    expect(template.spec).toMatchObject({ automountServiceAccountToken: true, enableServiceLinks: false });
  });

  test('every role is bound to the ServiceAccount that the controller runs as, and to nobody else', () => {
    const account = { kind: 'ServiceAccount', name: template.spec.serviceAccountName, namespace: 'config-rollout' };
    const bindings = install.filter(({ kind }) => kind.endsWith('RoleBinding'));
    for (const { subjects } of bindings) expect(subjects).toEqual([account]);
    const bound = bindings.map(({ roleRef }) => `${roleRef.kind}/${roleRef.name}`).sort();
    expect(bound).toEqual(
      install
        .filter((manifest) => manifest.kind.endsWith('Role') && !isForPeople(manifest))
        .map(idOf)
        .sort(),
    );
    expect(find(install, 'ServiceAccount').metadata).toMatchObject({
      name: account.name,
      namespace: account.namespace,
    });
  });

  test('who may see or edit a namespace may do so with its ConfigRollouts, and with nothing else of ours', () => {
    const crd = find(install, 'CustomResourceDefinition', 'configrollouts.configrollout.dev').spec;
    const rights = install.filter(isForPeople).map(({ kind, metadata, rules }) => {
      const into = Object.keys(metadata.labels).filter((label) => label.includes('/aggregate-to-'));
      expect([kind, rules.length]).toEqual(['ClusterRole', 1]);
      expect([rules[0].apiGroups, rules[0].resources]).toEqual([[crd.group], [crd.names.plural]]);
      return [metadata.name, into.map((label) => label.replace(/.*-/, '')).sort(), rules[0].verbs];
    });
    // Who may edit may see: the role edit of Kubernetes has all that view has.
    expect(rights).toEqual([
      ['config-rollout-edit', ['admin', 'edit'], ['create', 'patch', 'update', 'delete']],
      ['config-rollout-view', ['view'], ['get', 'list', 'watch']],
    ]);
  });

  function expectRestricted(of: Manifest, pod: Manifest): void {
    // What the container does not say is said by its pod.
    const security = { privileged: false, procMount: 'Default', ...pod.securityContext, ...of.securityContext };
    expect(security).toMatchObject({
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
      readOnlyRootFilesystem: true,
      privileged: false,
      procMount: 'Default',
    });
    expect(security.capabilities).toEqual({ drop: ['ALL'] });
    expect(security.runAsUser).not.toBe(0);
    for (const { hostPort = 0 } of of.ports ?? []) expect(hostPort).toBe(0);
  }

  // https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
  test('satisfies the restricted pod security standard, and its namespace enforces it', () => {
    const pod = podOf(install);
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) expect(pod[field] ?? false).toBe(false);
    expect(pod.securityContext.sysctls ?? []).toEqual([]);
    expect(pod.volumes ?? []).toEqual([]);
    for (const of of [...pod.containers, ...(pod.initContainers ?? [])]) expectRestricted(of, pod);
    const labels = find(install, 'Namespace').metadata.labels;
    expect(labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
  });
});

describe('components and overlays', () => {
  test(
    'in another namespace, everything is of that namespace',
    async () => {
      const components = ['secrets', 'namespace-selector', 'network-policy'];
      const manifests = await manifestsWith({ namespace: 'elsewhere', components });
      const text = JSON.stringify(manifests.filter(({ kind }) => kind !== 'Namespace'));
      expect([...text.matchAll(/"namespace":"(.*?)"/g)].filter(([, name]) => name !== 'elsewhere')).toEqual([]);
      expect(find(manifests, 'Namespace', 'elsewhere')).toBeDefined();
    },
    SLOW,
  );

  test(
    'namespaced: nothing of the cluster’s, also with Secrets, and the flag that says so',
    async () => {
      const selection = { resource: 'overlays/namespaced', components: ['secrets', 'roles'], namespace: 'shop' };
      const manifests = await manifestsWith(selection);
      expect(manifests.map(idOf).sort()).toEqual([
        'Deployment/config-rollout',
        'PodDisruptionBudget/config-rollout',
        'Role/config-rollout',
        'Role/config-rollout-leader-election',
        'Role/config-rollout-secrets',
        'RoleBinding/config-rollout',
        'RoleBinding/config-rollout-leader-election',
        'RoleBinding/config-rollout-secrets',
        'ServiceAccount/config-rollout',
      ]);
      for (const { metadata, roleRef, subjects } of manifests) {
        expect(metadata.namespace).toBe('shop');
        if (roleRef === undefined) continue;
        expect(roleRef.kind).toBe('Role');
        expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'config-rollout', namespace: 'shop' }]);
      }
      expect(find(manifests, 'Role').rules).toEqual(find(install, 'ClusterRole').rules);
      const [{ args, env, ports }] = podOf(manifests).containers;
      expect(args).toContain('--namespaces=$(POD_NAMESPACE)');
      expect(env).toEqual([{ name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }]);
      expect(args.join()).not.toMatch(/webhook/);
      expect(ports.map(({ name }: Manifest) => name)).toEqual(['metrics', 'probes']);
    },
    SLOW,
  );

  test(
    'cert-manager: the controller may only read the certificate',
    async () => {
      const manifests = await manifestsWith({ components: ['cert-manager'] });
      expect(find(manifests, 'Role', 'config-rollout-webhook').rules).toEqual([
        { apiGroups: [''], resources: ['secrets'], resourceNames: ['config-rollout-webhook-tls'], verbs: ['get'] },
      ]);
      for (const kind of ['ClusterRole', 'ClusterRoleBinding'])
        expect(find(manifests, kind, 'config-rollout-webhook')).toBeUndefined();
      expect(find(manifests, 'Certificate', 'config-rollout-webhook').spec.secretName).toBe(
        'config-rollout-webhook-tls',
      );
    },
    SLOW,
  );

  test(
    'network-policy: is about our pods, both ways, and knows the ports that they have',
    async () => {
      const manifests = await manifestsWith({ components: ['network-policy'] });
      const { podSelector, policyTypes, ingress } = find(manifests, 'NetworkPolicy').spec;
      expect(podSelector).toEqual(find(install, 'Deployment').spec.selector);
      expect(policyTypes).toEqual(['Ingress', 'Egress']);
      const asked = ingress.flatMap(({ ports }: Manifest) => ports.map(({ port }: Manifest) => port));
      const names = podOf(install).containers[0].ports.map(({ name }: Manifest) => name);
      expect(names).toEqual(expect.arrayContaining(asked));
    },
    SLOW,
  );

  test(
    'old-servers: neither a version that they do not know, nor a rule that they do not check',
    async () => {
      const manifests = await manifestsWith({ components: ['old-servers'] });
      expect(JSON.stringify(manifests)).not.toMatch(/x-kubernetes-validations|"policy\/v1"/);
      expect(manifests.map(idOf).sort()).toEqual(install.map(idOf).sort());
    },
    SLOW,
  );
});

/** By the component of kustomize: what makes the chart do the same. */
const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  'cert-manager': ['--set=webhook.certManager=true'],
  secrets: ['--set=secrets.enabled=true'],
  'namespace-selector': ['--set-string=namespaceSelector=configrollout.dev/rollout=enabled'],
  monitoring: ['--set=monitoring.enabled=true'],
  'network-policy': ['--set=networkPolicy.enabled=true'],
  'owner-policy': ['--set=ownerPolicy.enabled=true'],
  'old-servers': ['--kube-version=1.24.0'],
};

const CHART_LABELS = /^(app\.kubernetes\.io\/(name|instance|version|managed-by)|helm\.sh\/chart)$/;

/** What is left to compare: all but whom the objects say they are from, and the namespace, which Helm makes. */
function compared(manifests: readonly Manifest[]): Record<string, Manifest> {
  const others = manifests.filter(({ kind }) => kind !== 'Namespace');
  return Object.fromEntries(
    others.map((manifest) => {
      const { labels = {}, annotations = {}, ...metadata } = manifest.metadata;
      const ours = Object.entries(labels).filter(([key]) => !CHART_LABELS.test(key));
      const kept = Object.entries(annotations).filter(([key]) => key !== 'helm.sh/resource-policy');
      const { args } = manifest.kind === 'Deployment' ? podOf([manifest]).containers[0] : {};
      // Flags come in any order.
      args?.sort();
      return [idOf(manifest), { ...manifest, metadata: { ...metadata, labels: ours, annotations: kept } }];
    }),
  );
}

describe('the Helm chart', () => {
  const expectSame = async (args: readonly string[], selection: Selection) =>
    expect(compared(await rendered(...args))).toEqual(compared(await manifestsWith(selection)));

  test('there is a switch for each component', () => {
    const components = readdirSync('manifests/components').filter((name) => !['webhook', 'roles'].includes(name));
    expect(Object.keys(SWITCHES).sort()).toEqual(components.sort());
  });

  test('makes of its defaults what install.yaml has', async () => expectSame([], {}), SLOW);

  test.each(Object.entries(SWITCHES))(
    'does for %s what the component does',
    async (name, args) => expectSame(args, { components: [name] }),
    SLOW,
  );

  test(
    'does for all of them at once what all components do',
    async () => expectSame(Object.values(SWITCHES).flat(), { components: Object.keys(SWITCHES) }),
    SLOW,
  );

  test(
    'without a webhook and a CRD, makes the base',
    async () =>
      expectSame(['--set=webhook.enabled=false,crds.install=false'], {
        resource: 'base',
        namespace: 'config-rollout',
      }),
    SLOW,
  );

  test(
    'in another namespace, everything is of that namespace',
    async () => {
      const all = Object.values(SWITCHES).flat();
      const here = JSON.stringify(await rendered(...all));
      const there = JSON.stringify(await rendered(...all, '--namespace=elsewhere'));
      expect([...there.matchAll(/"namespace":"(.*?)"/g)].filter(([, name]) => name !== 'elsewhere')).toEqual([]);
      expect(there.replaceAll('elsewhere', 'config-rollout')).toBe(here);
      for (const text of [
        'elsewhere/config-rollout-webhook',
        'config-rollout-webhook.elsewhere.svc',
        'system:serviceaccount:elsewhere:config-rollout',
        '["kube-system","elsewhere"]',
      ])
        expect(there).toContain(text);
    },
    SLOW,
  );

  test(
    'with namespaces, has Roles in them instead of the ClusterRoles',
    async () => {
      const manifests = await rendered(
        '--set=namespaces={shop,bank},secrets.enabled=true,webhook.enabled=false,crds.install=false',
      );
      expect(manifests.filter(({ kind }) => kind.startsWith('Cluster'))).toEqual([]);
      const roles = manifests.filter(
        ({ kind, metadata }) => kind === 'Role' && metadata.namespace !== 'config-rollout',
      );
      const bindings = manifests.filter(
        ({ kind, metadata }) => kind === 'RoleBinding' && metadata.namespace !== 'config-rollout',
      );
      const all = ['config-rollout in shop', 'config-rollout in bank'];
      all.push('config-rollout-secrets in shop', 'config-rollout-secrets in bank');
      const names = (of: readonly Manifest[]) => of.map(({ metadata }) => `${metadata.name} in ${metadata.namespace}`);
      expect([names(roles).sort(), names(bindings).sort()]).toEqual([all.toSorted(), all.toSorted()]);
      expect(roles.find(({ metadata }) => metadata.name === 'config-rollout')?.rules).toEqual(
        find(install, 'ClusterRole').rules,
      );
      for (const { metadata, roleRef, subjects } of bindings) {
        expect(roleRef).toMatchObject({ kind: 'Role', name: metadata.name });
        expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'config-rollout', namespace: 'config-rollout' }]);
      }
      expect(podOf(manifests).containers[0].args).toContain('--namespaces=shop,bank');
    },
    SLOW,
  );

  test(
    'each other value is where it belongs',
    async () => {
      const digest = `sha256:${'0'.repeat(64)}`;
      const values = {
        image: { repository: 'example.org/config-rollout', digest, pullPolicy: 'Always' },
        imagePullSecrets: [{ name: 'pull' }],
        replicas: 3,
        resources: { limits: { memory: '1Gi' } },
        nodeSelector: { disk: 'ssd' },
        tolerations: [{ key: 'a', operator: 'Exists' }],
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
        podAnnotations: { note: 'yes' },
        logLevel: 'debug',
        settle: '2s',
        reloaderAnnotations: true,
        extraArgs: ['--sweep-grace=5m'],
        namespaceSelector: 'team in (a,b),stage!=dev',
      };
      const args = Object.entries(values).map(([key, value]) => `--set-json=${key}=${JSON.stringify(value)}`);
      const { replicas, template } = find(await rendered(...args), 'Deployment').spec;
      expect(replicas).toBe(3);
      expect(template.metadata.annotations).toEqual({ note: 'yes' });
      const { imagePullSecrets, nodeSelector, tolerations, affinity } = values;
      expect(template.spec).toMatchObject({ imagePullSecrets, nodeSelector, tolerations });
      expect(template.spec.affinity).toEqual(affinity);
      const [container] = template.spec.containers;
      expect(container).toMatchObject({
        image: `example.org/config-rollout@${digest}`,
        imagePullPolicy: 'Always',
        resources: { limits: { memory: '1Gi' }, requests: { cpu: '50m' } },
      });
      expect(container.args).toEqual(
        expect.arrayContaining([
          '--log-level=debug',
          '--settle=2s',
          '--reloader-annotations',
          '--sweep-grace=5m',
          '--namespace-selector=team in (a,b),stage!=dev',
        ]),
      );
    },
    SLOW,
  );

  test.each([
    ['replica=3', "additional properties 'replica' not allowed"],
    ['webhook.enable=true', "additional properties 'enable' not allowed"],
    ['replicas=two', "at '/replicas': got string, want integer"],
    ['secrets=true', "at '/secrets': got boolean, want object"],
    ['namespaces=shop', "at '/namespaces': got string, want array"],
    ['namespaces={Shop}', "at '/namespaces/0': 'Shop' does not match pattern"],
    ['logLevel=trace', "at '/logLevel': value must be one of"],
    ['settle=soon', "at '/settle': 'soon' does not match pattern"],
    ['image.digest=latest', "at '/image/digest': 'latest' does not match pattern"],
    ['extraArgs={secrets}', "at '/extraArgs/0': 'secrets' does not match pattern"],
    ['webhook.enabled=false,webhook.certManager=true', "at '/webhook/enabled': value must be true"],
  ])(
    'refuses %s, and says why',
    async (value, why) => {
      const { code, stderr } = await runHelm(['template', 'x', CHART, `--set=${value}`]);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(why) });
    },
    SLOW,
  );

  test(
    'passes lint, and says what it is the chart of',
    async () => {
      const { code, stdout } = await runHelm(['lint', '--strict', CHART]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('0 chart(s) failed') });
      const { version, appVersion } = parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8'));
      expect([version, appVersion]).toEqual([packageJson.version, packageJson.version]);
      expect(podOf(install).containers[0].image).toBe(`config-rollout:${packageJson.version}`);
    },
    SLOW,
  );

  test('its schema and its values know the same keys', () => {
    const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8'));
    const values = parse(readFileSync(`${CHART}/values.yaml`, 'utf8'));
    const { global: _, ...properties } = schema.properties;
    expect(Object.keys(values).sort()).toEqual(Object.keys(properties).sort());
    for (const [key, value] of Object.entries<Manifest>(values)) {
      if (properties[key].properties === undefined) continue;
      expect([key, Object.keys(value).sort()]).toEqual([key, Object.keys(properties[key].properties).sort()]);
    }
    expect(existsSync(`${CHART}/templates/NOTES.txt`)).toBe(true);
  });
});
