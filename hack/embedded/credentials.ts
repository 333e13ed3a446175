// Who may talk to the cluster. One random token for each party, all of the group that may do everything, under
// different names: the audit log then tells who did what.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import type { Layout } from './paths.ts';

const USERS = {
  admin: 'admin',
  controllerManager: 'system:kube-controller-manager',
  scheduler: 'system:kube-scheduler',
  kubelet: 'system:kubelet',
  standIn: 'system:stand-in',
} as const;

export type Party = keyof typeof USERS;
export type Tokens = Readonly<Record<Party, string>>;

export function writeCredentials(files: Layout): Tokens {
  const parties = Object.keys(USERS) as Party[];
  const tokens = Object.fromEntries(parties.map((party) => [party, randomBytes(24).toString('hex')])) as Tokens;
  const lines = parties.map((party) => `${tokens[party]},${USERS[party]},${USERS[party]},"system:masters"`);
  writeFileSync(files.tokens, `${lines.join('\n')}\n`, { mode: 0o600 });

  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(files.serviceAccountKey, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  return tokens;
}

export function readAuthority(files: Layout): string {
  return readFileSync(files.authority, 'utf8');
}

export function writeKubeconfig(path: string, server: string, authority: string, token: string): void {
  const name = 'config-rollout';
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server, 'certificate-authority-data': Buffer.from(authority).toString('base64') } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  };
  writeFileSync(path, stringify(kubeconfig, { lineWidth: 0 }), { mode: 0o600 });
}
