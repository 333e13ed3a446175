// The objects that loads work on, and how many of them are made quickly.

import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../../controller/kube/api-error.ts';
import type { KubeClient } from '../../controller/kube/client.ts';
import type { Target } from './targets.ts';

export const CONFIG_MAPS = 'configmaps';
export const SECRETS = 'secrets';
export const DEPLOYMENTS = 'deployments';
export const STATEFUL_SETS = 'statefulsets';
export const DAEMON_SETS = 'daemonsets';

export type SourceResource = typeof CONFIG_MAPS | typeof SECRETS;
export type WorkloadResource = typeof DEPLOYMENTS | typeof STATEFUL_SETS | typeof DAEMON_SETS;

const SINGULAR = { deployments: 'deployment', statefulsets: 'statefulset', daemonsets: 'daemonset' } as const;
const AT_ONCE = 16;
const POLL_MS = 100;

/** A workload of one container that uses sources, and opts in to what they say. */
export interface WorkloadSpec {
  readonly resource: WorkloadResource;
  readonly namespace: string;
  readonly name: string;
  /** What of a pod spec names its sources. */
  readonly uses: object;
  /** Default 1. */
  readonly replicas?: number;
  /** Revisions that are kept. */
  readonly history?: number;
}

export interface SourceSpec {
  readonly resource: SourceResource;
  readonly namespace: string;
  readonly name: string;
  /** The workloads that use it. */
  readonly users: readonly Pick<WorkloadSpec, 'resource' | 'name'>[];
  /** What is in it beside what changes. */
  readonly ballast?: string;
}

export interface Posted {
  readonly path: string;
  readonly body: object;
}

/** The key that changes. */
export const CHANGING = 'version';

export function collectionPath(resource: SourceResource | WorkloadResource | 'replicasets', namespace: string): string {
  const root = resource === CONFIG_MAPS || resource === SECRETS ? '/api/v1' : '/apis/apps/v1';
  return `${root}/namespaces/${namespace}/${resource}`;
}

export function volumeOf(source: Pick<SourceSpec, 'resource' | 'name'>): object {
  const { resource, name } = source;
  return { name, ...(resource === SECRETS ? { secret: { secretName: name } } : { configMap: { name } }) };
}

export function workloadObject(
  target: Target,
  { resource, namespace, name, uses, replicas = 1, history }: WorkloadSpec,
): Posted {
  const labels = { app: name };
  const container = { name: 'main', image: 'app:1' };
  const spec = {
    ...(resource === DAEMON_SETS ? {} : { replicas }),
    ...(resource === STATEFUL_SETS ? { serviceName: name, podManagementPolicy: 'Parallel' } : {}),
    ...(history === undefined ? {} : { revisionHistoryLimit: history }),
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: { terminationGracePeriodSeconds: 0, containers: [container], ...uses },
    },
  };
  return {
    path: collectionPath(resource, namespace),
    body: { metadata: { name, labels: target.workloadLabels, annotations: target.ofWorkload() }, spec },
  };
}

export function sourceObject(target: Target, { resource, namespace, name, users, ballast }: SourceSpec): Posted {
  const owners = users.map((user) => `${SINGULAR[user.resource]}/${user.name}`);
  const body = {
    metadata: { name, annotations: target.ofSource({ source: name, owners }) },
    ...content(resource, 'first'),
    ...(ballast === undefined ? {} : { binaryData: { ballast } }),
  };
  return { path: collectionPath(resource, namespace), body };
}

/** What is different after a change, as a merge patch and in a new object. */
export function content(resource: SourceResource, version: string): object {
  return resource === SECRETS ? { stringData: { [CHANGING]: version } } : { data: { [CHANGING]: version } };
}

export async function createAll(client: KubeClient, objects: readonly Posted[], signal: AbortSignal): Promise<void> {
  await forEach(objects, AT_ONCE, async ({ path, body }) => {
    await client.request('POST', path, { body, signal });
  });
}

/** Works on so many at once. */
export async function forEach<T>(items: Iterable<T>, atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Resolves when all that was in it is gone. */
export async function deleteNamespace(client: KubeClient, name: string, signal: AbortSignal): Promise<void> {
  const path = `/api/v1/namespaces/${name}`;
  try {
    await client.request('DELETE', path, { signal });
    for (;;) {
      await client.request('GET', path, { signal });
      await sleep(POLL_MS, undefined, { signal });
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return;
    if (!signal.aborted) throw error;
  }
}
