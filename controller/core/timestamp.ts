// Times as Kubernetes writes them.

/** RFC 3339, to the second, of milliseconds since the epoch. */
export function timestampOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
