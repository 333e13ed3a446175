// A name, content and owners → the ConfigMap to create, as data.

import { OWNERS_ANNOTATION } from '../../core/names.ts';
import { ownerReference } from '../../core/snapshot.ts';
import type { Content, Workload } from '../../core/types.ts';
import type { Json } from '../cluster.ts';
import type { Wording } from '../command.ts';
import { CommandError } from '../errors.ts';
import { deletionWarning, notReferencedWarning } from '../owner-warnings.ts';
import { printed, type Target, typed } from '../resources.ts';
import { Sources } from '../sources.ts';

export interface CreateRequest {
  readonly name: string;
  /** Undefined when it is left to whoever sends it. */
  readonly namespace: string | undefined;
  readonly content: Content;
  /** Named in the annotation: need not exist. */
  readonly declared: readonly Target[];
  /** Become owner references. */
  readonly owners: readonly { readonly target: Target; readonly workload: Workload }[];
  readonly wording: Wording;
}

/** Throws CommandError for owners that would take the ConfigMap with them at once. */
export function planCreate(request: CreateRequest): { readonly object: Json; readonly warnings: readonly string[] } {
  const { name, namespace, content, declared, owners, wording } = request;
  const leaving = owners.find(({ workload }) => workload.deleting);
  if (leaving !== undefined) {
    throw new CommandError(
      `${printed(leaving.target)} is being deleted, and would take configmap/${name} with it; wait until it is gone, or name it with --declare`,
    );
  }
  const ownerReferences = owners.map(({ workload }) => ownerReference(workload));
  const object: Json = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(declared.length > 0 && { annotations: { [OWNERS_ANNOTATION]: declared.map(typed).join(', ') } }),
      ...(ownerReferences.length > 0 && { ownerReferences }),
    },
    ...(Object.keys(content.data).length > 0 && { data: content.data }),
    ...(Object.keys(content.binaryData).length > 0 && { binaryData: content.binaryData }),
  };
  if (owners.length === 0) return { object, warnings: [] };
  const source = { kind: 'ConfigMap', name } as const;
  const owned = { ...source, owners: ownerReferences, declaredOwners: undefined };
  // A snapshot of a ConfigMap that is only being created is known by its name: a former one was deleted.
  const unknown = new Sources();
  const warnings = [
    deletionWarning(
      owned,
      owners.map(({ target }) => target),
      wording,
    ),
    ...owners.map(({ target, workload }) => notReferencedWarning(source, workload, target, unknown, wording)),
  ];
  return { object, warnings: warnings.filter((text) => text !== undefined) };
}
