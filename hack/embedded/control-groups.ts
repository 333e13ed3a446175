// What is left of containers that were killed: control groups that nothing is in any more.

import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

export function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** Version 2 has one tree, version 1 one for each controller. */
export function groupTrees(): string[] {
  return [CGROUPS, ...foldersIn(CGROUPS).map((name) => join(CGROUPS, name))];
}

/** With those below it; leaves alone what is in use. */
export function removeGroup(group: string): void {
  for (const name of foldersIn(group)) removeGroup(join(group, name));
  removeEmptyGroup(group);
}

export function removeEmptyGroup(group: string): void {
  try {
    rmdirSync(group);
  } catch {
    // Not there, or in use by somebody else.
  }
}
