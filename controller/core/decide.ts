// The one function that decides what the references of a workload should name. The controller acts on it; admission
// asks it about an object that is about to be stored.

import { AFTER_REVISION_LABEL, type Rolled, readRolled, rolledHashLabel, rolledValue } from './names.ts';
import { byAge } from './revision-order.ts';
import type { Reference, Revision, SourceKind, TemplateInfo, Workload } from './types.ts';

/** What is known of a name that may be a pin. */
export interface Pin {
  readonly source: string;
  readonly hash: string;
  /** False when the snapshot is gone: the name alone says what it was. */
  readonly exists: boolean;
}
/** References of one namespace that are pins, by `pinKey`. One that is not in it is raw, or none of ours. */
export type Pins = ReadonlyMap<string, Pin>;

type Named = Pick<Reference, 'kind' | 'name'>;

/** A ConfigMap and a Secret may have one name. */
export function pinKey({ kind, name }: Named): string {
  return `${kind}/${name}`;
}

/** What the reference is pinned to; undefined when it is no pin. */
export function pinOf(pins: Pins, reference: Named): Pin | undefined {
  return pins.get(pinKey(reference));
}

/** One source of one workload, as far as the decision needs it. */
export interface SourceView {
  readonly kind: SourceKind;
  readonly name: string;
  readonly uid: string;
  /** The hash of the source's content. Undefined: not read yet. */
  readonly hash: string | undefined;
  /** The snapshot of that content. `ready`: it exists, and its content was seen to be right. */
  readonly snapshot: { readonly name: string; readonly ready: boolean } | undefined;
  /** What the records on the snapshots say the workload was last rolled to. */
  readonly recorded: string | undefined;
  /** When this content was first seen, in milliseconds since the epoch. */
  readonly since: number;
  /** The keys that differ from what was last rolled. Undefined: not known, or never rolled. */
  readonly changedKeys: readonly string[] | undefined;
}

export interface Change {
  readonly pointer: string;
  readonly from: string;
  readonly to: string;
}

export interface Decision {
  readonly source: SourceView;
  /** The hash that the workload was last rolled to: its label, or else the record. */
  readonly rolled: string | undefined;
  /** The source's content is not what was rolled last. */
  readonly rolls: boolean;
  /** The snapshot of the current content has to exist for this decision to be carried out. */
  readonly needsSnapshot: boolean;
  readonly changes: readonly Change[];
  /** The state label, when it has to be written. */
  readonly label: { readonly key: string; readonly value: string } | undefined;
}

export interface Circumstances {
  /** A rollout that is due has to wait: raw references are pinned to what ran before. */
  readonly hold?: boolean;
  /** What an update is about to replace; only admission sees it. */
  readonly replaced?: TemplateInfo | undefined;
}

/** Decides on one source of one workload; docs/semantics.md has the table. */
export function decide(
  workload: Workload,
  source: SourceView,
  revisions: readonly Revision[],
  pins: Pins,
  { hold = false, replaced }: Circumstances = {},
): Decision {
  const labelled = readRolled(workload.labels, source.kind, source.name);
  const rolled = labelled?.hash ?? source.recorded;
  const references = referencesTo(workload.references, source, pins);
  const none: Decision = { source, rolled, rolls: false, needsSnapshot: false, changes: [], label: undefined };
  if (source.hash === undefined) return none;
  if (references.length === 0) {
    // Noted, so that an undo to a template that does mention it is no rollout.
    const isNews = labelled !== undefined && labelled.hash !== source.hash;
    return isNews ? { ...none, label: labelOf(source, { hash: source.hash, unreferenced: true }) } : none;
  }
  const rolls = rolled !== source.hash;
  if (!rolls || hold) {
    const since = rolls ? revisions : revisionsSinceRoll(workload, revisions);
    const before = labelled?.unreferenced ? () => undefined : formerPin(source, pins, since, replaced);
    return { ...none, rolls, ...keep(source, references, pins, { labelled, rolled, before, hold }) };
  }
  const current = source.snapshot?.name;
  const changes = current === undefined ? [] : repoint(references, current);
  const label = labelOf(source, { hash: source.hash, unreferenced: false });
  return { ...none, rolls, needsSnapshot: true, changes, label };
}

type FormerPin = (reference: Reference) => string | undefined;

// Pins stay, whatever they name; raw references go back to what ran before.
function keep(
  source: SourceView,
  references: readonly Reference[],
  pins: Pins,
  was: { labelled: Rolled | undefined; rolled: string | undefined; before: FormerPin; hold: boolean },
): Pick<Decision, 'needsSnapshot' | 'changes' | 'label'> {
  const { labelled, rolled, before, hold } = was;
  const current = source.snapshot?.name;
  const raw = references.filter((reference) => reference.name === source.name);
  const changes = raw.flatMap((reference) => {
    const target = before(reference) ?? (hold ? undefined : current);
    return target === undefined ? [] : repoint([reference], target);
  });
  const lost = references.some((each) => each.name === current && pinOf(pins, each)?.exists === false);
  const isNews = labelled === undefined || (labelled.unreferenced && raw.length > 0);
  return {
    needsSnapshot: raw.some((reference) => before(reference) === undefined) || lost,
    changes,
    label: isNews && rolled !== undefined && !hold ? labelOf(source, { hash: rolled, unreferenced: false }) : undefined,
  };
}

function labelOf(source: SourceView, rolled: Rolled): { key: string; value: string } {
  return { key: rolledHashLabel(source.kind, source.name), value: rolledValue(rolled) };
}

/** The references of a template to a source: raw ones, and pins of it. */
export function referencesTo(
  references: readonly Reference[],
  source: { readonly kind: SourceKind; readonly name: string },
  pins: Pins,
): readonly Reference[] {
  return references.filter(
    (each) => each.kind === source.kind && (pinOf(pins, each)?.source ?? each.name) === source.name,
  );
}

/** The hash that the workload was last rolled to: its label, or else the record. */
export function rolledHash(
  { labels }: Workload,
  { kind, name, recorded }: Pick<SourceView, 'kind' | 'name' | 'recorded'>,
): string | undefined {
  return readRolled(labels, kind, name)?.hash ?? recorded;
}

/** The revision that a rollout makes shows up after it; until then the newest one is that of the content before. */
export function revisionsSinceRoll(workload: Workload, revisions: readonly Revision[]): readonly Revision[] {
  const newestThen = Number(workload.labels[AFTER_REVISION_LABEL] ?? -1);
  return revisions.filter(({ number }) => number > newestThen);
}

// What was pinned in the same place of the template that is being replaced, or else anywhere in it; where that is not
// known, what the newest pinned revision names: while the workload is undone, that is the undone one.
function formerPin(
  source: SourceView,
  pins: Pins,
  revisions: readonly Revision[],
  replaced: TemplateInfo | undefined,
): FormerPin {
  const pinsIn = (template: TemplateInfo) =>
    template.references.filter((reference) => {
      const pin = pinOf(pins, reference);
      return reference.kind === source.kind && pin?.source === source.name && pin.exists;
    });
  const newestFirst = revisions.toSorted(byAge).reverse();
  const templates = replaced ? [replaced, ...newestFirst] : newestFirst;
  const anywhere = templates.flatMap(pinsIn)[0]?.name;
  const inPlace = new Map(replaced && pinsIn(replaced).map(({ pointer, name }) => [pointer, name]));
  return ({ pointer }) => inPlace.get(pointer) ?? anywhere;
}

function repoint(references: readonly Reference[], to: string): Change[] {
  return references.filter(({ name }) => name !== to).map(({ pointer, name }) => ({ pointer, from: name, to }));
}
