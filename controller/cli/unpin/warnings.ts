// What a person should hear who takes a workload out of management: what happens to its pods, what is left, and the way back.

import { MANAGED_LABEL, rolledHashLabel } from '../../core/names.ts';
import { display, mention, type Workload } from '../../core/types.ts';
import type { Json } from '../cluster.ts';
import type { Wording } from '../command.ts';
import { printed, type Target } from '../resources.ts';
import { optsIn, type SourceName, type Sources } from '../sources.ts';
import { keepingOf } from '../view/kept-pods.ts';
import type { Differences, MountedPin } from './pins.ts';

interface Unpinned {
  readonly target: Target;
  /** As it was before. */
  readonly workload: Workload;
  readonly raw: Json;
  readonly pins: readonly MountedPin[];
  readonly sources: Sources;
  readonly only: readonly SourceName[] | undefined;
  readonly differences: Differences;
  readonly wording: Wording;
}

export function warningsOf(unpinned: Unpinned): string[] {
  return [...restart(unpinned), ...wayBack(unpinned), ...owned(unpinned)];
}

function restart({ target, raw, pins, differences: { changed, unknown } }: Unpinned): string[] {
  if (pins.length === 0) return [];
  const nameOf = ({ kind, source }: MountedPin) => display({ kind, name: source });
  const differing = changed.map(
    (pin) => `${nameOf(pin)} is not what they ran with (${pin.snapshot}): they start with its content of now`,
  );
  const unread = unknown.map((pin) => `${nameOf(pin)} may not be read: whether it is what they ran with is not known`);
  return [restartOf(target, raw), ...new Set([...differing, ...unread])];
}

function restartOf(target: Target, raw: Json): string {
  const keeping = keepingOf(raw);
  const pods = `the pods of ${printed(target)}`;
  switch (keeping?.by) {
    case undefined:
      return `${pods} restart once`;
    case 'OnDelete':
      return `${pods} keep the snapshots that they run with until they are deleted (OnDelete)`;
    case 'partition':
      return `${pods} from number ${keeping.partition} on restart once; those before it keep the snapshots that they run with (partition)`;
    default:
      throw keeping satisfies never;
  }
}

function wayBack({ target: { resource, name }, workload, only, wording }: Unpinned): string[] {
  const object = `${resource.kind.toLowerCase()} ${name}${wording.inNamespace}`;
  const label = (change: string) => `to opt in again: kubectl label ${object} ${change}`;
  if (only !== undefined) {
    return only.map(
      (source) =>
        `changes of ${display(source)} roll out to ${mention(workload)} no more; ${label(`${rolledHashLabel(source.kind, source.name)}-`)}`,
    );
  }
  const wasAll = workload.labels[MANAGED_LABEL] === 'all';
  const change = wasAll ? `--overwrite ${MANAGED_LABEL}=all` : `${MANAGED_LABEL}-`;
  return [
    `nothing rolls out to ${mention(workload)} any more; ${label(change)}`,
    ...(wasAll
      ? [`where a manifest says ${MANAGED_LABEL}: all, it has to say none, or the next apply opts in again`]
      : []),
  ];
}

/** An owner reference opts in no more, and deletes all the same. */
function owned({ target, workload, pins, sources, wording }: Unpinned): string[] {
  const names = new Map(pins.map(({ kind, source }) => [display({ kind, name: source }), { kind, name: source }]));
  const stillOwned = [...names].filter(([, source]) => {
    const known = sources.get(source);
    return typeof known === 'object' && optsIn(known, workload) === 'reference';
  });
  return stillOwned.map(
    ([name]) =>
      `deleting ${printed(target)} still deletes ${name}; to prevent that: ${wording.plugin('set-owner')} ${name} ${display(workload)}${wording.inNamespace} --remove`,
  );
}
