// A workload that is about to be stored: raw references become pins in the same request, so that an unchanged manifest
// changes nothing, and an image comes with its config in one revision.

import type { Operation } from 'fast-json-patch';
import { causeOf, hasOwnCause } from './cause.ts';
import { type Decision, decide, type Pins, pinKey, pinOf, type SourceView } from './decide.ts';
import { sameTemplate } from './history.ts';
import { EXCLUDED, MANAGED_LABEL } from './names.ts';
import { causeToWrite, droppingCause, marking, pinnedTo, repointing, stateLabels } from './pin-operations.ts';
import { mention, type Reference, type Revision, type Workload } from './types.ts';

export interface AdmissionObservation {
  /** As asked for. */
  readonly workload: Workload;
  /** What an update replaces; undefined for a creation. */
  readonly replaced: Workload | undefined;
  /** Whether any source opts the workload in. */
  readonly optedIn: boolean;
  /** Those that the template names raw. */
  readonly sources: readonly SourceView[];
  readonly revisions: readonly Revision[];
  readonly pins: Pins;
  /** The snapshot of a new content cannot be had: what ran before goes on. */
  readonly hold: boolean;
  /** Why the workload's policy makes what changed wait; undefined: it does not. */
  readonly wait: 'paused' | 'interval' | undefined;
  /** The request looks like `kubectl rollout undo`. */
  readonly mayBeUndo: boolean;
}

export interface AdmissionPlan {
  /** Have to exist before the answer goes out. */
  readonly snapshots: readonly SourceView[];
  readonly operations: readonly Operation[];
  /** JSON pointers, from the object, of names that are pins once the operations are carried out. */
  readonly pinned: readonly string[];
  /** Pins that the update brings into the template, by an undo, an apply, or a change of config. */
  readonly mounts: readonly Pick<Reference, 'kind' | 'name'>[];
  readonly warnings: readonly string[];
  /** One line for the log; undefined when nothing is pinned. */
  readonly why: string | undefined;
}

/** What to make of the object of one request. The object that results gives no operation the second time. */
export function planAdmission(observed: AdmissionObservation): AdmissionPlan {
  const { workload, sources, revisions, pins, replaced, hold } = observed;
  const state = withState(workload, replaced);
  const decisions = sources.map((source) => {
    const wanted = decide(state, source, revisions, pins, { hold, replaced });
    if (wanted.rolls && waits(observed)) return decide(state, source, revisions, pins, { hold: true, replaced });
    const isImpossible = wanted.needsSnapshot && source.snapshot === undefined;
    return isImpossible ? decide(state, source, revisions, pins, { hold: true, replaced }) : wanted;
  });
  const moved = new Set(decisions.flatMap(({ changes }) => changes.map(({ pointer }) => pointer)));
  const pinned = workload.references.filter((each) => moved.has(each.pointer) || pinOf(pins, each));
  const rolling = decisions.filter(({ rolls, label, changes }) => rolls && label && changes.length > 0);
  // A creation needs no cause; its content is a first snapshot, or no news.
  const cause = rolling.length > 0 && replaced !== undefined ? causeOf(rolling) : undefined;
  const former = formerCause(observed, decisions);
  return {
    snapshots: decisions
      .filter(({ needsSnapshot, source }) => needsSnapshot && source.snapshot?.ready === false)
      .map(({ source }) => source),
    operations: [
      ...repointing(workload, decisions),
      ...marking(workload, labelsToWrite(observed, decisions), {
        ...bookkeepingLost(observed),
        ...causeToWrite(workload, former === 'lost' ? replaced?.cause : cause),
      }),
      ...(former === 'spent' && cause === undefined ? droppingCause(workload) : []),
    ],
    pinned: pinned.map(({ pointer }) => `${workload.templatePointer}${pointer}`),
    mounts: newlyMounted(observed, decisions),
    warnings: [
      ...undoWarnings(observed, decisions),
      ...unpinnedWarnings(observed, decisions),
      ...waitWarnings(observed, decisions),
    ],
    why: moved.size > 0 ? `pinned to ${pinnedTo(decisions)}` : undefined,
  };
}

// A workload that is made anew has nothing that it could go on with.
function waits({ wait, replaced }: AdmissionObservation): boolean {
  return wait !== undefined && replaced !== undefined;
}

/**
 * The state that decides: what the request leaves out, as `kubectl replace` of a manifest does, still stands. But a
 * person who takes `managed` or `excluded` away means it.
 */
export function withState(workload: Workload, replaced: Workload | undefined): Workload {
  const state = Object.entries(replaced?.labels ?? {}).filter(
    ([key, value]) => key !== MANAGED_LABEL && value !== EXCLUDED,
  );
  return { ...workload, labels: { ...Object.fromEntries(state), ...workload.labels } };
}

function labelsToWrite(
  { workload, replaced, optedIn, revisions }: AdmissionObservation,
  decisions: readonly Decision[],
): Readonly<Record<string, string>> {
  if (!optedIn) return {};
  const { [MANAGED_LABEL]: managed = 'owned', ...state } = withState(workload, replaced).labels;
  const wanted = { ...state, [MANAGED_LABEL]: managed, ...stateLabels(workload, decisions, revisions) };
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => workload.labels[key] !== value));
}

function repointed({ references }: Workload, decisions: readonly Decision[]): readonly Reference[] {
  const names = new Map(decisions.flatMap(({ changes }) => changes.map(({ pointer, to }) => [pointer, to])));
  return references.map((each) => ({ ...each, name: names.get(each.pointer) ?? each.name }));
}

function newlyMounted({ workload, replaced, pins }: AdmissionObservation, decisions: readonly Decision[]) {
  const before = new Set(replaced?.references.map(pinKey));
  const mounted = repointed(workload, decisions).filter((each) => pinOf(pins, each) && !before.has(pinKey(each)));
  return replaced ? [...new Map(mounted.map((each) => [pinKey(each), each])).values()] : [];
}

// The controller's cause speaks of the revision that is replaced: it goes with that, or it would be copied to the revision
// that this request makes; and it stays with it, also where a manifest is put that does not know it. It goes, too, when no source
// opts the workload in any more: an undo may come after its only source was deleted.
function formerCause(
  { workload, replaced, optedIn }: AdmissionObservation,
  decisions: readonly Decision[],
): 'spent' | 'lost' | undefined {
  if (replaced === undefined || !hasOwnCause(replaced)) return undefined;
  if (sameTemplate({ ...workload, references: repointed(workload, decisions) }, replaced))
    return optedIn && workload.cause === undefined ? 'lost' : undefined;
  return hasOwnCause(workload) && workload.cause === replaced.cause ? 'spent' : undefined;
}

// A PUT of a manifest takes these away, and Kubernetes puts them back: two generations for nothing.
function bookkeepingLost({ workload, replaced, optedIn }: AdmissionObservation): Readonly<Record<string, string>> {
  const kept = Object.entries(optedIn ? (replaced?.bookkeeping ?? {}) : {});
  return Object.fromEntries(kept.filter(([key]) => workload.bookkeeping[key] === undefined));
}

// An undo to a revision from before the opt-in asks for a content that nobody kept.
function undoWarnings(
  { workload, revisions, mayBeUndo }: AdmissionObservation,
  decisions: readonly Decision[],
): string[] {
  const target = mayBeUndo ? revisions.find((revision) => sameTemplate(revision, workload)) : undefined;
  if (target === undefined) return [];
  return decisions.flatMap(({ source, changes }) => {
    const [change] = changes;
    if (change === undefined) return [];
    const kept = mention({ kind: source.kind, name: change.to });
    return [
      `revision ${target.number} ran on ${mention(source)} itself, whose content of then was not kept; ${mention(workload)} goes on with ${kept}`,
    ];
  });
}

function unpinnedWarnings({ workload, hold }: AdmissionObservation, decisions: readonly Decision[]): string[] {
  const uncopied = hold ? decisions.filter(({ rolls, needsSnapshot }) => rolls || needsSnapshot) : [];
  return uncopied.map(({ source, changes }) => {
    const meanwhile = changes.length > 0 ? 'goes on with its former content' : 'runs on it directly';
    return `${mention(source)} could not be copied now; ${mention(workload)} ${meanwhile} until the controller has done so (kubectl describe ${mention(source)} says more)`;
  });
}

function waitWarnings(observed: AdmissionObservation, decisions: readonly Decision[]): string[] {
  const waiting = waits(observed) ? decisions.filter(({ rolls }) => rolls) : [];
  if (waiting.length === 0) return [];
  const workload = mention(observed.workload);
  const sources = waiting.map(({ source }) => mention(source)).join(', ');
  return [
    observed.wait === 'paused'
      ? `rollouts of config are paused for ${workload}: the change of ${sources} waits (kubectl config-rollout resume ${workload})`
      : `${workload} has rolled within the minInterval of its ConfigRollout: the change of ${sources} waits for its end`,
  ];
}
