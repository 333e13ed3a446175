// Deployments, whose revisions are ReplicaSets.

import type { Progress } from '../core/types.ts';
import type { WorkloadKind } from './kind.ts';
import { deadlineMissed, progressOf } from './progress.ts';
import { projectWorkload, type RawObject, rawObject } from './raw.ts';
import { projectReplicaSet, REPLICA_SETS } from './replica-set.ts';

const KIND = { apiVersion: 'apps/v1', kind: 'Deployment', resource: 'deployments' } as const;

// Set by the Deployment controller on the ReplicaSets that it makes.
const REVISION_ANNOTATION = 'deployment.kubernetes.io/revision';

export const deployment: WorkloadKind = {
  ...KIND,
  apiGroup: 'apps',
  aliases: ['deployment', 'deployments', 'deploy', 'deployment.apps', 'deployments.apps'],
  revisions: REPLICA_SETS,
  project(value) {
    const raw = rawObject(value);
    return raw && { ...projectWorkload(raw, KIND, [REVISION_ANNOTATION]), inUse: [], progress: progress(raw) };
  },
  projectRevision: (value) => projectReplicaSet(value, KIND, REVISION_ANNOTATION),
};

// As DeploymentStatusViewer in k8s.io/kubectl/pkg/polymorphichelpers: old pods gone, new ones available.
function progress(raw: RawObject): Progress {
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = raw.status ?? {};
  const desired = raw.spec?.replicas ?? 1;
  const isThrough = updatedReplicas >= desired && replicas <= updatedReplicas && availableReplicas >= updatedReplicas;
  return progressOf(raw, { isThrough, missed: deadlineMissed(raw), updated: updatedReplicas, desired });
}
