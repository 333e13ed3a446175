// Carries out a Plan, action by action, and lets the caches know what was written. The only place from which the
// application writes.

import { type Action, describeAction, type Plan } from '../core/actions.ts';
import type { ConfigRollout } from '../core/policy.ts';
import type { SnapshotManifest } from '../core/snapshot.ts';
import { configRef, display, type ObjectRef, type SourceKind } from '../core/types.ts';
import type { Log } from '../runtime/log.ts';
import type { ContentIndex } from './content-index.ts';
import { ClusterError, isFailure } from './errors.ts';
import type { ClusterPort, MetadataPatch, SourceRead } from './ports.ts';
import type { World } from './world.ts';

/** Throws the first failure, with the later actions not done. `key` names what the plan is for, in logs. */
export type Apply = (key: string, plan: Plan) => Promise<void>;

/** Prints what would be done, each line once, and does nothing. */
export function dryRun(print: (line: string) => void): Apply {
  const printed = new Set<string>();
  return async (key, plan) => {
    for (const action of plan.actions) {
      const line = `${key}: would ${describeAction(action)}`;
      if (!printed.has(line)) print(line);
      printed.add(line);
    }
  };
}

/** `onAction` hears of each action that was carried out. */
export function applyTo(
  port: ClusterPort,
  world: World,
  index: ContentIndex,
  now: () => number,
  log: Log,
  onAction: (action: Action) => void = () => undefined,
): Apply {
  const applier = new Applier(port, world, index, now);
  return async (key, plan) => {
    for (const action of plan.actions) {
      if (!(await applier.carryOut(action))) continue;
      onAction(action);
      const line = report(action);
      if (line) log('info', line.message, { key, ...line.fields });
    }
  };
}

class Applier {
  readonly #port: ClusterPort;
  readonly #world: World;
  readonly #index: ContentIndex;
  readonly #now: () => number;

  constructor(port: ClusterPort, world: World, index: ContentIndex, now: () => number) {
    this.#port = port;
    this.#world = world;
    this.#index = index;
    this.#now = now;
  }

  /** False when a last look showed that the action is not wanted. */
  async carryOut(action: Action): Promise<boolean> {
    switch (action.type) {
      case 'CreateSnapshot':
        await this.#createSnapshot(action);
        return true;
      case 'PatchMetadata':
        await this.#patchMetadata(action);
        return true;
      case 'PatchWorkload': {
        const written = await this.#port.patchWorkload(action.target, action.operations);
        this.#world.workloads.get(written.kind)?.noteWrite(written);
        return true;
      }
      case 'AnnotateRevision':
        await this.#port.annotateRevision(action);
        return true;
      case 'CreateConfigRollout':
        return this.#note(await this.#port.createConfigRollout(action.manifest));
      case 'WriteStatus':
        return this.#note(await this.#port.writeStatus(action));
      case 'DeleteSnapshot':
        if (!(await this.#maySweep(action.target))) return false;
        await this.#port.deleteExactly(action.target, action.resourceVersion);
        return true;
      case 'DeleteRevision':
        await this.#port.deleteExactly(action.target, action.resourceVersion);
        return true;
      case 'Event':
        this.#port.emit(action);
        return true;
      default:
        return action satisfies never;
    }
  }

  #note(configRollout: ConfigRollout | undefined): boolean {
    if (configRollout === undefined) return false;
    this.#world.configRollouts.noteWrite(configRollout);
    return true;
  }

  // Marks can be forged: only what is ours by its content is deleted. And the caches may lag behind a pod, or behind a
  // template that an undo has just brought back.
  async #maySweep({ kind, namespace, name }: ObjectRef): Promise<boolean> {
    const snapshot = { kind: kind as SourceKind, namespace, name };
    const read = await this.#port.readSource(snapshot);
    return read !== undefined && this.#index.verify(read) && !(await this.#port.isMounted(snapshot));
  }

  async #createSnapshot({ manifest }: Extract<Action, { type: 'CreateSnapshot' }>): Promise<void> {
    const created = await this.#createOrRead(manifest);
    if (created.isNew && !created.read.immutable) {
      await this.#port.deleteExactly(configRef(created.read.object), created.read.object.resourceVersion);
      throw new ClusterError(
        'Rejected',
        `the server drops \`immutable\` of ${manifest.kind}s; Kubernetes 1.19 or newer is needed`,
      );
    }
    const right = this.#index.verify(created.read);
    this.#world.note(created.read.object);
    if (!right) throw new ClusterError('Conflict', `${nameOf(manifest)} is not the snapshot that its name promises`);
  }

  async #createOrRead(
    manifest: Extract<Action, { type: 'CreateSnapshot' }>['manifest'],
  ): Promise<{ read: SourceRead; isNew: boolean }> {
    try {
      return { read: await this.#port.createSnapshot(manifest), isNew: true };
    } catch (error) {
      if (!isFailure(error, 'AlreadyExists')) throw error;
      const read = await this.#port.readSource({ ...manifest.metadata, kind: manifest.kind });
      if (read === undefined) throw new ClusterError('Conflict', `${nameOf(manifest)} was deleted while it was read`);
      return { read, isNew: false };
    }
  }

  async #patchMetadata(action: MetadataPatch): Promise<void> {
    const read = await this.#port.patchMetadata(action);
    if (read.object.snapshot === undefined) this.#index.learn(read, this.#now());
    this.#world.note(read.object);
  }
}

function nameOf({ kind, metadata: { namespace, name } }: SnapshotManifest): string {
  return `${display({ kind, name })} in ${namespace}`;
}

// One line a decision: what was done to what, and why; the key says for whom.
// Events are logged when, and if, they are sent.
function report(action: Action): { message: string; fields: Record<string, unknown> } | undefined {
  switch (action.type) {
    case 'CreateSnapshot':
      return { message: 'snapshot created', fields: { snapshot: action.manifest.metadata.name, reason: action.why } };
    case 'PatchMetadata':
      return { message: 'metadata patched', fields: { object: display(action.target), reason: action.why } };
    case 'CreateConfigRollout':
      return {
        message: 'ConfigRollout created',
        fields: { object: action.manifest.metadata.name, reason: action.why },
      };
    case 'WriteStatus':
      return { message: 'status written', fields: { object: display(action.target), reason: action.why } };
    case 'AnnotateRevision':
      return { message: 'revision annotated', fields: { object: display(action.target), reason: action.why } };
    case 'PatchWorkload':
      return { message: 'workload patched', fields: { object: display(action.target), reason: action.why } };
    case 'DeleteSnapshot':
      return { message: 'snapshot swept', fields: { snapshot: action.target.name, reason: action.why } };
    case 'DeleteRevision':
      return { message: 'revision deleted', fields: { object: display(action.target), reason: action.why } };
    case 'Event':
      return undefined;
    default:
      return action satisfies never;
  }
}
