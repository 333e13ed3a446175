// JSON in one form, whatever the order of keys: for digests.

/** JSON with sorted keys, without the values at the JSON pointers that `skip` names. Keys are not escaped in pointers. */
export function canonical(value: unknown, skip: (pointer: string) => boolean = () => false, pointer = ''): string {
  if (skip(pointer)) return '';
  if (Array.isArray(value)) return `[${value.map((item, i) => canonical(item, skip, `${pointer}/${i}`)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  const parts = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([key]) => !skip(`${pointer}/${key}`))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonical(item, skip, `${pointer}/${key}`)}`);
  return `{${parts.join(',')}}`;
}
