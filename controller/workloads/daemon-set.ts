// DaemonSets, whose revisions are ControllerRevisions.

import type { Progress } from '../core/types.ts';
import { CONTROLLER_REVISIONS, projectControllerRevision } from './controller-revision.ts';
import type { WorkloadKind } from './kind.ts';
import { progressOf } from './progress.ts';
import { isObserved, projectWorkload, type RawObject, rawObject } from './raw.ts';

const KIND = { apiVersion: 'apps/v1', kind: 'DaemonSet', resource: 'daemonsets' } as const;

export const daemonSet: WorkloadKind = {
  ...KIND,
  apiGroup: 'apps',
  aliases: ['daemonset', 'daemonsets', 'ds', 'daemonset.apps', 'daemonsets.apps'],
  revisions: CONTROLLER_REVISIONS,
  project(value) {
    const raw = rawObject(value);
    return raw && { ...projectWorkload(raw, KIND), inUse: inUse(raw), progress: progress(raw) };
  },
  projectRevision: (value) => projectControllerRevision(value, KIND),
};

// Pods on nodes that should have none are not counted among the updated ones.
function inUse(raw: RawObject): readonly string[] | undefined {
  const { currentNumberScheduled = 0, updatedNumberScheduled = 0, numberMisscheduled = 0 } = raw.status ?? {};
  const isSettled = isObserved(raw) && updatedNumberScheduled === currentNumberScheduled && numberMisscheduled === 0;
  return isSettled ? [] : undefined;
}

// As DaemonSetStatusViewer in k8s.io/kubectl/pkg/polymorphichelpers; with OnDelete pods keep the old template until somebody
// deletes them.
function progress(raw: RawObject): Progress {
  const { desiredNumberScheduled: desired = 0, updatedNumberScheduled = 0, numberAvailable = 0 } = raw.status ?? {};
  const isOnDelete = raw.spec?.updateStrategy?.type === 'OnDelete';
  const isThrough = numberAvailable >= desired && (isOnDelete || updatedNumberScheduled >= desired);
  return progressOf(raw, { isThrough, updated: updatedNumberScheduled, desired });
}
