// A ConfigMap or a Secret and the workloads named → the owner references it should have, as data.

import { OWNERS_ANNOTATION } from '../../core/names.ts';
import { declaredEntries } from '../../core/opt-in.ts';
import { ownerReference } from '../../core/snapshot.ts';
import { type ConfigObject, display, type OwnerReference, type Workload } from '../../core/types.ts';
import type { Json } from '../cluster.ts';
import type { Wording } from '../command.ts';
import { CommandError } from '../errors.ts';
import { deletionWarning, notReferencedWarning, volumeFlags } from '../owner-warnings.ts';
import { printed, type Target, typed } from '../resources.ts';
import { exclusion, optsIn, type Sources } from '../sources.ts';

export interface NamedOwner {
  readonly target: Target;
  /** Undefined when it does not exist, which only removing puts up with. */
  readonly workload: Workload | undefined;
}

export interface OwnerRequest {
  /** As read: raw (of a Secret, metadata only), and its projection. */
  readonly raw: Json;
  readonly source: ConfigObject;
  readonly owners: readonly NamedOwner[];
  readonly remove: boolean;
  /** What the workloads' templates name. */
  readonly sources: Sources;
  readonly wording: Wording;
}

export interface OwnerPlan {
  readonly verb: 'owner updated' | 'owner removed' | 'unchanged';
  /** Merge patch, guarded by uid and resourceVersion; undefined when there is nothing to write. */
  readonly patch: Json | undefined;
  /** The object as it will be. */
  readonly result: Json;
  readonly warnings: readonly string[];
}

/** Throws CommandError for what must not be written. */
export function planOwners(request: OwnerRequest): OwnerPlan {
  refuse(request);
  const { source, raw, owners, remove } = request;
  const next = owners.reduce<readonly OwnerReference[]>(remove ? without : withOwner, source.owners);
  const unchanged = JSON.stringify(next) === JSON.stringify(source.owners);
  const { uid, resourceVersion } = source;
  const { ownerReferences: _, ...metadata } = raw['metadata'] as Json;
  const warnings = remove
    ? owners.map((owner) => staysWarning(request, owner))
    : [
        // Said when it becomes true, not each time the command is run.
        unchanged
          ? undefined
          : deletionWarning(
              { ...source, owners: next },
              owners.map(({ target }) => target),
              request.wording,
            ),
        ...readinessWarnings(request, unchanged),
      ];
  return {
    verb: unchanged ? 'unchanged' : remove ? 'owner removed' : 'owner updated',
    patch: unchanged
      ? undefined
      : { metadata: { uid, resourceVersion, ownerReferences: next.length === 0 ? null : next } },
    result: { ...raw, metadata: next.length === 0 ? metadata : { ...metadata, ownerReferences: next } },
    warnings: warnings.filter((text) => text !== undefined),
  };
}

function refuse({ source: named, owners, remove, wording }: OwnerRequest): void {
  const self = display(named);
  const names = owners.map(({ target }) => typed(target)).join(' ');
  if (named.snapshot !== undefined) {
    const source = display({ kind: named.kind, name: named.snapshot.source });
    throw new CommandError(
      `${self} is a snapshot of ${source}, whose owners are config-rollout's to set; name the source instead: ${wording.plugin('set-owner')} ${source} ${names}${remove ? ' --remove' : ''}${wording.inNamespace}`,
    );
  }
  if (remove) return;
  const leaving = owners.find(({ workload }) => workload?.deleting === true);
  if (leaving !== undefined) {
    throw new CommandError(
      `${printed(leaving.target)} is being deleted, and would take ${self} with it; wait until it is gone, and name what replaces it`,
    );
  }
}

// One reference for each owner: a second one, or one with the uid of a predecessor of the same name, is replaced.
function withOwner(references: readonly OwnerReference[], { workload }: NamedOwner): readonly OwnerReference[] {
  if (workload === undefined) return references;
  const own = references.filter((reference) => isTo(reference, workload));
  const right = own.find(
    ({ uid, apiVersion }) => uid === workload.uid && groupOf(apiVersion) === groupOf(workload.apiVersion),
  );
  if (right !== undefined && own.length === 1) return references;
  const kept = right ?? ownerReference(workload);
  const at = references.findIndex((reference) => own.includes(reference));
  return at < 0
    ? [...references, kept]
    : references.flatMap((reference, i) => (i === at ? [kept] : own.includes(reference) ? [] : [reference]));
}

function without(references: readonly OwnerReference[], { target, workload }: NamedOwner): readonly OwnerReference[] {
  const named = workload ?? { ...target.resource, name: target.name, uid: '' };
  return references.filter((reference) => !isTo(reference, named));
}

/** True for a reference to that workload, or to another one of its name that is gone. */
export function isTo(
  reference: OwnerReference,
  owner: { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly uid: string },
): boolean {
  const sameName = reference.kind === owner.kind && reference.name === owner.name;
  return reference.uid === owner.uid || (sameName && groupOf(reference.apiVersion) === groupOf(owner.apiVersion));
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

const SECRETS_NOTE = 'changes of Secrets roll out only where the controller runs with --secrets';

function readinessWarnings(request: OwnerRequest, unchanged: boolean): (string | undefined)[] {
  const { raw, source, owners, sources, wording } = request;
  const self = display(source);
  const immutable =
    raw['immutable'] === true
      ? `${self} is immutable: its content never changes, so nothing is ever rolled out; to make it mutable, delete it and create it anew`
      : undefined;
  const ofEach = owners.flatMap(({ target, workload }) =>
    workload === undefined
      ? []
      : [
          notReferencedWarning(source, workload, target, sources, wording),
          excludedWarning(request, { target, workload }),
        ],
  );
  const secret = source.kind === 'Secret' && !unchanged ? `${self}: ${SECRETS_NOTE}` : undefined;
  return [immutable, secret, ...ofEach];
}

/** A label that a person put there wins over every opt-in. */
function excludedWarning(
  { source, wording }: OwnerRequest,
  { target, workload }: { readonly target: Target; readonly workload: Workload },
): string | undefined {
  const found = exclusion(source, workload);
  if (found === undefined) return undefined;
  const where = found.on === 'source' ? display(source) : typed(target);
  return `${display(source)} does not roll out to ${printed(target)}, because of the label ${found.label} of ${where}; to take it away, run:\n  kubectl label ${where} ${found.label}-${wording.inNamespace}`;
}

/** What removing the owner leaves as it is: another opt-in, or the snapshot that pods run with. */
function staysWarning(request: OwnerRequest, { target, workload }: NamedOwner): string | undefined {
  const { source, sources, wording } = request;
  if (workload === undefined) return undefined;
  const self = display(source);
  const bare = { ...source, owners: source.owners.filter((reference) => !isTo(reference, workload)) };
  switch (optsIn(bare, workload)) {
    case 'annotation': {
      const rest = declaredEntries(source).filter((entry) => !declares(entry, target));
      const change = rest.length === 0 ? `${OWNERS_ANNOTATION}-` : `${OWNERS_ANNOTATION}=${rest.join(',')} --overwrite`;
      return `${self} still rolls out to ${printed(target)}, by its annotation ${OWNERS_ANNOTATION}; to end that, run:\n  kubectl annotate ${self} ${change}${wording.inNamespace}`;
    }
    case 'label':
      return `${self} still rolls out to ${printed(target)}, by the ${workload.kind}'s label configrollout.dev/managed=all`;
    default: {
      const pin = workload.references.find((reference) => sources.isSnapshotOf(source, reference));
      if (pin === undefined) return undefined;
      const command = `${wording.plugin('set-volume')} ${typed(target)} ${volumeFlags(source)} --overwrite${wording.inNamespace}`;
      return `${printed(target)} keeps running with ${display(pin)}; to mount ${self} itself again, apply the ${workload.kind}'s manifest, or run:\n  ${command}`;
    }
  }
}

/** Whether an entry of the owners annotation, such as `deploy/bar`, names the workload. */
function declares(entry: string, { resource, name }: Target): boolean {
  const [type = '', named] = entry.split('/');
  return named === name && resource.aliases.includes(type.toLowerCase());
}
