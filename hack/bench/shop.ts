// What a benchmark works on: Deployments that share ConfigMaps and are managed, and twins of them that are not.

import { OWNERS_ANNOTATION } from '../../controller/core/names.ts';
import type { KubeClient } from '../../controller/kube/client.ts';
import { openLoop } from './measure.ts';

const NAMESPACE = '/namespaces/bench';
const CONFIG_MAPS = `/api/v1${NAMESPACE}/configmaps`;
const DEPLOYMENTS = `/apis/apps/v1${NAMESPACE}/deployments`;
const REPLICA_SETS = `/apis/apps/v1${NAMESPACE}/replicasets`;
const SHARING = 5;

interface Metadata {
  readonly name: string;
  readonly generation: number;
  readonly ownerReferences?: readonly { readonly name: string }[];
}

interface ConfigMap {
  readonly metadata: Metadata;
  readonly data?: { readonly greeting: string };
}

interface Workload {
  readonly metadata: Metadata;
  readonly spec: { readonly template: { readonly spec: { readonly volumes: readonly Volume[] } } };
  readonly status: Readonly<Record<string, number | undefined>>;
}

interface Volume {
  readonly configMap: { readonly name: string };
}

export interface Target {
  readonly name: string;
  readonly source: string;
  readonly isManaged: boolean;
}

/** New ReplicaSets, and what they should be. */
export interface Revisions {
  readonly made: number;
  /** That mount a ConfigMap itself. */
  readonly raw: number;
  /** One line for each Deployment that has another number of them than edits of its source. */
  readonly odd: readonly string[];
}

export class Shop {
  readonly sources: readonly string[];
  readonly managed: readonly Target[];
  readonly twins: readonly Target[];
  readonly #client: KubeClient;
  readonly #edits = new Map<string, number>();
  #former: ReadonlySet<string> = new Set();

  constructor(client: KubeClient, deployments: number) {
    this.#client = client;
    this.sources = Array.from({ length: Math.ceil(deployments / SHARING) }, (_, index) => `config-${index}`);
    const targets = (isManaged: boolean) =>
      Array.from({ length: deployments }, (_, index) => {
        const source = this.sources[index % this.sources.length] ?? '';
        return { name: `${isManaged ? 'managed' : 'twin'}-${index}`, source, isManaged };
      });
    this.managed = targets(true);
    this.twins = targets(false);
  }

  async create(): Promise<void> {
    await this.#client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'bench' } } });
    const post = (path: string, bodies: readonly object[]) =>
      Promise.all(bodies.map((body) => this.#client.request('POST', path, { body })));
    await post(
      CONFIG_MAPS,
      this.sources.map((source) => {
        const owners = this.managed
          .filter((target) => target.source === source)
          .map(({ name }) => `deployment/${name}`);
        const metadata = { name: source, annotations: { [OWNERS_ANNOTATION]: owners.join(', ') } };
        return { metadata, data: { greeting: 'Hello' } };
      }),
    );
    await post(DEPLOYMENTS, [...this.managed, ...this.twins].map(deployment));
  }

  /** As an apply of the unchanged manifest does, writes the ConfigMap's own name into the template; true if it stays. */
  async applyRaw({ name, source }: Target): Promise<boolean> {
    const path = '/spec/template/spec/volumes/0/configMap/name';
    const answer = await this.#client.request<Workload>('PATCH', `${DEPLOYMENTS}/${name}`, {
      // Without a name of its own it would look like an undo.
      query: { fieldManager: 'bench' },
      contentType: 'application/json-patch+json',
      body: [{ op: 'replace', path, value: source }],
    });
    return mounted(answer) === source;
  }

  /** Gives the number of edits. */
  async editEachSecond(seconds: number): Promise<number> {
    this.#former = new Set((await this.#list<Workload>(REPLICA_SETS)).map(({ metadata }) => metadata.name));
    const edits = await openLoop(1, seconds, async (index) => {
      const source = this.sources[index % this.sources.length] ?? '';
      const body = { data: { greeting: `edit ${index}` } };
      await this.#client.request('PATCH', `${CONFIG_MAPS}/${source}`, { body });
      this.#edits.set(source, (this.#edits.get(source) ?? 0) + 1);
    });
    return edits.length;
  }

  /** Every Deployment is complete, and every managed one mounts a copy of what its source holds now. */
  async isAtRest(): Promise<boolean> {
    const configMaps = await this.#list<ConfigMap>(CONFIG_MAPS);
    const contents = new Map(configMaps.map(({ metadata, data }) => [metadata.name, data?.greeting]));
    const workloads = await this.#list<Workload>(DEPLOYMENTS);
    const sourceOf = new Map([...this.managed, ...this.twins].map(({ name, source }) => [name, source]));
    return workloads.every((workload) => {
      const { metadata, status } = workload;
      const counts = [status['replicas'], status['updatedReplicas'], status['availableReplicas']];
      const complete = status['observedGeneration'] === metadata.generation && counts.every((count) => count === 1);
      const [source = '', mounts] = [sourceOf.get(metadata.name), mounted(workload)];
      const isPinned = mounts !== source && contents.get(mounts) === contents.get(source);
      return complete && (isPinned || this.twins.some(({ name }) => name === metadata.name));
    });
  }

  /** Since the edits began. */
  async revisions(): Promise<Revisions> {
    const all = await this.#list<Workload>(REPLICA_SETS);
    const made = all.filter(({ metadata }) => !this.#former.has(metadata.name));
    const byOwner = Map.groupBy(made, ({ metadata }) => metadata.ownerReferences?.[0]?.name ?? '');
    const odd = this.managed.flatMap(({ name, source }) => {
      const [count, edits] = [byOwner.get(name)?.length ?? 0, this.#edits.get(source) ?? 0];
      return count === edits ? [] : [`${name}: ${count} revisions, ${edits} edits`];
    });
    return { made: made.length, raw: made.filter((each) => this.sources.includes(mounted(each))).length, odd };
  }

  async #list<T>(path: string): Promise<readonly T[]> {
    return (await this.#client.request<{ items: readonly T[] }>('GET', path)).items;
  }
}

function deployment({ name, source }: Target): object {
  const labels = { app: name };
  const containers = [{ name: 'main', image: 'app:1', volumeMounts: [{ name: 'config', mountPath: '/etc/app' }] }];
  const volumes = [{ name: 'config', configMap: { name: source } }];
  const template = { metadata: { labels }, spec: { containers, volumes } };
  // All revisions are kept, to be counted.
  return { metadata: { name }, spec: { revisionHistoryLimit: 1000, selector: { matchLabels: labels }, template } };
}

function mounted({ spec }: Workload): string {
  return spec.template.spec.volumes[0]?.configMap.name ?? '';
}
