// Commands of the plugins, run as a shell runs them, on a cluster in memory.

import { spawn } from 'node:child_process';
import { applyPatch } from 'fast-json-patch/commonjs/core.js';
import type { Cluster, Json, ListOptions, Patch } from '../../controller/cli/cluster.ts';
import { ServerError } from '../../controller/cli/errors.ts';
import { runProgram } from '../../controller/cli/program.ts';
import type { ResourceName } from '../../controller/workloads/kind.ts';

/** Objects by `configmaps/foo`, in other namespaces than the default by `shop/configmaps/foo`, and all writes in order. */
export class MemoryCluster implements Cluster {
  readonly namespace: string = 'default';
  readonly objects = new Map<string, Json>();
  readonly writes: {
    readonly key: string;
    readonly dryRun: boolean;
    readonly manager: string;
    readonly body: unknown;
  }[] = [];
  /** Runs before each patch: another writer. */
  meanwhile: () => void = () => undefined;
  /** Names of objects that may not be read. */
  forbidden: readonly string[] = [];
  /** Resources that may not be listed. */
  unlistable: readonly string[] = [];
  /** What the server does not know, as `apiVersion/resource`. */
  unserved: readonly string[] = [];
  /** What asking for the admission webhook ends with, unless it is installed. */
  admission: 'installed' | 'NotFound' | 'Forbidden' | 'Unavailable' = 'installed';
  /** Every object outside of the namespace that was asked for, as `apiVersion/resource/name`. */
  readonly clusterScopedReads: string[] = [];
  /** Every object that was sent as a whole, by its key: answers to patches too. */
  readonly contentReads: string[] = [];

  constructor(...objects: readonly Json[]) {
    for (const object of objects) this.put(object);
  }

  inNamespace(namespace: string): MemoryCluster {
    return Object.create(this, { namespace: { value: namespace } });
  }

  put(object: Json): void {
    const { name, namespace } = metadataOf(object);
    this.objects.set(keyOf(namespace ?? 'default', `${String(object['kind']).toLowerCase()}s`, name), object);
  }

  async get(resource: ResourceName, name: string): Promise<Json> {
    this.contentReads.push(keyOf(this.namespace, resource.resource, name));
    return find(this, resource, name);
  }

  async getMetadata(resource: ResourceName, name: string): Promise<Json> {
    return metadataAlone(find(this, resource, name));
  }

  async *list(
    { apiVersion, resource }: ResourceName,
    { allNamespaces = false, labelSelector = '', fieldSelector = '', metadataOnly = false }: ListOptions = {},
  ): AsyncGenerator<Json> {
    if (this.unlistable.includes(resource)) {
      const message = `${resource} is forbidden: User "bob" cannot list resource "${resource}"`;
      throw failure('Forbidden', 403, message);
    }
    if (this.unserved.includes(`${apiVersion}/${resource}`)) throw failure('NotFound', 404, 'page not found');
    for (const [key, object] of this.objects) {
      const { namespace = 'default', name, labels = {} } = metadataOf(object);
      const isThere = key === keyOf(namespace, resource, name) && (allNamespaces || namespace === this.namespace);
      const isMeant = fieldSelector === '' || fieldSelector === `metadata.name=${name}`;
      if (!isThere || !isMeant || !selects(labelSelector, labels)) continue;
      if (!metadataOnly) this.contentReads.push(key);
      // The objects of a list do not say what they are: the list does.
      const { kind: _, apiVersion: __, ...item } = object;
      yield metadataOnly ? metadataAlone(object) : item;
    }
  }

  async serves({ apiVersion, resource }: ResourceName): Promise<boolean> {
    return !this.unserved.includes(`${apiVersion}/${resource}`);
  }

  async getClusterScopedMetadata({ apiVersion, resource }: ResourceName, name: string): Promise<Json> {
    this.clusterScopedReads.push(`${apiVersion}/${resource}/${name}`);
    if (this.admission !== 'installed') throw failure(this.admission, 500, `${resource} "${name}"`);
    return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name } };
  }

  async create(
    { resource }: ResourceName,
    body: Json,
    options: { fieldManager: string; dryRun: boolean },
  ): Promise<Json> {
    const { name } = body['metadata'] as { readonly name: string };
    const key = `${resource}/${name}`;
    if (this.objects.has(key)) throw failure('AlreadyExists', 409, `${resource} "${name}" already exists`);
    this.writes.push({ key, dryRun: options.dryRun, manager: options.fieldManager, body });
    if (!options.dryRun) this.objects.set(key, body);
    return body;
  }

  async patch(
    resource: ResourceName,
    name: string,
    patch: Patch,
    options: { fieldManager: string; dryRun: boolean; metadataOnly?: boolean },
  ): Promise<Json> {
    this.meanwhile();
    const before = find(this, resource, name);
    const after = patch.type === 'merge' ? merge(before, patch.body) : apply(before, patch);
    const key = keyOf(this.namespace, resource.resource, name);
    const body = patch.type === 'merge' ? patch.body : patch.operations;
    this.writes.push({ key, dryRun: options.dryRun, manager: options.fieldManager, body });
    if (!options.dryRun) this.objects.set(key, after);
    if (!options.metadataOnly) this.contentReads.push(key);
    return options.metadataOnly ? metadataAlone(after) : after;
  }
}

function find(cluster: MemoryCluster, { resource, apiVersion }: ResourceName, name: string): Json {
  const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : '';
  if (cluster.forbidden.includes(name)) {
    throw failure('Forbidden', 403, `${resource}${group} "${name}" is forbidden: User "bob" cannot get it`);
  }
  const found = cluster.objects.get(keyOf(cluster.namespace, resource, name));
  if (found === undefined) throw failure('NotFound', 404, `${resource}${group} "${name}" not found`);
  return found;
}

function keyOf(namespace: string, resource: string, name: string): string {
  return namespace === 'default' ? `${resource}/${name}` : `${namespace}/${resource}/${name}`;
}

function metadataOf(object: Json) {
  return object['metadata'] as {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

function metadataAlone({ metadata }: Json): Json {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}

/** `a=b,c,!d`: label a is b, there is a label c, and no label d. */
function selects(selector: string, labels: Readonly<Record<string, string>>): boolean {
  return selector.split(',').every((term) => {
    if (term.startsWith('!')) return !(term.slice(1) in labels);
    const [key = '', value] = term.split('=');
    return key === '' || (value === undefined ? key in labels : labels[key] === value);
  });
}

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `run(cluster, 'kubectl set-owner cm/foo deploy/bar')`; words are split at blanks. `isTerminal`: stdout is one. */
export async function run(
  cluster: Cluster,
  line: string,
  env: Record<string, string> = {},
  isTerminal = false,
): Promise<Outcome> {
  const [, plugin = '', ...argv] = line.split(' ');
  let out = '';
  let err = '';
  const shell = {
    env,
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    isTerminal,
    execute: (program: string, args: readonly string[]) =>
      new Promise<number>((resolve, reject) => {
        const child = spawn(program, args);
        child.stdout.on('data', (text) => {
          out += text;
        });
        child.on('error', reject);
        child.on('close', (code) => resolve(code ?? 1));
      }),
    connect: async () => cluster,
  };
  const code = await runProgram(`/opt/bin/kubectl-${plugin.replaceAll('-', '_')}`, argv, shell, '1.2.3');
  return { code, out, err };
}

export function configMap(name: string, metadata: Json = {}, fields: Json = {}): Json {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'default', name, uid: `uid-${name}`, resourceVersion: '7', ...metadata },
    data: { 'config.yml': 'a: 1\n' },
    ...fields,
  };
}

/** What no command may print. */
export const CONFIDENTIAL = 'aHVudGVyMg==';

export function secret(name: string, metadata: Json = {}, fields: Json = {}): Json {
  const content = { kind: 'Secret', type: 'Opaque', data: { password: CONFIDENTIAL } };
  return configMap(name, { uid: `uid-secret-${name}`, ...metadata }, { ...content, ...fields });
}

/** A ConfigMap, or a Secret, with the marks of a snapshot. */
export function snapshotOf(source: string, hash = '6ct58987ht', metadata: Json = {}, make = configMap): Json {
  return make(
    `${source}-${hash}`,
    {
      labels: {
        'app.kubernetes.io/managed-by': 'config-rollout',
        'configrollout.dev/source': source,
        'configrollout.dev/content-hash': hash,
      },
      annotations: { 'configrollout.dev/source-name': source },
      ...metadata,
    },
    { immutable: true },
  );
}

export function deployment(name: string, podSpec: Json = {}, metadata: Json = {}): Json {
  return workload('apps/v1', 'Deployment', name, podSpec, metadata);
}

/** An object with a pod template at the usual place. */
export function workload(
  apiVersion: string,
  kind: string,
  name: string,
  podSpec: Json = {},
  metadata: Json = {},
): Json {
  return {
    apiVersion,
    kind,
    metadata: { namespace: 'default', name, uid: `uid-${name}`, resourceVersion: '9', generation: 3, ...metadata },
    spec: { replicas: 2, template: { metadata: {}, spec: { containers: [{ name: 'app' }], ...podSpec } } },
  };
}

export function ownerOf(name: string, extra: Json = {}): Json {
  return { apiVersion: 'apps/v1', kind: 'Deployment', name, uid: `uid-${name}`, ...extra };
}

function failure(
  reason: 'NotFound' | 'Forbidden' | 'AlreadyExists' | 'Conflict' | 'Unavailable',
  status: number,
  message: string,
) {
  return new ServerError({ kind: reason, status, reason, message });
}

function merge(before: Json, patch: Json): Json {
  const metadata = before['metadata'] as Json;
  const change = patch['metadata'] as Json;
  for (const guard of ['uid', 'resourceVersion']) {
    if (change[guard] !== metadata[guard]) throw failure('Conflict', 409, `the object has been modified`);
  }
  const merged = Object.entries({ ...metadata, ...change }).filter(([, value]) => value !== null);
  const spec = { ...Object(before['spec']), ...Object(patch['spec']) };
  return { ...before, metadata: Object.fromEntries(merged), ...(patch['spec'] !== undefined && { spec }) };
}

function apply(before: Json, { operations }: Extract<Patch, { type: 'json' }>): Json {
  try {
    return applyPatch(structuredClone(before), operations, true).newDocument;
  } catch {
    throw new ServerError({
      kind: 'Conflict',
      status: 422,
      reason: 'Invalid',
      message: 'the server rejected the patch',
    });
  }
}
