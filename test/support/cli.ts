// Commands of the plugins, run as a shell runs them, on a cluster in memory.

import { applyPatch } from 'fast-json-patch/commonjs/core.js';
import type { Cluster, Json, Patch } from '../../controller/cli/cluster.ts';
import { ServerError } from '../../controller/cli/errors.ts';
import { runProgram } from '../../controller/cli/program.ts';
import type { ResourceName } from '../../controller/workloads/kind.ts';

/** Objects by `configmaps/foo`, and all writes in order. */
export class MemoryCluster implements Cluster {
  readonly namespace = 'default';
  readonly objects = new Map<string, Json>();
  readonly writes: {
    readonly key: string;
    readonly dryRun: boolean;
    readonly manager: string;
    readonly body: unknown;
  }[] = [];
  /** Runs before each patch: another writer. */
  meanwhile: () => void = () => undefined;
  forbidden: readonly string[] = [];
  /** What asking for the admission webhook ends with, unless it is installed. */
  admission: 'installed' | 'NotFound' | 'Forbidden' | 'Unavailable' = 'installed';
  /** Every object outside of the namespace that was asked for, as `apiVersion/resource/name`. */
  readonly clusterScopedReads: string[] = [];

  constructor(...objects: readonly Json[]) {
    for (const object of objects) this.put(object);
  }

  put(object: Json): void {
    const { name } = object['metadata'] as { readonly name: string };
    this.objects.set(`${String(object['kind']).toLowerCase()}s/${name}`, object);
  }

  async get({ resource, apiVersion }: ResourceName, name: string): Promise<Json> {
    const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : '';
    if (this.forbidden.includes(name)) {
      throw failure('Forbidden', 403, `${resource}${group} "${name}" is forbidden: User "bob" cannot get it`);
    }
    const found = this.objects.get(`${resource}/${name}`);
    if (found === undefined) throw failure('NotFound', 404, `${resource}${group} "${name}" not found`);
    return found;
  }

  async getMetadata(resource: ResourceName, name: string): Promise<Json> {
    const { metadata } = await this.get(resource, name);
    return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
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
    options: { fieldManager: string; dryRun: boolean },
  ): Promise<Json> {
    this.meanwhile();
    const before = await this.get(resource, name);
    const after = patch.type === 'merge' ? merge(before, patch.body) : apply(before, patch);
    const key = `${resource.resource}/${name}`;
    const body = patch.type === 'merge' ? patch.body : patch.operations;
    this.writes.push({ key, dryRun: options.dryRun, manager: options.fieldManager, body });
    if (!options.dryRun) this.objects.set(key, after);
    return after;
  }
}

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `run(cluster, 'kubectl set-owner cm/foo deploy/bar')`; words are split at blanks. */
export async function run(cluster: Cluster, line: string, env: Record<string, string> = {}): Promise<Outcome> {
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

/** A ConfigMap with the marks of a snapshot. */
export function snapshotOf(source: string, hash = '6ct58987ht'): Json {
  return configMap(
    `${source}-${hash}`,
    {
      labels: { 'app.kubernetes.io/managed-by': 'config-rollout', 'configrollout.dev/content-hash': hash },
      annotations: { 'configrollout.dev/source-name': source },
    },
    { immutable: true },
  );
}

export function deployment(name: string, podSpec: Json = {}, metadata: Json = {}): Json {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
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
  return { ...before, metadata: Object.fromEntries(merged) };
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
