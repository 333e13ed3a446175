// What decisions mean for the object: the JSON Patch operations that the controller sends, and that admission answers with.

import { escapePathComponent, type Operation } from 'fast-json-patch';
import { CAUSE_ANNOTATIONS, causeAnnotations, hasOwnCause, mayWriteCause } from './cause.ts';
import type { Change, Decision, SourceView } from './decide.ts';
import { AFTER_REVISION_LABEL, MANAGED_LABEL } from './names.ts';
import { display, type Revision, type Workload } from './types.ts';

/** The labels that the decisions write; none when there is nothing to note. */
export function stateLabels(
  workload: Workload,
  decisions: readonly Decision[],
  revisions: readonly Revision[],
): Readonly<Record<string, string>> {
  const labels = Object.fromEntries(
    decisions.flatMap(({ label }): [string, string][] => (label ? [[label.key, label.value]] : [])),
  );
  // Revisions from before the rollout do not say what ran since. One that finds the template as it should be makes none: the
  // newest says it.
  const rolls = decisions.some((decision) => decision.rolls && decision.label);
  if (rolls && decisions.some(({ changes }) => changes.length > 0)) {
    labels[AFTER_REVISION_LABEL] = `${Math.max(0, ...revisions.map(({ number }) => number))}`;
  }
  // Admission finds workloads by it. It may be lost while the state is not: `managed: none` may have stood there.
  const hasState = Object.keys(labels).length > 0 || decisions.some(({ rolled }) => rolled !== undefined);
  const isMarked = workload.labels[MANAGED_LABEL] !== undefined || !hasState;
  return isMarked ? labels : { ...labels, [MANAGED_LABEL]: 'owned' };
}

/** The annotations that say why; none over a cause that a person wrote. */
export function causeToWrite(workload: Workload, cause: string | undefined): Readonly<Record<string, string>> {
  return cause !== undefined && mayWriteCause(workload) ? causeAnnotations(cause) : {};
}

/** Takes away a cause that the controller wrote: the revision that is to come is none of its. Leaves a person's alone. */
export function droppingCause(workload: Workload): Operation[] {
  if (!hasOwnCause(workload)) return [];
  return CAUSE_ANNOTATIONS.flatMap((key) => removal('annotations', key, workload.cause));
}

/** Takes a label or an annotation away; behind a test of its value. */
export function removal(map: 'labels' | 'annotations', key: string, value: string | undefined): Operation[] {
  const path = entryPath(map, key);
  return [
    { op: 'test', path, value },
    { op: 'remove', path },
  ];
}

/** The snapshots that the decisions pin to, each once, for texts. */
export function pinnedTo(
  decisions: readonly { readonly source: Pick<SourceView, 'kind'>; readonly changes: readonly Change[] }[],
): string {
  const names = decisions.flatMap(({ source: { kind }, changes }) =>
    changes.map(({ to }) => display({ kind, name: to })),
  );
  return [...new Set(names)].join(', ');
}

/** Points the references to their pins; each replace behind a test of the old value. */
export function repointing(workload: Workload, decisions: readonly Pick<Decision, 'changes'>[]): Operation[] {
  return decisions.flatMap((decision) =>
    decision.changes.flatMap(({ pointer, from, to }): Operation[] => {
      const path = `${workload.templatePointer}${pointer}`;
      return [
        { op: 'test', path, value: from },
        { op: 'replace', path, value: to },
      ];
    }),
  );
}

/** Sets labels and annotations, in maps that may not exist yet. */
export function marking(
  workload: Workload,
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
): Operation[] {
  return [
    ...setAll('labels', workload.hasLabels, labels),
    ...setAll('annotations', workload.hasAnnotations, annotations),
  ];
}

/** The JSON pointer to a label or an annotation. */
export function entryPath(map: 'labels' | 'annotations', key: string): string {
  return `/metadata/${map}/${escapePathComponent(key)}`;
}

function setAll(
  map: 'labels' | 'annotations',
  exists: boolean,
  entries: Readonly<Record<string, string>>,
): Operation[] {
  if (Object.keys(entries).length === 0) return [];
  if (!exists) return [{ op: 'add', path: `/metadata/${map}`, value: entries }];
  return Object.entries(entries).map(([key, value]) => ({
    op: 'add',
    path: entryPath(map, key),
    value,
  }));
}
