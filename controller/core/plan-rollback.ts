// A rollout of config that makes no progress goes back, once, to the snapshots that ran before, where the policy says so.

import type { Operation } from 'fast-json-patch';
import type { Action } from './actions.ts';
import { type Pins, pinKey, pinOf, referencesTo, revisionsSinceRoll, rolledHash, type SourceView } from './decide.ts';
import { currentOf } from './history.ts';
import { AFTER_REVISION_LABEL, FAILED_ROLLOUT_LABEL, REASONS } from './names.ts';
import { causeToWrite, marking, pinnedTo, repointing } from './pin-operations.ts';
import type { Policy } from './policy.ts';
import { byAge } from './revision-order.ts';
import { display, mention, type Revision, refOf, type Workload } from './types.ts';
import { restore } from './undo.ts';

interface FailedObservation {
  readonly workload: Workload;
  readonly sources: readonly SourceView[];
  readonly revisions: readonly Revision[];
  readonly pins: Pins;
  readonly policy: Policy;
}

/** True when the last rollout failed, and was taken back. */
export function wasTakenBack({ labels }: Workload): boolean {
  const failed = labels[FAILED_ROLLOUT_LABEL];
  return failed !== undefined && failed === labels[AFTER_REVISION_LABEL];
}

/** True when the pods of the template that stands missed their deadline. */
export function missedDeadline(workload: Workload, revisions: readonly Revision[]): boolean {
  const { state, failedRevision } = workload.progress;
  if (state !== 'Failed') return false;
  // The Deployment controller leaves an older verdict there for a moment when a ReplicaSet is used again.
  return failedRevision === undefined || failedRevision === currentOf(workload, revisions)?.name;
}

/** Nothing, unless the last rollout was of config, by us, has failed, and the policy wants it taken back. */
export function planRollback(observed: FailedObservation): Action[] {
  const { workload, revisions, pins, policy } = observed;
  if (!policy.rollsBack || policy.paused || wasTakenBack(workload)) return [];
  const mounted = rolledLast(observed);
  if (mounted.length === 0 || !hasFailed(observed)) return [];
  const former = revisionBefore(workload, revisions);
  const back = former === undefined ? [] : restore(workload, mounted, former, pins);
  const changed = back.filter(({ changes }) => changes.length > 0);
  if (former === undefined || changed.length === 0) return [impossible(workload)];

  const names = changed.map(({ source }) => display(source)).join(', ');
  const why = `${names}: no progress within the deadline; back to ${pinnedTo(changed)}`;
  const labels = { [FAILED_ROLLOUT_LABEL]: workload.labels[AFTER_REVISION_LABEL] ?? '' };
  const operations: Operation[] = [
    { op: 'test', path: '/metadata/uid', value: workload.uid },
    { op: 'test', path: '/metadata/resourceVersion', value: workload.resourceVersion },
    ...repointing(workload, changed),
    ...marking(workload, labels, causeToWrite(workload, why)),
  ];
  return [
    { type: 'PatchWorkload', target: refOf(workload), operations, why },
    {
      type: 'Event',
      severity: 'Warning',
      reason: REASONS.rolledBack,
      note: `${why} (revision ${former.number}); the next change of a source rolls out again`,
      regarding: refOf(workload),
      once: false,
    },
  ];
}

// An image that a person sets later, and that fails, is none of ours; nor is a rollout that was done.
function hasFailed({ workload, revisions, policy: { lastRollout } }: FailedObservation): boolean {
  if (lastRollout === undefined || lastRollout.outcome === 'Complete') return false;
  return missedDeadline(workload, revisions) && revisionsSinceRoll(workload, revisions).length <= 1;
}

// None where the status has not seen the last rollout yet, or somebody has gone elsewhere since.
function rolledLast({ workload, sources, pins, policy: { lastRollout, seen } }: FailedObservation): SourceView[] {
  const mounted = sources.filter((source) => referencesTo(workload.references, source, pins).length > 0);
  if (mounted.some((source) => rolledHash(workload, source) !== seen[pinKey(source)])) return [];
  const rolled = mounted.filter((source) => lastRollout?.sources.some((each) => pinKey(each) === pinKey(source)));
  const isThere = rolled.every(({ hash, ...source }) =>
    referencesTo(workload.references, source, pins).every((each) => pinOf(pins, each)?.hash === hash),
  );
  return isThere ? rolled : [];
}

// What was the newest when the rollout was written, or, where that is gone, the newest of those before it.
function revisionBefore({ labels }: Workload, revisions: readonly Revision[]): Revision | undefined {
  const newestThen = Number(labels[AFTER_REVISION_LABEL] ?? 0);
  const before = revisions.filter(({ number }) => number <= newestThen);
  return before.sort(byAge).at(-1);
}

function impossible(workload: Workload): Action {
  return {
    type: 'Event',
    severity: 'Warning',
    reason: REASONS.rollbackImpossible,
    note: `the rollout of config fails its progress deadline, and no revision before it has a snapshot to go back to; change the source, or run kubectl rollout undo ${mention(workload)}`,
    regarding: refOf(workload),
    once: true,
  };
}
