// What the kinds have in common in how far their pods are.

import type { Progress } from '../core/types.ts';
import { isObserved, type RawObject } from './raw.ts';

/** `failedAt`: since when a deadline is missed, where one is. A status of a spec that is gone says nothing. */
export function progressOf(
  raw: RawObject,
  { isThrough, failedAt, updated, desired }: Omit<Progress, 'state'> & { readonly isThrough: boolean },
): Progress {
  const counts = { updated, desired };
  if (!isObserved(raw)) return { state: 'Progressing', ...counts };
  if (failedAt !== undefined) return { state: 'Failed', failedAt, ...counts };
  return { state: isThrough ? 'Complete' : 'Progressing', ...counts };
}

/** Since when a rollout has made no progress within its progressDeadlineSeconds: Deployments and Argo Rollouts say so alike. */
export function deadlineMissed({ status }: RawObject): number | undefined {
  const missed = status?.conditions?.find(
    ({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded',
  );
  return missed && (Date.parse(missed.lastTransitionTime ?? '') || 0);
}
