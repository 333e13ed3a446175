// Writes the files that are derived from others; with --check, only says whether they are up to date.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { kubectlPath } from './embedded/kubectl.ts';

const INSTALL = 'manifests/install.yaml';
const HEADER =
  '# Generated from the kustomize base beside it by `make generate`. Install: kubectl apply -f manifests/install.yaml\n';

const content = HEADER + execFileSync(await kubectlPath(), ['kustomize', 'manifests'], { encoding: 'utf8' });
if (!process.argv.includes('--check')) {
  writeFileSync(INSTALL, content);
} else if (readFileSync(INSTALL, 'utf8') !== content) {
  console.error(`error: ${INSTALL} is not what manifests/ makes; run: make generate`);
  process.exitCode = 1;
}
