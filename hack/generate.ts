// Writes the files that are derived from others; with --check, only says whether they are up to date, and whether what
// is derived from them by others, at installation, can be.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { kubectlPath } from './embedded/kubectl.ts';

const INSTALL = 'manifests/install.yaml';
const HEADER =
  '# Generated from the kustomize base beside it by `make generate`. Install: kubectl apply -f manifests/install.yaml\n';

const kubectl = await kubectlPath();
const kustomize = (folder: string) => execFileSync(kubectl, ['kustomize', folder], { encoding: 'utf8' });
const content = HEADER + kustomize('manifests');
if (!process.argv.includes('--check')) {
  writeFileSync(INSTALL, content);
} else {
  if (readFileSync(INSTALL, 'utf8') !== content) {
    console.error(`error: ${INSTALL} is not what manifests/ makes; run: make generate`);
    process.exitCode = 1;
  }
  for (const name of readdirSync('manifests/components')) buildWith(name);
}

/** As a kustomization of somebody's own would, which names its parts by relative paths. */
function buildWith(component: string): void {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'config-rollout-kustomize-'));
  const base = relative(folder, realpathSync('manifests'));
  const own = { resources: [base], components: [`${base}/components/${component}`] };
  try {
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(own));
    kustomize(folder);
  } catch {
    console.error(`error: manifests/components/${component} does not build on top of manifests/, for the reason above`);
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
