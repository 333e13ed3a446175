// What a person may do to a snapshot: anything that does not take the config from a revision that still mounts it.

import { type ConfigObject, display, mention, type Revision, type Workload } from './types.ts';

export interface SnapshotChange {
  readonly before: ConfigObject;
  /** Undefined: it is to be deleted. */
  readonly after: ConfigObject | undefined;
  /** Revisions, of any workload, that mount it. */
  readonly revisions: readonly Revision[];
  /** Workloads whose template names it. */
  readonly workloads: readonly Workload[];
}

const MOST_NAMED = 3;

/** Why the change is refused; undefined when it may go ahead. */
export function refusal({ before, after, revisions, workloads }: SnapshotChange): string | undefined {
  const what = before.snapshot && !before.deleting ? lossOf(before, after) : undefined;
  const users = [
    ...revisions.filter(({ deleting }) => !deleting).map(revision),
    ...workloads.filter(({ deleting }) => !deleting).map(template),
  ];
  if (what === undefined || users.length === 0) return undefined;
  const named = users.slice(0, MOST_NAMED).join(', ');
  const more = users.length > MOST_NAMED ? ` and ${users.length - MOST_NAMED} more` : '';
  return `${mention(before)} is the configuration of ${named}${more}: ${what}`;
}

function lossOf(before: ConfigObject, after: ConfigObject | undefined): string | undefined {
  if (after === undefined) {
    return 'without it their pods cannot start. It goes with the last of them; to be rid of it sooner, delete those, or lower revisionHistoryLimit';
  }
  const isSame =
    after.snapshot?.source === before.snapshot?.source &&
    after.snapshot?.hash === before.snapshot?.hash &&
    after.sourceLabel === before.sourceLabel;
  return isSame ? undefined : 'its labels and annotations name that content, and have to stay as they are';
}

function revision({ number, workload, kind, name }: Revision): string {
  const of = workload ? ` of ${mention(workload)}` : '';
  return number > 0 ? `revision ${number}${of} (${display({ kind, name })})` : display({ kind, name });
}

function template(workload: Workload): string {
  return `the template of ${mention(workload)}`;
}
