// Removes what a real node leaves outside of its namespaces: its bridge, and the empty control groups of containers
// that were killed.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { foldersIn, groupTrees, removeEmptyGroup, removeGroup } from './control-groups.ts';
import { removeNetwork } from './node-network.ts';
import type { Layout } from './paths.ts';
import { Problem } from './problem.ts';
import type { State } from './state.ts';

/** Of containerd, for everything that a kubelet starts. */
const PARENT = 'k8s.io';

/** containerd keeps a folder for each sandbox and container, so this also finds those of a node that crashed. */
function removeGroups(files: Layout): void {
  const kept = join(files.node, 'containerd', 'io.containerd.grpc.v1.cri');
  const ids = ['sandboxes', 'containers'].flatMap((kind) => foldersIn(join(kept, kind)));
  for (const tree of groupTrees().filter((candidate) => existsSync(join(candidate, PARENT)))) {
    for (const id of ids) removeGroup(join(tree, PARENT, id));
    // Another containerd's containers may be in it.
    removeEmptyGroup(join(tree, PARENT));
  }
}

export async function removeTraces(files: Layout, state: State): Promise<void> {
  if (state.traces !== undefined) await removeNetwork(join(state.binaries, 'busybox'), state.traces.bridge);
  removeGroups(files);
  // Removing the data must never reach into something that is mounted there.
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const inside = mounts.map((line) => line.split(' ')[4] ?? '').find((path) => path.startsWith(`${files.dataDir}/`));
  if (inside !== undefined) throw new Problem(`${inside} is still mounted: unmount it, then run down again.`);
}
