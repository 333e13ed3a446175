// StatefulSets, whose revisions are ControllerRevisions.

import type { Progress } from '../core/types.ts';
import { CONTROLLER_REVISIONS, projectControllerRevision } from './controller-revision.ts';
import type { WorkloadKind } from './kind.ts';
import { progressOf } from './progress.ts';
import { isObserved, projectWorkload, type RawObject, rawObject } from './raw.ts';

const KIND = { apiVersion: 'apps/v1', kind: 'StatefulSet', resource: 'statefulsets' } as const;

export const statefulSet: WorkloadKind = {
  ...KIND,
  apiGroup: 'apps',
  aliases: ['statefulset', 'statefulsets', 'sts', 'statefulset.apps', 'statefulsets.apps'],
  revisions: CONTROLLER_REVISIONS,
  project(value) {
    const raw = rawObject(value);
    return raw && { ...projectWorkload(raw, KIND), inUse: inUse(raw), progress: progress(raw) };
  },
  projectRevision: (value) => projectControllerRevision(value, KIND),
};

// The status counts the pods of the current and of the update revision; others, and those that are going, are in `replicas`
// only. A pod below the partition that is made anew gets the current revision, however long ago it was that of all pods.
// With OnDelete the current revision is never moved on, and new pods get the newest. (updateStatefulSet and
// newVersionedStatefulSetPod in pkg/controller/statefulset.)
function inUse(raw: RawObject): readonly string[] | undefined {
  const { replicas = 0, currentReplicas = 0, updatedReplicas = 0, ...status } = raw.status ?? {};
  const { currentRevision = '', updateRevision = '' } = status;
  const counted = currentRevision === updateRevision ? updatedReplicas : currentReplicas + updatedReplicas;
  if (!isObserved(raw) || counted !== replicas) return undefined;
  const isThrough = raw.spec?.updateStrategy?.type === 'OnDelete' && updatedReplicas === replicas;
  return isThrough ? [updateRevision] : [currentRevision, updateRevision];
}

// As StatefulSetStatusViewer in k8s.io/kubectl/pkg/polymorphichelpers; pods below the partition, and with OnDelete those that
// nobody has deleted, keep the old template for as long as a person wants.
function progress(raw: RawObject): Progress {
  const { updateStrategy, replicas: desired = 1 } = raw.spec ?? {};
  const { updatedReplicas = 0, readyReplicas = 0 } = raw.status ?? {};
  const kept = updateStrategy?.rollingUpdate?.partition ?? 0;
  const isOnDelete = updateStrategy?.type === 'OnDelete';
  const isThrough = readyReplicas >= desired && (isOnDelete || updatedReplicas >= desired - kept);
  return progressOf(raw, { isThrough, updated: updatedReplicas, desired });
}
