// One source: say what is wrong with its opt-ins, label it, and make the snapshot that its workloads are about to need.

import { type Action, type EventAction, NOTHING, type Plan } from './actions.ts';
import type { Decision, SourceView } from './decide.ts';
import { REASONS, SOURCE_LABEL, sourceLabelValue } from './names.ts';
import type { Problem } from './opt-in.ts';
import { snapshotManifest, snapshotNames } from './snapshot.ts';
import { type ConfigObject, type Content, configRef, display, mention, type Workload } from './types.ts';

/**
 * True when a workload cannot go on without a snapshot, for which this was decided. A source that never rests gets none for
 * each of its moments: `slowed` is a workload whose rollout waits, since longer than a moment, for its writer or a token.
 */
export function awaitsSnapshot(decision: Decision, slowed: boolean): boolean {
  return decision.needsSnapshot && decision.source.snapshot?.ready !== true && !(decision.rolls && slowed);
}

export interface SourceObservation {
  readonly source: ConfigObject;
  /** What is wrong with its opt-ins. */
  readonly problems: readonly Problem[];
  /** True when the source itself names an owner; false when a workload asked for all that it references. */
  readonly optsIn: boolean;
  /** Why its content cannot be rolled out. */
  readonly obstacle: Problem | undefined;
  /** The workloads that it opts in and that reference it. */
  readonly users: readonly Workload[];
  /** Those of them that await its snapshot. */
  readonly waiting: readonly Workload[];
  /** Undefined: not read, because nobody uses it. */
  readonly hash: string | undefined;
  /** What the snapshot of that content is called, or is going to be; undefined: other objects have all names that it could have. */
  readonly snapshot: SourceView['snapshot'];
  /** Read only when a snapshot has to be made. */
  readonly content: Content | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

// An annotation holds 256 KiB of entries: who mends the first of them hears of the next.
const MOST_PROBLEMS = 10;
// Nothing tells when one of the names is free again.
const NAME_RETRY_MS = 30_000;

/** What to do about one source. Its workloads are looked at after it, by their own plans. */
export function planSource(observed: SourceObservation): Plan {
  const elapsed = observed.now - observed.source.createdAt;
  // Where the clocks differ, better too soon than never.
  const age = elapsed < 0 ? Number.POSITIVE_INFINITY : elapsed;
  const early = observed.problems.flatMap(({ graceMs = 0 }) => (graceMs > age ? [graceMs - age] : []));
  const problems = observed.problems.filter(({ graceMs = 0 }) => graceMs <= age);
  const plan = planDue({ ...observed, problems });
  if (early.length === 0) return plan;
  return { ...plan, requeueAfterMs: Math.min(...early, plan.requeueAfterMs ?? Number.POSITIVE_INFINITY) };
}

function planDue(observed: SourceObservation): Plan {
  const { source, users, waiting, snapshot, hash, content } = observed;
  if (source.deleting) return NOTHING;
  const events = observed.problems.slice(0, MOST_PROBLEMS).map((problem) => warn(source, problem));
  if (users.length === 0) return { actions: events };
  if (observed.obstacle) {
    // Where a workload asked for all that it references, that is no mistake.
    return { actions: observed.optsIn ? [...events, warn(source, observed.obstacle)] : events };
  }
  if (source.sourceLabel !== sourceLabelValue(source.name)) return { actions: [labelSource(source), ...events] };

  if (waiting.length > 0 && snapshot === undefined) {
    const { kind } = source;
    const [name = ''] = snapshotNames(source.name, hash ?? '');
    const note = `every name that a snapshot of ${mention(source)} (hash ${hash}) could have is taken by another ${kind}; delete or rename ${mention({ kind, name })}`;
    return {
      actions: [...events, warn(source, { reason: REASONS.snapshotNameTaken, note })],
      requeueAfterMs: NAME_RETRY_MS,
    };
  }
  if (waiting.length === 0 || snapshot === undefined || hash === undefined || content === undefined)
    return { actions: events };
  const manifest = snapshotManifest(source, snapshot.name, hash, content, waiting);
  const create: Action = { type: 'CreateSnapshot', manifest, why: `content of ${display(source)}` };
  return { actions: [create, ...nameTaken(source, hash, snapshot.name), ...events] };
}

function nameTaken(source: ConfigObject, hash: string, used: string): EventAction[] {
  const [name = ''] = snapshotNames(source.name, hash);
  if (name === used) return [];
  const { kind } = source;
  const note = `${mention({ kind, name })} exists and is not the snapshot of ${mention(source)} that its name promises; ${mention({ kind, name: used })} is used instead: delete the other one if nobody needs it`;
  return [warn(source, { reason: REASONS.snapshotNameTaken, note })];
}

// Done before the first snapshot is made, so that the version that the snapshot notes is the labelled source's: a
// restarted controller then knows the hash without reading the content.
function labelSource(source: ConfigObject): Action {
  return {
    type: 'PatchMetadata',
    target: configRef(source),
    labels: { [SOURCE_LABEL]: sourceLabelValue(source.name) },
    why: 'its snapshots carry the same label',
  };
}

/** A warning on a source or a snapshot that stays true until a person acts: said once. */
export function warn(object: ConfigObject, { reason, note }: Problem): EventAction {
  return {
    type: 'Event',
    severity: 'Warning',
    reason,
    note,
    regarding: configRef(object),
    once: true,
  };
}
