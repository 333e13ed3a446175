// What an undo of config writes: the template's references to the snapshots that an older revision named, and why. Image,
// state labels and all else stay, so that it sticks until a source changes.

import type { Operation } from 'fast-json-patch';
import { type Pin, pinOf, rolledHash } from '../../core/decide.ts';
import { CHANGE_CAUSE_ANNOTATION } from '../../core/names.ts';
import { causeToWrite, entryPath, marking, repointing } from '../../core/pin-operations.ts';
import { isOlder } from '../../core/revision-order.ts';
import { display, type Revision, type Workload } from '../../core/types.ts';
import { type Restoration, restore } from '../../core/undo.ts';
import type { Wording } from '../command.ts';
import { CommandError } from '../errors.ts';
import { printed, typed } from '../resources.ts';
import { askedSources } from '../view/asked-sources.ts';
import { configIn } from '../view/configs.ts';
import type { SourceName, WorkloadView } from '../view/namespace-view.ts';
import { revisionOf } from '../view/revisions.ts';
import { nothingRollsOut, optInAgain } from '../view/unmanaged.ts';

export interface UndoPlan {
  /** The revision whose config is brought back. */
  readonly revision: Revision;
  /** None when the template names all of it already. */
  readonly operations: readonly Operation[];
  readonly warnings: readonly string[];
}

/**
 * @param words of --source; none for all that are managed
 * @param number of the revision to go back to; undefined for the newest older one that ran with another config
 * @throws CommandError where there is no such revision, or where its config is not known, or gone; UsageError for --source
 */
export function planUndo(
  view: WorkloadView,
  words: readonly string[],
  number: number | undefined,
  wording: Wording,
): UndoPlan {
  const { inNamespace } = wording;
  refuse(view, wording);
  const sources = words.length === 0 ? managedSources(view, wording) : askedSources(view, words);
  const revision = number === undefined ? formerRevision(view, sources, inNamespace) : revisionOf(view, number);
  const back = restore(view.workload, sources, revision, view.pins);
  const problems = back.flatMap(({ source, unknown }) => (unknown > 0 ? problem(view, revision, source) : []));
  if (problems.length > 0) {
    const some = problems.length < sources.length ? ', or some of the sources only, with --source' : '';
    throw new CommandError(`${problems.join('; ')}; nothing was written: try another revision${some}`);
  }
  const changed = back.filter(({ changes }) => changes.length > 0);
  const left = back.filter(({ unknown }) => unknown > 0);
  return {
    revision,
    operations: changed.length === 0 ? [] : operations(view.workload, changed, revision),
    warnings: [
      ...left.map(({ source }) => `revision ${revision.number} did not use ${display(source)}, which stays as it is`),
      ...(words.length === 0 ? leftOut(view, revision) : []),
      ...changed.flatMap((each) => outlook(view, each, wording)),
    ],
  };
}

/** What a person took out of management goes nowhere by itself: it would stay where it is put, without a word. */
function managedSources(view: WorkloadView, wording: Wording): readonly SourceName[] {
  const { sources, unmanaged } = view;
  const managed = sources.filter((source) => !unmanaged.some((each) => each.source === source));
  const [first] = unmanaged;
  if (managed.length > 0 || first === undefined) return managed;
  const names = unmanaged.map(({ source }) => display(source)).join(', ');
  throw new CommandError(
    `nothing rolls out to ${printed(view)} any more (not managed here: ${names}); opt in again with: ${optInAgain(view, first, wording)}; or go back all the same, with --source ${display(first.source)}`,
  );
}

function leftOut(view: WorkloadView, revision: Revision): string[] {
  const others = view.unmanaged.map(({ source }) => source);
  const differing = restore(view.workload, others, revision, view.pins).filter(({ changes }) => changes.length > 0);
  return differing.map(
    ({ source }) =>
      `${display(source)} is not managed here, and stays as it is; to bring it back all the same, name it: --source ${display(source)}`,
  );
}

function refuse(view: WorkloadView, wording: Wording): void {
  const { raw, workload, sources, name } = view;
  const spec = raw['spec'] as { readonly paused?: boolean } | undefined;
  if (workload.kind === 'Deployment' && spec?.paused === true) {
    throw new CommandError(
      `deployments.apps "${name}" is paused: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume ${typed(view)}${wording.inNamespace}' and try again`,
    );
  }
  if (sources.length === 0) throw nothingRollsOut(view, wording);
}

/** The newest older one of which a source was pinned otherwise, and none was raw. */
function formerRevision(view: WorkloadView, sources: readonly SourceName[], inNamespace: string): Revision {
  const { revisions, current } = view;
  const found = revisions.findLast(
    (revision) =>
      (current === undefined || isOlder(revision, current)) &&
      sources.some((source) => differs(view, revision, source)) &&
      !sources.some((source) => configIn(view, revision, source)?.raw),
  );
  if (found !== undefined) return found;
  throw new CommandError(
    `no older revision of ${printed(view)} ran with another config that is known; see: kubectl config-rollout history ${typed(view)}${inNamespace}`,
  );
}

function differs(view: WorkloadView, revision: Revision, source: SourceName): boolean {
  // Told that it is gone, rather than taken further back than they meant.
  const now = configIn(view, view.workload, source)?.gone ?? [];
  const isGone = configIn(view, revision, source)?.gone.some((name) => !now.includes(name)) ?? false;
  const [restoration] = restore(view.workload, [source], revision, view.pins);
  return isGone || (restoration?.changes.length ?? 0) > 0;
}

/** Why the config of the revision cannot be brought back; none when it did not use the source at all. */
function problem(view: WorkloadView, revision: Revision, source: SourceName): string[] {
  const config = configIn(view, revision, source);
  if (config === undefined) return [];
  const { number } = revision;
  return [
    config.gone.length > 0
      ? `${display(source)}: ${config.gone.join()}, the snapshot of revision ${number}, was deleted`
      : `${display(source)}: revision ${number} did not pin it, so that its content then is not known`,
  ];
}

// Guarded as the controller's own patches are: by uid, generation and each old value. An annotation that comes in between
// does not count up the generation.
function operations(
  workload: Workload,
  changed: readonly Restoration<SourceName>[],
  { number }: Revision,
): readonly Operation[] {
  const cause = changed.map(({ source, changes }) => {
    const names = [...new Set(changes.map(({ to }) => to))];
    return `${display(source)}: back to ${names.join()} (revision ${number})`;
  });
  const annotations = causeToWrite(workload, cause.join('; '));
  return [
    { op: 'test', path: '/metadata/uid', value: workload.uid },
    { op: 'test', path: '/metadata/generation', value: workload.generation },
    ...(Object.keys(annotations).length > 0 ? [causeGuard(workload)] : []),
    ...repointing(workload, changed),
    ...marking(workload, {}, annotations),
  ];
}

function causeGuard({ cause, resourceVersion }: Workload): Operation {
  return cause === undefined
    ? { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }
    : { op: 'test', path: entryPath('annotations', CHANGE_CAUSE_ANNOTATION), value: cause };
}

/** What becomes of it: newer content rolls out with the next change, or is about to. */
function outlook(view: WorkloadView, { source, changes }: Restoration<SourceName>, wording: Wording): string[] {
  const { observation, workload, pins, unmanaged } = view;
  const stranger = unmanaged.find((each) => display(each.source) === display(source));
  if (stranger !== undefined) {
    return [
      `${display(source)} is not managed here: ${printed(view)} stays at this snapshot until it is opted in again, with: ${optInAgain(view, stranger, wording)}`,
    ];
  }
  const seen = observation.sources.find(({ kind, name }) => kind === source.kind && name === source.name);
  if (seen?.hash === undefined) return [];
  const isPending = rolledHash(workload, seen) !== seen.hash;
  if (isPending && !observation.policy.paused) {
    const keep = `to keep it back, run: kubectl config-rollout pause ${typed(view)}${wording.inNamespace}`;
    // Whether the controller manages Secrets shows only in what it did.
    const isUnsure = source.kind === 'Secret' && rolledHash(workload, seen) === undefined;
    return [
      isUnsure
        ? `${display(source)} was never rolled out here: a controller that runs with --secrets is about to roll it out over this; ${keep}`
        : `${display(source)} has changed, and the controller is about to roll that out over this; ${keep}`,
    ];
  }
  const targets = changes.map(({ to }): Pin | undefined => pinOf(pins, { kind: source.kind, name: to }));
  if (targets.every((pin) => pin?.hash === seen.hash)) return [];
  return [
    isPending
      ? `${display(source)} has changed, which rolls out once its rollouts are resumed`
      : `${display(source)} keeps its newer content; its next change rolls out again`,
  ];
}
