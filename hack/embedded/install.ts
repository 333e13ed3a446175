// Installs the manifests for a controller that runs beside the cluster: all but its Deployment, which names an image that
// no node here could pull. The Service of its webhook leads to this machine instead of to its pods.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { manifestsWith } from '../kustomize.ts';
import { hostAddress } from './host-address.ts';
import { kubectlEnvironment } from './kubectl.ts';
import { freePorts } from './ports.ts';
import { makeServiceAccountKubeconfig } from './service-account.ts';

const NAME = 'config-rollout';
// The first with policy/v1, and with rules in CEL that are checked.
const NEW_SERVER = 25;

export interface Installed {
  /** What kubectl printed. */
  readonly printed: string;
  /** Path of a kubeconfig below the data folder, with the controller's own token and namespace. */
  readonly kubeconfig: string;
  /** Where the API server expects the webhook; nothing listens there yet. */
  readonly webhookPort: number;
}

/** Can be repeated: the webhook is then expected at another port. */
export async function installRules(kubectl: string, admin: string, dataDir: string): Promise<Installed> {
  const { webhook } = await freePorts('webhook');
  const manifests = await manifestsWith({ components: componentsFor(kubectl, admin) });
  const rules = manifests.flatMap((manifest) => {
    if (manifest.kind === 'Deployment') return [];
    return manifest.kind === 'Service' ? withEndpoints(manifest, webhook) : [manifest];
  });
  const input = rules.map((rule) => stringify(rule)).join('---\n');
  const options = { env: kubectlEnvironment(admin), input, encoding: 'utf8' } as const;
  const printed = execFileSync(kubectl, ['apply', '-f', '-'], options);
  const kubeconfig = join(dataDir, 'controller.kubeconfig');
  writeFileSync(kubeconfig, makeServiceAccountKubeconfig(kubectl, admin, NAME, NAME), { mode: 0o600 });
  return { printed, kubeconfig, webhookPort: webhook };
}

/** What the manifests need besides to suit the server. */
export function componentsFor(kubectl: string, kubeconfig: string): string[] {
  const options = { env: kubectlEnvironment(kubeconfig), encoding: 'utf8' } as const;
  const { minor } = JSON.parse(execFileSync(kubectl, ['get', '--raw', '/version'], options));
  return Number.parseInt(minor, 10) < NEW_SERVER ? ['old-servers'] : [];
}

interface Service {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly selector: object; readonly ports: readonly { readonly name: string }[] };
}

/** A Service without a selector has the endpoints that somebody writes for it. */
function withEndpoints(service: Service, port: number): object[] {
  const { selector, ...spec } = service.spec;
  const { name, namespace } = service.metadata;
  const ports = spec.ports.map((of) => ({ name: of.name, port }));
  const subsets = [{ addresses: [{ ip: hostAddress() }], ports }];
  return [
    { ...service, spec },
    { apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace }, subsets },
  ];
}
