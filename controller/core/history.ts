// What is left of a rollout in a workload's history, and would mislead: a change cause that has done its work, and raw
// revisions, where `kubectl rollout undo` would land.

import { escapePathComponent, type Operation } from 'fast-json-patch';
import type { Action } from './actions.ts';
import { causeIsSpent } from './cause.ts';
import type { Pins, SourceView } from './decide.ts';
import { CHANGE_CAUSE_ANNOTATION, OWN_CAUSE_ANNOTATION } from './names.ts';
import { type Reference, type Revision, refOf, type TemplateInfo, type Workload } from './types.ts';

/** Takes away the controller's spent change cause, and raw revisions of which a pinned twin exists. */
export function tidyHistory(
  workload: Workload,
  sources: readonly SourceView[],
  revisions: readonly Revision[],
  pins: Pins,
): Action[] {
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
