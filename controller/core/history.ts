// What is left of a rollout in a workload's history, and would mislead: a change cause that has done its work, and raw
// revisions, where `kubectl rollout undo` would land.

import type { Action } from './actions.ts';
import { causeIsSpent, hasOwnCause } from './cause.ts';
import { type Pins, pinKey, pinOf, type SourceView } from './decide.ts';
import { CHANGE_CAUSE_ANNOTATION } from './names.ts';
import { droppingCause } from './pin-operations.ts';
import { byAge, isOlder } from './revision-order.ts';
import { type Reference, type Revision, refOf, type TemplateInfo, type Workload } from './types.ts';

export interface HistoryObservation {
  readonly workload: Workload;
  readonly sources: readonly SourceView[];
  readonly revisions: readonly Revision[];
  readonly pins: Pins;
  /** Admission takes a cause away with the change that follows; where nobody does, it has to go as soon as it is spent. */
  readonly admission: boolean;
}

/** Hands the change cause on to its revision, and takes away raw revisions of which a pinned twin exists. */
export function tidyHistory(observed: HistoryObservation): Action[] {
  const { workload, sources, revisions, pins } = observed;
  const current = currentOf(workload, revisions);
  const raw = new Set(sources.map(pinKey));
  const stale = revisions.filter(
    (revision) =>
      current !== undefined &&
      // The caches may show a revision that is used again before they show the workload that uses it.
      isOlder(revision, current) &&
      isOutOfUse(revision, workload) &&
      !revision.deleting &&
      hasPinnedTwin(revision, revisions, raw, pins),
  );
  return [
    ...handOnCause(observed, current),
    ...stale.map(
      (revision): Action => ({
        type: 'DeleteRevision',
        target: refOf(revision),
        resourceVersion: revision.resourceVersion,
        why: 'no pod runs on it, and it is raw: a revision with the same template exists that is pinned',
      }),
    ),
  ];
}

/**
 * The revision of the template that stands. Two may have it: the Deployment controller makes another ReplicaSet when its cache
 * shows it one of that name which is another's (`collisionCount`); the one that it uses gets the highest number. For kinds of
 * custom resource by the number alone: their template is stored without the defaults that the API server sets in that of its
 * ReplicaSet.
 */
export function currentOf(workload: Workload, revisions: readonly Revision[]): Revision | undefined {
  const newestFirst = revisions.toSorted(byAge).reverse();
  const isCurrent = ({ number }: Revision) => number === workload.currentRevision;
  return newestFirst.find((revision) => sameTemplate(revision, workload)) ?? newestFirst.find(isCurrent);
}

function isOutOfUse({ scaledDown, name }: Revision, { inUse }: Workload): boolean {
  return scaledDown && inUse !== undefined && !inUse.includes(name);
}

// A ControllerRevision that is used again keeps the cause of its first time, unless somebody mends it.
function handOnCause({ workload, revisions, admission }: HistoryObservation, current: Revision | undefined): Action[] {
  // Not in between: a write to the workload would make the Deployment controller's fail that starts the clock of the progress
  // deadline, and that it does not repeat. (getNewReplicaSet in pkg/controller/deployment/sync.go.)
  if (causeIsSpent(workload, current)) return workload.isObserved && !admission ? [dropCause(workload)] : [];
  const { cause } = workload;
  if (!current?.keepsCause || cause === undefined || !hasOwnCause(workload)) return [];
  // Until its number is the highest, it is not used again yet.
  if (revisions.some(({ number }) => number > current.number)) return [];
  return [
    {
      type: 'AnnotateRevision',
      target: refOf(current),
      resourceVersion: current.resourceVersion,
      annotations: { [CHANGE_CAUSE_ANNOTATION]: cause },
      why: 'it is used again, for another cause',
    },
  ];
}

function dropCause(workload: Workload): Action {
  return {
    type: 'PatchWorkload',
    target: refOf(workload),
    operations: [{ op: 'test', path: '/metadata/uid', value: workload.uid }, ...droppingCause(workload)],
    why: 'the change cause is on the revision now',
  };
}

/** True when a template mounts the same names in the same places, and is the same otherwise. */
export function sameTemplate(a: TemplateInfo, b: TemplateInfo): boolean {
  return a.shape === b.shape && matches(a.references, b.references, (x, y) => x.name === y.name);
}

// A raw revision would be where `kubectl rollout undo` lands, to be pinned again at once: an undo that does nothing.
function hasPinnedTwin(
  raw: Revision,
  revisions: readonly Revision[],
  sources: ReadonlySet<string>,
  pins: Pins,
): boolean {
  const isRaw = (reference: Reference) => sources.has(pinKey(reference)) && !pinOf(pins, reference);
  if (!raw.references.some(isRaw)) return false;
  return revisions.some(
    (twin) =>
      twin !== raw &&
      twin.shape === raw.shape &&
      matches(raw.references, twin.references, (a, b) =>
        isRaw(a) ? pinOf(pins, b)?.source === a.name : a.name === b.name,
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
