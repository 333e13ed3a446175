// Reading raw JSON of the API server: only what a projection needs, and nothing that a newer server may have added.

import type { ManagedFields } from '../core/managed-fields.ts';
import { OWNERS_ANNOTATION, SOURCE_LABEL } from '../core/names.ts';
import { snapshotInfo } from '../core/snapshot.ts';
import type { ConfigObject, OwnerReference } from '../core/types.ts';

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
  readonly spec?: { readonly template?: unknown; readonly replicas?: number };
  readonly status?: { readonly replicas?: number };
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
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

/** The entries of these keys, where there are any. */
export function pick(from: Readonly<Record<string, string>> = {}, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)));
}

/** Projects a ConfigMap, or its metadata alone. */
export function projectConfigMap(value: unknown): ConfigObject | undefined {
  const raw = rawObject(value);
  if (raw === undefined) return undefined;
  const { labels = {}, annotations = {}, ownerReferences = [], creationTimestamp = '' } = raw.metadata;
  return {
    ...projectMeta(raw),
    kind: 'ConfigMap',
    createdAt: Date.parse(creationTimestamp) || 0,
    owners: ownerReferences,
    declaredOwners: annotations[OWNERS_ANNOTATION],
    sourceLabel: labels[SOURCE_LABEL],
    snapshot: snapshotInfo(labels, annotations),
  };
}
