// A ConfigMap and the Deployments named → the owner references it should have, as data.

import { OWNERS_ANNOTATION } from '../../core/names.ts';
import { declaredEntries } from '../../core/opt-in.ts';
import { ownerReference } from '../../core/snapshot.ts';
import type { ConfigObject, OwnerReference, Workload } from '../../core/types.ts';
import type { Json } from '../cluster.ts';
import type { Wording } from '../command.ts';
import { type ConfigMaps, optsIn } from '../config-maps.ts';
import { CommandError } from '../errors.ts';
import { deletionWarning, notReferencedWarning } from '../owner-warnings.ts';
import { printed, type Target, typed } from '../resources.ts';

export interface NamedOwner {
  readonly target: Target;
  /** Undefined when it does not exist, which only removing puts up with. */
  readonly workload: Workload | undefined;
}

export interface OwnerRequest {
  /** As read: raw, and its projection. */
  readonly raw: Json;
  readonly configMap: ConfigObject;
  readonly owners: readonly NamedOwner[];
  readonly remove: boolean;
  /** What the Deployments' templates name. */
  readonly configMaps: ConfigMaps;
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
  const { configMap, raw, owners, remove } = request;
  const next = owners.reduce<readonly OwnerReference[]>(remove ? without : withOwner, configMap.owners);
  const unchanged = JSON.stringify(next) === JSON.stringify(configMap.owners);
  const { uid, resourceVersion } = configMap;
  const { ownerReferences: _, ...metadata } = raw['metadata'] as Json;
  const warnings = remove
    ? owners.map((owner) => staysWarning(request, owner))
    : [
        // Said when it becomes true, not each time the command is run.
        unchanged
          ? undefined
          : deletionWarning(
              { ...configMap, owners: next },
              owners.map(({ target }) => target),
              request.wording,
            ),
        ...readinessWarnings(request),
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

function refuse({ configMap, owners, remove, wording }: OwnerRequest): void {
  const self = `configmap/${configMap.name}`;
  const names = owners.map(({ target }) => typed(target)).join(' ');
  if (configMap.snapshot !== undefined) {
    const { source } = configMap.snapshot;
    throw new CommandError(
      `${self} is a snapshot of configmap/${source}, whose owners are config-rollout's to set; name the source instead: ${wording.plugin('set-owner')} configmap/${source} ${names}${remove ? ' --remove' : ''}${wording.inNamespace}`,
    );
  }
  if (remove) return;
  const leaving = owners.find(({ workload }) => workload?.deleting === true);
  if (leaving !== undefined) {
    throw new CommandError(
      `${printed(leaving.target)} is being deleted, and would take ${self} with it; wait until it is gone, and name the Deployment that replaces it`,
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

function readinessWarnings({ raw, configMap, owners, configMaps, wording }: OwnerRequest): (string | undefined)[] {
  const immutable =
    raw['immutable'] === true
      ? `configmap/${configMap.name} is immutable: its content never changes, so nothing is ever rolled out; to make it mutable, delete it and create it anew`
      : undefined;
  const unreferenced = owners.map(
    ({ target, workload }) => workload && notReferencedWarning(configMap.name, workload, target, configMaps, wording),
  );
  return [immutable, ...unreferenced];
}

/** What removing the owner leaves as it is: another opt-in, or the snapshot that pods run with. */
function staysWarning(request: OwnerRequest, { target, workload }: NamedOwner): string | undefined {
  const { configMap, configMaps, wording } = request;
  if (workload === undefined) return undefined;
  const self = `configmap/${configMap.name}`;
  const bare = { ...configMap, owners: configMap.owners.filter((reference) => !isTo(reference, workload)) };
  switch (optsIn(bare, workload)) {
    case 'annotation': {
      const rest = declaredEntries(configMap).filter((entry) => !entry.endsWith(`/${workload.name}`));
      const change = rest.length === 0 ? `${OWNERS_ANNOTATION}-` : `${OWNERS_ANNOTATION}=${rest.join(',')} --overwrite`;
      return `${self} still rolls out to ${printed(target)}, by its annotation ${OWNERS_ANNOTATION}; to end that, run:\n  kubectl annotate ${self} ${change}${wording.inNamespace}`;
    }
    case 'label':
      return `${self} still rolls out to ${printed(target)}, by the Deployment's label configrollout.dev/managed=all`;
    default: {
      const pin = workload.references.find(({ name }) => configMaps.isSnapshotOf(configMap.name, name));
      if (pin === undefined) return undefined;
      const command = `${wording.plugin('set-volume')} ${typed(target)} -t configmap --configmap-name ${configMap.name} --overwrite${wording.inNamespace}`;
      return `${printed(target)} keeps running with configmap/${pin.name}; to mount ${self} itself again, apply the Deployment's manifest, or run:\n  ${command}`;
    }
  }
}
