// A workload and what is asked for its volumes → the patch, as data.

import type { Operation } from 'fast-json-patch';
// Not from the package's root, whose names Node cannot tell when it is imported as a module.
import { compare } from 'fast-json-patch/commonjs/duplex.js';
import { findReferences } from '../../core/references.ts';
import { display, type Workload } from '../../core/types.ts';
import type { Json } from '../cluster.ts';
import type { Wording } from '../command.ts';
import { CommandError } from '../errors.ts';
import { printed, type Target, typed } from '../resources.ts';
import { optsIn, type SourceName, type Sources } from '../sources.ts';
import { addVolume } from './add.ts';
import { type PodSpec, podSpecOf, sourceOfVolume, withPodSpec } from './pod-template.ts';
import { removeVolumes } from './remove.ts';
import type { AddRequest, RemoveRequest } from './request.ts';

export interface VolumeInput {
  readonly target: Target;
  /** As read: raw, and its projection. */
  readonly raw: Json;
  readonly workload: Workload;
  /** Those that the template mounts, the one asked for, and the sources of both. */
  readonly sources: Sources;
  readonly wording: Wording;
}

/** What adding and removing need to know besides the pod spec. */
export interface VolumeContext {
  /** `deployment.apps/bar`. */
  readonly workload: string;
  readonly sources: Sources;
  /** True for a source whose pins are the controller's: it would put back what is taken away. */
  keepsPinned(source: SourceName): boolean;
}

export interface VolumePlan {
  readonly verb: 'volume updated' | 'volume removed' | 'unchanged';
  /** Guarded by uid, generation and each old value; empty when there is nothing to write. */
  readonly operations: readonly Operation[];
  /** The object as it will be. */
  readonly result: Json;
  readonly warnings: readonly string[];
}

/** Throws CommandError for what cannot be done. */
export function planVolume(input: VolumeInput, request: AddRequest | RemoveRequest): VolumePlan {
  const { target, raw, workload, sources } = input;
  const context: VolumeContext = {
    workload: printed(target),
    sources,
    keepsPinned(name) {
      const source = sources.get(name);
      return typeof source === 'object' && optsIn(source, workload) !== undefined;
    },
  };
  const before = podSpecOf(raw);
  if (before === undefined) throw new CommandError(noTemplate(target));
  if (request.operation === 'remove') {
    const { spec, removed } = removeVolumes(before, request, context);
    const left = findReferences({ spec }).map(display);
    const gone = removed
      .flatMap((volume) => sourceOfVolume(volume) ?? [])
      .filter((name) => !left.includes(display(name)));
    const warnings = gone.flatMap((name) => stillOwned(input, name));
    return finish(raw, workload, spec, removed.length > 0 ? 'volume removed' : 'volume updated', warnings);
  }
  const after = addVolume(before, request, context);
  return finish(raw, workload, after, 'volume updated', addWarnings(input, request, before, context));
}

/** For a workload without a pod template. */
export function noTemplate(target: Target): string {
  return `${printed(target)} has no pod template of its own; name the workload that it refers to`;
}

function finish(
  raw: Json,
  { uid, generation }: Workload,
  spec: PodSpec,
  verb: VolumePlan['verb'],
  warnings: readonly string[],
): VolumePlan {
  const result = withPodSpec(raw, spec);
  const changes = compare(raw, result, true);
  const guards: Operation[] = [
    { op: 'test', path: '/metadata/uid', value: uid },
    // Moves with every change of the spec, so that no index below points elsewhere.
    { op: 'test', path: '/metadata/generation', value: generation },
  ];
  return changes.length === 0
    ? { verb: 'unchanged', operations: [], result: raw, warnings }
    : { verb, operations: [...guards, ...changes], result, warnings };
}

function addWarnings(input: VolumeInput, request: AddRequest, before: PodSpec, context: VolumeContext): string[] {
  const { sources, target } = input;
  const { source, mount, overwrite } = request;
  if (source === undefined) return [];
  const warnings: string[] = [];
  const self = display(source);
  const snapshotOf = sources.sourceOf(source);
  if (sources.get(source) === 'missing') {
    warnings.push(`${self} does not exist yet; pods that mount it wait until it does`);
  }
  if (snapshotOf !== undefined) {
    warnings.push(`${self} is a snapshot of ${display(snapshotOf)}: its content never changes`);
  }
  const held = (before.volumes ?? []).flatMap((volume) => sourceOfVolume(volume) ?? []);
  const pinned = held.some((name) => sources.isSnapshotOf(source, name));
  if (overwrite && pinned && context.keepsPinned(source)) {
    warnings.push(
      `${self} rolls out to ${printed(target)}, which therefore keeps its snapshot; to mount the ${source.kind} itself, end that first:\n  ${input.wording.plugin('set-owner')} ${self} ${typed(target)} --remove${input.wording.inNamespace}`,
    );
  }
  if (mount?.subPath !== undefined && snapshotOf === undefined) warnings.push(subPathWarning(input, source, context));
  return warnings;
}

/** The kubelet never updates such a mount in a pod that runs: the case for which snapshots are the only help. */
function subPathWarning({ target, wording }: VolumeInput, source: SourceName, context: VolumeContext): string {
  const fact = `a running pod never sees changes of what it mounts by --sub-path`;
  const self = display(source);
  if (context.keepsPinned(source)) {
    return `${fact}; ${self} rolls out to ${printed(target)}, so each change starts new pods, and they do`;
  }
  const command = `${wording.plugin('set-owner')} ${self} ${typed(target)}${wording.inNamespace}`;
  return `${fact}; to start new pods at each change of ${self}, run:\n  ${command}`;
}

/** The source of what was removed may still name the workload as owner, to no purpose. */
function stillOwned({ target, workload, sources, wording }: VolumeInput, name: SourceName): string[] {
  const source = sources.sourceOf(name) ?? name;
  const known = sources.get(source);
  if (typeof known !== 'object' || !known.owners.some(({ uid }) => uid === workload.uid)) return [];
  const self = display(source);
  const command = `${wording.plugin('set-owner')} ${self} ${typed(target)} --remove${wording.inNamespace}`;
  return [`${self} still has ${printed(target)} as its owner, and is deleted with it; to end that, run:\n  ${command}`];
}
