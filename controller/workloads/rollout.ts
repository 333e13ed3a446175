// Rollouts of Argo Rollouts, whose revisions are ReplicaSets, too. One with a `workloadRef` has no template of its own: its
// references are those of the Deployment that it names, which is managed like any other.

import type { Progress } from '../core/types.ts';
import type { WorkloadKind } from './kind.ts';
import { deadlineMissed, progressOf } from './progress.ts';
import { isObserved, projectWorkload, type RawObject, rawObject } from './raw.ts';
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
    if (raw === undefined) return undefined;
    // Argo's controller numbers the revision before it reports the generation.
    const number = Number(raw.metadata.annotations?.[REVISION_ANNOTATION] ?? 0);
    const workload = projectWorkload(raw, KIND, [REVISION_ANNOTATION]);
    return { ...workload, inUse: [], progress: progress(raw), currentRevision: isObserved(raw) ? number : undefined };
  },
  projectRevision: (value) => projectReplicaSet(value, KIND, REVISION_ANNOTATION),
};

// Argo's controller sums its steps up in a phase, from its version 1.0 on.
function progress(raw: RawObject): Progress {
  const { updatedReplicas = 0, availableReplicas = 0, phase } = raw.status ?? {};
  const desired = raw.spec?.replicas ?? 1;
  const isAllUpdated = Math.min(updatedReplicas, availableReplicas) >= desired;
  const isThrough = phase === undefined ? isAllUpdated : phase === 'Healthy';
  return progressOf(raw, { isThrough, missed: deadlineMissed(raw), updated: updatedReplicas, desired });
}
