// All workload kinds that the controller knows, and what their revisions are.

import type { Revision } from '../core/types.ts';
import { daemonSet } from './daemon-set.ts';
import { deployment } from './deployment.ts';
import type { ResourceName, WorkloadKind } from './kind.ts';
import { controllerOf } from './raw.ts';
import { rollout } from './rollout.ts';
import { statefulSet } from './stateful-set.ts';

export const WORKLOAD_KINDS: readonly WorkloadKind[] = [deployment, statefulSet, daemonSet, rollout];

export interface RevisionKind extends ResourceName {
  project(raw: unknown): Revision | undefined;
}

/** The kinds of revision, each once: Deployments and Rollouts share ReplicaSets. */
export function revisionKinds(kinds: readonly WorkloadKind[]): RevisionKind[] {
  const byKind = new Map(kinds.map(({ revisions }) => [revisions.kind, revisions]));
  return [...byKind.values()].map((resource) => {
    const sharing = kinds.filter(({ revisions }) => revisions.kind === resource.kind);
    return {
      ...resource,
      project(raw) {
        const owner = controllerOf(raw);
        // One that its workload has left behind still mounts what it mounts; any of them can read it.
        const kind = sharing.find((each) => each.kind === owner?.kind) ?? sharing[0];
        return kind?.projectRevision(raw);
      },
    };
  });
}
