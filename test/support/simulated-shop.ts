// A small shop for histories of random steps: what people and tools do to two workloads and their two sources.

import type { Admit } from '../../controller/app/admission.ts';
import { contentHash } from '../../controller/core/content-hash.ts';
import { EXCLUDED, MANAGED_LABEL, rolledHashLabel } from '../../controller/core/names.ts';
import { findReferences } from '../../controller/core/references.ts';
import type { Reference, SourceKind } from '../../controller/core/types.ts';
import { NOON, pinned } from './builders.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { SimulatedController } from './simulated-controller.ts';
import type { RawWorkload, Strings, Template, UpdateStrategy, WorkloadKindName } from './simulated-objects.ts';

export const SOURCES = ['foo', 'bar'] as const;
export const WORKLOADS = ['web', 'api'] as const;
/** What tests call a source; its kind and its name are the variant's. */
export type Source = (typeof SOURCES)[number];
export type WorkloadName = (typeof WORKLOADS)[number];
export type AdmissionBy = 'nobody' | 'controller' | 'replica';
export type OptIn = 'reference' | 'declared' | 'all';

export const USES: Readonly<Record<WorkloadName, readonly [Source, ...Source[]]>> = {
  web: ['foo', 'bar'],
  api: ['foo'],
};

export interface SourceObject {
  readonly kind: SourceKind;
  readonly name: string;
}
/** What the two sources are. */
export const PAIRS = {
  mixed: { foo: { kind: 'ConfigMap', name: 'foo' }, bar: { kind: 'Secret', name: 'bar' } },
  swapped: { foo: { kind: 'Secret', name: 'foo' }, bar: { kind: 'ConfigMap', name: 'bar' } },
  namesakes: { foo: { kind: 'ConfigMap', name: 'foo' }, bar: { kind: 'Secret', name: 'foo' } },
} as const satisfies Record<string, Record<Source, SourceObject>>;
export type Pair = keyof typeof PAIRS;

/** What the objects of the shop are. */
export interface Variant {
  readonly sources: Pair;
  readonly kinds: Readonly<Record<WorkloadName, WorkloadKindName>>;
  /** Of those that are StatefulSets. */
  readonly updateStrategy: UpdateStrategy;
}
const USUAL: Variant = {
  sources: 'mixed',
  kinds: { web: 'Deployment', api: 'Deployment' },
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
};

/** What stands in Git: always raw names. */
export function manifest(name: WorkloadName, image: string, pair: Pair = 'mixed'): Template {
  const [first, second] = USES[name];
  const one = placesOf(PAIRS[pair][first], { optional: true });
  const two = second && placesOf(PAIRS[pair][second]);
  return {
    metadata: { labels: { app: name } },
    spec: {
      initContainers: [{ name: 'init', image, envFrom: [one.envFrom] }],
      containers: [{ name: 'main', image, env: [{ name: 'PLAIN', value: 'foo' }, ...(two ? [two.env] : [])] }],
      volumes: [
        { name: 'config', ...one.volume },
        { name: 'plain', configMap: { name: 'plain' } },
        ...(two ? [{ name: 'more', projected: { sources: [two.projected] } }] : []),
      ],
    },
  };
}

// The four ways in which a template names it.
function placesOf({ kind, name }: SourceObject, more: { optional?: true } = {}) {
  const key = { name, key: 'k' };
  return kind === 'Secret'
    ? {
        volume: { secret: { secretName: name } },
        projected: { secret: { name } },
        envFrom: { secretRef: { name, ...more } },
        env: { name: 'K', valueFrom: { secretKeyRef: key } },
      }
    : {
        volume: { configMap: { name } },
        projected: { configMap: { name } },
        envFrom: { configMapRef: { name, ...more } },
        env: { name: 'K', valueFrom: { configMapKeyRef: key } },
      };
}

/** Two workloads, that share one of two sources, in a simulated cluster with a controller. */
export class Shop {
  readonly cluster = new SimulatedCluster(NOON);
  readonly optIn: OptIn;
  readonly variant: Variant;
  controller: SimulatedController;
  /** Each workload's image, as its manifest in Git says. */
  readonly images: Record<WorkloadName, string> = { web: 'img:1', api: 'img:1' };

  /** Answers requests beside the controller, with caches of its own. */
  replica: SimulatedController | undefined;

  /** @param admission installs the webhook, once the workloads are there: of the controller, or of a replica. */
  constructor(optIn: OptIn, historyLimit: number, admission: AdmissionBy = 'nobody', variant: Partial<Variant> = {}) {
    this.optIn = optIn;
    this.variant = { ...USUAL, ...variant };
    const { cluster } = this;
    cluster.createConfigMap('plain', { k: 'v' });
    for (const name of WORKLOADS) this.#createWorkload(name, historyLimit);
    for (const source of SOURCES) {
      const { kind, name } = this.source(source);
      cluster.createConfig(kind, name, { data: this.dataOf(source, 'a') }, this.#optsIn(source));
    }
    cluster.runWorkloadControllers();
    this.controller = new SimulatedController(cluster);
    if (admission === 'replica') this.replica = new SimulatedController(cluster, true);
    if (admission !== 'nobody')
      cluster.admission = this.#watched((request) => (this.replica ?? this.controller).admit(request));
    cluster.onPatch = (name, before, after) => this.#expectUntouched(name, before, after);
  }

  #createWorkload(name: WorkloadName, historyLimit: number): void {
    const kind = this.variant.kinds[name];
    const labels = this.optIn === 'all' ? { labels: { [MANAGED_LABEL]: 'all' } } : {};
    const ofSets = kind === 'StatefulSet' ? { replicas: 2, updateStrategy: this.variant.updateStrategy } : {};
    this.cluster.createWorkload(name, this.manifest(name), labels, { kind, historyLimit, ...ofSets });
  }

  #optsIn(source: Source) {
    const owners = WORKLOADS.filter((name) => USES[name].includes(source));
    const { kinds } = this.variant;
    switch (this.optIn) {
      case 'all':
        return {};
      case 'declared': {
        const declared = owners.map((name) => `${kinds[name].toLowerCase()}/${name}`);
        return { annotations: { 'configrollout.dev/owners': declared.join(', ') } };
      }
      case 'reference': {
        const uidOf = (name: string) => this.cluster.workload(name).metadata.uid;
        return {
          ownerReferences: owners.map((name) => ({ apiVersion: 'apps/v1', kind: kinds[name], name, uid: uidOf(name) })),
        };
      }
      default:
        return this.optIn satisfies never;
    }
  }

  source(source: Source): SourceObject {
    return PAIRS[this.variant.sources][source];
  }

  /** Which source a reference names, raw or pinned. */
  sourceOf({ kind, name }: Pick<Reference, 'kind' | 'name'>): Source | undefined {
    return SOURCES.find((each) => {
      const source = this.source(each);
      return source.kind === kind && (source.name === name || name.startsWith(`${source.name}-`));
    });
  }

  isRaw(reference: Pick<Reference, 'kind' | 'name'>): boolean {
    const source = this.sourceOf(reference);
    return source !== undefined && this.source(source).name === reference.name;
  }

  /** What stands in Git of a workload: with its image of now, unless told otherwise. */
  manifest(name: WorkloadName, image: string = this.images[name]): Template {
    return manifest(name, image, this.variant.sources);
  }

  /** A content of a source, as the API has it. */
  dataOf(source: Source, value: string): Strings {
    return { k: this.source(source).kind === 'Secret' ? Buffer.from(value).toString('base64') : value };
  }

  currentHash(source: Source): string {
    const { kind, name } = this.source(source);
    const { data = {}, type } = this.cluster.config(kind, name) ?? {};
    return contentHash(kind, name, { data, binaryData: {}, type });
  }

  /** The snapshot of the content that a source has now. */
  currentMount(source: Source): string {
    return pinned(this.source(source).name, this.currentHash(source));
  }

  /** The names that the template of a workload would mount if every source was pinned to its current content. */
  currentMounts(name: WorkloadName): string[] {
    return this.cluster.references(name).map((reference) => {
      const source = this.sourceOf(reference);
      return source ? this.currentMount(source) : reference.name;
    });
  }

  /** The hash that a workload is recorded as rolled to. */
  rolled(name: WorkloadName, source: Source): string | undefined {
    return this.cluster.workload(name).metadata.labels?.[this.stateLabel(source)];
  }

  stateLabel(source: Source): string {
    const { kind, name } = this.source(source);
    return rolledHashLabel(kind, name);
  }

  /** Whether a person said that the workload, the source, or this source of this workload is not to be touched. */
  isExcluded(name: WorkloadName, source: Source, { metadata } = this.cluster.workload(name)): boolean {
    const { kind, name: sourceName } = this.source(source);
    const ignored = this.cluster.config(kind, sourceName)?.metadata.labels?.[MANAGED_LABEL] === 'none';
    const { [MANAGED_LABEL]: managed, [this.stateLabel(source)]: state } = metadata.labels ?? {};
    return ignored || managed === 'none' || state === EXCLUDED;
  }

  restart(): void {
    this.cluster.deliver();
    this.controller = new SimulatedController(this.cluster);
    if (this.replica) this.replica = new SimulatedController(this.cluster, true);
  }

  // What is excluded is not touched: neither its references, nor what is recorded of it; and no workload all of whose
  // sources are.
  #expectUntouched(asked: string, before: RawWorkload, after: RawWorkload): void {
    const name = WORKLOADS.find((each) => each === asked);
    if (name === undefined) return;
    const excluded = USES[name].filter((source) => this.isExcluded(name, source, before));
    const show = (object: RawWorkload) => ({
      references: findReferences(object.spec.template).filter((each) =>
        excluded.some((it) => it === this.sourceOf(each)),
      ),
      labels: excluded.map((source) => object.metadata.labels?.[this.stateLabel(source)]),
      everything: excluded.length === USES[name].length && this.optIn !== 'all' ? object : undefined,
    });
    if (JSON.stringify(show(before)) !== JSON.stringify(show(after)))
      this.cluster.mishaps.push(`${name} was touched, though ${excluded.join(' and ')} is excluded`);
  }

  #watched(admit: Admit): Admit {
    return async (request) => {
      const answer = await admit(request);
      const object = request.object as RawWorkload;
      const name = WORKLOADS.find((each) => each === request.name);
      const excluded = findReferences(object.spec.template).filter((reference) => {
        const source = this.sourceOf(reference);
        return name && source && this.isExcluded(name, source, object);
      });
      const touched = excluded.filter(({ pointer }) =>
        answer.operations?.some(({ op, path }) => op !== 'test' && path === `/spec/template${pointer}`),
      );
      this.cluster.mishaps.push(...touched.map((each) => `${name} was pinned to ${each.name}, which is excluded`));
      return answer;
    };
  }
}
