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

// Not node:util's, which tells apart objects of jest's realm and of structuredClone's. Histories spend much of their time
// here, and in the copies below: hence the loops.
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [ours, theirs] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(ours);
  if (keys.length !== Object.keys(theirs).length) return false;
  for (const key of keys) if (!sameJson(ours[key], theirs[key])) return false;
  return true;
}

/** A copy that may be changed; several times as quick as structuredClone, and of this realm. */
export function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = copyOf((value as Record<string, unknown>)[key]);
  return copy as T;
}

/** Nobody changes it any more: so it can be shared by the storage, the watches and the caches. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const key of Object.keys(value)) frozen((value as Record<string, unknown>)[key]);
  return Object.freeze(value);
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

const projections = new Map([...WORKLOAD_KINDS, ...revisionKinds(WORKLOAD_KINDS)].map((each) => [each.kind, each]));
const projected = new WeakMap<RawObject, Stored | undefined>();

/** What a controller's caches keep of an object; undefined when they do not. Made once of each that is stored. */
export function project(kind: Kind, object: RawObject): Stored | undefined {
  if (projected.has(object)) return projected.get(object);
  const made =
    kind === 'ConfigMap' || kind === 'Secret' ? projectSource(kind, object) : projections.get(kind)?.project(object);
  if (Object.isFrozen(object)) projected.set(object, made);
  return made;
}

export const isWorkloadKind = (kind: Kind): kind is WorkloadKindName => kind === 'Deployment' || kind === 'StatefulSet';
