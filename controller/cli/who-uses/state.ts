// What a change of a source does to one of its users: the controller's own comparisons, made on what a person may see.

import { readRolled } from '../../core/names.ts';
import { asksFor } from '../../core/opt-in.ts';
import type { ConfigObject, Workload } from '../../core/types.ts';
import { projectSource } from '../../workloads/raw.ts';
import { optsIn } from '../sources.ts';
import type { Place } from './places.ts';
import { pinnedHash, type Subject } from './subjects.ts';
import type { User } from './users.ts';

/**
 * NotManaged: changes roll nothing out. Current: runs with the content of now. RolledBack: the content of now was rolled
 * out, and something else is pinned since. Pending: the content of now was not rolled out yet. Former: an old revision, or a
 * pod of one.
 */
export type StateName = 'NotManaged' | 'Current' | 'RolledBack' | 'Pending' | 'Former';

export interface State {
  readonly name: StateName;
  /** The snapshot that is named there, if it is one. */
  readonly snapshot: string | undefined;
}

/** Where a subject is used. */
export interface Use {
  readonly user: User;
  readonly place: Place;
  /** The user, or what controls it; undefined when there is none that the controller rolls. */
  readonly workload: Workload | undefined;
  /** The user is a revision that its workload has left behind. */
  readonly isFormer: boolean;
}

export function stateOf(subject: Subject, { user, place, workload, isFormer }: Use): State {
  const hash = pinnedHash(subject, place.name);
  const snapshot = hash === undefined ? undefined : place.name;
  if (workload === undefined || !place.pinnable || !isManaged(subject, workload))
    return { name: 'NotManaged', snapshot };
  if (isFormer || (user.workload === undefined && !names(workload, place))) return { name: 'Former', snapshot };
  return { name: hash === undefined ? 'Pending' : stateOfPin(subject, workload, hash), snapshot };
}

function stateOfPin(subject: Subject, workload: Workload, hash: string): StateName {
  const { kind, name } = subject.source;
  const rolled = readRolled(workload.labels, kind, name)?.hash ?? recordedHash(subject, workload);
  // Unless the content is known, what was rolled last counts as that of now.
  const current = subject.current ?? rolled;
  if (hash === current) return 'Current';
  return current !== undefined && rolled === current ? 'RolledBack' : 'Pending';
}

/** Whether changes of the source roll out to the workload. */
export function isManaged({ object, source, namespace }: Subject, workload: Workload): boolean {
  const rolled = readRolled(workload.labels, source.kind, source.name) !== undefined;
  if (typeof object === 'object') {
    // Whether the controller heeds Reloader's annotations is known only by what it did.
    return optsIn(object, workload) !== undefined || (rolled && asksFor(workload, object, { reloader: true }));
  }
  const unseen = bare(source.kind, namespace, source.name);
  return unseen !== undefined && (optsIn(unseen, workload) !== undefined || (object === 'hidden' && rolled));
}

/** A source of which nothing is known but its name. */
function bare(kind: ConfigObject['kind'], namespace: string, name: string): ConfigObject | undefined {
  return projectSource(kind, { metadata: { namespace, name, uid: 'unknown', resourceVersion: 'unknown' } });
}

/** What the records on the snapshots say that the workload was last rolled to, when its label is lost. */
function recordedHash({ snapshots }: Subject, { uid }: Workload): string | undefined {
  const records = [...snapshots.values()]
    .map(({ hash, records: generations }) => ({ hash, generation: generations[uid] ?? 0 }))
    .filter(({ generation }) => generation > 0)
    .sort((a, b) => b.generation - a.generation);
  return records[0]?.hash;
}

function names(workload: Workload, { kind, name }: Place): boolean {
  return workload.references.some((reference) => reference.kind === kind && reference.name === name);
}

const WORDS: Readonly<Record<StateName, string>> = {
  NotManaged: 'not managed',
  Current: '✔ Current',
  RolledBack: '↩ Rolled back',
  Pending: '◌ Pending',
  Former: 'former revision',
};

/** For the table: `✔ Current (foo-6ct58987ht)`. */
export function describeState({ name, snapshot }: State): string {
  if (snapshot === undefined) return WORDS[name];
  return name === 'NotManaged' ? `not managed (pinned: ${snapshot})` : `${WORDS[name]} (${snapshot})`;
}

/** What happens there when the source changes. */
export function effectOf({ name, snapshot }: State, user: User, place: Place): string {
  if (name === 'Former') return 'nothing';
  if (name !== 'NotManaged') return 'rolls out';
  if (snapshot !== undefined) return 'nothing';
  if (user.kind.kind === 'CronJob') return 'next run';
  return place.isLive ? 'files updated' : 'nothing';
}
