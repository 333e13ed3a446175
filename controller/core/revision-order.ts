import type { Revision } from './types.ts';

/**
 * Oldest first. As Kubernetes has it (byRevision in pkg/controller/history): two ControllerRevisions have the same number where
 * the workload's controller made the second before its cache showed it the first, as after a restart of the API server.
 */
export function byAge(a: Revision, b: Revision): number {
  return a.number - b.number || a.createdAt - b.createdAt || Number(a.name > b.name) - Number(a.name < b.name);
}

/** True when `a` is the older one. */
export function isOlder(a: Revision, b: Revision): boolean {
  return byAge(a, b) < 0;
}
