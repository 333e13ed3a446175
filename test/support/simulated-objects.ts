// The objects of the simulated cluster, as its API server has them: no more fields than something in the tests reads.

import type { OwnerReference } from '../../controller/core/types.ts';
import type { Stored } from '../../controller/runtime/store.ts';
import { revisionKinds, WORKLOAD_KINDS } from '../../controller/workloads/kinds.ts';
import { projectSource } from '../../controller/workloads/raw.ts';

export type Strings = Record<string, string>;

export const KINDS = ['ConfigMap', 'Secret', 'Deployment', 'StatefulSet', 'ReplicaSet', 'ControllerRevision'] as const;
export type Kind = (typeof KINDS)[number];
export type WorkloadKindName = 'Deployment' | 'StatefulSet';
export type RevisionKindName = 'ReplicaSet' | 'ControllerRevision';

export interface Metadata {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  labels?: Strings;
  annotations?: Strings;
  ownerReferences?: OwnerReference[];
}
export interface RawObject {
  metadata: Metadata;
}
export interface Template {
  metadata: { labels: Strings; annotations?: Strings };
  spec: object;
}
/** A ConfigMap or a Secret. */
export interface RawConfig extends RawObject {
  data?: Strings;
  binaryData?: Strings;
  type?: string;
  immutable?: boolean;
}
/** What the controller of StatefulSets writes; that of Deployments writes the first of it only. */
export interface SetStatus {
  observedGeneration: number;
  replicas: number;
  currentReplicas: number;
  updatedReplicas: number;
  currentRevision: string;
  updateRevision: string;
}
export interface UpdateStrategy {
  type: 'RollingUpdate' | 'OnDelete';
  rollingUpdate?: { partition: number };
}
/** A Deployment or a StatefulSet. */
export interface RawWorkload extends RawObject {
  spec: {
    replicas: number;
    revisionHistoryLimit: number;
    /** Of Deployments only. */
    paused?: boolean;
    /** Of StatefulSets only. */
    updateStrategy?: UpdateStrategy;
    template: Template;
  };
  status?: Partial<SetStatus>;
}
export interface RawReplicaSet extends RawObject {
  spec: { replicas: number; template: Template };
  status: { replicas: number };
}
export interface RawControllerRevision extends RawObject {
  /** A strategic merge patch of the StatefulSet. */
  data: { spec: { template: Template & { $patch: 'replace' } } };
  revision: number;
}
/** A revision of any kind. `template` is the one that an undo puts back. */
export interface HistoryEntry {
  readonly kind: RevisionKindName;
  readonly metadata: Metadata;
  readonly number: number;
  readonly template: Template;
}

export const REVISION = 'deployment.kubernetes.io/revision';
export const HASH_LABEL = 'pod-template-hash';

// Not node:util's, which tells apart objects of jest's realm and of structuredClone's.
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [ours, theirs] = [Object.entries(a), b as Record<string, unknown>];
  return ours.length === Object.keys(theirs).length && ours.every(([key, value]) => sameJson(value, theirs[key]));
}

export function replicaSetEntry({ metadata, spec: { template } }: RawReplicaSet): HistoryEntry {
  const { [HASH_LABEL]: _, ...labels } = template.metadata.labels;
  return {
    kind: 'ReplicaSet',
    metadata,
    number: Number(metadata.annotations?.[REVISION] ?? 0),
    template: { ...template, metadata: { ...template.metadata, labels } },
  };
}

export function controllerRevisionEntry({ metadata, data, revision }: RawControllerRevision): HistoryEntry {
  const { $patch: _, ...template } = data.spec.template;
  return { kind: 'ControllerRevision', metadata, number: revision, template };
}

export function isOwnedBy({ metadata }: RawObject, owner: string): boolean {
  return metadata.ownerReferences?.some(({ name, controller }) => controller === true && name === owner) ?? false;
}

/** The reference by which a workload controls a revision. */
export function controlling(kind: WorkloadKindName, { metadata: { name, uid } }: RawWorkload): OwnerReference {
  return { apiVersion: 'apps/v1', kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** The template of a workload or a revision; that of other objects names nothing. */
export function templateOf(object: RawObject): unknown {
  const { spec, data } = object as Partial<RawWorkload & RawControllerRevision>;
  return spec?.template ?? data?.spec?.template;
}

/** What a controller's caches keep of an object; undefined when they do not. */
export function project(kind: Kind, object: RawObject): Stored | undefined {
  if (kind === 'ConfigMap' || kind === 'Secret') return projectSource(kind, object);
  const projection = [...WORKLOAD_KINDS, ...revisionKinds(WORKLOAD_KINDS)].find((each) => each.kind === kind);
  return projection?.project(object);
}

export const isWorkloadKind = (kind: Kind): kind is WorkloadKindName => kind === 'Deployment' || kind === 'StatefulSet';
