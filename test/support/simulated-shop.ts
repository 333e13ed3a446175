// A small shop for histories of random steps: what people and tools do to two workloads and their two sources.

import fc from 'fast-check';
import { contentHash } from '../../controller/core/content-hash.ts';
import { rolledHashLabel } from '../../controller/core/names.ts';
import { findReferences, inspectTemplate } from '../../controller/core/references.ts';
import { NOON, pinned } from './builders.ts';
import { type RawConfigMap, revisionOf, SimulatedCluster, type Template } from './simulated-cluster.ts';
import { SimulatedController } from './simulated-controller.ts';

export const SOURCES = ['foo', 'bar'] as const;
export const WORKLOADS = ['web', 'api'] as const;
export type Source = (typeof SOURCES)[number];
export type WorkloadName = (typeof WORKLOADS)[number];
export type AdmissionBy = 'nobody' | 'controller' | 'replica';
export type OptIn = 'reference' | 'declared' | 'all';

export const USES: Readonly<Record<WorkloadName, readonly Source[]>> = { web: ['foo', 'bar'], api: ['foo'] };

/** What stands in Git: always raw names. */
export function manifest(name: WorkloadName, image: string): Template {
  const [first = 'foo', second] = USES[name];
  return {
    metadata: { labels: { app: name } },
    spec: {
      initContainers: [{ name: 'init', image, envFrom: [{ configMapRef: { name: first, optional: true } }] }],
      containers: [{ name: 'main', image, env: [{ name: 'PLAIN', value: 'foo' }] }],
      volumes: [
        { name: 'config', configMap: { name: first } },
        { name: 'plain', configMap: { name: 'plain' } },
        ...(second ? [{ name: 'more', projected: { sources: [{ configMap: { name: second } }] } }] : []),
      ],
    },
  };
}

/** Two workloads, that share one of two sources, in a simulated cluster with a controller. */
export class Shop {
  readonly cluster = new SimulatedCluster(NOON);
  readonly optIn: OptIn;
  controller: SimulatedController;
  /** Each workload's image, as its manifest in Git says. */
  readonly images: Record<WorkloadName, string> = { web: 'img:1', api: 'img:1' };

  /** Answers requests beside the controller, with caches of its own. */
  replica: SimulatedController | undefined;

  /** @param admission installs the webhook, once the workloads are there: of the controller, or of a replica. */
  constructor(optIn: OptIn, historyLimit: number, admission: AdmissionBy = 'nobody') {
    this.optIn = optIn;
    const { cluster } = this;
    cluster.createConfigMap('plain', { k: 'v' });
    const labels = optIn === 'all' ? { labels: { 'configrollout.dev/managed': 'all' } } : {};
    for (const name of WORKLOADS) cluster.createDeployment(name, manifest(name, 'img:1'), labels, historyLimit);
    for (const name of SOURCES) cluster.createConfigMap(name, { k: 'a' }, this.#optsIn(name));
    cluster.runDeploymentController();
    this.controller = new SimulatedController(cluster);
    if (admission === 'replica') this.replica = new SimulatedController(cluster, true);
    if (admission !== 'nobody') cluster.admission = (request) => (this.replica ?? this.controller).admit(request);
  }

  #optsIn(source: Source) {
    const owners = WORKLOADS.filter((name) => USES[name].includes(source));
    switch (this.optIn) {
      case 'all':
        return {};
      case 'declared':
        return { annotations: { 'configrollout.dev/owners': owners.map((name) => `deployment/${name}`).join(', ') } };
      case 'reference': {
        const uidOf = (name: string) => this.cluster.deployment(name).metadata.uid;
        const reference = (name: string) => ({ apiVersion: 'apps/v1', kind: 'Deployment', name, uid: uidOf(name) });
        return { ownerReferences: owners.map(reference) };
      }
      default:
        return this.optIn satisfies never;
    }
  }

  currentHash(source: string): string {
    return contentHash('ConfigMap', source, { data: this.cluster.configMap(source)?.data ?? {}, binaryData: {} });
  }

  /** The snapshot of the content that a source has now. */
  currentMount(source: string): string {
    return pinned(source, this.currentHash(source));
  }

  /** The names that the template of a workload would mount if every source was pinned to its current content. */
  currentMounts(name: WorkloadName): string[] {
    return this.cluster.mounts(name).map((mount) => {
      const source = SOURCES.find((each) => mount === each || mount.startsWith(`${each}-`));
      return source ? this.currentMount(source) : mount;
    });
  }

  restart(): void {
    this.cluster.deliver();
    this.controller = new SimulatedController(this.cluster);
    if (this.replica) this.replica = new SimulatedController(this.cluster, true);
  }
}

// ---- what can happen

export type Step =
  | { readonly do: 'edit'; readonly source: Source; readonly value: string }
  | { readonly do: 'annotate'; readonly source: Source; readonly value: string }
  | { readonly do: 'setImage' | 'apply'; readonly workload: WorkloadName; readonly image: string }
  | { readonly do: 'undo'; readonly workload: WorkloadName; readonly back: number }
  | { readonly do: 'replace' | 'scale' | 'togglePause' | 'deleteOldestRevision'; readonly workload: WorkloadName }
  | { readonly do: 'recreateSource'; readonly source: Source }
  | { readonly do: 'restartController' };

const source = fc.constantFrom(...SOURCES);
const workload = fc.constantFrom(...WORKLOADS);
const value = fc.constantFrom('a', 'b', 'c');
const image = fc.constantFrom('img:1', 'img:2');
const back = fc.integer({ min: 1, max: 3 });

/** Any step but an undo. */
export const forwardStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('edit' as const), source, value }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('annotate' as const), source, value }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('setImage' as const, 'apply' as const), workload, image }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('replace' as const, 'scale' as const), workload }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteOldestRevision' as const), workload }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('recreateSource' as const), source }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restartController' as const) }) },
);
const undoStep: fc.Arbitrary<Step> = fc.record({ do: fc.constant('undo' as const), workload, back });
export const humanStep = fc.oneof({ weight: 4, arbitrary: forwardStep }, { weight: 1, arbitrary: undoStep });

/** Done at once where no admission is installed. */
export async function perform(shop: Shop, step: Step): Promise<void> {
  const { cluster } = shop;
  switch (step.do) {
    case 'edit':
      cluster.editConfigMap(step.source, (copy) => {
        copy.data = { k: step.value };
      });
      return;
    case 'annotate':
      cluster.editConfigMap(step.source, ({ metadata }) => {
        metadata.annotations = { ...metadata.annotations, note: step.value };
      });
      return;
    case 'apply':
      shop.images[step.workload] = step.image;
      await cluster.writeDeployment('apply', step.workload, (copy) => {
        copy.spec.template = manifest(step.workload, step.image);
      });
      return;
    case 'setImage':
      await cluster.writeDeployment('setImage', step.workload, ({ spec }) => {
        for (const each of (spec.template.spec as { containers: { image: string }[] }).containers)
          each.image = step.image;
      });
      return;
    case 'undo': {
      const history = cluster.history(step.workload);
      const target = history.at(-1 - step.back);
      if (target) await cluster.undo(step.workload, revisionOf(target));
      return;
    }
    case 'replace':
      await cluster.writeDeployment('replace', step.workload, (copy) => {
        const kept = copy.metadata.labels?.['configrollout.dev/managed'] === 'all';
        copy.metadata.labels = kept ? { 'configrollout.dev/managed': 'all' } : {};
        delete copy.metadata.annotations;
        copy.spec.template = manifest(step.workload, shop.images[step.workload]);
      });
      return;
    case 'scale':
      await cluster.writeDeployment('edit', step.workload, ({ spec }) => {
        spec.replicas = 3 - spec.replicas;
      });
      return;
    case 'togglePause':
      await cluster.writeDeployment('pause', step.workload, ({ spec }) => {
        spec.paused = !spec.paused;
      });
      return;
    case 'deleteOldestRevision': {
      const [oldest, ...newer] = cluster.history(step.workload);
      if (oldest && newer.length > 0) cluster.delete('ReplicaSet', oldest.metadata.name);
      return;
    }
    case 'recreateSource': {
      const before = cluster.configMap(step.source);
      cluster.delete('ConfigMap', step.source);
      if (before?.data)
        cluster.createConfigMap(step.source, before.data, {
          ...(before.metadata.annotations && { annotations: before.metadata.annotations }),
          ...(before.metadata.ownerReferences && { ownerReferences: before.metadata.ownerReferences }),
        });
      return;
    }
    case 'restartController':
      shop.restart();
      return;
    default:
      step satisfies never;
  }
}

// ---- what must hold whenever nobody has anything to do

/** What is wrong in a cluster at rest: one line for each broken promise. */
export function brokenPromises(shop: Shop): string[] {
  return [
    ...WORKLOADS.flatMap((name) => [...wrongLabels(shop, name), ...wrongMounts(shop, name), ...unheld(shop, name)]),
    ...shop.cluster.configMaps().flatMap((object) => wrongSnapshot(shop, object)),
  ];
}

function wrongLabels(shop: Shop, name: WorkloadName): string[] {
  const { labels = {} } = shop.cluster.deployment(name).metadata;
  return USES[name]
    .filter((source) => labels[rolledHashLabel('ConfigMap', source)] !== shop.currentHash(source))
    .map((source) => `${name} is not recorded as rolled to the content of ${source}`);
}

function wrongMounts({ cluster }: Shop, name: WorkloadName): string[] {
  return cluster
    .mounts(name)
    .filter((mount) => SOURCES.some((source) => source === mount) || cluster.configMap(mount) === undefined)
    .map((mount) => `${name} mounts ${mount}, which is the original, or missing`);
}

// Every revision that mounts a snapshot keeps it alive.
function unheld({ cluster }: Shop, name: WorkloadName): string[] {
  return cluster.history(name).flatMap(({ metadata, spec }) =>
    findReferences(spec.template)
      .map((reference) => cluster.configMap(reference.name))
      .filter((mounted) => mounted?.immutable && !owns(mounted, metadata.uid))
      .map((mounted) => `${metadata.name} mounts ${mounted?.metadata.name} and does not own it`),
  );
}

function owns({ metadata }: RawConfigMap, uid: string): boolean {
  return metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
}

function wrongSnapshot(shop: Shop, { metadata, immutable, data = {} }: RawConfigMap): string[] {
  const { name, ownerReferences = [] } = metadata;
  const hash = metadata.labels?.['configrollout.dev/content-hash'];
  if (hash === undefined) return [];
  const source = metadata.annotations?.['configrollout.dev/source-name'] ?? '';
  const wrong: readonly (readonly [boolean, string])[] = [
    [name !== pinned(source, hash), 'has another name than its content'],
    [hash !== contentHash('ConfigMap', source, { data, binaryData: {} }), 'has another content than its hash'],
    [immutable !== true, 'can be changed'],
    [ownerReferences.length === 0, 'is owned by nobody, so that it stays for ever'],
    [ownerReferences.some(({ uid }) => !shop.cluster.isAlive(uid)), 'is owned by the dead'],
    [hash !== shop.currentHash(source) && shop.cluster.holders(name).length === 0, 'is kept for nobody'],
  ];
  return wrong.filter(([is]) => is).map(([, what]) => `${name} ${what}`);
}

// ---- what must hold whenever a request was admitted, whatever the caches knew

/** What the templates mount that can change under their pods. */
export function rawMounts({ cluster }: Shop): string[] {
  return WORKLOADS.flatMap((name) => cluster.mounts(name)).filter((mount) => SOURCES.some((each) => each === mount));
}

/** What shows of a workload before a request. */
export function standing({ cluster }: Shop, name: WorkloadName) {
  const { metadata, spec } = structuredClone(cluster.deployment(name));
  const rolled = (source: Source) => metadata.labels?.[rolledHashLabel('ConfigMap', source)];
  const { shape } = inspectTemplate(spec.template);
  return { name, shape, mounts: cluster.mounts(name), rolled, history: cluster.history(name) };
}
type Standing = ReturnType<typeof standing>;

/** What is wrong in a workload after a request: one line for each reference and label. */
export function brokenByRequest(shop: Shop, step: Step, before: Standing): string[] {
  const { name, mounts } = before;
  const after = standing(shop, name);
  const asked = askedMounts(step, before);
  const wrongMount = (mount: string, i: number) => {
    const source = SOURCES.find((each) => each === asked[i]);
    // `managed: all` pins what is plain, too.
    const allowed = source
      ? allowedPins(shop, source, before, after, mounts[i] ?? '')
      : [asked[i], ...(asked[i] === 'plain' ? [mounts[i]] : [])];
    return allowed.includes(mount) ? [] : [`${name} mounts ${mount}, not ${allowed.join(' or ')}`];
  };
  const wrongLabel = (source: Source) =>
    [before.rolled(source), shop.currentHash(source)].includes(after.rolled(source))
      ? []
      : [`${name} is recorded as rolled to ${after.rolled(source)} of ${source}`];
  return [...after.mounts.flatMap(wrongMount), ...USES[name].flatMap(wrongLabel)];
}

function askedMounts(step: Step, { name, mounts, history }: Standing): readonly string[] {
  if (!('workload' in step) || step.workload !== name) return mounts;
  const target = step.do === 'undo' ? history.at(-1 - step.back)?.spec.template : undefined;
  const asked = ['apply', 'replace'].includes(step.do) ? manifest(name, '') : target;
  return asked ? findReferences(asked).map((reference) => reference.name) : mounts;
}

// A raw name keeps what runs, or comes with the content of now; and that in any case where an image comes with it.
function allowedPins(shop: Shop, source: Source, before: Standing, after: Standing, was: string): string[] {
  if (before.rolled(source) === shop.currentHash(source)) return [was];
  return before.shape === after.shape ? [was, shop.currentMount(source)] : [shop.currentMount(source)];
}
