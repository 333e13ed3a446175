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

// A pod below the partition that is made anew gets the current revision, however long ago it was that of all pods. With
// OnDelete the current revision is never moved on, and new pods get the newest. (newVersionedStatefulSetPod in
// pkg/controller/statefulset/stateful_set_utils.go.)
function inUse(raw: RawObject): readonly string[] | undefined {
  const { replicas = 0, updatedReplicas = 0, currentRevision = '', updateRevision = '' } = raw.status ?? {};
  if (!isObserved(raw) || updatedReplicas !== replicas) return undefined;
  return raw.spec?.updateStrategy?.type === 'OnDelete' ? [updateRevision] : [currentRevision, updateRevision];
}
