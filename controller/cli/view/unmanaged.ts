// Sources that do not roll out to a workload, though its template or its revisions name snapshots of them: what a command
// pins of them stays pinned, because nothing ever rolls it forward.

import type { SourceName } from '../../app/ports.ts';
import { MANAGED_LABEL, readRolled } from '../../core/names.ts';
import { type ConfigObject, display, type Workload } from '../../core/types.ts';
import { projectSource } from '../../workloads/raw.ts';
import type { Wording } from '../command.ts';
import { CommandError } from '../errors.ts';
import { printed, type Target, typed } from '../resources.ts';
import { exclusion } from '../sources.ts';

export interface Unmanaged {
  readonly source: SourceName;
  /** The label that keeps it out; undefined where nobody opted it in. */
  readonly exclusion: ReturnType<typeof exclusion>;
}

/** Of `sources`, those that are not `managed`. One that was deleted while it rolled out is none of them: nobody took it out. */
export function unmanagedOf(
  workload: Workload,
  managed: readonly ConfigObject[],
  sources: readonly SourceName[],
  objectOf: (source: SourceName) => ConfigObject | undefined,
): readonly Unmanaged[] {
  const isManaged = (source: SourceName) => managed.some((each) => display(each) === display(source));
  return sources
    .filter((source) => !isManaged(source) && (objectOf(source) !== undefined || !wasRolledLast(workload, source)))
    .map((source) => {
      const object = objectOf(source) ?? bare(source);
      return { source, exclusion: object && exclusion(object, workload) };
    });
}

function wasRolledLast({ labels }: Workload, { kind, name }: SourceName): boolean {
  return labels[MANAGED_LABEL] !== 'none' && readRolled(labels, kind, name) !== undefined;
}

/** Of a source that is gone nothing is known but its name. */
function bare({ kind, namespace, name }: SourceName): ConfigObject | undefined {
  return projectSource(kind, { metadata: { namespace, name, uid: 'unknown', resourceVersion: 'unknown' } });
}

/** The command that opts the source in again. */
export function optInAgain(target: Target, { source, exclusion: label }: Unmanaged, wording: Wording): string {
  if (label === undefined) return setOwner(display(source), target, wording);
  const { kind, name } = label.on === 'workload' ? { kind: target.resource.kind, name: target.name } : source;
  return `kubectl label ${kind.toLowerCase()} ${name}${wording.inNamespace} ${label.label}-`;
}

/** For a workload that has no sources at all. */
export function nothingRollsOut(target: Target, wording: Wording): CommandError {
  return new CommandError(
    `no ConfigMap or Secret rolls out to ${printed(target)}; opt one in with: ${setOwner('configmap/NAME', target, wording)}`,
  );
}

function setOwner(source: string, target: Target, wording: Wording): string {
  return `${wording.plugin('set-owner')} ${source} ${typed(target)}${wording.inNamespace}`;
}
