// Users and subjects → the lines of the answer, as data.

import type { Workload } from '../../core/types.ts';
import type { Place } from './places.ts';
import { effectOf, isManaged, type State, stateOf } from './state.ts';
import { isNamed, type Subject } from './subjects.ts';
import type { User } from './users.ts';

/** One place of one user, in all containers that see it in the same words. */
export interface Row {
  readonly subject: Subject;
  readonly user: User;
  readonly place: Place;
  readonly containers: readonly string[];
  readonly state: State;
  readonly effect: string;
}

/** All users by uid: who controls whom. */
export class Family {
  readonly #byUid: ReadonlyMap<string, User>;

  constructor(users: readonly User[]) {
    this.#byUid = new Map(users.map((user) => [user.uid, user]));
  }

  /** What controls it, and what controls that, as far as it was listed. */
  ancestors(user: User): User[] {
    const found: User[] = [];
    for (let next = this.#controllerOf(user); next !== undefined && !found.includes(next); ) {
      found.push(next);
      next = this.#controllerOf(next);
    }
    return found;
  }

  /** The workload to which changes roll out, and with it to this user; undefined when there is none. */
  workloadOf(user: User, subject: Subject): Workload | undefined {
    if (user.workload !== undefined) return user.workload;
    const above = this.ancestors(user);
    // What only the pod names was put there by others, at admission.
    const isOwn = user.kind.kind !== 'Pod' || above.some((each) => uses(each, subject));
    return isOwn ? above.find(({ workload }) => workload !== undefined)?.workload : undefined;
  }

  /** True for a revision without pods, when its workload is at another: the two may well name the same snapshot. */
  isFormer(user: User): boolean {
    const [above] = this.ancestors(user);
    return user.isIdle && above?.revision !== undefined && user.revision !== above.revision;
  }

  /** True for what is reached through another line of the answer, and for revisions that nothing runs from. */
  isImplied(user: User, subject: Subject): boolean {
    const above = this.ancestors(user);
    return above.length > 0 && (user.isIdle || above.some((each) => uses(each, subject)));
  }

  #controllerOf({ controller }: User): User | undefined {
    return controller === undefined ? undefined : this.#byUid.get(controller);
  }
}

/** Whether content has to be known to say how the subject's users are: only for those that the controller rolls. */
export function needsHash(subject: Subject, users: readonly User[]): boolean {
  return users.some(
    (user) =>
      user.namespace === subject.namespace &&
      user.workload !== undefined &&
      uses(user, subject) &&
      isManaged(subject, user.workload),
  );
}

/** The lines of one subject; `wide` has those that are reached through others too. */
export function rowsOf(subject: Subject, users: readonly User[], family: Family, wide: boolean): Row[] {
  return users
    .filter((user) => user.namespace === subject.namespace && uses(user, subject))
    .filter((user) => wide || !family.isImplied(user, subject))
    .flatMap((user) => {
      const workload = family.workloadOf(user, subject);
      return merged(user.places.filter((place) => isNamed(subject, place))).map(({ place, containers }) => {
        const state = stateOf(subject, { user, place, workload, isFormer: family.isFormer(user) });
        return { subject, user, place, containers, state, effect: effectOf(state, user, place) };
      });
    });
}

function uses(user: User, subject: Subject): boolean {
  return user.places.some((place) => isNamed(subject, place));
}

function merged(places: readonly Place[]): { place: Place; containers: readonly string[] }[] {
  const byWords = new Map<string, { place: Place; containers: readonly string[] }>();
  for (const place of places) {
    const key = `${place.name} ${place.text}`;
    const before = byWords.get(key);
    const containers = [...new Set([...(before?.containers ?? []), ...place.containers])];
    byWords.set(key, { place: before?.place ?? place, containers });
  }
  return [...byWords.values()];
}
