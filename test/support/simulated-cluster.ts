// A small model of a cluster in memory, for tests of the core and the app layer: an API server that versions, guards
// and checks what the real one does, and asks an admission webhook; the controllers of Deployments and StatefulSets, the
// garbage collector, and watches that may lag behind. What it leaves out: pods (but those of StatefulSets), defaulting,
// validation, field ownership, other namespaces. Behaviour against a real server is tested in test/integration.

import type { Operation } from 'fast-json-patch';
import jsonPatch from 'fast-json-patch';
import type { Admit } from '../../controller/app/admission.ts';
import { ClusterError } from '../../controller/app/errors.ts';
import type { ClusterPort, MetadataPatch, RevisionNote, SourceName, SourceRead } from '../../controller/app/ports.ts';
import type { World } from '../../controller/app/world.ts';
import type { EventAction } from '../../controller/core/actions.ts';
import { MANAGED_LABEL, MANAGER, SOURCE_KINDS } from '../../controller/core/names.ts';
import { findReferences } from '../../controller/core/references.ts';
import type { SnapshotManifest } from '../../controller/core/snapshot.ts';
import {
  type ConfigObject,
  display,
  type ObjectRef,
  type Reference,
  type SourceKind,
  type Workload,
} from '../../controller/core/types.ts';
import { projectSource } from '../../controller/workloads/raw.ts';
import { NAMESPACE } from './builders.ts';
import { DeploymentController, LAST_APPLIED, replicaSetsOf } from './simulated-deployments.ts';
import {
  copyOf,
  type HistoryEntry,
  type Kind,
  type Metadata,
  project,
  type RawConfig,
  type RawObject,
  type RawWorkload,
  REVISION,
  type Strings,
  sameJson,
  type Template,
  templateOf,
  type UpdateStrategy,
  type WorkloadKindName,
} from './simulated-objects.ts';
import { controllerRevisionsOf, type Pod, StatefulSetController } from './simulated-stateful-sets.ts';
import { type Delivery, type New, Storage } from './simulated-storage.ts';

/** How a client names itself in its writes. */
export const CLIENTS = {
  apply: 'kubectl-client-side-apply',
  edit: 'kubectl-edit',
  label: 'kubectl-label',
  pause: 'kubectl-rollout',
  replace: 'kubectl-replace',
  setImage: 'kubectl-set',
  /** It does not. */
  undo: undefined,
} as const;
export type Client = keyof typeof CLIENTS;

export interface WorkloadOptions {
  readonly kind?: WorkloadKindName;
  readonly historyLimit?: number;
  readonly replicas?: number;
  /** Of StatefulSets. */
  readonly updateStrategy?: UpdateStrategy;
}

export class SimulatedCluster implements ClusterPort {
  /** Everything that the controller did, in order: `create configmap/foo-…`, `patch deployment/web`. */
  readonly writes: string[] = [];
  /** What the controller did that it should never do. */
  readonly mishaps: string[] = [];
  readonly events: EventAction[] = [];
  /** How often content was read. */
  reads = 0;
  /** The webhook for workloads; undefined: none is installed. */
  admission: Admit | undefined;
  /** Is told what each patch of the controller makes of a workload. */
  onPatch: (name: string, before: RawWorkload, after: RawWorkload) => void = () => undefined;
  /** What it warned people of. */
  readonly warnings: string[] = [];

  readonly #storage: Storage;
  readonly #deployments: DeploymentController;
  readonly #statefulSets: StatefulSetController;
  #now: number;
  #clock = () => 0;

  constructor(now: number) {
    this.#now = now;
    this.#storage = new Storage(() => this.now);
    this.#deployments = new DeploymentController(this.#storage);
    this.#statefulSets = new StatefulSetController(this.#storage);
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
    this.#storage.watch(world, isBeside);
  }
  /** Lets watches catch up with what happened: those of some kinds, of one controller, by so many events at most. */
  deliver(delivery?: Delivery): void {
    this.#storage.deliver(delivery);
  }

  // ---- what tests look at

  /** Counts up with every write, whoever wrote. */
  get version(): number {
    return this.#storage.version;
  }

  config(kind: SourceKind, name: string): RawConfig | undefined {
    return this.#storage.get<RawConfig>(kind, name);
  }
  configMap(name: string): RawConfig | undefined {
    return this.config('ConfigMap', name);
  }
  /** Every ConfigMap and every Secret. */
  configs(): { kind: SourceKind; object: RawConfig }[] {
    return SOURCE_KINDS.flatMap((kind) => this.#storage.all<RawConfig>(kind).map((object) => ({ kind, object })));
  }
  has(kind: Kind, name: string): boolean {
    return this.#storage.get(kind, name) !== undefined;
  }
  /** A Deployment or a StatefulSet: no two in a test have one name. */
  workload(name: string): RawWorkload {
    const found = this.#storage.get<RawWorkload>(this.kindOf(name), name);
    if (found === undefined) throw new Error(`no workload ${name}`);
    return found;
  }
  kindOf(name: string): WorkloadKindName {
    return this.has('StatefulSet', name) ? 'StatefulSet' : 'Deployment';
  }
  workloads(): { kind: WorkloadKindName; object: RawWorkload }[] {
    const kinds = ['Deployment', 'StatefulSet'] as const;
    return kinds.flatMap((kind) => this.#storage.all<RawWorkload>(kind).map((object) => ({ kind, object })));
  }
  /** The revisions of a workload, oldest first. */
  history(name: string): HistoryEntry[] {
    const list = this.kindOf(name) === 'StatefulSet' ? controllerRevisionsOf : replicaSetsOf;
    return list(this.#storage, name);
  }
  /** Of a StatefulSet, those that run. */
  pods(name: string): Pod[] {
    return this.#statefulSets.podsOf(name);
  }
  references(name: string): Reference[] {
    return findReferences(this.workload(name).spec.template);
  }
  /** The names that the template of a workload mounts. */
  mounts(name: string): string[] {
    return this.references(name).map((reference) => reference.name);
  }
  /** Is there an object of that uid? */
  isAlive(uid: string): boolean {
    return this.#storage.isAlive(uid);
  }
  /** Every template, revision and pod that names the source or snapshot. */
  holders(mounted: string, kind: SourceKind): string[] {
    const names = (template: unknown) =>
      findReferences(template).some((each) => each.name === mounted && each.kind === kind);
    const objects = this.#storage.entries().flatMap(([key, object]) => (names(templateOf(object)) ? [key] : []));
    const sets = this.#storage.all('StatefulSet').map(({ metadata }) => metadata.name);
    const pods = sets.filter((name) => this.pods(name).some(({ template }) => names(template)));
    return [...objects, ...pods.map((name) => `pods of ${name}`)];
  }

  // ---- what people do

  createConfig(
    kind: SourceKind,
    name: string,
    content: Partial<RawConfig>,
    metadata: Partial<Metadata> = {},
  ): RawConfig {
    const type = kind === 'Secret' ? { type: 'Opaque' } : {};
    return this.#storage.create<RawConfig>(kind, { ...type, ...content, metadata: { name, ...metadata } });
  }
  createConfigMap(name: string, data: Strings, metadata: Partial<Metadata> = {}, immutable = false): RawConfig {
    return this.createConfig('ConfigMap', name, { data, ...(immutable && { immutable }) }, metadata);
  }
  editConfig(kind: SourceKind, name: string, edit: (copy: RawConfig) => void): void {
    this.#storage.edit(kind, name, edit);
  }
  /** Past admission, as if it was not installed yet. */
  createWorkload(
    name: string,
    template: Template,
    metadata: Partial<Metadata> = {},
    options: WorkloadOptions = {},
  ): void {
    const { kind = 'Deployment' } = options;
    this.#storage.create<RawWorkload>(kind, aNewWorkload(name, template, metadata, options));
  }
  /** `kubectl apply` of a Deployment that does not exist. */
  async applyNewDeployment(name: string, template: Template, metadata: Partial<Metadata> = {}): Promise<void> {
    const asked = aNewWorkload(name, template, { namespace: NAMESPACE, ...metadata }, {});
    this.#storage.create<RawWorkload>('Deployment', await this.#admit('Deployment', asked, undefined, CLIENTS.apply));
  }
  /** Past admission, as Kubernetes itself writes. */
  editWorkload(name: string, edit: (copy: RawWorkload) => void): void {
    this.#storage.edit(this.kindOf(name), name, edit);
  }
  async writeWorkload(client: Client, name: string, edit: (copy: RawWorkload) => void): Promise<void> {
    if (this.has(this.kindOf(name), name)) await this.#write(name, CLIENTS[client], edit);
  }
  delete(kind: Kind, name: string): void {
    this.#storage.delete(kind, name);
  }
  deletePods(name: string): void {
    this.#statefulSets.deletePods(name);
  }
  /** `kubectl rollout undo`: puts back the template of a revision, and of a Deployment's also the annotations. */
  async undo(name: string, toRevision?: number): Promise<boolean> {
    const all = this.history(name);
    const target = toRevision === undefined ? all.at(-2) : all.find(({ number }) => number === toRevision);
    const before = this.workload(name);
    if (target === undefined || before.spec.paused || sameJson(target.template, before.spec.template)) return false;
    const { [REVISION]: _, ...restored } = target.metadata.annotations ?? {};
    const { [REVISION]: revision = '', [LAST_APPLIED]: applied } = before.metadata.annotations ?? {};
    const annotations = { ...restored, [REVISION]: revision, ...(applied && { [LAST_APPLIED]: applied }) };
    await this.writeWorkload('undo', name, (copy) => {
      copy.spec.template = copyOf(target.template);
      if (target.kind === 'ReplicaSet') copy.metadata.annotations = annotations;
    });
    return true;
  }

  // Synchronous where no admission is asked. Who is not the first to write tries again, as the API server does.
  async #write(
    name: string,
    fieldManager: string | undefined,
    edit: (copy: RawWorkload) => void,
  ): Promise<RawWorkload> {
    const kind = this.kindOf(name);
    for (;;) {
      const before = this.workload(name);
      const copy = copyOf(before);
      edit(copy);
      const admitted = this.#isAdmitted(copy, before) ? await this.#admit(kind, copy, before, fieldManager) : copy;
      if (this.workload(name) === before) return this.#storage.put(kind, admitted);
    }
  }

  // On an update, the selector is held against the old object, too.
  #isAdmitted(...objects: readonly ({ metadata: Partial<Metadata> } | undefined)[]): boolean {
    return (
      this.admission !== undefined && objects.some((object) => object?.metadata.labels?.[MANAGED_LABEL] !== undefined)
    );
  }

  async #admit<T extends { metadata: Partial<Metadata> }>(
    kind: WorkloadKindName,
    object: T,
    oldObject: RawWorkload | undefined,
    fieldManager: string | undefined,
  ): Promise<T> {
    if (this.admission === undefined || !this.#isAdmitted(object, oldObject)) return object;
    const answer = await this.admission({
      uid: `request-${this.#storage.nextUid()}`,
      operation: oldObject ? 'UPDATE' : 'CREATE',
      kind: { group: 'apps', kind },
      namespace: NAMESPACE,
      name: object.metadata.name ?? '',
      object: copyOf(object),
      oldObject: copyOf(oldObject),
      dryRun: false,
      user: { name: 'somebody', groups: ['system:authenticated'] },
      fieldManager,
    });
    const { refusal, operations = [], warnings = [] } = answer;
    if (refusal !== undefined) throw new Error(`admission refuses: ${refusal}`);
    this.warnings.push(...warnings);
    return jsonPatch.applyPatch(copyOf(object), copyOf([...operations]), true).newDocument;
  }

  // ---- what Kubernetes does

  /** One look of the controllers at each Deployment and StatefulSet. */
  runWorkloadControllers(): void {
    this.#deployments.run();
    this.#statefulSets.run();
  }
  collectGarbage(): void {
    this.#storage.collectGarbage();
  }

  // ---- ClusterPort

  async readSource({ kind, name }: SourceName): Promise<SourceRead | undefined> {
    this.reads += 1;
    const found = this.config(kind, name);
    return found && toRead(kind, found);
  }

  async readMetadata({ kind, name }: SourceName): Promise<ConfigObject | undefined> {
    const found = this.config(kind, name);
    return found && toRead(kind, found).object;
  }

  async createSnapshot(manifest: SnapshotManifest): Promise<SourceRead> {
    const { kind } = manifest;
    const shown = display({ ...manifest.metadata, kind });
    if (this.has(kind, manifest.metadata.name)) throw new ClusterError('AlreadyExists', `${shown} exists`);
    this.writes.push(`create ${shown}`);
    return toRead(kind, this.#storage.create<RawConfig>(kind, copyOf(manifest) as unknown as New<RawConfig>));
  }

  async patchMetadata({ target, resourceVersion, ...patch }: MetadataPatch): Promise<SourceRead> {
    const kind = target.kind as SourceKind;
    const before = this.#exactly<RawConfig>(kind, target, resourceVersion);
    this.writes.push(`patch ${display(target)}: ${patch.why}`);
    const { labels, annotations, ownerReferences } = patch;
    const metadata = {
      ...before.metadata,
      ...(labels && { labels: { ...before.metadata.labels, ...labels } }),
      ...(annotations && { annotations: merged(before.metadata.annotations, annotations) }),
      ...(ownerReferences && { ownerReferences: [...ownerReferences] }),
    };
    return toRead(kind, this.#storage.put(kind, { ...before, metadata }));
  }

  async annotateRevision({ target, resourceVersion, annotations }: RevisionNote): Promise<void> {
    const kind = target.kind as Kind;
    const before = this.#exactly(kind, target, resourceVersion);
    this.writes.push(`annotate ${display(target)}`);
    const metadata = { ...before.metadata, annotations: { ...before.metadata.annotations, ...annotations } };
    this.#storage.put(kind, { ...before, metadata });
  }

  async patchWorkload(target: ObjectRef, operations: readonly Operation[]): Promise<Workload> {
    const kind = target.kind as WorkloadKindName;
    if (!this.has(kind, target.name)) throw new ClusterError('NotFound', `no ${display(target)}`);
    let before: RawWorkload | undefined;
    const stored = await this.#write(target.name, MANAGER, (copy) => {
      before = copyOf(copy);
      try {
        jsonPatch.applyPatch(copy, copyOf([...operations]), true);
      } catch (error) {
        throw new ClusterError('Conflict', String(error));
      }
    });
    this.writes.push(`patch ${display(target)}`);
    if (before) this.onPatch(target.name, before, stored);
    const workload = project(kind, copyOf(stored));
    if (workload === undefined) throw new Error(`the patch broke ${display(target)}`);
    return workload as Workload;
  }

  // Without the CRD: the controller's promises do not depend on it. Its own tests run on a real server.
  async createConfigRollout(): Promise<undefined> {
    return undefined;
  }

  async writeStatus(): Promise<never> {
    throw new ClusterError('NotFound', 'there are no ConfigRollouts here');
  }

  async deleteExactly(target: ObjectRef, resourceVersion: string): Promise<void> {
    const kind = target.kind as Kind;
    if (!this.has(kind, target.name)) return;
    this.#exactly(kind, target, resourceVersion);
    this.writes.push(`delete ${display(target)}`);
    const sets = this.#storage.all<RawWorkload>('StatefulSet');
    const users = sets.filter(({ metadata: { name }, status }) =>
      [status?.updateRevision, ...this.pods(name).map(({ revision }) => revision)].includes(target.name),
    );
    this.mishaps.push(...users.map(({ metadata }) => `${display(target)} was deleted under ${metadata.name}`));
    this.#storage.delete(kind, target.name);
  }

  async isMounted({ kind, name }: SourceName): Promise<boolean> {
    return this.holders(name, kind).length > 0;
  }

  emit(event: EventAction): void {
    const said = (other: EventAction) => other.note === event.note && other.regarding.uid === event.regarding.uid;
    if (!event.once || !this.events.some(said)) this.events.push(event);
  }

  #exactly<T extends RawObject>(kind: Kind, { name, uid }: ObjectRef, resourceVersion: string | undefined): T {
    const found = this.#storage.get<T>(kind, name);
    if (found === undefined) throw new ClusterError('NotFound', `no ${kind} ${name}`);
    const { metadata } = found;
    if (metadata.uid !== uid || (resourceVersion !== undefined && metadata.resourceVersion !== resourceVersion)) {
      throw new ClusterError('Conflict', `${kind} ${name} is another version`);
    }
    return found;
  }
}

function aNewWorkload(
  name: string,
  template: Template,
  metadata: Partial<Metadata>,
  { replicas = 1, historyLimit = 10, updateStrategy }: WorkloadOptions,
): New<RawWorkload> {
  const spec = { replicas, revisionHistoryLimit: historyLimit, ...(updateStrategy && { updateStrategy }), template };
  return { metadata: { name, ...metadata }, spec };
}

function toRead(kind: SourceKind, raw: RawConfig): SourceRead {
  const copy = copyOf(raw);
  const object = projectSource(kind, copy);
  if (object === undefined) throw new Error(`the model made something that is no ${kind}`);
  const { data = {}, binaryData = {}, immutable = false, type } = copy;
  return { object, content: { data, binaryData, type }, immutable };
}

/** As a merge patch does it: null takes an entry away. */
function merged(before: Strings | undefined, patch: Readonly<Record<string, string | null>>): Record<string, string> {
  const entries = Object.entries({ ...before, ...patch });
  return Object.fromEntries(entries.flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
}
