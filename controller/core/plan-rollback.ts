// A rollout of config that makes no progress goes back, once, to the snapshots that ran before, where the policy says so.

import type { Operation } from 'fast-json-patch';
import type { Action } from './actions.ts';
import { type Pins, pinOf, referencesTo, type SourceView } from './decide.ts';
import { AFTER_REVISION_LABEL, FAILED_ROLLOUT_LABEL, REASONS } from './names.ts';
import { causeToWrite, marking, pinnedTo, repointing } from './pin-operations.ts';
import type { Policy } from './policy.ts';
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

/** True when the pods of the last rollout missed their deadline, and not only those of the one before it. */
export function missedDeadline({ progress }: Workload, { lastRolloutAt }: Policy): boolean {
  // The Deployment controller leaves the old verdict there for a moment when a ReplicaSet is used again.
  return progress.state === 'Failed' && lastRolloutAt !== undefined && (progress.failedAt ?? 0) > lastRolloutAt;
}

/** Nothing, unless the content of now was rolled out by us, failed, and the policy wants it taken back. */
export function planRollback({ workload, sources, revisions, pins, policy }: FailedObservation): Action[] {
  if (!policy.rollsBack || policy.paused || !missedDeadline(workload, policy) || wasTakenBack(workload)) return [];
  const mounted = sources.filter((source) => referencesTo(workload.references, source, pins).length > 0);
  // Somebody has gone elsewhere since: what fails is none of ours.
  if (mounted.length === 0 || mounted.some((source) => !mountsCurrent(workload, source, pins))) return [];
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

function mountsCurrent(workload: Workload, source: SourceView, pins: Pins): boolean {
  return referencesTo(workload.references, source, pins).every((each) => pinOf(pins, each)?.hash === source.hash);
}

// What was the newest when the rollout was written, or, where that is gone, the newest of those before it.
function revisionBefore({ labels }: Workload, revisions: readonly Revision[]): Revision | undefined {
  const newestThen = Number(labels[AFTER_REVISION_LABEL] ?? 0);
  const before = revisions.filter(({ number }) => number <= newestThen);
  return before.sort((a, b) => b.number - a.number)[0];
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
