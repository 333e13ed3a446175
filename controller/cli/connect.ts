// The commands' cluster on the REST client of kube/. With main.ts the composition root of the plugins: the only two
// files here that know of kube/. Loaded when a command connects, so that --help does not pay for it.

import { KubeConfig } from '@kubernetes/client-node';
import { isFailure } from '../app/errors.ts';
import { ApiError } from '../kube/api-error.ts';
import { KubeClient, type RequestOptions } from '../kube/client.ts';
import { translate } from '../kube/cluster.ts';
import { type LoadedKubeConfig, loadKubeConfig } from '../kube/kubeconfig.ts';
import { resourcePath } from '../kube/paths.ts';
import { ACCEPT_METADATA, ACCEPT_METADATA_LIST } from '../runtime/http-list-watch.ts';
import type { ResourceName } from '../workloads/kind.ts';
import type { Cluster, Json, ListOptions, Patch, WriteOptions } from './cluster.ts';
import { type ConnectionFlags, requestTimeoutOf } from './common-flags.ts';
import { ServerError, UsageError } from './errors.ts';

export interface ConnectOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly userAgent: string;
  /** Hears of each request, when -v asks for it. */
  readonly trace: (line: string) => void;
  /** Hears what the API server warns of, each text once. */
  readonly warn: (text: string) => void;
}

type Method = 'GET' | 'POST' | 'PATCH';

interface Page extends Json {
  readonly items?: readonly Json[];
  readonly metadata?: { readonly continue?: string };
}

const CONTENT_TYPES = { merge: 'application/merge-patch+json', json: 'application/json-patch+json' } as const;
const TRACE_LEVEL = 6;
const PAGE = 500;

/** Throws UsageError for flags that contradict each other, Error when there is no usable kubeconfig. */
export function connect(flags: ConnectionFlags, options: ConnectOptions): Cluster {
  const timeoutMs = requestTimeoutOf(flags);
  const headers = impersonation(flags);
  const loaded = load(flags, options.env);
  const { userAgent } = options;
  const onWarning = once(options.warn);
  const client = new KubeClient(override(loaded.config, flags), { userAgent, headers, onWarning });
  const trace = Number(flags.v ?? 0) >= TRACE_LEVEL ? options.trace : () => undefined;

  async function send(method: Method, path: string, request: RequestOptions = {}): Promise<Json> {
    const start = performance.now();
    const tell = (status: string) =>
      trace(`${method} ${path} ${status} in ${Math.round(performance.now() - start)} ms`);
    try {
      const answer = await client.request<Json>(method, path, { ...request, ...(timeoutMs && { timeoutMs }) });
      tell('OK');
      return answer;
    } catch (error) {
      const failure = toServerError(error);
      tell(String(failure.fields.status));
      throw failure;
    }
  }

  async function* list(path: string, { labelSelector, fieldSelector, metadataOnly }: ListOptions) {
    const accept = metadataOnly ? ACCEPT_METADATA_LIST : undefined;
    let position: string | undefined;
    do {
      const page = { limit: PAGE, continue: position, labelSelector, fieldSelector };
      const { items, metadata } = (await send('GET', path, { query: page, ...(accept && { accept }) })) as Page;
      yield* items ?? [];
      position = metadata?.continue || undefined;
    } while (position !== undefined);
  }

  const clusterAt = (namespace: string): Cluster => ({
    namespace,
    get: (resource, name) => send('GET', resourcePath(resource, namespace, name)),
    getMetadata: (resource, name) => send('GET', resourcePath(resource, namespace, name), { accept: ACCEPT_METADATA }),
    getClusterScopedMetadata: (resource, name) =>
      send('GET', resourcePath(resource, undefined, name), { accept: ACCEPT_METADATA }),
    list: (resource, options = {}) =>
      list(resourcePath(resource, options.allNamespaces ? undefined : namespace), options),
    async serves({ apiVersion, resource }) {
      try {
        const { resources } = await send(
          'GET',
          apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`,
        );
        return (resources as readonly { readonly name: string }[]).some(({ name }) => name === resource);
      } catch (error) {
        if (isFailure(error, 'NotFound')) return false;
        throw error;
      }
    },
    create: (resource: ResourceName, body: Json, write: WriteOptions) =>
      send('POST', resourcePath(resource, namespace), { body, query: query(write) }),
    patch: (resource: ResourceName, name: string, patch: Patch, write: WriteOptions) =>
      send('PATCH', resourcePath(resource, namespace, name), {
        body: patch.type === 'json' ? patch.operations : patch.body,
        contentType: CONTENT_TYPES[patch.type],
        query: query(write),
        ...(write.metadataOnly && { accept: ACCEPT_METADATA }),
      }),
    inNamespace: clusterAt,
  });
  return clusterAt(flags.namespace || loaded.namespace);
}

// A retried read and a write that follows it are warned of alike.
function once(tell: (text: string) => void): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (!told.has(text)) tell(text);
    told.add(text);
  };
}

function query({ fieldManager, dryRun }: WriteOptions) {
  return { fieldManager, dryRun: dryRun ? 'All' : undefined };
}

function toServerError(error: unknown): ServerError {
  const { kind, message } = translate(error);
  if (!(error instanceof ApiError)) return new ServerError({ kind, message, status: 0, reason: '' });
  const { status, reason, details } = error;
  const type = unknownType(error);
  return type === undefined
    ? new ServerError({ kind, message, status, reason, details })
    : new ServerError({
        kind,
        message: `the server doesn't have a resource type "${type}"`,
        status,
        reason,
        isUnknownType: true,
      });
}

// `/apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE`, or without a namespace; the core's have no group.
const RESOURCE = /^\/(?:api|apis\/[^/]+)\/[^/]+\/(?:namespaces\/[^/]+\/)?([^/]+)/;

/** The resource that was asked for, when the server knows no such path: it answers without a Status, in plain text. */
function unknownType({ status, reason, message, path }: ApiError): string | undefined {
  if (status !== 404 || reason !== '' || !message.endsWith('404 page not found')) return undefined;
  return RESOURCE.exec(path)?.[1];
}

function load(flags: ConnectionFlags, env: ConnectOptions['env']): LoadedKubeConfig {
  const { kubeconfig, context, cluster, user, server } = flags;
  try {
    return loadKubeConfig({
      env,
      ...(kubeconfig && { kubeconfig }),
      ...(context && { context }),
      ...(cluster && { cluster }),
      ...(user && { user }),
    });
  } catch (error) {
    // A server that is named outright needs no kubeconfig; one that was asked for by name has to be there.
    if (!server || kubeconfig || context || cluster || user) throw error;
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: server, server, skipTLSVerify: false }, { name: 'flags' });
    return { config, context: server, namespace: 'default' };
  }
}

/** The flags that stand in for a field of the kubeconfig. */
function override(config: KubeConfig, flags: ConnectionFlags): KubeConfig {
  const [cluster] = config.clusters;
  const [user] = config.users;
  if (cluster === undefined || user === undefined) return config;
  const { server, token } = flags;
  const authority = flags['certificate-authority'];
  const certificate = flags['client-certificate'];
  const key = flags['client-key'];
  const insecure = flags['insecure-skip-tls-verify'];
  const { caData, caFile, ...bare } = cluster;
  const address = server ? (server.includes('://') ? server : `https://${server}`) : cluster.server;
  const changed = new KubeConfig();
  changed.loadFromClusterAndUser(
    {
      ...(insecure || authority ? bare : cluster),
      server: address,
      ...(authority && { caFile: authority }),
      // client-node refuses plain HTTP otherwise, which is what `kubectl proxy` speaks.
      ...((insecure || address.startsWith('http:')) && { skipTLSVerify: true }),
      ...(flags['tls-server-name'] && { tlsServerName: flags['tls-server-name'] }),
    },
    {
      ...(token ? { name: user.name, token } : user),
      ...(certificate && { certFile: certificate }),
      ...(key && { keyFile: key }),
    },
  );
  return changed;
}

function impersonation(flags: ConnectionFlags): Record<string, string | string[]> {
  const user = flags.as;
  const groups = flags['as-group'];
  const uid = flags['as-uid'];
  if (!user && (groups.length > 0 || uid)) {
    throw new UsageError('requesting uid or groups for impersonation without impersonating a user; add --as=USER');
  }
  return {
    ...(user && { 'impersonate-user': user }),
    ...(groups.length > 0 && { 'impersonate-group': [...groups] }),
    ...(uid && { 'impersonate-uid': uid }),
  };
}
