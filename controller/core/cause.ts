// Why a revision exists, in the words that `kubectl rollout history` prints.

import type { Decision } from './decide.ts';
import { CHANGE_CAUSE_ANNOTATION, OWN_CAUSE_ANNOTATION } from './names.ts';
import { display, type Revision, type Workload } from './types.ts';

/** What states a cause that the controller wrote. */
export const CAUSE_ANNOTATIONS = [CHANGE_CAUSE_ANNOTATION, OWN_CAUSE_ANNOTATION] as const;

const MOST_KEYS = 5;

/** `configmap/foo: config.yml, tls.yml`, one part a source; key names only, never values. */
export function causeOf(decisions: readonly Decision[]): string {
  return decisions.map(({ source, rolled }) => `${display(source)}: ${what(source.changedKeys, rolled)}`).join('; ');
}

function what(keys: readonly string[] | undefined, rolled: string | undefined): string {
  if (rolled === undefined) return 'first snapshot';
  if (keys === undefined || keys.length === 0) return 'content changed';
  const more = keys.length > MOST_KEYS ? ` and ${keys.length - MOST_KEYS} more` : '';
  return `${keys.slice(0, MOST_KEYS).join(', ')}${more}`;
}

/** True when the workload has no cause, or one that the controller wrote: a person's is never overwritten. */
export function mayWriteCause(workload: Workload): boolean {
  return workload.cause === undefined || hasOwnCause(workload);
}

/** True when the workload has a cause that the controller wrote. */
export function hasOwnCause({ cause, ownCause }: Workload): boolean {
  return cause !== undefined && cause === ownCause;
}

/**
 * True when the controller's cause has done its work: the revision that it speaks of carries it. Left on the workload,
 * it would be copied to the next revision, that somebody else caused. (The Deployment controller copies annotations to
 * the current ReplicaSet, and takes none away: SetNewReplicaSetAnnotations in pkg/controller/deployment/util.)
 */
export function causeIsSpent(workload: Workload, current: Revision | undefined): boolean {
  return hasOwnCause(workload) && current?.cause === workload.cause;
}

/** The annotations that state a cause. */
export function causeAnnotations(cause: string): Record<string, string> {
  return Object.fromEntries(CAUSE_ANNOTATIONS.map((key) => [key, cause]));
}
