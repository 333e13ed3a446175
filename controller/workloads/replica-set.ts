// ReplicaSets as revisions: each keeps a template, and says itself whether it has pods.

import { CHANGE_CAUSE_ANNOTATION } from '../core/names.ts';
import { inspectTemplate } from '../core/references.ts';
import type { Revision } from '../core/types.ts';
import type { ResourceName } from './kind.ts';
import { createdAt, ownerOf, projectMeta, rawObject } from './raw.ts';

export const REPLICA_SETS: ResourceName = { apiVersion: 'apps/v1', kind: 'ReplicaSet', resource: 'replicasets' };

/** @param revisionAnnotation where the workload's controller writes the revision's number. */
export function projectReplicaSet(
  value: unknown,
  owner: ResourceName,
  revisionAnnotation: string,
): Revision | undefined {
  const raw = rawObject(value);
  const template = inspectTemplate(raw?.spec?.template);
  if (raw === undefined || template.references.length === 0) return undefined;
  const { annotations = {} } = raw.metadata;
  return {
    ...projectMeta(raw),
    ...template,
    apiVersion: REPLICA_SETS.apiVersion,
    kind: REPLICA_SETS.kind,
    workload: ownerOf(raw, owner),
    number: Number(annotations[revisionAnnotation] ?? 0),
    createdAt: createdAt(raw),
    cause: annotations[CHANGE_CAUSE_ANNOTATION],
    keepsCause: false,
    scaledDown: (raw.spec?.replicas ?? 1) === 0 && (raw.status?.replicas ?? 0) === 0,
  };
}
