// One workload: pin it to its sources' content, and keep its history such that an undo lands where a person expects.

import type { Operation } from 'fast-json-patch';
import { type Action, NOTHING, type Plan } from './actions.ts';
import { causeOf } from './cause.ts';
import { type Decision, decide, type Pins, pinKey, pinOf, type SourceView } from './decide.ts';
import { type HistoryObservation, tidyHistory } from './history.ts';
import { MANAGED_LABEL, REASONS, rolledHashLabel } from './names.ts';
import { type Pacing, pendingSince, settleMsLeft, throttleMs } from './pacing.ts';
import { causeToWrite, entryPath, marking, pinnedTo, repointing, stateLabels } from './pin-operations.ts';
import { planRollback } from './plan-rollback.ts';
import { intervalMsLeft, type Policy } from './policy.ts';
import { configRef, display, mention, type Revision, refOf, type Workload } from './types.ts';

export interface WorkloadObservation extends HistoryObservation {
  /** The sources that opted it in, and that exist. */
  readonly sources: readonly SourceView[];
  readonly policy: Policy;
  readonly pacing: Pacing;
  readonly settleMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface WorkloadPlan extends Plan {
  /** A rollout is due, and either waits or is among the actions. */
  readonly pending: boolean;
  readonly rolls: boolean;
  readonly slowed: boolean;
  /** A person's policy makes a rollout wait. */
  readonly held: boolean;
  /** Nothing can be done before the source was read, or its snapshot made. */
  readonly awaits?: 'source' | 'snapshot';
}

const IDLE: WorkloadPlan = { ...NOTHING, pending: false, rolls: false, slowed: false, held: false };

/** What to do about one workload. The same world twice gives no action the second time. */
export function planWorkload(observed: WorkloadObservation): WorkloadPlan {
  const { workload, sources, revisions, pins, pacing } = observed;
  if (workload.deleting || sources.length === 0) return IDLE;
  // The reading of a source ends with another look at its workloads.
  const waiting: WorkloadPlan = {
    ...IDLE,
    pending: pacing.pendingSince !== undefined,
    slowed: pacing.slowed,
    held: pacing.heldSince !== undefined,
  };
  if (sources.some((source) => source.hash === undefined)) return { ...waiting, awaits: 'source' };

  const wanted = sources.map((source) => decide(workload, source, revisions, pins));
  const pending = wanted.some((decision) => decision.rolls);
  const turn = pending ? turnOf(observed, wanted) : NOW;
  if (turn.settleMs > 0) return { ...waiting, pending, held: false, requeueAfterMs: turn.settleMs };

  const { slowed, waits, held } = turn;
  const decisions = waits
    ? wanted.map((each) => (each.rolls ? decide(workload, each.source, revisions, pins, { hold: true }) : each))
    : wanted;
  // A pin must never name a copy that is not there. Making it ends with another look at this workload.
  if (decisions.some((decision) => decision.needsSnapshot && decision.source.snapshot?.ready !== true)) {
    return { ...waiting, pending, held, awaits: 'snapshot' };
  }
  const pinning = pinActions(workload, decisions, revisions);
  const actions = [
    ...pinning,
    ...(slowed && !pacing.slowed ? [slowedEvent(workload, wanted, turn.waitMs)] : []),
    ...missingSnapshots(workload, decisions, pins),
    // Never beside a rollout, whose patch would pull the ground from under it; the patch brings another look.
    ...(pinning.length === 0 ? atRest(observed, pending) : []),
  ];
  const rolls = pending && !waits;
  return { actions, pending, rolls, slowed, held, ...(turn.waitMs > 0 && { requeueAfterMs: turn.waitMs }) };
}

/** When a rollout that is due may go ahead. */
interface Turn {
  /** Nothing at all is done before. */
  readonly settleMs: number;
  /** What changed waits; all else goes on. */
  readonly waits: boolean;
  /** Because a person's policy says so. */
  readonly held: boolean;
  /** Because it rolled too often. */
  readonly slowed: boolean;
  /** 0: now, or when a person says so. */
  readonly waitMs: number;
}

const NOW: Turn = { settleMs: 0, waits: false, held: false, slowed: false, waitMs: 0 };

function turnOf(observed: WorkloadObservation, wanted: readonly Decision[]): Turn {
  const { policy, pacing, now } = observed;
  if (policy.paused) return { ...NOW, waits: true, held: true };
  const throttle = throttleMs(pacing.bucket, now);
  const interval = intervalMsLeft(policy, pacing, now);
  const held = interval > 0;
  // What is held settles when it is held no more.
  const settleMs = held ? 0 : settleLeft(observed, wanted);
  const waitMs = Math.max(throttle, interval);
  return { settleMs, waits: waitMs > 0, held, slowed: throttle > 0, waitMs };
}

function atRest(observed: WorkloadObservation, pending: boolean): Action[] {
  const back = pending ? [] : planRollback(observed);
  const isPatch = back.some(({ type }) => type === 'PatchWorkload');
  return isPatch ? back : [...back, ...tidyHistory(observed)];
}

// The first snapshot of an only source has nothing to wait for. Any other change may be part of one apply, that is about
// to change another source, or the workload itself.
function settleLeft(
  { sources, policy, pacing, settleMs, now }: WorkloadObservation,
  wanted: readonly Decision[],
): number {
  if (sources.length < 2 && wanted.every(({ rolled }) => rolled === undefined)) return 0;
  const lastChange = Math.max(...sources.map((source) => source.since));
  return settleMsLeft(lastChange, pendingSince(pacing) ?? now, policy.settleMs ?? settleMs, now);
}

function pinActions(workload: Workload, decisions: readonly Decision[], revisions: readonly Revision[]): Action[] {
  const changes = decisions.flatMap((decision) => decision.changes);
  const labels = stateLabels(workload, decisions, revisions);
  if (changes.length === 0 && Object.keys(labels).length === 0) return [];
  const rolling = decisions.filter((decision) => decision.rolls && decision.label && decision.changes.length > 0);
  const cause = rolling.length > 0 ? causeOf(rolling) : undefined;
  const why = whyPatched(decisions, cause, changes.length);
  const patch: Action = {
    type: 'PatchWorkload',
    target: refOf(workload),
    operations: operations(workload, decisions, labels, cause),
    why,
  };
  if (changes.length === 0) return [patch];
  const event: Action = {
    type: 'Event',
    severity: 'Normal',
    reason: cause === undefined ? REASONS.repinned : REASONS.rolledOut,
    note: why,
    regarding: refOf(workload),
    ...(rolling[0] && { related: configRef({ ...rolling[0].source, namespace: workload.namespace }) }),
    once: false,
  };
  return [patch, event];
}

function whyPatched(decisions: readonly Decision[], cause: string | undefined, changes: number): string {
  if (cause !== undefined) return `${cause}; pinned to ${pinnedTo(decisions)}`;
  if (changes > 0) return `raw references pinned again to ${pinnedTo(decisions)}`;
  const named = decisions.filter(({ label }) => label !== undefined).map(({ source }) => display(source));
  if (named.length === 0) return 'marked, for admission to find it';
  return `already runs the content of ${named.join(', ')}; recorded`;
}

// RFC 6902, guarded by tests: uid and generation, so that no decision is carried out on a template other than the one it
// was made for, and every old value.
function operations(
  workload: Workload,
  decisions: readonly Decision[],
  labels: Readonly<Record<string, string>>,
  cause: string | undefined,
): Operation[] {
  const annotations = causeToWrite(workload, cause);
  // Labels do not count up the generation: making an entry, or the whole map, needs a stronger guard.
  const guarded = [MANAGED_LABEL, ...decisions.map(({ source: { kind, name } }) => rolledHashLabel(kind, name))];
  const known = guarded.filter((key) => workload.labels[key] !== undefined);
  const addsEntry = known.length < guarded.length || (!workload.hasAnnotations && Object.keys(annotations).length > 0);
  return [
    { op: 'test', path: '/metadata/uid', value: workload.uid },
    { op: 'test', path: '/metadata/generation', value: workload.generation },
    ...(addsEntry ? [{ op: 'test', path: '/metadata/resourceVersion', value: workload.resourceVersion } as const] : []),
    // A person may be excluding the workload, or one of its sources, at this moment.
    ...known.map((key): Operation => ({ op: 'test', path: entryPath('labels', key), value: workload.labels[key] })),
    ...repointing(workload, decisions),
    ...marking(workload, labels, annotations),
  ];
}

function slowedEvent(workload: Workload, wanted: readonly Decision[], waitMs: number): Action {
  const sources = wanted.filter(({ rolls }) => rolls).map(({ source }) => mention(source));
  return {
    type: 'Event',
    severity: 'Warning',
    reason: REASONS.rolloutsSlowed,
    note: `${sources.slice(0, 3).join(', ')} changes too often: the next rollout waits ${Math.ceil(waitMs / 1000)} s and takes the content of that moment; find out what writes it`,
    regarding: refOf(workload),
    once: false,
  };
}

function missingSnapshots(workload: Workload, decisions: readonly Decision[], pins: Pins): Action[] {
  const repointed = new Set(decisions.flatMap((decision) => decision.changes.map(({ pointer }) => pointer)));
  const lost = workload.references.filter(
    (reference) => pinOf(pins, reference)?.exists === false && !repointed.has(reference.pointer),
  );
  return [...new Map(lost.map((reference) => [pinKey(reference), reference])).values()].map((reference) => ({
    type: 'Event',
    severity: 'Warning',
    reason: REASONS.snapshotMissing,
    note: `the template mounts ${mention(reference)}, a snapshot that was deleted: new pods cannot start; run kubectl rollout undo ${mention(workload)}, or change the source to roll out again`,
    regarding: refOf(workload),
    once: true,
  }));
}
