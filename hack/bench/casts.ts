// Workloads and their sources, as several scenarios want them.

import { CONFIG_MAPS, DEPLOYMENTS, type SourceSpec, volumeOf, type WorkloadSpec } from './objects.ts';
import type { Cast } from './stage.ts';

interface Size {
  readonly count: number;
  /** Of each Deployment; 0: the figures are of controllers, and not of pods. */
  readonly replicas: number;
  /** What is in each source beside what changes. */
  readonly ballast?: string;
  /** Of all names. */
  readonly prefix?: string;
}

/** Each Deployment mounts a ConfigMap of its own. */
export function pairs(namespace: string, { count, replicas, ballast, prefix = '' }: Size): Cast {
  const nameOf = (index: number) => `${prefix}config-${index}`;
  const workloads = times(count, (index) => deployment(namespace, `${prefix}web-${index}`, nameOf(index), replicas));
  const sources = workloads.map((workload, index): SourceSpec => {
    const source = { resource: CONFIG_MAPS, namespace, name: nameOf(index), users: [workload] } as const;
    return ballast === undefined ? source : { ...source, ballast };
  });
  return { workloads, sources };
}

/** All Deployments mount one ConfigMap. */
export function fan(namespace: string, { count, replicas }: Size): Cast {
  const name = 'config';
  const workloads = times(count, (index) => deployment(namespace, `web-${index}`, name, replicas));
  return { workloads, sources: [{ resource: CONFIG_MAPS, namespace, name, users: workloads }] };
}

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function deployment(namespace: string, name: string, source: string, replicas: number): WorkloadSpec {
  const uses = { volumes: [volumeOf({ resource: CONFIG_MAPS, name: source })] };
  return { resource: DEPLOYMENTS, namespace, name, uses, replicas };
}
