// What people and their tools ask of the API server, as the requests that kubectl sends. Whoever gets no answer, because
// the API server is being restarted, asks again: so each is written such that asking twice does no more than asking once.

import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient, RequestOptions } from '../../controller/kube/client.ts';
import { statusOf } from '../../controller/runtime/failure.ts';
import { pathOf, revisionKind, type SeenRevision } from './history-objects.ts';
import type { WorkloadKind } from './history-steps.ts';
import { runKubectl } from './scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API, as JSON
type Json = any;

const PATIENCE_MS = 60_000;
const AGAIN_MS = 200;
const STRATEGIC = 'application/strategic-merge-patch+json';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
// kubectl/pkg/polymorphichelpers/rollback.go
const KEPT_BY_UNDO = [
  LAST_APPLIED,
  'deployment.kubernetes.io/revision',
  'deployment.kubernetes.io/revision-history',
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
  'deprecated.deployment.rollback.to',
];

// No answer, too many requests, RBAC rules not read yet by a server that starts, or its own trouble.
const isPassing = (status: number): boolean => [0, 403, 409, 429].includes(status) || status >= 500;

export class People {
  readonly #client: KubeClient;
  readonly #namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  read(kind: Parameters<typeof pathOf>[1], name: string): Promise<Json | undefined> {
    return this.#persist(() => this.#find(kind, name));
  }

  /** `kubectl create`. One that exists already is what an earlier try made. */
  async create(manifest: Json): Promise<Json> {
    const { kind, metadata } = manifest;
    const path = pathOf(this.#namespace, kind);
    const made = await this.#persist(async () => {
      try {
        return await this.#client.request<Json>('POST', path, { body: manifest });
      } catch (error) {
        if (statusOf(error) === 409) return this.#client.request<Json>('GET', `${path}/${metadata.name}`);
        throw error;
      }
    });
    return made;
  }

  /** `kubectl patch --type merge` */
  async patch(kind: Parameters<typeof pathOf>[1], name: string, body: Json): Promise<void> {
    await this.#ask('PATCH', pathOf(this.#namespace, kind, name), { body });
  }

  /** `kubectl set image`, `scale`, `rollout pause` and the like. */
  async patchStrategically(path: string, body: Json): Promise<void> {
    await this.#ask('PATCH', path, { body, contentType: STRATEGIC });
  }

  /** `kubectl apply --server-side --force-conflicts` */
  async applyServerSide(manifest: Json): Promise<void> {
    const path = pathOf(this.#namespace, manifest.kind, manifest.metadata.name);
    const query = { fieldManager: 'kubectl', force: true };
    await this.#ask('PATCH', path, { body: manifest, query, contentType: 'application/apply-patch+yaml' });
  }

  /** `kubectl apply`, by kubectl itself: what it sends, it works out. */
  async apply(manifest: Json): Promise<void> {
    await this.#persist(() => this.#kubectl(['apply', '-f', '-'], JSON.stringify(manifest)));
  }

  /** `kubectl replace` */
  async replace(manifest: Json): Promise<void> {
    await this.#ask('PUT', pathOf(this.#namespace, manifest.kind, manifest.metadata.name), { body: manifest });
  }

  /** `kubectl delete`, which does not wait. */
  async delete(object: Json): Promise<void> {
    const { kind, metadata } = object;
    const body = { propagationPolicy: 'Background', preconditions: { uid: metadata.uid } };
    try {
      await this.#ask('DELETE', pathOf(this.#namespace, kind, metadata.name), { body });
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }

  /**
   * `kubectl rollout undo`: to that revision. Of a Deployment, the annotations of the revision come with it. False when the
   * revision is gone: kubectl, too, reads it in the moment before.
   */
  async undo(workload: Json, revision: SeenRevision, byKubectl: boolean): Promise<boolean> {
    const { kind, metadata } = workload;
    const { object, number } = revision;
    return this.#persist(async () => {
      const found = await this.#find(revisionKind(kind), object.metadata.name);
      if (found?.metadata.uid !== object.metadata.uid) return false;
      if (byKubectl) {
        const to = `--to-revision=${number}`;
        await this.#kubectl(['rollout', 'undo', `${kind.toLowerCase()}/${metadata.name}`, to]);
      } else {
        const path = pathOf(this.#namespace, kind, metadata.name);
        await this.#client.request('PATCH', path, undoing(workload, revision));
      }
      return true;
    });
  }

  async #find(kind: Parameters<typeof pathOf>[1], name: string): Promise<Json | undefined> {
    try {
      return await this.#client.request<Json>('GET', pathOf(this.#namespace, kind, name));
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async #kubectl(args: readonly string[], input?: string): Promise<void> {
    const { code, stderr } = await runKubectl([...args, '-n', this.#namespace], input);
    if (code === 0) return;
    const isOutage = /refused|EOF|reset|unable to connect|TLS|timed? ?out|Forbidden|not ready|try again/i.test(stderr);
    throw Object.assign(new Error(`kubectl ${args.join(' ')}: ${stderr}`), { status: isOutage ? 0 : 400 });
  }

  #ask(method: 'PUT' | 'PATCH' | 'DELETE', path: string, options: RequestOptions = {}): Promise<Json> {
    return this.#persist(() => this.#client.request<Json>(method, path, options));
  }

  async #persist<T>(ask: () => Promise<T>): Promise<T> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (performance.now() > end || !isPassing(statusOf(error) ?? -1)) throw error;
      }
      await sleep(AGAIN_MS);
    }
  }
}

function undoing(workload: Json, { object, template }: SeenRevision): RequestOptions {
  if ((workload.kind as WorkloadKind) !== 'Deployment') return { body: object.data, contentType: STRATEGIC };
  const body = [
    { op: 'replace', path: '/spec/template', value: withoutHash(template) },
    { op: 'replace', path: '/metadata/annotations', value: annotationsOf(workload, object) },
  ];
  return { body, contentType: 'application/json-patch+json' };
}

function withoutHash(template: Json): Json {
  const { 'pod-template-hash': _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

function annotationsOf(workload: Json, revision: Json): Readonly<Record<string, unknown>> {
  const isKept = ([key]: [string, unknown]) => KEPT_BY_UNDO.includes(key);
  return Object.fromEntries([
    ...Object.entries(workload.metadata.annotations ?? {}).filter(isKept),
    ...Object.entries(revision.metadata.annotations ?? {}).filter((entry) => !isKept(entry)),
  ]);
}
