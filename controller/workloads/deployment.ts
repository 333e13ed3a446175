// Deployments, whose revisions are ReplicaSets.

import type { WorkloadKind } from './kind.ts';
import { projectWorkload, rawObject } from './raw.ts';
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
    return raw && { ...projectWorkload(raw, KIND, [REVISION_ANNOTATION]), inUse: [] };
  },
  projectRevision: (value) => projectReplicaSet(value, KIND, REVISION_ANNOTATION),
};
