// Objects for tests: each builder gives a valid whole, and a test says only what it is about.

import { NamespaceScope } from '../../controller/app/scope.ts';
import type { WorldOptions } from '../../controller/app/world.ts';
import type { Pin, Pins, SourceView } from '../../controller/core/decide.ts';
import { rolledHashLabel, SOURCE_KINDS } from '../../controller/core/names.ts';
import { inspectTemplate } from '../../controller/core/references.ts';
import type { ConfigObject, Reference, Revision, SnapshotInfo, Workload } from '../../controller/core/types.ts';
import { deployment } from '../../controller/workloads/deployment.ts';
import { WORKLOAD_KINDS } from '../../controller/workloads/kinds.ts';

export const NAMESPACE = 'shop';
/** Stand-ins for the hashes of three contents, in the alphabet of real ones. */
export const H1 = 'hhbcdfghkm';
export const H2 = 'h2bcdfghkm';
export const H3 = 'h5bcdfghkm';
export const KINDS = WORKLOAD_KINDS;
/** Everything is watched, everywhere. */
export const WORLD: WorldOptions = {
  kinds: KINDS,
  sourceKinds: SOURCE_KINDS,
  scope: new NamespaceScope([], false),
  reloader: false,
};
/** A moment; all clocks of the tests start here. */
export const NOON = Date.parse('2026-06-01T12:00:00Z');

type Json = Record<string, unknown>;

/** The name of the snapshot of a content: `pinned('foo', H1)`. */
export const pinned = (source: string, hash: string): string => `${source}-${hash}`;

/** A pod template that mounts each name as a volume, in order. */
export function aTemplate(names: readonly string[], image = 'nginx:1'): Json {
  return {
    metadata: { labels: { app: 'web' } },
    spec: {
      containers: [{ name: 'main', image }],
      volumes: names.map((name, index) => ({ name: `v${index}`, configMap: { name } })),
    },
  };
}

/** Where a template may name a ConfigMap. */
export const PLACES = ['volume', 'projected', 'envFrom', 'env', 'init'] as const;
export type Place = (typeof PLACES)[number];

/** A pod template that names ConfigMaps in these places. */
export function aTemplateWith(references: readonly (readonly [place: Place, name: string])[]): Json {
  const at = (wanted: Place) => references.flatMap(([place, name]) => (place === wanted ? [{ name }] : []));
  const volumes = at('volume').map((configMap, i) => ({ name: `v${i}`, configMap }));
  const projected = at('projected').map((configMap, i) => ({ name: `p${i}`, projected: { sources: [{ configMap }] } }));
  const envFrom = (place: Place) => at(place).map((configMapRef) => ({ configMapRef }));
  const env = at('env').map(({ name }, i) => ({
    name: `E${i}`,
    valueFrom: { configMapKeyRef: { name, key: 'k' } },
  }));
  return {
    metadata: { labels: { app: 'web' } },
    spec: {
      initContainers: [{ name: 'init', image: 'nginx:1', envFrom: envFrom('init') }],
      containers: [{ name: 'main', image: 'nginx:1', envFrom: envFrom('envFrom'), env }],
      volumes: [...volumes, ...projected],
    },
  };
}

/** Raw JSON of a Deployment, as the API server has it. */
export function aDeployment(
  overrides: { metadata?: Json; template?: Json; spec?: Json; status?: Json; mounts?: readonly string[] } = {},
): { metadata: Json; spec: Json & { template: Json } } & Json {
  const { metadata, template, spec, status, mounts = ['foo'] } = overrides;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      namespace: NAMESPACE,
      name: 'web',
      uid: 'uid-web',
      resourceVersion: '100',
      generation: 3,
      labels: { app: 'web' },
      annotations: { 'deployment.kubernetes.io/revision': '1' },
      ...metadata,
    },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: template ?? aTemplate(mounts),
      ...spec,
    },
    status: { observedGeneration: metadata?.['generation'] ?? 3, ...status },
  };
}

/** A workload that mounts `mounts`; `rolled` gives its state labels: source → hash. */
export function aWorkload({
  mounts = ['foo'],
  rolled = {},
  image,
  template,
  ...overrides
}: Partial<Workload> & {
  mounts?: readonly string[];
  rolled?: Readonly<Record<string, string>>;
  image?: string;
  template?: Json;
} = {}): Workload {
  const name = overrides.name ?? 'web';
  const labels = Object.entries(rolled).map(([source, hash]) => [rolledHashLabel('ConfigMap', source), hash]);
  const managed = labels.length > 0 ? { 'configrollout.dev/managed': 'owned' } : {};
  return {
    ...inspectTemplate(template ?? aTemplate(mounts, image)),
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    namespace: NAMESPACE,
    name,
    uid: `uid-${name}`,
    resourceVersion: '100',
    deleting: false,
    generation: 3,
    templatePointer: '/spec/template',
    labels: { ...managed, ...Object.fromEntries(labels) },
    hasLabels: true,
    hasAnnotations: true,
    bookkeeping: {},
    claims: [],
    inUse: [],
    progress: { state: 'Complete', updated: 1, desired: 1 },
    isObserved: true,
    reloader: undefined,
    cause: undefined,
    ownCause: undefined,
    ...overrides,
  };
}

/** The workload that the controller sees when the API server has this raw JSON. */
export function projected(raw: unknown): Workload {
  const workload = deployment.project(raw);
  if (workload === undefined) throw new Error('the raw JSON is no Deployment');
  return workload;
}

/** A revision of the workload `web`, scaled down unless told otherwise. */
export function aRevision({
  mounts = ['foo'],
  image,
  of = 'web',
  number = 1,
  ...overrides
}: Partial<Revision> & { mounts?: readonly string[]; image?: string; of?: string } = {}): Revision {
  const name = overrides.name ?? `${of}-rs${number}`;
  return {
    ...inspectTemplate(aTemplate(mounts, image)),
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    namespace: NAMESPACE,
    name,
    uid: `uid-${name}`,
    resourceVersion: '200',
    deleting: false,
    workload: { kind: 'Deployment', name: of, uid: `uid-${of}` },
    number,
    createdAt: NOON,
    cause: undefined,
    keepsCause: false,
    scaledDown: true,
    ...overrides,
  };
}

/** A ConfigMap that is a source, labelled already, and opts nobody in. */
export function aConfigMap(overrides: Partial<ConfigObject> = {}): ConfigObject {
  const name = overrides.name ?? 'foo';
  return {
    kind: 'ConfigMap',
    namespace: NAMESPACE,
    name,
    uid: `uid-${name}`,
    resourceVersion: '10',
    deleting: false,
    createdAt: NOON,
    owners: [],
    declaredOwners: undefined,
    sourceLabel: name,
    ignored: false,
    reloader: undefined,
    snapshot: undefined,
    ...overrides,
  };
}

export type Snapshot = ConfigObject & { readonly snapshot: SnapshotInfo };

/** The metadata of a snapshot, made at NOON. */
export function aSnapshot({
  source = 'foo',
  hash = H1,
  records = {},
  ...overrides
}: Partial<ConfigObject> & {
  source?: string;
  hash?: string;
  records?: Readonly<Record<string, number>>;
} = {}): Snapshot {
  const name = overrides.name ?? pinned(source, hash);
  const snapshot = {
    source,
    hash,
    sourceUid: `uid-${source}`,
    sourceResourceVersion: '10',
    keyDigests: undefined,
    records,
  };
  return { ...aConfigMap({ name, sourceLabel: source, ...overrides }), snapshot };
}

export function ownedBy({ apiVersion, kind, name, uid }: Workload | Revision) {
  return { apiVersion, kind, name, uid };
}

/** One source as a decision sees it: content H2, seen long ago, whose snapshot is ready. */
export function aSource(overrides: Partial<SourceView> = {}): SourceView {
  const { name = 'foo', hash = H2 } = overrides;
  return {
    kind: 'ConfigMap',
    name,
    hash,
    snapshot: hash === undefined ? undefined : { name: pinned(name, hash), ready: true },
    recorded: undefined,
    uid: 'uid-foo',
    since: 0,
    changedKeys: undefined,
    ...overrides,
  };
}

/** Pins by name: `pinsOf(['foo', H1], ['bar', H2, 'gone'])`. */
export function pinsOf(...entries: readonly (readonly [source: string, hash: string, gone?: 'gone'])[]): Pins {
  return new Map<string, Pin>(
    entries.map(([source, hash, gone]) => [
      `ConfigMap/${pinned(source, hash)}`,
      { source, hash, exists: gone === undefined },
    ]),
  );
}

export const namesOf = (references: readonly Reference[]): string[] => references.map(({ name }) => name);
