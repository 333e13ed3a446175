// Installs what manifests/install.yaml grants the controller, for a program that runs beside the cluster: its Deployment
// names an image that no node here could pull.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { kubectlEnvironment } from './kubectl.ts';
import { repositoryRoot } from './paths.ts';
import { makeServiceAccountKubeconfig } from './service-account.ts';

const NAME = 'config-rollout';

/** Applies everything but the Deployment; gives what kubectl printed, and the path of a kubeconfig below `dataDir` with the controller's own token. */
export function installRules(kubectl: string, admin: string, dataDir: string): { printed: string; kubeconfig: string } {
  const install = readFileSync(join(repositoryRoot, 'manifests/install.yaml'), 'utf8');
  const manifests = parseAllDocuments(install).map((document) => document.toJSON());
  const rules = manifests.filter(({ kind }) => kind !== 'Deployment').map((manifest) => stringify(manifest));
  const options = { env: kubectlEnvironment(admin), input: rules.join('---\n'), encoding: 'utf8' } as const;
  const printed = execFileSync(kubectl, ['apply', '-f', '-'], options);
  const kubeconfig = join(dataDir, 'controller.kubeconfig');
  writeFileSync(kubeconfig, makeServiceAccountKubeconfig(kubectl, admin, NAME, NAME), { mode: 0o600 });
  return { printed, kubeconfig };
}
