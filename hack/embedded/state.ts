// What is known of a cluster between two commands. It is written before anything starts and again after each part, so
// that `down` finds everything, even after an `up` that was killed half-way.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Layout } from './paths.ts';
import { isAlive, type ProcessId } from './processes.ts';

export type NodeKind = 'kubelet' | 'stand-in' | 'k3s';

export interface Component {
  readonly name: string;
  readonly process: ProcessId;
  readonly ports: readonly number[];
  readonly log: string;
}

/** What a real node leaves outside of its own namespaces. */
export interface NodeTraces {
  readonly bridge: string;
}

export interface State {
  /** Set last: until then `up` has not finished. */
  readonly ready: boolean;
  readonly server: string;
  readonly serverVersion: string;
  readonly node: NodeKind;
  /** Why it is not the node that was asked for. */
  readonly nodeReason: string | undefined;
  readonly binaries: string;
  readonly components: readonly Component[];
  /** The value of the label of its Docker container. */
  readonly container: string | undefined;
  readonly traces: NodeTraces | undefined;
}

export const emptyState: State = {
  ready: false,
  server: '',
  serverVersion: '',
  node: 'stand-in',
  nodeReason: undefined,
  binaries: '',
  components: [],
  container: undefined,
  traces: undefined,
};

export function readState(files: Layout): State | undefined {
  try {
    return { ...emptyState, ...(JSON.parse(readFileSync(files.state, 'utf8')) as Partial<State>) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** In one step, so that no reader sees half of it. */
export function writeState(files: Layout, state: State): void {
  const temporary = `${files.state}.new`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, files.state);
}

export function deadComponents(state: State): readonly Component[] {
  return state.components.filter((component) => !isAlive(component.process));
}
