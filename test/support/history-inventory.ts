// What there was in the namespace of a history that failed, a line each, for people who look for the reason: its workloads
// and how far they had come, their revisions, and their pods.

import type { KubeClient } from '../../controller/kube/client.ts';
import { mountsOf, pathOf } from './history-objects.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API, as JSON
type Json = any;

const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ControllerRevision'] as const;

/** Asks as it comes: what the API server does not say is said to be missing. */
export async function inventory(client: KubeClient, namespace: string): Promise<string[]> {
  const list = async (path: string, line: (object: Json) => string): Promise<string[]> => {
    try {
      const { items } = await client.request<{ items: Json[] }>('GET', path);
      return items.filter(({ metadata }) => !metadata.name.startsWith('bystander')).map(line);
    } catch (error) {
      return [`${path}: ${(error as Error).message}`];
    }
  };
  const lists = KINDS.map((kind) => list(pathOf(namespace, kind), (object) => lineOf(kind, object)));
  return (await Promise.all([...lists, list(`/api/v1/namespaces/${namespace}/pods`, podLine)])).flat();
}

function lineOf(kind: string, { metadata, spec, status, revision, data }: Json): string {
  const template = spec?.template ?? data?.spec.template;
  const { conditions: _, ...counts } = status ?? {};
  const facts = { generation: metadata.generation, revision, replicas: spec?.replicas, ...counts };
  return `${kind} ${metadata.name} of ${metadata.creationTimestamp}: ${JSON.stringify(facts)}, mounts ${mountedBy(template?.spec)}`;
}

function podLine({ metadata, spec, status }: Json): string {
  const revision = metadata.labels?.['controller-revision-hash'] ?? metadata.labels?.['pod-template-hash'];
  const ready = status.conditions?.find(({ type }: Json) => type === 'Ready')?.status;
  const end = metadata.deletionTimestamp === undefined ? '' : `, deleted at ${metadata.deletionTimestamp}`;
  const waits = status.containerStatuses?.[0]?.state?.waiting?.message ?? '';
  return `Pod ${metadata.name} of ${metadata.creationTimestamp}: ${revision}, ${spec.nodeName}, ${status.phase}, ready ${ready} ${waits}${end}, mounts ${mountedBy(spec)}`;
}

function mountedBy(spec: Json): string {
  return [...mountsOf({ spec: { volumes: spec?.volumes } }).values()].map(({ name }) => name).join(' ');
}
