// StatefulSets, whose revisions are ControllerRevisions.

import { CONTROLLER_REVISIONS, projectControllerRevision } from './controller-revision.ts';
import type { WorkloadKind } from './kind.ts';
import { isObserved, projectWorkload, type RawObject, rawObject } from './raw.ts';

const KIND = { apiVersion: 'apps/v1', kind: 'StatefulSet', resource: 'statefulsets' } as const;

export const statefulSet: WorkloadKind = {
  ...KIND,
  apiGroup: 'apps',
  aliases: ['statefulset', 'statefulsets', 'sts', 'statefulset.apps', 'statefulsets.apps'],
  revisions: CONTROLLER_REVISIONS,
  project(value) {
    const raw = rawObject(value);
    return raw && { ...projectWorkload(raw, KIND), inUse: inUse(raw) };
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
