// Where everything lies: the cache that all clusters share, and the data folder of one cluster. Nothing is ever
// written anywhere else.

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const embeddedFolder = fileURLToPath(new URL('.', import.meta.url));
export const repositoryRoot = join(embeddedFolder, '..', '..');

export function cacheFolder(): string {
  const xdg = process.env['XDG_CACHE_HOME'];
  return join(xdg === undefined || xdg === '' ? join(homedir(), '.cache') : xdg, 'config-rollout');
}

export function resolveDataDir(dataDir: string | undefined): string {
  return dataDir === undefined ? join(cacheFolder(), 'clusters', 'default') : resolve(dataDir);
}

export interface Layout {
  readonly dataDir: string;
  readonly state: string;
  readonly lock: string;
  readonly kubeconfig: string;
  readonly auditLog: string;
  readonly auditPolicy: string;
  readonly tokens: string;
  readonly serviceAccountKey: string;
  readonly certificates: string;
  /** Self-signed by the API server, with its own authority behind it in the same file. */
  readonly authority: string;
  readonly etcd: string;
  readonly node: string;
  readonly logs: string;
}

export function layout(dataDir: string): Layout {
  const at = (name: string) => join(dataDir, name);
  return {
    dataDir,
    state: at('state.json'),
    lock: `${dataDir}.lock`,
    kubeconfig: at('kubeconfig'),
    auditLog: at('audit.log'),
    auditPolicy: at('audit-policy.yaml'),
    tokens: at('tokens.csv'),
    serviceAccountKey: at('service-account.key'),
    certificates: at('certificates'),
    authority: at('certificates/apiserver.crt'),
    etcd: at('etcd'),
    node: at('node'),
    logs: at('logs'),
  };
}
