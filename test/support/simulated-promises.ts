// What the promises of docs/semantics.md come to in the shop.

import { contentHash } from '../../controller/core/content-hash.ts';
import { MANAGED_LABEL } from '../../controller/core/names.ts';
import { findReferences, inspectTemplate } from '../../controller/core/references.ts';
import type { Reference, SourceKind, TemplateInfo } from '../../controller/core/types.ts';
import { pinned } from './builders.ts';
import type { HistoryEntry, RawConfig, SetStatus } from './simulated-objects.ts';
import { type Shop, type Source, USES, WORKLOADS, type WorkloadName } from './simulated-shop.ts';
import type { Step } from './simulated-steps.ts';

// ---- what must hold whenever nobody has anything to do

/** What is wrong in a cluster at rest: one line for each broken promise. */
export function brokenPromises(shop: Shop): string[] {
  return [
    ...shop.cluster.mishaps,
    ...WORKLOADS.flatMap((name) => [
      ...wrongLabels(shop, name),
      ...wrongMounts(shop, name),
      ...unheld(shop, name),
      ...litter(shop, name),
    ]),
    ...shop.cluster.configs().flatMap(({ kind, object }) => wrongSnapshot(shop, kind, object)),
  ];
}

function wrongLabels(shop: Shop, name: WorkloadName): string[] {
  const managed = USES[name].filter((source) => !shop.isExcluded(name, source));
  const { labels = {} } = shop.cluster.workload(name).metadata;
  const isOverlooked = managed.length > 0 && !(MANAGED_LABEL in labels);
  return [
    ...managed
      .filter((source) => shop.rolled(name, source) !== shop.currentHash(source))
      .map((source) => `${name} is not recorded as rolled to the content of ${source}`),
    ...(isOverlooked ? [`${name} bears no label that admission selects by`] : []),
  ];
}

function wrongMounts(shop: Shop, name: WorkloadName): string[] {
  const { cluster } = shop;
  const running = cluster.pods(name).flatMap(({ template }) => findReferences(template));
  const isMissing = (reference: Reference) => cluster.config(reference.kind, reference.name) === undefined;
  return [
    ...rawReferences(shop, name).map((each) => `${name} mounts ${each.kind} ${each.name}, which is the original`),
    ...cluster
      .references(name)
      .filter(isMissing)
      .map((each) => `${name} mounts ${each.name}, which is missing`),
    ...running.filter(isMissing).map((each) => `a pod of ${name} mounts ${each.name}, which is missing`),
  ];
}

function rawReferences(shop: Shop, name: WorkloadName): Reference[] {
  return shop.cluster.references(name).filter((reference) => {
    const source = shop.sourceOf(reference);
    return source !== undefined && shop.isRaw(reference) && !shop.isExcluded(name, source);
  });
}

// Every revision that mounts a snapshot keeps it alive.
function unheld({ cluster }: Shop, name: WorkloadName): string[] {
  return cluster.history(name).flatMap(({ metadata, template }) =>
    findReferences(template)
      .map((reference) => cluster.config(reference.kind, reference.name))
      .filter((mounted) => mounted?.immutable && !owns(mounted, metadata.uid))
      .map((mounted) => `${metadata.name} mounts ${mounted?.metadata.name} and does not own it`),
  );
}

// Every pod is of the current revision, or of the newest.
function isSettled(status: Partial<SetStatus>): boolean {
  const { replicas = 0, currentReplicas = 0, updatedReplicas = 0, currentRevision, updateRevision } = status;
  return (currentRevision === updateRevision ? updatedReplicas : currentReplicas + updatedReplicas) === replicas;
}

// A raw revision that has a pinned twin is where an undo would land, and do nothing. Which revisions of a StatefulSet have
// pods is not known while some are of a third one.
function litter(shop: Shop, name: WorkloadName): string[] {
  const { cluster } = shop;
  const { spec, status } = cluster.workload(name);
  if (spec.paused || (status && !isSettled(status)) || USES[name].some((source) => shop.isExcluded(name, source)))
    return [];
  const used = [status?.currentRevision, ...cluster.pods(name).map(({ revision }) => revision)];
  const history = cluster.history(name);
  const raw = history.slice(0, -1).filter(({ template, metadata }) => {
    const isRaw = findReferences(template).some((reference) => shop.isRaw(reference));
    return isRaw && !used.includes(metadata.name);
  });
  const isTwin = (one: HistoryEntry, other: HistoryEntry) =>
    one !== other && isPinnedTwin(shop, inspectTemplate(one.template), inspectTemplate(other.template));
  return raw
    .filter((entry) => history.some((other) => isTwin(entry, other)))
    .map(({ metadata }) => `${metadata.name} is raw, and has a pinned twin`);
}

function isPinnedTwin(shop: Shop, raw: TemplateInfo, other: TemplateInfo): boolean {
  return (
    raw.shape === other.shape &&
    raw.references.every((one, i) => {
      const two = other.references[i];
      if (two === undefined) return false;
      if (!shop.isRaw(one)) return one.name === two.name;
      return !shop.isRaw(two) && shop.sourceOf(one) === shop.sourceOf(two);
    })
  );
}

function owns({ metadata }: RawConfig, uid: string): boolean {
  return metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
}

function wrongSnapshot(shop: Shop, kind: SourceKind, { metadata, immutable, data = {}, type }: RawConfig): string[] {
  const { name, ownerReferences = [] } = metadata;
  const hash = metadata.labels?.['configrollout.dev/content-hash'];
  if (hash === undefined) return [];
  const sourceName = metadata.annotations?.['configrollout.dev/source-name'] ?? '';
  const source = shop.sourceOf({ kind, name: sourceName });
  const isCurrent = source !== undefined && hash === shop.currentHash(source);
  const wrong: readonly (readonly [boolean, string])[] = [
    [name !== pinned(sourceName, hash), 'has another name than its content'],
    [hash !== contentHash(kind, sourceName, { data, binaryData: {}, type }), 'has another content than its hash'],
    [immutable !== true, 'can be changed'],
    [ownerReferences.length === 0, 'is owned by nobody, so that it stays for ever'],
    [ownerReferences.some(({ uid }) => !shop.cluster.isAlive(uid)), 'is owned by the dead'],
    [!isCurrent && shop.cluster.holders(name, kind).length === 0, 'is kept for nobody'],
  ];
  return wrong.filter(([is]) => is).map(([, what]) => `${kind} ${name} ${what}`);
}

// ---- what must hold whenever a request was admitted, whatever the caches knew

/** What the templates mount that can change under their pods. */
export function rawMounts(shop: Shop): string[] {
  return WORKLOADS.flatMap((name) => rawReferences(shop, name)).map(({ kind, name }) => `${kind} ${name}`);
}

/** What shows of a workload before a request. */
export function standing(shop: Shop, name: WorkloadName) {
  const { spec } = shop.cluster.workload(name);
  const rolled = new Map(USES[name].map((source) => [source, shop.rolled(name, source)]));
  const excluded = USES[name].filter((source) => shop.isExcluded(name, source));
  const { shape, references } = inspectTemplate(spec.template);
  return { name, shape, references, rolled, excluded, history: shop.cluster.history(name) };
}
type Standing = ReturnType<typeof standing>;

/** What is wrong in a workload after a request: one line for each reference and label. */
export function brokenByRequest(shop: Shop, step: Step, before: Standing): string[] {
  const { name } = before;
  // What may be written for those is checked as it is written.
  if (step.do === 'exclude' || step.do === 'include') return [];
  const after = standing(shop, name);
  const asked = askedReferences(shop, step, before);
  const wrongMount = ({ name: mount }: Reference, i: number) => {
    const allowed = allowedMounts(shop, asked[i], { before, after, was: before.references[i]?.name ?? '' });
    return allowed.includes(mount) ? [] : [`${name} mounts ${mount}, not ${allowed.join(' or ')}`];
  };
  const wrongLabel = (source: Source) =>
    before.excluded.includes(source) ||
    [before.rolled.get(source), shop.currentHash(source)].includes(after.rolled.get(source))
      ? []
      : [`${name} is recorded as rolled to ${after.rolled.get(source)} of ${source}`];
  return [...after.references.flatMap(wrongMount), ...USES[name].flatMap(wrongLabel)];
}

function askedReferences(shop: Shop, step: Step, { name, references, history }: Standing): readonly Reference[] {
  if (!('workload' in step) || step.workload !== name) return references;
  const target = step.do === 'undo' ? history.at(-1 - step.back)?.template : undefined;
  const asked = ['apply', 'replace'].includes(step.do) ? shop.manifest(name, '') : target;
  return asked ? findReferences(asked) : references;
}

interface Sides {
  readonly before: Standing;
  readonly after: Standing;
  readonly was: string;
}

// A raw name keeps what runs, or comes with the content of now; and that in any case where an image comes with it.
function allowedMounts(shop: Shop, asked: Reference | undefined, { before, after, was }: Sides): string[] {
  if (asked === undefined) return [];
  const source = shop.isRaw(asked) ? shop.sourceOf(asked) : undefined;
  // `managed: all` pins what is plain, too.
  if (source === undefined) return [asked.name, ...(asked.name === 'plain' ? [was] : [])];
  if (before.excluded.includes(source)) return [asked.name];
  if (before.rolled.get(source) === shop.currentHash(source)) return [was];
  return before.shape === after.shape ? [was, shop.currentMount(source)] : [shop.currentMount(source)];
}
