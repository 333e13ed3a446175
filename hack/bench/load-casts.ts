// Who takes part in the load scenarios: which workloads use which sources, and how they name them.

import { fan, pairs, times } from './casts.ts';
import {
  CONFIG_MAPS,
  DAEMON_SETS,
  DEPLOYMENTS,
  SECRETS,
  type SourceResource,
  type SourceSpec,
  STATEFUL_SETS,
  volumeOf,
  type WorkloadResource,
  type WorkloadSpec,
} from './objects.ts';
import type { Cast } from './stage.ts';

const IMAGE = 'app:1';

/** Pairs, spread over namespaces. */
export function spread(namespaces: readonly string[], perNamespace: number): Cast {
  return joined(namespaces.map((namespace) => pairs(namespace, { count: perNamespace, replicas: 1 })));
}

/** One ConfigMap, and 5 Deployments, 3 StatefulSets and 2 DaemonSets that mount it. */
export function severalKinds(namespace: string): Cast {
  const { sources } = fan(namespace, { count: 0, replicas: 1 });
  const kinds: readonly (readonly [WorkloadResource, number])[] = [
    [DEPLOYMENTS, 5],
    [STATEFUL_SETS, 3],
    [DAEMON_SETS, 2],
  ];
  const workloads = kinds.flatMap(([resource, count]) =>
    times(count, (index): WorkloadSpec => {
      const uses = { volumes: sources.map(volumeOf) };
      return { resource, namespace, name: `${resource}-${index}`, uses };
    }),
  );
  return { workloads, sources: sources.map((source) => ({ ...source, users: workloads })) };
}

/** Five Deployments with a ConfigMap, five with a Secret, five with one of each. */
export function mixed(namespace: string): Cast {
  return joined(
    times(5, (index) => {
      const [plain, secret, both] = ['plain', 'secret', 'both'].map((name) => `${name}-${index}`) as [
        string,
        string,
        string,
      ];
      const config: Named = { resource: CONFIG_MAPS, name: `config-${index}` };
      const credentials: Named = { resource: SECRETS, name: `credentials-${index}` };
      return castOf(namespace, [
        { name: plain, uses: { volumes: [volumeOf(config)] }, sources: [config] },
        { name: secret, uses: { volumes: [volumeOf(credentials)] }, sources: [credentials] },
        { name: both, uses: { volumes: [config, credentials].map(volumeOf) }, sources: [config, credentials] },
      ]);
    }),
  );
}

/** Deployments that name their ConfigMap in all the ways that there are, each in one. */
export function everyWay(namespace: string): Cast {
  const ways: Readonly<Record<string, (name: string) => object>> = {
    volume: (name) => ({ volumes: [{ name: 'config', configMap: { name } }] }),
    projected: (name) => ({ volumes: [{ name: 'config', projected: { sources: [{ configMap: { name } }] } }] }),
    'env-from': (name) => ({ containers: [{ name: 'main', image: IMAGE, envFrom: [{ configMapRef: { name } }] }] }),
    'value-from': (name) => ({ containers: [{ name: 'main', image: IMAGE, env: [valueFrom(name)] }] }),
    'init-env-from': (name) => ({
      initContainers: [{ name: 'init', image: IMAGE, envFrom: [{ configMapRef: { name } }] }],
    }),
    'init-value-from': (name) => ({ initContainers: [{ name: 'init', image: IMAGE, env: [valueFrom(name)] }] }),
  };
  return joined(
    Object.entries(ways).map(([way, uses]) => {
      const source: Named = { resource: CONFIG_MAPS, name: `config-${way}` };
      return castOf(namespace, [{ name: way, uses: uses(source.name), sources: [source] }]);
    }),
  );
}

interface Named {
  readonly resource: SourceResource;
  readonly name: string;
}

interface Part {
  readonly name: string;
  readonly uses: object;
  readonly sources: readonly Named[];
}

function castOf(namespace: string, parts: readonly Part[]): Cast {
  const workloads = parts.map(({ name, uses }): WorkloadSpec => ({ resource: DEPLOYMENTS, namespace, name, uses }));
  const named = new Map(parts.flatMap(({ sources }) => sources).map((source) => [source.name, source]));
  const sources = [...named.values()].map((source): SourceSpec => {
    const users = workloads.filter((_, index) => parts[index]?.sources.some(({ name }) => name === source.name));
    return { ...source, namespace, users };
  });
  return { workloads, sources };
}

function joined(casts: readonly Cast[]): Cast {
  return { workloads: casts.flatMap(({ workloads }) => workloads), sources: casts.flatMap(({ sources }) => sources) };
}

function valueFrom(name: string): object {
  return { name: 'VERSION', valueFrom: { configMapKeyRef: { name, key: 'version' } } };
}
