// One workload: pin it to its sources' content, and keep its history such that an undo lands where a person expects.

import { escapePathComponent, type Operation } from 'fast-json-patch';
import { type Action, NOTHING, type Plan } from './actions.ts';
import { causeAnnotations, causeIsSpent, causeOf, mayWriteCause } from './cause.ts';
import { type Decision, decide, type Pins, type SourceView } from './decide.ts';
import { CHANGE_CAUSE_ANNOTATION, MANAGED_LABEL, OWN_CAUSE_ANNOTATION, REASONS } from './names.ts';
import { type Pacing, settleMsLeft, throttleMs } from './pacing.ts';
import { display, type Reference, type Revision, refOf, type TemplateInfo, type Workload } from './types.ts';

export interface WorkloadObservation {
  readonly workload: Workload;
  /** The sources that opted it in, and that exist. */
  readonly sources: readonly SourceView[];
  readonly revisions: readonly Revision[];
  readonly pins: Pins;
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
}

const IDLE: WorkloadPlan = { ...NOTHING, pending: false, rolls: false, slowed: false };

/** What to do about one workload. The same world twice gives no action the second time. */
export function planWorkload(observed: WorkloadObservation): WorkloadPlan {
  const { workload, sources, revisions, pins, pacing, now } = observed;
  if (workload.deleting || sources.length === 0) return IDLE;
  // The reading of a source ends with another look at its workloads.
  const waiting: WorkloadPlan = { ...IDLE, pending: pacing.pendingSince !== undefined, slowed: pacing.slowed };
  if (sources.some((source) => source.hash === undefined)) return waiting;

  const wanted = sources.map((source) => decide(workload, source, revisions, pins));
  const pending = wanted.some((decision) => decision.rolls);
  const settle = pending ? settleLeft(observed) : 0;
  if (settle > 0) return { ...waiting, pending, requeueAfterMs: settle };

  const throttle = pending ? throttleMs(pacing.bucket, now) : 0;
  const slowed = throttle > 0;
  const decisions = slowed ? sources.map((source) => decide(workload, source, revisions, pins, true)) : wanted;
  // A pin must never name a copy that is not there. Making it ends with another look at this workload.
  if (decisions.some((decision) => decision.needsSnapshot && decision.source.snapshot?.ready !== true)) {
    return { ...waiting, pending };
  }
  const pinning = pinActions(workload, decisions);
  const actions = [
    ...pinning,
    ...(slowed && !pacing.slowed ? [slowedEvent(workload, wanted, throttle)] : []),
    ...missingSnapshots(workload, decisions, pins),
    // Never beside a rollout, whose patch would pull the ground from under it; the patch brings another look.
    ...(pinning.length === 0 ? tidyHistory(observed) : []),
  ];
  const rolls = pending && !slowed;
  return { actions, pending, rolls, slowed, ...(slowed && { requeueAfterMs: throttle }) };
}

function settleLeft({ sources, pacing, settleMs, now }: WorkloadObservation): number {
  if (sources.length < 2) return 0;
  const lastChange = Math.max(...sources.map((source) => source.since));
  return settleMsLeft(lastChange, pacing.pendingSince ?? now, settleMs, now);
}

function pinActions(workload: Workload, decisions: readonly Decision[]): Action[] {
  const changes = decisions.flatMap((decision) => decision.changes);
  const labels = Object.fromEntries(decisions.flatMap(({ label }) => (label ? [[label.key, label.value]] : [])));
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
    once: false,
  };
  return [patch, event];
}

function whyPatched(decisions: readonly Decision[], cause: string | undefined, changes: number): string {
  const pinned = [...new Set(decisions.flatMap((decision) => decision.changes.map(({ to }) => `configmap/${to}`)))];
  if (cause !== undefined) return `${cause}; pinned to ${pinned.join(', ')}`;
  if (changes > 0) return `raw references pinned again to ${pinned.join(', ')}`;
  const named = decisions.filter(({ label }) => label !== undefined).map(({ source }) => display(source));
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
  const all = workload.labels[MANAGED_LABEL] === undefined ? { ...labels, [MANAGED_LABEL]: 'owned' } : labels;
  const annotations = cause !== undefined && mayWriteCause(workload) ? causeAnnotations(cause) : {};
  const replaces = decisions.flatMap((decision) =>
    decision.changes.flatMap(({ pointer, from, to }): Operation[] => {
      const path = `${workload.templatePointer}${pointer}`;
      return [
        { op: 'test', path, value: from },
        { op: 'replace', path, value: to },
      ];
    }),
  );
  // Labels and annotations do not count up the generation: making the whole map needs a stronger guard.
  const makesMap = !workload.hasLabels || (!workload.hasAnnotations && Object.keys(annotations).length > 0);
  return [
    { op: 'test', path: '/metadata/uid', value: workload.uid },
    { op: 'test', path: '/metadata/generation', value: workload.generation },
    ...(makesMap ? [{ op: 'test', path: '/metadata/resourceVersion', value: workload.resourceVersion } as const] : []),
    ...replaces,
    ...setAll('/metadata/labels', workload.hasLabels, all),
    ...setAll('/metadata/annotations', workload.hasAnnotations, annotations),
  ];
}

function setAll(path: string, exists: boolean, entries: Readonly<Record<string, string>>): Operation[] {
  if (Object.keys(entries).length === 0) return [];
  if (!exists) return [{ op: 'add', path, value: entries }];
  return Object.entries(entries).map(([key, value]) => ({
    op: 'add',
    path: `${path}/${escapePathComponent(key)}`,
    value,
  }));
}

function slowedEvent(workload: Workload, wanted: readonly Decision[], waitMs: number): Action {
  const sources = wanted.filter(({ rolls }) => rolls).map(({ source }) => display(source));
  return {
    type: 'Event',
    severity: 'Warning',
    reason: REASONS.rolloutsSlowed,
    note: `${sources.join(', ')} changes too often: the next rollout waits ${Math.ceil(waitMs / 1000)} s and takes the content of that moment; find out what writes it`,
    regarding: refOf(workload),
    once: false,
  };
}

function missingSnapshots(workload: Workload, decisions: readonly Decision[], pins: Pins): Action[] {
  const repointed = new Set(decisions.flatMap((decision) => decision.changes.map(({ from }) => from)));
  const lost = [...new Set(workload.references.map(({ name }) => name))].filter(
    (name) => pins.get(name)?.exists === false && !repointed.has(name),
  );
  return lost.map((name) => ({
    type: 'Event',
    severity: 'Warning',
    reason: REASONS.snapshotMissing,
    note: `the template mounts configmap/${name}, a snapshot that was deleted: new pods cannot start; run kubectl rollout undo ${display(workload)}, or change the source to roll out again`,
    regarding: refOf(workload),
    once: true,
  }));
}

function tidyHistory({ workload, sources, revisions, pins }: WorkloadObservation): Action[] {
  const current = revisions.find((revision) => sameTemplate(revision, workload));
  const spent: Action[] = causeIsSpent(workload, current) ? [dropCause(workload)] : [];
  const names = new Set(sources.map(({ name }) => name));
  const stale = revisions.filter(
    (revision) =>
      revision !== current &&
      revision.scaledDown &&
      !revision.deleting &&
      hasPinnedTwin(revision, revisions, names, pins),
  );
  return [
    ...spent,
    ...stale.map(
      (revision): Action => ({
        type: 'DeleteRevision',
        target: refOf(revision),
        resourceVersion: revision.resourceVersion,
        why: 'scaled down, and raw: a revision with the same template exists that is pinned',
      }),
    ),
  ];
}

function dropCause(workload: Workload): Action {
  const drop = (key: string): Operation[] => {
    const path = `/metadata/annotations/${escapePathComponent(key)}`;
    return [
      { op: 'test', path, value: workload.cause },
      { op: 'remove', path },
    ];
  };
  return {
    type: 'PatchWorkload',
    target: refOf(workload),
    operations: [
      { op: 'test', path: '/metadata/uid', value: workload.uid },
      ...drop(CHANGE_CAUSE_ANNOTATION),
      ...drop(OWN_CAUSE_ANNOTATION),
    ],
    why: 'the change cause is on the revision now',
  };
}

function sameTemplate(a: TemplateInfo, b: TemplateInfo): boolean {
  return a.shape === b.shape && matches(a.references, b.references, (x, y) => x.name === y.name);
}

// A raw revision would be where `kubectl rollout undo` lands, to be pinned again at once: an undo that does nothing.
function hasPinnedTwin(
  raw: Revision,
  revisions: readonly Revision[],
  sources: ReadonlySet<string>,
  pins: Pins,
): boolean {
  const isRaw = ({ name }: Reference) => sources.has(name) && !pins.has(name);
  if (!raw.references.some(isRaw)) return false;
  return revisions.some(
    (twin) =>
      twin !== raw &&
      twin.shape === raw.shape &&
      matches(raw.references, twin.references, (a, b) =>
        isRaw(a) ? pins.get(b.name)?.source === a.name : a.name === b.name,
      ),
  );
}

function matches(
  a: readonly Reference[],
  b: readonly Reference[],
  same: (x: Reference, y: Reference) => boolean,
): boolean {
  return (
    a.length === b.length &&
    a.every((x, i) => {
      const y = b[i];
      return y !== undefined && x.pointer === y.pointer && same(x, y);
    })
  );
}
