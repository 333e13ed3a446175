// What this machine can run of the end-to-end test, as hack/test-e2e.ts found out. The rest is skipped by jest's own means
// and says why: it never counts as passed.

import { describe } from '@jest/globals';
import { env } from '../../support/controller.ts';

export type Part = 'cluster' | 'docker';

/** Why this part cannot run here; undefined when it can. */
export function obstacleOf(part: Part): string | undefined {
  return process.env[`E2E_NO_${part.toUpperCase()}`];
}

/** Tests that need a part of the machine. */
export function describeWith(part: Part, name: string, tests: () => void): void {
  const obstacle = obstacleOf(part);
  if (obstacle === undefined) describe(name, tests);
  else describe.skip(`${name} (SKIPPED: ${obstacle})`, tests);
}

/** The controller's image, in an archive. */
export const imageArchivePath = (): string => env('E2E_IMAGE_ARCHIVE');

/** An image with a shell, that the cluster's node has or can pull. */
export const shellImage = (): string => env('E2E_SHELL_IMAGE');
