// Ordering of resourceVersions: the API promises decimal numbers of growing size, too long for a JavaScript number.

const DECIMAL = /^(0|[1-9][0-9]*)$/;

/** Negative, zero or positive like a comparator; undefined when either is not a plain decimal number. */
export function compareResourceVersions(a: string, b: string): number | undefined {
  if (!DECIMAL.test(a) || !DECIMAL.test(b)) return undefined;
  // Without leading zeros the longer number is the greater, and equal lengths compare as text: no BigInt needed.
  if (a.length !== b.length) return a.length - b.length;
  return a === b ? 0 : a < b ? -1 : 1;
}

/** Whether `a` is known to be at or after `b`. */
export function reached(a: string, b: string): boolean {
  const order = compareResourceVersions(a, b);
  return order !== undefined && order >= 0;
}
