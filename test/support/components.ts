// The optional parts of the installation, for tests that need the rights they bring. Taken away again, so that the other
// files run under the default install.

import { stringify } from 'yaml';
import { type Manifest, manifestsWith } from '../../hack/kustomize.ts';
import { runKubectl } from './scenario.ts';

// What of an installation is no process.
const RULES = [
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
];

/** Installs the rules of a component; gives the function that takes them away. */
export async function installComponent(component: string): Promise<() => Promise<void>> {
  const rules = async (...components: string[]) =>
    (await manifestsWith({ components })).filter(({ kind }) => RULES.includes(kind));
  const [base, extended] = [await rules(), await rules(component)];
  const nameOf = ({ kind, metadata }: Manifest) => `${kind}/${metadata.name}`;
  const added = extended.filter((rule) => !base.some((other) => nameOf(other) === nameOf(rule)));
  await kubectl(['apply', '-f', '-'], asText(extended));
  return async () => {
    await kubectl(['apply', '-f', '-'], asText(base));
    await kubectl(['delete', '-f', '-'], asText(added));
  };
}

function asText(manifests: readonly Manifest[]): string {
  return manifests.map((manifest) => stringify(manifest)).join('---\n');
}

async function kubectl(args: readonly string[], input?: string): Promise<void> {
  const { code, stderr } = await runKubectl(args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}`);
}
