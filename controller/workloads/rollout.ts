// Rollouts of Argo Rollouts, whose revisions are ReplicaSets, too. One with a `workloadRef` has no template of its own: its
// references are those of the Deployment that it names, which is managed like any other.

import type { WorkloadKind } from './kind.ts';
import { projectWorkload, rawObject } from './raw.ts';
import { projectReplicaSet, REPLICA_SETS } from './replica-set.ts';

const KIND = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', resource: 'rollouts' } as const;

const REVISION_ANNOTATION = 'rollout.argoproj.io/revision';

export const rollout: WorkloadKind = {
  ...KIND,
  apiGroup: 'argoproj.io',
  aliases: ['rollout', 'rollouts', 'ro', 'rollout.argoproj.io', 'rollouts.argoproj.io'],
  optional: true,
  revisions: REPLICA_SETS,
  project(value) {
    const raw = rawObject(value);
    return raw && { ...projectWorkload(raw, KIND, [REVISION_ANNOTATION]), inUse: [] };
  },
  projectRevision: (value) => projectReplicaSet(value, KIND, REVISION_ANNOTATION),
};
