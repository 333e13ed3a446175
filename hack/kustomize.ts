// What kustomize makes of the manifests, as a kustomization of somebody's own would: parts by relative paths.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { kubectlPath } from './embedded/kubectl.ts';
import { repositoryRoot } from './embedded/paths.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests, read as they come
export type Manifest = any;

export interface Selection {
  /** Below manifests/. Default: what people name, which is all of overlays/cluster-wide. */
  readonly resource?: string;
  readonly components?: readonly string[];
  readonly namespace?: string;
}

/** The text that kustomize prints. Throws when a part does not build; why, kustomize has told on stderr. */
export async function kustomize({ resource = '.', components = [], namespace }: Selection = {}): Promise<string> {
  const kubectl = await kubectlPath();
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'config-rollout-kustomize-'));
  const manifests = relative(folder, join(realpathSync(repositoryRoot), 'manifests'));
  const own = {
    resources: [join(manifests, resource)],
    components: components.map((name) => join(manifests, 'components', name)),
    ...(namespace !== undefined && { namespace }),
  };
  try {
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(own));
    return execFileSync(kubectl, ['kustomize', folder], { encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The objects of a YAML stream. */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJSON())
    .filter((manifest) => manifest !== null);
}

export async function manifestsWith(selection: Selection = {}): Promise<Manifest[]> {
  return parseManifests(await kustomize(selection));
}
