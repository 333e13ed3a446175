// Several versions of one thing become one tree with conditions: what is there only while a switch is on says so. That a
// chart of Helm's does what the kustomize components do need then not be written, and cannot drift.

import { isDeepStrictEqual } from 'node:util';

// biome-ignore lint/suspicious/noExplicitAny: manifests, read as they come
type Json = any;

/** What a switch changes: the same thing, while it is off and while it is on. Undefined: not there. */
export interface Version {
  /** Of Helm's template language. */
  readonly condition: string;
  readonly off: Json;
  readonly on: Json;
}

export type Tree =
  | { readonly type: 'plain'; readonly value: Json }
  | { readonly type: 'choice'; readonly condition: string; readonly on: Json; readonly off: Json }
  | { readonly type: 'mapping'; readonly entries: readonly Entry[] }
  | { readonly type: 'sequence'; readonly items: readonly Branch[] };

export interface Branch {
  readonly tree: Tree;
  /** All of them have to hold. */
  readonly conditions: readonly string[];
}

const isMapping = (value: Json): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

export interface Entry extends Branch {
  readonly key: string;
}

/** Throws when two switches change the same scalar, or one changes its type. */
export function combine(versions: readonly Version[]): Tree {
  const present = versions.flatMap(({ off, on }) => [off, on]).filter((value) => value !== undefined);
  const [first] = present;
  if (present.every((value) => isDeepStrictEqual(value, first))) return { type: 'plain', value: first };
  if (present.every(isMapping)) {
    const keys = new Set(present.flatMap((value) => Object.keys(value)));
    const entries = [...keys].map((key) => ({ key, ...branch(versions, (value) => value[key]) }));
    return { type: 'mapping', entries };
  }
  if (present.every((value) => Array.isArray(value))) {
    const slots = align(present);
    return { type: 'sequence', items: slots.map((slot) => branch(versions, (value) => slot.get(value))) };
  }
  const changes = versions.filter(({ off, on }) => off !== undefined && on !== undefined && off !== on);
  const [change] = changes;
  if (change === undefined || changes.length > 1) throw new Error(`cannot combine ${JSON.stringify(present)}`);
  return { type: 'choice', condition: change.condition, on: change.on, off: change.off };
}

/** A part of what is there in each version, with the conditions under which the part is. */
function branch(versions: readonly Version[], part: (value: Json) => Json): Branch {
  const parts = versions.map(({ condition, off, on }) => ({
    condition,
    // Whether the whole is there is said further up.
    both: off !== undefined && on !== undefined,
    off: off === undefined ? undefined : part(off),
    on: on === undefined ? undefined : part(on),
  }));
  const conditions = parts.flatMap(({ condition, both, off, on }) => {
    if (!both || (off === undefined) === (on === undefined)) return [];
    return [on === undefined ? `(not ${condition})` : condition];
  });
  return { tree: combine(parts), conditions };
}

/** Elements that are the same one in several lists: equal, or of one name, or changed where they stand. */
function align(lists: readonly (readonly Json[])[]): Map<readonly Json[], Json>[] {
  const slots: Map<readonly Json[], Json>[] = [];
  for (const list of new Set(lists)) {
    for (const [i, element] of list.entries()) {
      const free = slots.filter((slot) => !slot.has(list));
      const holds = (slot: Map<readonly Json[], Json>, test: (other: Json) => boolean) => [...slot.values()].some(test);
      const slot =
        free.find((candidate) => holds(candidate, (other) => isDeepStrictEqual(other, element))) ??
        free.find((candidate) => isMapping(element) && holds(candidate, (other) => sameName(other, element))) ??
        free.find(
          (candidate) => candidate === slots[i] && isMapping(element) && !holds(candidate, (o) => has(list, o)),
        );
      if (slot === undefined) slots.push(new Map([[list, element]]));
      else slot.set(list, element);
    }
  }
  return slots;
}

function sameName(one: Json, other: Json): boolean {
  return one.name !== undefined && one.name === other.name;
}

function has(list: readonly Json[], element: Json): boolean {
  return list.some((other) => isDeepStrictEqual(other, element));
}
