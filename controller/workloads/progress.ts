// What the kinds have in common in how far their pods are.

import type { Progress } from '../core/types.ts';
import { isObserved, type RawObject } from './raw.ts';

interface Missed {
  readonly revision: string | undefined;
}

interface Pods extends Pick<Progress, 'updated' | 'desired'> {
  readonly isThrough: boolean;
  readonly missed?: Missed | undefined;
}

/** `missed`: a deadline, by which revision, where one is. A status of a spec that is gone says nothing. */
export function progressOf(raw: RawObject, { isThrough, missed, updated, desired }: Pods): Progress {
  const counts = { updated, desired };
  if (!isObserved(raw)) return { state: 'Progressing', ...counts };
  if (missed) return { state: 'Failed', failedRevision: missed.revision, ...counts };
  return { state: isThrough ? 'Complete' : 'Progressing', ...counts };
}

/**
 * Which revision made no progress within progressDeadlineSeconds; undefined: none is said to. Deployments and Argo Rollouts say
 * so alike. (syncRolloutStatus in pkg/controller/deployment/progress.go.)
 */
export function deadlineMissed({ status }: RawObject): Missed | undefined {
  const missed = status?.conditions?.find(
    ({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded',
  );
  return missed && { revision: /^ReplicaSet "([^"]+)"/.exec(missed.message ?? '')?.[1] };
}
