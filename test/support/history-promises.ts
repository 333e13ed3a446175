// What is wrong in the namespace of a history at rest: one line for each broken promise.

import { contentHash } from '../../controller/core/content-hash.ts';
import {
  CHANGE_CAUSE_ANNOTATION,
  CONTENT_HASH_LABEL,
  OWN_CAUSE_ANNOTATION,
  ROLLED_RECORD_PREFIX,
  rolledHashLabel,
  SOURCE_NAME_ANNOTATION,
} from '../../controller/core/names.ts';
import type { Expected } from './history-expected.ts';
import {
  contentOf,
  dataOf,
  imageOf,
  kindOfSource,
  kindOfWorkload,
  mountsOf,
  names,
  revisionsOf,
  type SeenRevision,
} from './history-objects.ts';
import { type Setting, type SourceName, sourcesOf, usedBy, type WorkloadName } from './history-steps.ts';
import type { View } from './history-view.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API, as JSON
type Json = any;

/** What is there besides the history, and is nobody's to touch: by kind and name, its resourceVersion. */
export type Bystanders = ReadonlyMap<string, string>;

const OTHERS = { ConfigMap: ['plain', 'kube-root-ca.crt'], Deployment: ['bystander'] } as const;

export function bystandersIn(view: View): Bystanders {
  const kinds = ['ConfigMap', 'Deployment'] as const;
  const found = kinds.flatMap((kind) => OTHERS[kind].map((name) => [`${kind} ${name}`, view.get(kind, name)] as const));
  return new Map(found.map(([name, object]) => [name, object?.metadata.resourceVersion]));
}

/** All that is wrong, as far as it shows now. Empty: everything is as it should be, and rolled out. */
export function broken(view: View, expected: Expected, bystanders: Bystanders): string[] {
  const { setting } = expected;
  return [
    ...touched(view, bystanders),
    ...sourcesOf(setting).flatMap((source) => wrongSource(view, expected, source)),
    ...[...expected.workloads.keys()].flatMap((name) => wrongWorkload(view, expected, name)),
    ...snapshotsIn(view).flatMap((snapshot) => wrongSnapshot(view, expected, snapshot)),
  ];
}

/** What is left of a history that was deleted. */
export function leftOver(view: View): string[] {
  const isOwn = ({ metadata }: Json) =>
    !['plain', 'kube-root-ca.crt', 'bystander'].includes(metadata.name) &&
    !metadata.ownerReferences?.some(({ name }: Json) => name === 'bystander');
  return (
    ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ControllerRevision', 'ConfigMap', 'Secret'] as const
  )
    .flatMap((kind) =>
      view
        .all(kind)
        .filter(isOwn)
        .map(({ metadata, type }) => ({ kind, name: metadata.name, type })),
    )
    .filter(({ type }) => type !== 'kubernetes.io/service-account-token')
    .map(({ kind, name }) => `${kind} ${name} is left`);
}

/** How a revision reads: its image, and the value of each mount. */
export function keysOf(view: View, setting: Setting, name: WorkloadName, seen: readonly SeenRevision[]): string[] {
  return seen.map(({ template }) => keyOf(view, setting, name, template));
}

function keyOf(view: View, setting: Setting, name: WorkloadName, template: Json): string {
  return [
    imageOf(template),
    ...usedBy(setting, name).map((source) => `${source}=${mounted(view, source, template)}`),
  ].join(' ');
}

// The value of the snapshot that is mounted, or why there is none.
function mounted(view: View, source: SourceName, template: Json): string {
  const mount = mountsOf(template).get(source);
  if (mount === undefined) return 'nothing';
  if (mount.name === source) return 'raw';
  const object = view.get(mount.kind, mount.name);
  if (object === undefined) return `missing(${mount.name})`;
  const { labels, annotations } = object.metadata;
  const hash = labels?.[CONTENT_HASH_LABEL];
  const isRight =
    object.immutable === true &&
    annotations?.[SOURCE_NAME_ANNOTATION] === source &&
    mount.name === `${source}-${hash}` &&
    hash === contentHash(mount.kind, source, { data: object.data, binaryData: {}, type: object.type });
  return isRight ? `${contentOf(object, mount.kind)}` : `wrong(${mount.name})`;
}

function touched(view: View, bystanders: Bystanders): string[] {
  const now = bystandersIn(view);
  return [...bystanders].filter(([name, version]) => now.get(name) !== version).map(([name]) => `${name} was touched`);
}

function wrongSource(view: View, { setting, values }: Expected, source: SourceName): string[] {
  const kind = kindOfSource(setting, source);
  const found = view.get(kind, source);
  const value = values[source];
  if (value === undefined) return found === undefined ? [] : [`${kind} ${source} should be deleted`];
  if (found === undefined) return [`${kind} ${source} is gone`];
  return contentOf(found, kind) === value ? [] : [`${kind} ${source} has another content`];
}

function wrongWorkload(view: View, expected: Expected, name: WorkloadName): string[] {
  const { setting } = expected;
  const kind = kindOfWorkload(setting, name);
  const workload = view.get(kind, name);
  if (workload === undefined) return [`${name} is gone`];
  const { template } = workload.spec;
  const seen = keyOf(view, setting, name, template);
  const wanted = expected.keyOf(name);
  const found = revisionsOf(view, kind, workload.metadata.uid);
  const revisions = keysOf(view, setting, name, found);
  const own = workload.metadata.annotations?.[OWN_CAUSE_ANNOTATION];
  const spoken = found.at(-1)?.object.metadata.annotations?.[CHANGE_CAUSE_ANNOTATION];
  const { paused } = expected.workload(name).wishes;
  const wrong: readonly (readonly [boolean, string | undefined])[] = [
    [seen !== wanted, `${name} is ${seen}, not ${wanted}`],
    [true, expected.compareRevisions(name, revisions)],
    [!paused && own !== undefined && own !== spoken, `${name} has a cause that is not its revision's`],
    [!isComplete(view, workload, kind), `${name} is not complete`],
  ];
  return [
    ...wrong.flatMap(([is, what]) => (is && what !== undefined ? [what] : [])),
    ...usedBy(setting, name).flatMap((source) => wrongState(view, expected, name, workload, source)),
  ];
}

// The label, and the record that stands in for it.
function wrongState(view: View, expected: Expected, name: WorkloadName, workload: Json, source: SourceName): string[] {
  const kind = kindOfSource(expected.setting, source);
  const value = expected.workload(name).rolled[source] ?? '';
  const hash = contentHash(kind, source, {
    data: dataOf(kind, value),
    binaryData: {},
    type: kind === 'Secret' ? 'Opaque' : undefined,
  });
  const label = workload.metadata.labels?.[rolledHashLabel(kind, source)];
  if (label !== hash) return [`${name} is recorded as rolled to ${label} of ${source}, not to ${hash} (${value})`];
  const record = view.get(kind, `${source}-${hash}`)?.metadata.annotations;
  const isRecorded = record === undefined || Number(record[`${ROLLED_RECORD_PREFIX}${workload.metadata.uid}`]) > 0;
  return isRecorded ? [] : [`${source}-${hash} has no record of ${name}`];
}

function isComplete(view: View, { metadata, spec, status = {} }: Json, kind: string): boolean {
  if (status.observedGeneration !== metadata.generation) return false;
  if (kind === 'DaemonSet') return true;
  const replicas = spec.replicas ?? 0;
  if (kind === 'StatefulSet')
    return (
      status.currentRevision === status.updateRevision &&
      (status.readyReplicas ?? 0) === replicas &&
      (status.replicas ?? 0) === replicas
    );
  if (spec.paused) return true;
  const sets = view
    .all('ReplicaSet')
    .filter((set) => set.metadata.ownerReferences?.some(({ uid }: Json) => uid === metadata.uid));
  const pods = sets.reduce((sum, set) => sum + (set.status?.replicas ?? 0), 0);
  return (
    pods === replicas && ['updatedReplicas', 'availableReplicas'].every((field) => (status[field] ?? 0) === replicas)
  );
}

function snapshotsIn(view: View): Json[] {
  return (['ConfigMap', 'Secret'] as const).flatMap((kind) =>
    view
      .all(kind)
      .filter(({ metadata }) => metadata.labels?.[CONTENT_HASH_LABEL] !== undefined)
      .map((object) => ({ ...object, kind })),
  );
}

// Owned by every revision that mounts it, and by every workload whose template does: by no others, and never by nobody.
function wrongSnapshot(view: View, expected: Expected, { kind, metadata, ...content }: Json): string[] {
  const source = metadata.annotations?.[SOURCE_NAME_ANNOTATION] as SourceName;
  const holders = [...expected.workloads.keys()].flatMap((name) => {
    const kindOf = kindOfWorkload(expected.setting, name);
    const workload = view.get(kindOf, name);
    if (workload === undefined) return [];
    const revisions = revisionsOf(view, kindOf, workload.metadata.uid).filter(({ template }) =>
      names(template, kind, metadata.name),
    );
    const own = names(workload.spec.template, kind, metadata.name) ? [workload] : [];
    return [...own, ...revisions.map(({ object }) => object)].map((holder) => holder.metadata.uid as string);
  });
  const references: Json[] = metadata.ownerReferences ?? [];
  const owners: string[] = references.map(({ uid }) => uid);
  if (holders.length > 0) {
    const isRight = owners.length === holders.length && holders.every((uid) => owners.includes(uid));
    return isRight
      ? []
      : [
          `${metadata.name} is owned by ${shown(metadata.ownerReferences)}, not by just the ${holders.length} that mount it`,
        ];
  }
  const isCurrent = contentOf(content, kind) === expected.values[source];
  if (!isCurrent) return [`${metadata.name} is kept for nobody`];
  const isHeld = owners.length > 0 && owners.every((uid) => view.isAlive(uid));
  return isHeld ? [] : [`${metadata.name} is owned by ${shown(metadata.ownerReferences)}, none of which is alive`];
}

function shown(owners: readonly Json[] = []): string {
  return `[${owners.map(({ kind, name }) => `${kind}/${name}`).join(', ')}]`;
}
