// The objects of a history: the manifests that stand in somebody's Git, and how to read them back from the cluster.

import { findReferences } from '../../controller/core/references.ts';
import {
  type Setting,
  type SourceKind,
  type SourceName,
  usedBy,
  type WorkloadKind,
  type WorkloadName,
  workloadsOf,
} from './history-steps.ts';
import type { View } from './history-view.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API, as JSON
type Json = any;

export const PLURALS = {
  ConfigMap: 'configmaps',
  Secret: 'secrets',
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
  ReplicaSet: 'replicasets',
  ControllerRevision: 'controllerrevisions',
} as const;

/** The path of an object, or of the collection. */
export function pathOf(namespace: string, kind: keyof typeof PLURALS, name?: string): string {
  const group = kind === 'ConfigMap' || kind === 'Secret' ? '/api/v1' : '/apis/apps/v1';
  return `${group}/namespaces/${namespace}/${PLURALS[kind]}${name === undefined ? '' : `/${name}`}`;
}

export function kindOfSource({ sources }: Setting, name: SourceName): SourceKind {
  return sources[name] ?? 'ConfigMap';
}

export function kindOfWorkload({ workloads }: Setting, name: WorkloadName): WorkloadKind {
  return workloads[name] ?? 'Deployment';
}

export function revisionKind(kind: WorkloadKind): 'ReplicaSet' | 'ControllerRevision' {
  return kind === 'Deployment' ? 'ReplicaSet' : 'ControllerRevision';
}

/**
 * How many pods a workload has, when it is not scaled up. A StatefulSet without pods loses the revision that an undo brings
 * back: when its controller, whose cache is behind by a moment, fails to move it to the front, it prunes the history as if
 * nothing were in use but what pods run on (UpdateStatefulSet in pkg/controller/statefulset).
 */
export function leastReplicas(kind: WorkloadKind): number {
  return kind === 'StatefulSet' ? 1 : 0;
}

/** What a workload is at the moment, in the eyes of its people. */
export interface Wishes {
  readonly image: string;
  readonly replicas: number;
  readonly paused: boolean;
  readonly limit: number;
}

const KEY = 'config.yml';

export function sourceManifest(setting: Setting, name: SourceName, value: string, owners: readonly Json[]): Json {
  const users = workloadsOf(setting).filter((each) => usedBy(setting, each).includes(name));
  const declared = users.map((each) => `${kindOfWorkload(setting, each).toLowerCase()}/${each}`).join(', ');
  return {
    apiVersion: 'v1',
    kind: kindOfSource(setting, name),
    metadata: {
      name,
      ...(setting.optIn === 'declared' && { annotations: { 'configrollout.dev/owners': declared } }),
      ...(setting.optIn === 'reference' && {
        ownerReferences: owners.map(({ apiVersion, kind, metadata }) => ({
          apiVersion,
          kind,
          name: metadata.name,
          uid: metadata.uid,
        })),
      }),
    },
    data: dataOf(kindOfSource(setting, name), value),
  };
}

/** A content, as the API has it. */
export function dataOf(kind: SourceKind, value: string): Readonly<Record<string, string>> {
  return { [KEY]: kind === 'Secret' ? Buffer.from(value).toString('base64') : value };
}

/** The value that a ConfigMap or Secret holds. */
export function contentOf({ kind, data }: Json, known: SourceKind = kind): string | undefined {
  const stored = data?.[KEY];
  return stored !== undefined && known === 'Secret' ? Buffer.from(stored, 'base64').toString() : stored;
}

const volumeOf = (kind: SourceKind, name: string) =>
  kind === 'Secret' ? { secret: { secretName: name } } : { configMap: { name } };

export function workloadManifest(setting: Setting, name: WorkloadName, wishes: Wishes): Json {
  const kind = kindOfWorkload(setting, name);
  const { image, replicas, paused, limit } = wishes;
  const volumes = usedBy(setting, name).map((source) => ({
    name: source,
    ...volumeOf(kindOfSource(setting, source), source),
  }));
  const volumeMounts = volumes.map((volume) => ({ name: volume.name, mountPath: `/etc/${volume.name}` }));
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, ...(setting.optIn === 'all' && { labels: { 'configrollout.dev/managed': 'all' } }) },
    spec: {
      revisionHistoryLimit: limit,
      selector: { matchLabels: labels },
      ...(kind !== 'DaemonSet' && { replicas }),
      ...(kind === 'Deployment' && paused && { paused }),
      ...(kind === 'StatefulSet' && { serviceName: name, podManagementPolicy: 'Parallel' }),
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          // Pods cost time, and what is promised is about templates: no node has this label.
          ...(kind === 'DaemonSet' && { nodeSelector: { nowhere: 'yes' } }),
          containers: [{ name: 'app', image, volumeMounts }],
          volumes,
        },
      },
    },
  };
}

/** A revision of a workload. */
export interface SeenRevision {
  readonly object: Json;
  readonly number: number;
  readonly template: Json;
}

/** The revisions that a workload controls, oldest first. */
export function revisionsOf(view: View, kind: WorkloadKind, uid: string): SeenRevision[] {
  const owned = view
    .all(revisionKind(kind))
    .filter(({ metadata }) => metadata.ownerReferences?.some((owner: Json) => owner.controller && owner.uid === uid));
  const seen = owned.map((object) =>
    kind === 'Deployment'
      ? {
          object,
          number: Number(object.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0),
          template: object.spec.template,
        }
      : { object, number: object.revision as number, template: object.data.spec.template },
  );
  return seen.sort((a, b) => a.number - b.number || byCreation(a.object, b.object));
}

// Kubernetes' own word on which of two of one number is older; see revision-order.ts.
function byCreation({ metadata: a }: Json, { metadata: b }: Json): number {
  return Date.parse(a.creationTimestamp) - Date.parse(b.creationTimestamp) || (a.name < b.name ? -1 : 1);
}

export const imageOf = (template: Json): string => template.spec.containers[0].image;

/** What each volume of a template names, by the volume's name, which is its source's. */
export function mountsOf(template: Json): ReadonlyMap<string, { readonly kind: SourceKind; readonly name: string }> {
  const volumes: readonly Json[] = template.spec.volumes ?? [];
  return new Map(
    volumes.map(({ name, configMap, secret }) => [
      name,
      secret ? { kind: 'Secret', name: secret.secretName } : { kind: 'ConfigMap', name: configMap?.name },
    ]),
  );
}

/** Whether a template names that ConfigMap or Secret, by the controller's own reading. */
export function names(template: Json, kind: SourceKind, name: string): boolean {
  return findReferences(template).some((each) => each.kind === kind && each.name === name);
}
