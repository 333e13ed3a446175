import type { Layout } from './paths.ts';
import type { State } from './state.ts';
export async function removeTraces(_f: Layout, _s: State): Promise<void> {}
