import type { BinaryFolder } from './binaries.ts';
import type { Layout } from './paths.ts';
import type { Starter } from './starter.ts';
export async function nodeObstacle(_f: Layout, _b: BinaryFolder): Promise<string | undefined> {
  return 'not written yet';
}
export async function startNode(_s: Starter, _b: BinaryFolder): Promise<void> {}
