// Reading raw JSON of the API server: only what a projection needs, and nothing that a newer server may have added.

import { claimsOf, type ManagedFields } from '../core/managed-fields.ts';
import {
  CHANGE_CAUSE_ANNOTATION,
  isOwnWorkloadLabel,
  MANAGED_LABEL,
  OWN_CAUSE_ANNOTATION,
  OWNERS_ANNOTATION,
  SOURCE_LABEL,
} from '../core/names.ts';
import { inspectTemplate } from '../core/references.ts';
import { reloaderMarks, reloaderOptIn } from '../core/reloader.ts';
import { snapshotInfo } from '../core/snapshot.ts';
import type { ConfigObject, OwnerReference, Revision, SourceKind, Workload } from '../core/types.ts';
import type { ResourceName } from './kind.ts';

/** The parts of any API object that projections read. Unknown fields are left in place. */
export interface RawObject {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation?: number;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly OwnerReference[];
    readonly managedFields?: readonly ManagedFields[];
  };
  readonly spec?: {
    readonly template?: unknown;
    readonly replicas?: number;
    readonly updateStrategy?: {
      readonly type?: string;
      readonly rollingUpdate?: { readonly partition?: number };
    };
  };
  readonly status?: {
    /** A string in Argo Rollouts. */
    readonly observedGeneration?: number | string;
    readonly replicas?: number;
    readonly currentReplicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    /** Of Argo Rollouts. */
    readonly phase?: string;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
    readonly currentNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberMisscheduled?: number;
    readonly desiredNumberScheduled?: number;
    readonly numberAvailable?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

/** Undefined when `value` has not the metadata that every stored object has. */
export function rawObject(value: unknown): RawObject | undefined {
  const metadata = (value as RawObject | undefined)?.metadata;
  const { namespace, name, uid, resourceVersion } = metadata ?? {};
  return [namespace, name, uid, resourceVersion].every((field) => typeof field === 'string' && field !== '')
    ? (value as RawObject)
    : undefined;
}

/** The fields that every projection starts with. */
export function projectMeta({ metadata }: RawObject) {
  const { namespace, name, uid, resourceVersion, deletionTimestamp } = metadata;
  return { namespace, name, uid, resourceVersion, deleting: deletionTimestamp !== undefined };
}

/** Milliseconds since the epoch. */
export function createdAt({ metadata }: RawObject): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}

/** What all workload kinds have in common. @param bookkeeping keys of annotations that no manifest has. */
export function projectWorkload(
  raw: RawObject,
  { apiVersion, kind }: ResourceName,
  bookkeeping: readonly string[] = [],
): Omit<Workload, 'inUse' | 'progress'> {
  const { labels, annotations, generation = 0, managedFields = [] } = raw.metadata;
  const template = raw.spec?.template;
  return {
    ...projectMeta(raw),
    ...inspectTemplate(template),
    apiVersion,
    kind,
    generation,
    templatePointer: '/spec/template',
    labels: Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => isOwnWorkloadLabel(key))),
    hasLabels: labels !== undefined,
    hasAnnotations: annotations !== undefined,
    bookkeeping: pick(annotations, bookkeeping),
    claims: labels?.[MANAGED_LABEL] === undefined ? [] : claimsOf(managedFields),
    isObserved: isObserved(raw),
    reloader: reloaderOptIn(annotations, (template as Partial<RawObject> | undefined)?.metadata?.annotations),
    cause: annotations?.[CHANGE_CAUSE_ANNOTATION],
    ownCause: annotations?.[OWN_CAUSE_ANNOTATION],
  };
}

/** Whether the status speaks of the spec that stands. */
export function isObserved({ metadata, status }: RawObject): boolean {
  return Number(status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

/** The owner that controls it. */
export function controllerOf(value: unknown): OwnerReference | undefined {
  return rawObject(value)?.metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** Which workload of this kind a revision belongs to. */
export function ownerOf(raw: RawObject, { kind }: ResourceName): Revision['workload'] {
  const owner = controllerOf(raw);
  return owner?.kind === kind ? { kind, name: owner.name, uid: owner.uid } : undefined;
}

/** The entries of these keys, where there are any. */
function pick(from: Readonly<Record<string, string>> = {}, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)));
}

/** Raw JSON, of a source or of its metadata alone, as the caches keep it. */
export type ProjectSource = (kind: SourceKind, raw: unknown) => ConfigObject | undefined;

/** Projects a ConfigMap or a Secret, or the metadata of one alone. `isSelected` says whether its labels make it our business. */
export function projectSource(
  kind: SourceKind,
  value: unknown,
  isSelected: (labels: Readonly<Record<string, string>>) => boolean = () => true,
): ConfigObject | undefined {
  const raw = rawObject(value);
  if (raw === undefined) return undefined;
  const { labels = {}, annotations = {}, ownerReferences = [] } = raw.metadata;
  return {
    ...projectMeta(raw),
    kind,
    createdAt: createdAt(raw),
    owners: ownerReferences,
    declaredOwners: annotations[OWNERS_ANNOTATION],
    sourceLabel: labels[SOURCE_LABEL],
    ignored: labels[MANAGED_LABEL] === 'none' || !isSelected(labels),
    reloader: reloaderMarks(annotations),
    snapshot: snapshotInfo(labels, annotations),
  };
}
