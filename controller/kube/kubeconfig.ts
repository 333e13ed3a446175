// Which cluster, as whom, in which namespace: resolved as kubectl does it, so that the controller, the plugins and a
// user's shell never disagree. Parsing and credentials are client-node's; its merging (fails on duplicates) and its
// silent fall-back to localhost:8080 are not wanted.

import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '../runtime/failure.ts';

export interface KubeConfigOptions {
  /** A file that must exist; wins over everything else. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Instead of the context's cluster. */
  readonly cluster?: string;
  /** Instead of the context's user. */
  readonly user?: string;
  /** auto: the pod's service account when there is no kubeconfig. Default auto. */
  readonly inCluster?: 'auto' | 'always' | 'never';
  /** KUBECONFIG, HOME, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the pod's token, ca.crt and namespace are mounted. */
  readonly serviceAccountDirectory?: string;
}

export interface LoadedKubeConfig {
  /** Holds the chosen context only. */
  readonly config: KubeConfig;
  /** Name of the context in use; `in-cluster` for a service account. */
  readonly context: string;
  /** Namespace of the context, `default` if it names none. */
  readonly namespace: string;
}

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Throws an Error whose message says what is missing and where it was looked for. */
export function loadKubeConfig(options: KubeConfigOptions): LoadedKubeConfig {
  const inCluster = options.inCluster ?? 'auto';
  if (inCluster === 'always') return loadServiceAccount(options);
  const files = filesToRead(options);
  if (files.length > 0) return choose(files.map(read), files.join(', '), options);
  if (inCluster === 'auto' && isInCluster(options)) return loadServiceAccount(options);
  throw new Error(
    'no kubeconfig found: name one with --kubeconfig or $KUBECONFIG, or create ~/.kube/config' +
      (inCluster === 'auto' ? ' (and this is no pod with a service account)' : ''),
  );
}

function filesToRead({ kubeconfig, env }: KubeConfigOptions): string[] {
  if (kubeconfig !== undefined) {
    if (!existsSync(kubeconfig)) throw new Error(`the kubeconfig file "${kubeconfig}" does not exist`);
    return [kubeconfig];
  }
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  if (listed.length > 0) {
    // Like kubectl, a missing file of the list is skipped; a list of missing files only is a mistake worth telling.
    const present = listed.filter((path) => existsSync(path));
    if (present.length === 0) throw new Error(`no file named in $KUBECONFIG exists: ${listed.join(', ')}`);
    return present;
  }
  const home = env['HOME'] ?? env['USERPROFILE'];
  const path = home === undefined ? undefined : join(home, '.kube', 'config');
  return path !== undefined && existsSync(path) ? [path] : [];
}

function read(path: string): KubeConfig {
  const config = new KubeConfig();
  try {
    // client-node cannot read an empty file; kubectl takes it for an empty configuration.
    if (readFileSync(path, 'utf8').trim() !== '') config.loadFromFile(path);
  } catch (error) {
    // The first line only: the parser goes on with an excerpt of the file, which may hold credentials.
    throw new Error(`the kubeconfig file "${path}" cannot be read: ${messageOf(error).split('\n')[0]}`);
  }
  return config;
}

/** Of several files the first that names something wins. */
function choose(configs: readonly KubeConfig[], source: string, options: KubeConfigOptions): LoadedKubeConfig {
  const first = <T extends { readonly name: string }>(lists: readonly (readonly T[])[], name: string): T | undefined =>
    lists.flat().find((entry) => entry.name === name);
  const contextName = options.context ?? configs.map((config) => config.currentContext).find(Boolean);
  const context =
    contextName === undefined
      ? undefined
      : first(
          configs.map((config) => config.contexts),
          contextName,
        );
  if (contextName !== undefined && context === undefined) throw new Error(`context "${contextName}" does not exist`);
  const clusterName = options.cluster ?? context?.cluster;
  if (clusterName === undefined) {
    throw new Error(`${source} has no current context: name one with --context, or run kubectl config use-context`);
  }
  const cluster = first(
    configs.map((config) => config.clusters),
    clusterName,
  );
  if (cluster === undefined) throw new Error(`cluster "${clusterName}" does not exist`);
  const userName = options.user ?? context?.user;
  const user =
    userName === undefined
      ? undefined
      : first(
          configs.map((config) => config.users),
          userName,
        );
  if (userName !== undefined && user === undefined) throw new Error(`auth info "${userName}" does not exist`);
  return assemble(contextName ?? clusterName, cluster, user ?? { name: 'anonymous' }, context?.namespace);
}

function assemble(
  context: string,
  cluster: KubeConfig['clusters'][number],
  user: KubeConfig['users'][number],
  namespace: string | undefined,
): LoadedKubeConfig {
  const config = new KubeConfig();
  tellExecPlugin(user);
  config.loadFromOptions({
    clusters: [cluster],
    users: [user],
    contexts: [{ name: context, cluster: cluster.name, user: user.name, namespace }],
    currentContext: context,
  });
  return { config, context, namespace: namespace || 'default' };
}

/** Exec plugins expect to be told which version to answer in; client-node tells them nothing. */
function tellExecPlugin({ exec }: KubeConfig['users'][number]): void {
  const name = 'KUBERNETES_EXEC_INFO';
  if (exec === undefined || exec === null) return;
  const env: readonly { readonly name: string }[] = exec.env ?? [];
  if (env.some((entry) => entry.name === name)) return;
  const info = { apiVersion: exec.apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  exec.env = [...env, { name, value: JSON.stringify(info) }];
}

function isInCluster({ env, serviceAccountDirectory = SERVICE_ACCOUNT_DIRECTORY }: KubeConfigOptions): boolean {
  return Boolean(env['KUBERNETES_SERVICE_HOST']) && existsSync(join(serviceAccountDirectory, 'token'));
}

function loadServiceAccount(options: KubeConfigOptions): LoadedKubeConfig {
  const { env, serviceAccountDirectory: directory = SERVICE_ACCOUNT_DIRECTORY } = options;
  if (!isInCluster(options)) {
    throw new Error(`this is no pod with a service account: $KUBERNETES_SERVICE_HOST or ${directory}/token is missing`);
  }
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const address = host.includes(':') ? `[${host}]` : host;
  const cluster = {
    name: 'in-cluster',
    server: `https://${address}:${env['KUBERNETES_SERVICE_PORT'] ?? '443'}`,
    caFile: join(directory, 'ca.crt'),
    skipTLSVerify: false,
  };
  // A token file is read again every minute: bound tokens are rotated by the kubelet.
  const user = {
    name: 'in-cluster',
    authProvider: { name: 'tokenFile', config: { tokenFile: join(directory, 'token') } },
  };
  const namespaceFile = join(directory, 'namespace');
  const namespace = existsSync(namespaceFile) ? readFileSync(namespaceFile, 'utf8').trim() : undefined;
  return assemble('in-cluster', cluster, user, namespace);
}
