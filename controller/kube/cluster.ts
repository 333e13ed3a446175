// ClusterPort on the Kubernetes API: raw JSON, one request a method, status codes translated here and nowhere else.

import type { Operation } from 'fast-json-patch';
import { ClusterError, type FailureKind } from '../app/errors.ts';
import type { ClusterPort, ConfigMapRead, MetadataPatch } from '../app/ports.ts';
import type { EventAction } from '../core/actions.ts';
import { MANAGER } from '../core/names.ts';
import { findReferences } from '../core/references.ts';
import type { SnapshotManifest } from '../core/snapshot.ts';
import type { ObjectRef, Workload } from '../core/types.ts';
import { messageOf } from '../runtime/failure.ts';
import type { ResourceName, WorkloadKind } from '../workloads/kind.ts';
import { projectConfigMap, type RawObject } from '../workloads/raw.ts';
import { ApiError } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { resourcePath } from './paths.ts';

const CONFIG_MAPS: ResourceName = { apiVersion: 'v1', kind: 'ConfigMap', resource: 'configmaps' };
const PODS: ResourceName = { apiVersion: 'v1', kind: 'Pod', resource: 'pods' };
const PAGE = 500;
const WRITE = { query: { fieldManager: MANAGER } };

export class KubeCluster implements ClusterPort {
  readonly #client: KubeClient;
  readonly #kinds: readonly WorkloadKind[];
  readonly #emit: (event: EventAction) => void;

  constructor(client: KubeClient, kinds: readonly WorkloadKind[], emit: (event: EventAction) => void) {
    this.#client = client;
    this.#kinds = kinds;
    this.#emit = emit;
  }

  async readConfigMap(namespace: string, name: string): Promise<ConfigMapRead | undefined> {
    try {
      return toRead(await this.#send('GET', resourcePath(CONFIG_MAPS, namespace, name)));
    } catch (error) {
      if (error instanceof ClusterError && error.kind === 'NotFound') return undefined;
      throw error;
    }
  }

  async createSnapshot(manifest: SnapshotManifest): Promise<ConfigMapRead> {
    const path = resourcePath(CONFIG_MAPS, manifest.metadata.namespace);
    return toRead(await this.#send('POST', path, { ...WRITE, body: manifest }));
  }

  async patchMetadata({
    target,
    resourceVersion,
    labels,
    annotations,
    ownerReferences,
  }: MetadataPatch): Promise<ConfigMapRead> {
    // The uid makes the server refuse to patch another object of the same name.
    const metadata = { uid: target.uid, resourceVersion, labels, annotations, ownerReferences };
    const path = resourcePath(CONFIG_MAPS, target.namespace, target.name);
    return toRead(
      await this.#send('PATCH', path, { ...WRITE, body: { metadata }, contentType: 'application/merge-patch+json' }),
    );
  }

  async patchWorkload(target: ObjectRef, operations: readonly Operation[]): Promise<Workload> {
    const kind = this.#kinds.find((candidate) => candidate.kind === target.kind);
    if (kind === undefined) throw new Error(`no workload kind ${target.kind}`);
    const path = resourcePath(kind, target.namespace, target.name);
    const raw = await this.#send('PATCH', path, {
      ...WRITE,
      body: operations,
      contentType: 'application/json-patch+json',
    });
    const workload = kind.project(raw);
    if (workload === undefined) throw new ClusterError('Unavailable', `the answer to PATCH ${path} is no ${kind.kind}`);
    return workload;
  }

  async deleteExactly(target: ObjectRef, resourceVersion: string): Promise<void> {
    const names = [CONFIG_MAPS, ...this.#kinds.map(({ revisions }) => revisions)];
    const resource = names.find(({ kind }) => kind === target.kind);
    if (resource === undefined) throw new Error(`nothing deletes a ${target.kind}`);
    const body = { preconditions: { uid: target.uid, resourceVersion }, propagationPolicy: 'Background' };
    try {
      await this.#send('DELETE', resourcePath(resource, target.namespace, target.name), { body });
    } catch (error) {
      if (!(error instanceof ClusterError && error.kind === 'NotFound')) throw error;
    }
  }

  async isMounted(namespace: string, configMap: string): Promise<boolean> {
    for (const resource of [...this.#kinds.flatMap((kind) => [kind, kind.revisions]), PODS]) {
      for await (const object of this.#list(resource, namespace)) {
        // A pod holds its spec where a workload holds a template.
        const template = resource === PODS ? object : object.spec?.template;
        if (findReferences(template).some(({ name }) => name === configMap)) return true;
      }
    }
    return false;
  }

  emit(event: EventAction): void {
    this.#emit(event);
  }

  async *#list(resource: ResourceName, namespace: string): AsyncGenerator<RawObject> {
    let continueToken: string | undefined;
    do {
      const query = { limit: PAGE, continue: continueToken };
      const page = (await this.#send('GET', resourcePath(resource, namespace), { query })) as {
        readonly items?: readonly RawObject[];
        readonly metadata?: { readonly continue?: string };
      };
      yield* page.items ?? [];
      continueToken = page.metadata?.continue || undefined;
    } while (continueToken !== undefined);
  }

  async #send(...request: Parameters<KubeClient['request']>): Promise<unknown> {
    try {
      return await this.#client.request(...request);
    } catch (error) {
      throw translate(error);
    }
  }
}

function toRead(value: unknown): ConfigMapRead {
  const object = projectConfigMap(value);
  if (object === undefined)
    throw new ClusterError('Unavailable', 'the API server answered with something that is no ConfigMap');
  const { data = {}, binaryData = {}, immutable = false } = value as RawObject;
  return { object, content: { data, binaryData }, immutable };
}

/** An error of a request, in the application's words. */
export function translate(error: unknown): ClusterError {
  if (!(error instanceof ApiError)) return new ClusterError('Unavailable', messageOf(error));
  return new ClusterError(kindOf(error), error.message, error.retryAfterMs);
}

function kindOf({ status, reason, message, details }: ApiError): FailureKind {
  switch (status) {
    case 404:
      return 'NotFound';
    case 409:
      return reason === 'AlreadyExists' ? 'AlreadyExists' : 'Conflict';
    case 403:
      // A namespace on its way out takes no new objects; that is no matter of rights.
      if (message.includes('because it is being terminated')) return 'Conflict';
      return message.includes('exceeded quota') ? 'QuotaExceeded' : 'Forbidden';
    case 422:
      // A failed JSON Patch `test` names no field; what validation refuses does.
      return hasCauses(details) ? 'Rejected' : 'Conflict';
    case 400:
    case 413:
      return 'Rejected';
    default:
      return 'Unavailable';
  }
}

function hasCauses(details: unknown): boolean {
  const causes = (details as { readonly causes?: unknown } | undefined)?.causes;
  return Array.isArray(causes) && causes.length > 0;
}
