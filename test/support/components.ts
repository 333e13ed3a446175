// The optional parts of the installation, for tests that need the rights they bring. Taken away again, so that the other
// files run under the default install.

import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { runKubectl } from './scenario.ts';

// What of an installation is no process.
const RULES = ['ClusterRole', 'ClusterRoleBinding', 'MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'];

// biome-ignore lint/suspicious/noExplicitAny: manifests, read as they come
type Json = any;

/** The manifests that kustomize makes of the base and these components. */
export async function manifestsWith(...components: readonly string[]): Promise<Json[]> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'config-rollout-components-'));
  const base = relative(folder, realpathSync('manifests'));
  const own = { resources: [base], components: components.map((name) => `${base}/components/${name}`) };
  try {
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(own));
    return parseAllDocuments(await kubectl(['kustomize', folder])).map((document) => document.toJSON());
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Installs the rules of a component; gives the function that takes them away. */
export async function installComponent(component: string): Promise<() => Promise<void>> {
  const rules = async (...components: string[]) =>
    (await manifestsWith(...components)).filter(({ kind }) => RULES.includes(kind));
  const [base, extended] = [await rules(), await rules(component)];
  const nameOf = ({ kind, metadata }: Json) => `${kind}/${metadata.name}`;
  const added = extended.filter((rule) => !base.some((other) => nameOf(other) === nameOf(rule)));
  await kubectl(['apply', '-f', '-'], asText(extended));
  return async () => {
    await kubectl(['apply', '-f', '-'], asText(base));
    await kubectl(['delete', '-f', '-'], asText(added));
  };
}

function asText(manifests: readonly Json[]): string {
  return manifests.map((manifest) => stringify(manifest)).join('---\n');
}

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runKubectl(args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}`);
  return stdout;
}
