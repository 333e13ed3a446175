// A small model of a cluster in memory, for tests of the core and the app layer: an API server that versions, guards
// and checks what the real one does, and asks an admission webhook; the Deployment controller, the garbage collector,
// and watches that may lag behind. What it leaves out: pods, defaulting, validation, field ownership, other namespaces.
// Behaviour against a real server is tested in test/integration.

import type { Operation } from 'fast-json-patch';
import jsonPatch from 'fast-json-patch';
import type { Admit } from '../../controller/app/admission.ts';
import { ClusterError } from '../../controller/app/errors.ts';
import type { ClusterPort, MetadataPatch, RevisionNote, SourceName, SourceRead } from '../../controller/app/ports.ts';
import type { World } from '../../controller/app/world.ts';
import type { EventAction } from '../../controller/core/actions.ts';
import { MANAGED_LABEL, MANAGER } from '../../controller/core/names.ts';
import { findReferences } from '../../controller/core/references.ts';
import type { SnapshotManifest } from '../../controller/core/snapshot.ts';
import {
  type ConfigObject,
  display,
  type ObjectRef,
  type OwnerReference,
  type SourceKind,
  type Workload,
} from '../../controller/core/types.ts';
import { EVERYWHERE, type Store, type Stored } from '../../controller/runtime/store.ts';
import { deployment } from '../../controller/workloads/deployment.ts';
import { projectSource } from '../../controller/workloads/raw.ts';
import { NAMESPACE } from './builders.ts';

type Strings = Record<string, string>;

interface Metadata {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  labels?: Strings;
  annotations?: Strings;
  ownerReferences?: OwnerReference[];
}
export interface Template {
  metadata: { labels: Strings; annotations?: Strings };
  spec: object;
}
export interface RawConfigMap {
  metadata: Metadata;
  data?: Strings;
  binaryData?: Strings;
  type?: string;
  immutable?: boolean;
}
export interface RawDeployment {
  metadata: Metadata;
  spec: { replicas: number; revisionHistoryLimit: number; paused?: boolean; template: Template };
}
export interface RawReplicaSet {
  metadata: Metadata;
  spec: { replicas: number; template: Template };
  status: { replicas: number };
}
const KINDS = ['ConfigMap', 'Secret', 'Deployment', 'ReplicaSet'] as const;
export type Kind = (typeof KINDS)[number];
export interface Delivery {
  readonly kinds?: readonly Kind[];
  readonly most?: number;
  readonly to?: World;
}
type RawObject = { metadata: Metadata };

const REVISION = 'deployment.kubernetes.io/revision';
const HASH_LABEL = 'pod-template-hash';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

// Not node:util's, which tells apart objects of jest's realm and of structuredClone's.
function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [ours, theirs] = [Object.entries(a), b as Record<string, unknown>];
  return ours.length === Object.keys(theirs).length && ours.every(([key, value]) => sameJson(value, theirs[key]));
}

export function withoutHash(template: Template): Template {
  const { [HASH_LABEL]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** How a client names itself in its writes. */
export const CLIENTS = {
  apply: 'kubectl-client-side-apply',
  edit: 'kubectl-edit',
  pause: 'kubectl-rollout',
  replace: 'kubectl-replace',
  setImage: 'kubectl-set',
  /** It does not. */
  undo: undefined,
} as const;
export type Client = keyof typeof CLIENTS;

export class SimulatedCluster implements ClusterPort {
  /** Everything that the controller did, in order: `create configmap/foo-…`, `patch deployment/web`. */
  readonly writes: string[] = [];
  readonly events: EventAction[] = [];
  /** How often content was read. */
  reads = 0;
  /** The webhook for Deployments; undefined: none is installed. */
  admission: Admit | undefined;
  /** What it warned people of. */
  readonly warnings: string[] = [];

  readonly #objects = new Map<string, RawObject>();
  /** What each controller's watches have not shown yet. */
  readonly #feeds = new Map<World, Record<Kind, (() => void)[]>>();
  #version = 1000;
  #uids = 0;
  #now: number;
  #clock = () => 0;

  constructor(now: number) {
    this.#now = now;
  }

  /** Milliseconds since the epoch. Stands still, but for what is added to it. */
  get now(): number {
    return this.#now + this.#clock();
  }
  set now(value: number) {
    this.#now = value - this.#clock();
  }
  /** Goes on with the clock of the process from now on, which may be a simulated one. */
  followClock(): void {
    this.#now -= Date.now();
    this.#clock = Date.now;
  }

  // ---- watches

  /** Lists into the caches of a controller, and feeds them from now on, at each `deliver`; no others but those beside it. */
  watch(world: World, isBeside = false): void {
    if (!isBeside) this.#feeds.clear();
    this.#feeds.set(world, { ConfigMap: [], Secret: [], Deployment: [], ReplicaSet: [] });
    for (const kind of KINDS) {
      const items = this.#all(kind).map((object) => project(kind, object));
      const known = items.filter((item) => item !== undefined);
      storeOf(world, kind)?.replace(EVERYWHERE, structuredClone(known), `${this.#version}`);
    }
  }

  /** Lets watches catch up with what happened: those of some kinds, of one controller, by so many events at most. */
  deliver({ kinds = KINDS, most = Number.POSITIVE_INFINITY, to }: Delivery = {}): void {
    for (const [world, feed] of this.#feeds) {
      if (to !== undefined && to !== world) continue;
      for (const kind of kinds) for (const event of feed[kind].splice(0, most)) event();
    }
  }

  #tell(kind: Kind, object: RawObject, isGone = false): void {
    const version = `${this.#version}`;
    for (const [world, feed] of this.#feeds) {
      const copy = structuredClone(object);
      feed[kind].push(() => {
        const item = isGone ? undefined : project(kind, copy);
        const { namespace, name } = copy.metadata;
        if (item === undefined) storeOf(world, kind)?.remove(EVERYWHERE, `${namespace}/${name}`, version);
        else storeOf(world, kind)?.apply(EVERYWHERE, item, version);
      });
    }
  }

  // ---- storage

  #all(kind: Kind): RawObject[] {
    return [...this.#objects].filter(([key]) => key.startsWith(`${kind}/`)).map(([, object]) => object);
  }

  #get(kind: Kind, name: string): RawObject | undefined {
    return this.#objects.get(`${kind}/${name}`);
  }

  #put<T extends RawObject>(kind: Kind, object: T): T {
    const key = `${kind}/${object.metadata.name}`;
    const before = this.#objects.get(key);
    // A write that changes nothing makes no new version, and no event.
    if (before && sameJson(before, object)) return before as T;
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: `${this.#version}` };
    if (kind === 'Deployment') {
      // Annotations count, too; labels do not.
      const counted = ({ metadata: { annotations }, spec }: RawDeployment) => ({ annotations, spec });
      const [was, is] = [before, object].map((each) => each && counted(each as unknown as RawDeployment));
      metadata.generation = (before?.metadata.generation ?? 0) + (sameJson(was, is) ? 0 : 1);
    }
    const stored = structuredClone({ ...object, metadata });
    this.#objects.set(key, stored);
    this.#tell(kind, stored);
    return stored;
  }

  #create<T extends RawObject>(kind: Kind, object: Omit<T, 'metadata'> & { metadata: Partial<Metadata> }): T {
    this.#uids += 1;
    const metadata = {
      ...object.metadata,
      namespace: NAMESPACE,
      uid: `uid-${this.#uids}`,
      creationTimestamp: new Date(this.now).toISOString(),
      resourceVersion: '',
    } as Metadata;
    return this.#put(kind, { ...object, metadata } as unknown as T);
  }

  #delete(kind: Kind, name: string): void {
    const object = this.#get(kind, name);
    if (object === undefined) return;
    this.#objects.delete(`${kind}/${name}`);
    this.#version += 1;
    this.#tell(kind, object, true);
  }

  // ---- what tests look at

  /** Counts up with every write, whoever wrote. */
  get version(): number {
    return this.#version;
  }

  configMap(name: string): RawConfigMap | undefined {
    return this.#get('ConfigMap', name) as RawConfigMap | undefined;
  }
  deployment(name: string): RawDeployment {
    const found = this.#get('Deployment', name);
    if (found === undefined) throw new Error(`no deployment/${name}`);
    return found as RawDeployment;
  }
  has(kind: Kind, name: string): boolean {
    return this.#get(kind, name) !== undefined;
  }
  configMaps(): RawConfigMap[] {
    return this.#all('ConfigMap') as RawConfigMap[];
  }
  deployments(): RawDeployment[] {
    return this.#all('Deployment') as RawDeployment[];
  }
  /** The ReplicaSets of a Deployment, oldest revision first. */
  history(name: string): RawReplicaSet[] {
    return (this.#all('ReplicaSet') as RawReplicaSet[])
      .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.name === name))
      .sort((a, b) => revisionOf(a) - revisionOf(b));
  }
  /** The names that the template of a Deployment mounts. */
  mounts(name: string): string[] {
    return findReferences(this.deployment(name).spec.template).map((reference) => reference.name);
  }
  /** Is there an object of that uid? */
  isAlive(uid: string): boolean {
    return [...this.#objects.values()].some(({ metadata }) => metadata.uid === uid);
  }
  /** Every template and revision that names the source or snapshot. */
  holders(mounted: string, kind: SourceKind = 'ConfigMap'): string[] {
    return [...this.#objects].flatMap(([key, object]) => {
      const template = (object as Partial<RawReplicaSet>).spec?.template;
      return findReferences(template).some((each) => each.name === mounted && each.kind === kind) ? [key] : [];
    });
  }

  // ---- what people do

  createConfigMap(name: string, data: Strings, metadata: Partial<Metadata> = {}, immutable = false): RawConfigMap {
    return this.#create<RawConfigMap>('ConfigMap', {
      metadata: { name, ...metadata },
      data,
      ...(immutable && { immutable }),
    });
  }
  editConfigMap(name: string, edit: (copy: RawConfigMap) => void): void {
    this.#edit('ConfigMap', name, edit);
  }
  /** Past admission, as if it was not installed yet. */
  createDeployment(name: string, template: Template, metadata: Partial<Metadata> = {}, historyLimit = 10): void {
    this.#create<RawDeployment>('Deployment', aNewDeployment(name, template, metadata, historyLimit));
  }
  /** `kubectl apply` of a Deployment that does not exist. */
  async applyNewDeployment(name: string, template: Template, metadata: Partial<Metadata> = {}): Promise<void> {
    const asked = aNewDeployment(name, template, { namespace: NAMESPACE, ...metadata }, 10);
    this.#create<RawDeployment>('Deployment', await this.#admit(asked, undefined, CLIENTS.apply));
  }
  /** Past admission, as Kubernetes itself writes. */
  editDeployment(name: string, edit: (copy: RawDeployment) => void): void {
    this.#edit('Deployment', name, edit);
  }
  async writeDeployment(client: Client, name: string, edit: (copy: RawDeployment) => void): Promise<void> {
    if (this.has('Deployment', name)) await this.#write(name, CLIENTS[client], edit);
  }
  delete(kind: Kind, name: string): void {
    this.#delete(kind, name);
  }
  /** `kubectl rollout undo`: puts back the template and the annotations of a revision. */
  async undo(name: string, toRevision?: number): Promise<boolean> {
    const all = this.history(name);
    const target = toRevision === undefined ? all.at(-2) : all.find((each) => revisionOf(each) === toRevision);
    if (target === undefined) return false;
    const template = withoutHash(target.spec.template);
    const before = this.deployment(name);
    if (before.spec.paused || sameJson(template, before.spec.template)) return false;
    const { [REVISION]: _, ...restored } = target.metadata.annotations ?? {};
    const { [REVISION]: revision = '', [LAST_APPLIED]: applied } = before.metadata.annotations ?? {};
    await this.writeDeployment('undo', name, (copy) => {
      copy.spec.template = template;
      copy.metadata.annotations = { ...restored, [REVISION]: revision, ...(applied && { [LAST_APPLIED]: applied }) };
    });
    return true;
  }

  // Synchronous where no admission is asked. Who is not the first to write tries again, as the API server does.
  async #write(
    name: string,
    fieldManager: string | undefined,
    edit: (copy: RawDeployment) => void,
  ): Promise<RawDeployment> {
    for (;;) {
      const before = this.deployment(name);
      const copy = structuredClone(before);
      edit(copy);
      const admitted = this.#isAdmitted(copy, before) ? await this.#admit(copy, before, fieldManager) : copy;
      if (this.deployment(name) === before) return this.#put('Deployment', admitted);
    }
  }

  // On an update, the selector is held against the old object, too.
  #isAdmitted(...objects: readonly ({ metadata: Partial<Metadata> } | undefined)[]): boolean {
    return (
      this.admission !== undefined && objects.some((object) => object?.metadata.labels?.[MANAGED_LABEL] !== undefined)
    );
  }

  async #admit<T extends { metadata: Partial<Metadata> }>(
    object: T,
    oldObject: RawDeployment | undefined,
    fieldManager: string | undefined,
  ): Promise<T> {
    if (this.admission === undefined || !this.#isAdmitted(object, oldObject)) return object;
    this.#uids += 1;
    const {
      refusal,
      operations = [],
      warnings = [],
    } = await this.admission({
      uid: `request-${this.#uids}`,
      operation: oldObject ? 'UPDATE' : 'CREATE',
      kind: { group: 'apps', kind: 'Deployment' },
      namespace: NAMESPACE,
      name: object.metadata.name ?? '',
      object: structuredClone(object),
      oldObject: structuredClone(oldObject),
      dryRun: false,
      user: { name: 'somebody', groups: ['system:authenticated'] },
      fieldManager,
    });
    if (refusal !== undefined) throw new Error(`admission refuses: ${refusal}`);
    this.warnings.push(...warnings);
    return jsonPatch.applyPatch(structuredClone(object), structuredClone([...operations]), true).newDocument;
  }

  #edit<T extends RawObject>(kind: Kind, name: string, edit: (copy: T) => void): void {
    const before = this.#get(kind, name);
    if (before === undefined) return;
    const copy = structuredClone(before) as T;
    edit(copy);
    this.#put(kind, copy);
  }

  // ---- what Kubernetes does

  /** One look of the Deployment controller at each Deployment; pods come and go at once. */
  runDeploymentController(): void {
    for (const { metadata, spec } of this.deployments()) {
      if (!spec.paused) this.#roll(metadata.name);
      this.#prune(metadata.name);
    }
  }

  #roll(name: string): void {
    const { metadata, spec } = this.deployment(name);
    const all = this.history(name);
    const newest = Math.max(0, ...all.map(revisionOf));
    const same = all.find((each) => sameJson(withoutHash(each.spec.template), spec.template));
    const number = same && revisionOf(same) === newest ? newest : newest + 1;
    const { [LAST_APPLIED]: _, ...copied } = metadata.annotations ?? {};
    const annotations = { ...same?.metadata.annotations, ...copied, [REVISION]: `${number}` };
    if (same === undefined) this.#createReplicaSet(name, annotations);
    else
      this.#edit<RawReplicaSet>('ReplicaSet', same.metadata.name, (copy) => {
        copy.metadata.annotations = annotations;
        scale(copy, spec.replicas);
      });
    for (const other of all.filter((each) => each !== same)) {
      this.#edit<RawReplicaSet>('ReplicaSet', other.metadata.name, (copy) => scale(copy, 0));
    }
    this.editDeployment(name, (copy) => {
      copy.metadata.annotations = { ...copy.metadata.annotations, [REVISION]: `${number}` };
    });
  }

  #createReplicaSet(name: string, annotations: Strings): void {
    const { metadata, spec } = this.deployment(name);
    const hash = `${this.#version}`;
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name, uid: metadata.uid };
    const labels = { ...spec.template.metadata.labels, [HASH_LABEL]: hash };
    this.#create<RawReplicaSet>('ReplicaSet', {
      metadata: {
        name: `${name}-${hash}`,
        annotations,
        ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
      },
      spec: {
        replicas: spec.replicas,
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
      status: { replicas: spec.replicas },
    });
  }

  #prune(name: string): void {
    const old = this.history(name).filter(({ spec, status }) => spec.replicas === 0 && status.replicas === 0);
    const surplus = old.length - this.deployment(name).spec.revisionHistoryLimit;
    for (const { metadata } of old.slice(0, Math.max(0, surplus))) this.#delete('ReplicaSet', metadata.name);
  }

  /** Deletes what has owners but none alive, and takes dead owners away from what has others. */
  collectGarbage(): void {
    const collect = (kind: 'ReplicaSet' | SourceKind) =>
      this.#all(kind).filter((object) => this.#collect(kind, object));
    while (collect('ReplicaSet').length + collect('ConfigMap').length + collect('Secret').length > 0);
  }

  #collect(kind: Kind, { metadata }: RawObject): boolean {
    const owners = metadata.ownerReferences ?? [];
    const alive = owners.filter(({ uid }) => this.isAlive(uid));
    if (alive.length === owners.length) return false;
    if (alive.length === 0) this.#delete(kind, metadata.name);
    else this.#edit(kind, metadata.name, (copy) => Object.assign(copy.metadata, { ownerReferences: alive }));
    return true;
  }

  // ---- ClusterPort

  async readSource({ kind, name }: SourceName): Promise<SourceRead | undefined> {
    this.reads += 1;
    const found = this.#get(kind, name) as RawConfigMap | undefined;
    return found && toRead(kind, found);
  }

  async readMetadata({ kind, name }: SourceName): Promise<ConfigObject | undefined> {
    const found = this.#get(kind, name) as RawConfigMap | undefined;
    return found && toRead(kind, found).object;
  }

  async createSnapshot(manifest: SnapshotManifest): Promise<SourceRead> {
    const { kind } = manifest;
    const shown = display({ ...manifest.metadata, kind });
    if (this.has(kind, manifest.metadata.name)) throw new ClusterError('AlreadyExists', `${shown} exists`);
    this.writes.push(`create ${shown}`);
    return toRead(kind, this.#create<RawConfigMap>(kind, structuredClone(manifest) as never));
  }

  async patchMetadata({ target, resourceVersion, ...patch }: MetadataPatch): Promise<SourceRead> {
    const kind = target.kind as SourceKind;
    const before = this.#exactly(kind, target, resourceVersion) as RawConfigMap;
    this.writes.push(`patch ${display(target)}: ${patch.why}`);
    const { labels, annotations, ownerReferences } = patch;
    const metadata = {
      ...before.metadata,
      ...(labels && { labels: { ...before.metadata.labels, ...labels } }),
      ...(annotations && { annotations: { ...before.metadata.annotations, ...annotations } }),
      ...(ownerReferences && { ownerReferences: [...ownerReferences] }),
    };
    return toRead(kind, this.#put(kind, { ...before, metadata }));
  }

  async annotateRevision({ target, resourceVersion, annotations }: RevisionNote): Promise<void> {
    const kind = target.kind as Kind;
    const before = this.#exactly(kind, target, resourceVersion);
    this.writes.push(`annotate ${display(target)}`);
    const metadata = { ...before.metadata, annotations: { ...before.metadata.annotations, ...annotations } };
    this.#put(kind, { ...before, metadata });
  }

  async patchWorkload(target: ObjectRef, operations: readonly Operation[]): Promise<Workload> {
    if (!this.has('Deployment', target.name)) throw new ClusterError('NotFound', `no deployment/${target.name}`);
    const stored = await this.#write(target.name, MANAGER, (copy) => {
      try {
        jsonPatch.applyPatch(copy, structuredClone([...operations]), true);
      } catch (error) {
        throw new ClusterError('Conflict', String(error));
      }
    });
    this.writes.push(`patch deployment/${target.name}`);
    const workload = deployment.project(structuredClone(stored));
    if (workload === undefined) throw new Error('the patch broke the Deployment');
    return workload;
  }

  async deleteExactly(target: ObjectRef, resourceVersion: string): Promise<void> {
    const kind = target.kind as Kind;
    if (this.#get(kind, target.name) === undefined) return;
    this.#exactly(kind, target, resourceVersion);
    this.writes.push(`delete ${kind.toLowerCase()}/${target.name}`);
    this.#delete(kind, target.name);
  }

  async isMounted({ kind, name }: SourceName): Promise<boolean> {
    return this.holders(name, kind).length > 0;
  }

  emit(event: EventAction): void {
    const said = (other: EventAction) => other.note === event.note && other.regarding.uid === event.regarding.uid;
    if (!event.once || !this.events.some(said)) this.events.push(event);
  }

  #exactly(kind: Kind, { name, uid }: ObjectRef, resourceVersion: string | undefined): RawObject {
    const found = this.#get(kind, name);
    if (found === undefined) throw new ClusterError('NotFound', `no ${kind} ${name}`);
    const { metadata } = found;
    if (metadata.uid !== uid || (resourceVersion !== undefined && metadata.resourceVersion !== resourceVersion)) {
      throw new ClusterError('Conflict', `${kind} ${name} is another version`);
    }
    return found;
  }
}

function storeOf({ sources, workloads, revisions }: World, kind: Kind): Store<Stored> | undefined {
  const store = sources.get(kind as SourceKind) ?? workloads.get(kind) ?? revisions.get(kind);
  return store as Store<Stored> | undefined;
}

function aNewDeployment(name: string, template: Template, metadata: Partial<Metadata>, historyLimit: number) {
  return { metadata: { name, ...metadata }, spec: { replicas: 1, revisionHistoryLimit: historyLimit, template } };
}

function project(kind: Kind, object: RawObject): Stored | undefined {
  switch (kind) {
    case 'ConfigMap':
    case 'Secret':
      return projectSource(kind, object);
    case 'Deployment':
      return deployment.project(object);
    case 'ReplicaSet':
      return deployment.projectRevision(object);
    default:
      return kind satisfies never;
  }
}

function toRead(kind: SourceKind, raw: RawConfigMap): SourceRead {
  const copy = structuredClone(raw);
  const object = projectSource(kind, copy);
  if (object === undefined) throw new Error('the model made something that is no ConfigMap');
  const { data = {}, binaryData = {}, immutable = false, type } = copy;
  return { object, content: { data, binaryData, type }, immutable };
}

export function revisionOf({ metadata }: RawReplicaSet): number {
  return Number(metadata.annotations?.[REVISION] ?? 0);
}

function scale(copy: RawReplicaSet, replicas: number): void {
  copy.spec.replicas = replicas;
  copy.status.replicas = replicas;
}
