// Who owns the name in a pinned reference, in the eyes of server-side apply: nobody but those who apply it. The patch of
// a rollout, or of an undo, would make its sender the owner, and the next server-side apply of the unchanged manifest a
// conflict; and a volume dropped from that manifest would stay behind as a stub. (FieldsV1 as documented in
// sigs.k8s.io/structured-merge-diff: `f:` fields, `k:` items of a list by their key, `.` the thing itself.)

import { isDeepStrictEqual } from 'node:util';

type Fields = Readonly<Record<string, unknown>>;

/** One entry of metadata.managedFields, as far as it matters. */
export interface ManagedFields {
  readonly operation?: string;
  readonly fieldsV1?: Fields;
}

// Lists of the pod API that are merged by key; all others are atomic, and have one owner.
const KEYED_BY_NAME = new Set(['volumes', 'containers', 'initContainers', 'env']);

/**
 * Takes the names at `pointers` out of all entries but those of server-side appliers.
 *
 * @param pointers JSON pointers into `object`, of the names in pinned references.
 * @returns the entries, or undefined when they are right as they are.
 */
export function disown(
  entries: readonly ManagedFields[],
  object: unknown,
  pointers: readonly string[],
): readonly ManagedFields[] | undefined {
  const paths = pointers.map((pointer) => fieldPath(object, pointer));
  const settled = entries.flatMap((entry) => {
    const fieldsV1 = entry.operation === 'Update' ? withoutAll(entry.fieldsV1 ?? {}, paths) : entry.fieldsV1;
    return fieldsV1 === undefined ? [] : [{ ...entry, fieldsV1 }];
  });
  return isDeepStrictEqual(settled, entries) ? undefined : settled;
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

function withoutAll(fields: Fields, paths: readonly (readonly string[])[]): Fields | undefined {
  return paths.reduce<Fields | undefined>((left, path) => left && without(left, path), fields);
}

// Undefined when nothing is left: an empty set would say that the parent itself is owned.
function without(fields: Fields, [head, ...rest]: readonly string[]): Fields | undefined {
  const child = head === undefined ? undefined : fields[head];
  if (head === undefined || child === undefined) return fields;
  const { [head]: _, ...others } = fields;
  // A struct that newer servers take as one atom has no owner for its name alone.
  const isOwner = rest.length === 0 || (rest.length === 1 && isEmpty(child));
  const left = isOwner ? undefined : without(child as Fields, rest);
  if (left !== undefined) return { ...fields, [head]: left };
  return isEmpty(others) ? undefined : others;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
