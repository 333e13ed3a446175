// ClusterPort on the Kubernetes API: raw JSON, one request a method, status codes translated here and nowhere else.

import type { Operation } from 'fast-json-patch';
import { ClusterError, type FailureKind } from '../app/errors.ts';
import type { ClusterPort, MetadataPatch, RevisionNote, SourceName, SourceRead, StatusWrite } from '../app/ports.ts';
import type { EventAction } from '../core/actions.ts';
import { pinKey } from '../core/decide.ts';
import { MANAGER } from '../core/names.ts';
import type { ConfigRolloutManifest } from '../core/plan-status.ts';
import type { ConfigRollout } from '../core/policy.ts';
import { inspectTemplate } from '../core/references.ts';
import type { SnapshotManifest } from '../core/snapshot.ts';
import type { ConfigObject, Content, ObjectRef, SourceKind, Workload } from '../core/types.ts';
import { messageOf } from '../runtime/failure.ts';
import { ACCEPT_METADATA } from '../runtime/http-list-watch.ts';
import { decodeListPage } from '../runtime/raw-object.ts';
import { SharedRuns } from '../runtime/shared-runs.ts';
import { CONFIG_ROLLOUTS, projectConfigRollout } from '../workloads/config-rollout.ts';
import type { ResourceName, WorkloadKind } from '../workloads/kind.ts';
import { revisionKinds } from '../workloads/kinds.ts';
import type { ProjectSource } from '../workloads/raw.ts';
import { SOURCES } from '../workloads/sources.ts';
import { ApiError } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { resourcePath } from './paths.ts';

// A pod holds its spec where a workload holds a template.
const PODS = { apiVersion: 'v1', kind: 'Pod', resource: 'pods', project: inspectTemplate };
const PAGE = 500;
const WRITE = { query: { fieldManager: MANAGER } };
const MERGE = { ...WRITE, contentType: 'application/merge-patch+json' };

type RawContent = Partial<Content> & { readonly immutable?: boolean };

export class KubeCluster implements ClusterPort {
  readonly #client: KubeClient;
  readonly #kinds: readonly WorkloadKind[];
  readonly #projectSource: ProjectSource;
  readonly #emit: (event: EventAction) => void;
  // Of many snapshots that are swept at once, each would list all of its namespace.
  readonly #mounts = new SharedRuns((namespace) => this.#mountsIn(namespace));

  constructor(
    client: KubeClient,
    kinds: readonly WorkloadKind[],
    projectSource: ProjectSource,
    emit: (event: EventAction) => void,
  ) {
    this.#client = client;
    this.#kinds = kinds;
    this.#projectSource = projectSource;
    this.#emit = emit;
  }

  async readSource({ kind, namespace, name }: SourceName): Promise<SourceRead | undefined> {
    const raw = await this.#find(resourcePath(SOURCES[kind], namespace, name));
    return raw === undefined ? undefined : this.#toRead(kind, raw);
  }

  async readMetadata({ kind, namespace, name }: SourceName): Promise<ConfigObject | undefined> {
    const raw = await this.#find(resourcePath(SOURCES[kind], namespace, name), { accept: ACCEPT_METADATA });
    return raw === undefined ? undefined : this.#toRead(kind, raw).object;
  }

  async createSnapshot(manifest: SnapshotManifest): Promise<SourceRead> {
    const path = resourcePath(SOURCES[manifest.kind], manifest.metadata.namespace);
    return this.#toRead(manifest.kind, await this.#send('POST', path, { ...WRITE, body: manifest }));
  }

  async patchMetadata({
    target,
    resourceVersion,
    labels,
    annotations,
    ownerReferences,
  }: MetadataPatch): Promise<SourceRead> {
    // The uid makes the server refuse to patch another object of the same name.
    const metadata = { uid: target.uid, resourceVersion, labels, annotations, ownerReferences };
    const kind = target.kind as SourceKind;
    const path = resourcePath(SOURCES[kind], target.namespace, target.name);
    return this.#toRead(kind, await this.#send('PATCH', path, { ...MERGE, body: { metadata } }));
  }

  async annotateRevision({ target, resourceVersion, annotations }: RevisionNote): Promise<void> {
    const revisions = this.#kinds.find((each) => each.revisions.kind === target.kind)?.revisions;
    if (revisions === undefined) throw new Error(`no revisions are of kind ${target.kind}`);
    const path = resourcePath(revisions, target.namespace, target.name);
    await this.#send('PATCH', path, {
      ...MERGE,
      body: { metadata: { uid: target.uid, resourceVersion, annotations } },
    });
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

  async createConfigRollout(manifest: ConfigRolloutManifest): Promise<ConfigRollout | undefined> {
    try {
      const path = resourcePath(CONFIG_ROLLOUTS, manifest.metadata.namespace);
      return toConfigRollout(await this.#send('POST', path, { ...WRITE, body: manifest }));
    } catch (error) {
      // The watch is going to show the one that is there.
      if (error instanceof ClusterError && ['NotFound', 'AlreadyExists'].includes(error.kind)) return undefined;
      throw error;
    }
  }

  async writeStatus({ target, resourceVersion, status }: StatusWrite): Promise<ConfigRollout> {
    const operations: Operation[] = [
      { op: 'test', path: '/metadata/uid', value: target.uid },
      { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
      { op: 'add', path: '/status', value: status },
    ];
    const path = `${resourcePath(CONFIG_ROLLOUTS, target.namespace, target.name)}/status`;
    return toConfigRollout(
      await this.#send('PATCH', path, { ...WRITE, body: operations, contentType: 'application/json-patch+json' }),
    );
  }

  async deleteExactly(target: ObjectRef, resourceVersion: string): Promise<void> {
    const names = [...Object.values(SOURCES), ...this.#kinds.map(({ revisions }) => revisions)];
    const resource = names.find(({ kind }) => kind === target.kind);
    if (resource === undefined) throw new Error(`nothing deletes a ${target.kind}`);
    const body = { preconditions: { uid: target.uid, resourceVersion }, propagationPolicy: 'Background' };
    try {
      await this.#send('DELETE', resourcePath(resource, target.namespace, target.name), { body });
    } catch (error) {
      if (!(error instanceof ClusterError && error.kind === 'NotFound')) throw error;
    }
  }

  async isMounted({ kind, namespace, name }: SourceName): Promise<boolean> {
    return (await this.#mounts.after(namespace)).has(pinKey({ kind, name }));
  }

  emit(event: EventAction): void {
    this.#emit(event);
  }

  /** What the templates, revisions and pods of a namespace name. */
  async #mountsIn(namespace: string): Promise<ReadonlySet<string>> {
    const mounts = new Set<string>();
    for (const holder of [...this.#kinds, ...revisionKinds(this.#kinds), PODS]) {
      for await (const object of this.#list(holder, namespace)) {
        for (const reference of holder.project(object)?.references ?? []) mounts.add(pinKey(reference));
      }
    }
    return mounts;
  }

  async *#list(resource: ResourceName, namespace: string): AsyncGenerator<unknown> {
    let continueToken: string | undefined;
    do {
      const query = { limit: PAGE, continue: continueToken };
      const path = resourcePath(resource, namespace);
      const raw = await this.#find(path, { query });
      // Nothing is there of a kind whose CRD is not installed.
      if (raw === undefined) return;
      const page = decodeListPage(raw);
      if (page === undefined) throw new ClusterError('Unavailable', `the answer to GET ${path} is no list`);
      yield* page.items;
      continueToken = page.continueToken;
    } while (continueToken !== undefined);
  }

  /** Undefined when there is no such thing. */
  async #find(path: string, options: Parameters<KubeClient['request']>[2] = {}): Promise<unknown> {
    try {
      const answer = await this.#send('GET', path, options);
      // That nothing was said does not mean that there is nothing.
      if (answer === undefined) throw new ClusterError('Unavailable', `the answer to GET ${path} is empty`);
      return answer;
    } catch (error) {
      if (error instanceof ClusterError && error.kind === 'NotFound') return undefined;
      throw error;
    }
  }

  #toRead(kind: SourceKind, value: unknown): SourceRead {
    const object = this.#projectSource(kind, value);
    if (object === undefined)
      throw new ClusterError('Unavailable', `the API server answered with something that is no ${kind}`);
    const { data = {}, binaryData = {}, immutable = false, type } = value as RawContent;
    return { object, content: { data, binaryData, ...(type !== undefined && { type }) }, immutable };
  }

  async #send(...request: Parameters<KubeClient['request']>): Promise<unknown> {
    try {
      return await this.#client.request(...request);
    } catch (error) {
      throw translate(error);
    }
  }
}

function toConfigRollout(value: unknown): ConfigRollout {
  const object = projectConfigRollout(value);
  if (object === undefined) throw new ClusterError('Unavailable', 'the API server answered with no ConfigRollout');
  return object;
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
