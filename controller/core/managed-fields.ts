// Who owns the name in a pinned reference, in the eyes of server-side apply: nobody but those who apply it. The patch of
// a rollout, or of an undo, would make its sender the owner, and the next server-side apply of the unchanged manifest a
// conflict; and a volume dropped from that manifest would stay behind as a stub. (FieldsV1 as documented in
// sigs.k8s.io/structured-merge-diff: `f:` fields, `k:` items of a list by their key, `.` the thing itself.)

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { canonical } from './canonical.ts';
import { MANAGER } from './names.ts';
import type { Claim } from './types.ts';

type Fields = Readonly<Record<string, unknown>>;

/** One entry of metadata.managedFields, as far as it matters. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly time?: string;
  readonly fieldsV1?: Fields;
}

// Lists of the pod API that are merged by key; all others are atomic, and have one owner.
const KEYED_BY_NAME = new Set(['volumes', 'containers', 'initContainers', 'env']);

/** The entries of an object that is stored, each by what it says; see `disown`. */
export function claimsOf(entries: readonly ManagedFields[]): readonly Claim[] {
  return entries.map((entry) => ({ digest: digestOf(entry), time: entry.time }));
}

/**
 * Takes the names at `pointers` out of all entries but those of server-side appliers. An entry that then says what it said
 * in the stored object gets its time back: servers before 1.23 would write an apply that changes nothing else.
 *
 * @param pointers JSON pointers into `object`, of the names in pinned references.
 * @param claims of the stored object, as far as they are known.
 * @returns the entries, or undefined when they are right as they are.
 */
export function disown(
  entries: readonly ManagedFields[],
  object: unknown,
  pointers: readonly string[],
  claims: readonly Claim[] = [],
): readonly ManagedFields[] | undefined {
  const paths = pointers.map((pointer) => fieldPath(object, pointer));
  const settled = entries.flatMap((entry) => {
    const fieldsV1 = entry.operation === 'Update' ? withoutAll(entry, paths) : entry.fieldsV1;
    return fieldsV1 === undefined ? [] : [withFormerTime({ ...entry, fieldsV1 }, claims)];
  });
  return isDeepStrictEqual(settled, entries) ? undefined : settled;
}

function withFormerTime(entry: ManagedFields, claims: readonly Claim[]): ManagedFields {
  const time = claims.length > 0 ? claims.find(({ digest }) => digest === digestOf(entry))?.time : undefined;
  return time === undefined ? entry : { ...entry, time };
}

function digestOf({ time: _, ...said }: ManagedFields): string {
  return createHash('sha256').update(canonical(said)).digest('base64').slice(0, 16);
}

/** `/spec/volumes/0/configMap/name` → `f:spec`, `f:volumes`, `k:{"name":"config"}`, `f:configMap`, `f:name`. */
function fieldPath(object: unknown, pointer: string): readonly string[] {
  const path: string[] = [];
  let at: unknown = object;
  let list: string | undefined;
  for (const segment of pointer.split('/').slice(1)) {
    if (Array.isArray(at) && !KEYED_BY_NAME.has(list ?? '')) return path;
    const next: unknown = Reflect.get(Object(at), segment);
    path.push(Array.isArray(at) ? `k:${JSON.stringify({ name: Reflect.get(Object(next), 'name') })}` : `f:${segment}`);
    list = segment;
    at = next;
  }
  return path;
}

function withoutAll({ manager, fieldsV1 = {} }: ManagedFields, paths: readonly (readonly string[])[]) {
  const isOwn = manager === MANAGER;
  return paths.reduce<Fields | undefined>((left, path) => left && without(left, path, isOwn), fieldsV1);
}

// Undefined when nothing is left: an empty set would say that the parent itself is owned.
function without(fields: Fields, [head, ...rest]: readonly string[], isOwn: boolean): Fields | undefined {
  const child = head === undefined ? undefined : fields[head];
  if (head === undefined || child === undefined) return fields;
  const { [head]: _, ...others } = fields;
  // A struct that newer servers take as one atom has no owner for its name alone. In the template of a custom resource such
  // an atom may be a whole list: of that, our own claim goes; anybody else may have meant the rest of it.
  const isAtom = isEmpty(child) && (isOwn || rest.length === 1);
  const left = rest.length === 0 || isAtom ? undefined : without(child as Fields, rest, isOwn);
  if (left !== undefined) return { ...fields, [head]: left };
  return isEmpty(others) ? undefined : others;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
