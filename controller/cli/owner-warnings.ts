// What a person should hear who has just made a workload the owner of a ConfigMap or a Secret.

import { MANAGED_LABEL, OWNERS_ANNOTATION } from '../core/names.ts';
import { declaredEntries } from '../core/opt-in.ts';
import { display, type OwnerReference, type Workload } from '../core/types.ts';
import type { Wording } from './command.ts';
import { printed, type Target, typed } from './resources.ts';
import type { SourceName, Sources } from './sources.ts';

export interface Owned extends SourceName {
  readonly owners: readonly OwnerReference[];
  readonly declaredOwners: string | undefined;
}

/** `added` are the owners that were just set. With the commands that opt in without the consequence. */
export function deletionWarning(source: Owned, added: readonly Target[], wording: Wording): string {
  const self = display(source);
  const owners = source.owners.map(({ apiVersion, kind, name }) => {
    const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : '';
    return `${kind.toLowerCase()}${group}/${name}`;
  });
  const said =
    owners.length === 1
      ? `deleting ${owners[0]} now also deletes ${self}`
      : `${self} is now deleted with the last of its owners (${owners.join(', ')})`;
  const names = added.map(typed);
  const declared = [...new Set([...declaredEntries(source), ...names])].join(',');
  const where = wording.inNamespace;
  const remove = `${wording.plugin('set-owner')} ${self} ${names.join(' ')} --remove${where}`;
  return [
    `${said}; to opt in without that, declare the owner instead:`,
    `  kubectl annotate ${self} ${OWNERS_ANNOTATION}=${declared} --overwrite${where} && ${remove}`,
    `or opt in ${names.join(', ')} with every ConfigMap and Secret that is referenced there:`,
    `  kubectl label ${names.join(' ')} ${MANAGED_LABEL}=all --overwrite${where} && ${remove}`,
  ].join('\n');
}

/** Undefined when the workload's template names the source, or a snapshot of it. */
export function notReferencedWarning(
  source: SourceName,
  workload: Workload,
  target: Target,
  sources: Sources,
  wording: Wording,
): string | undefined {
  if (workload.references.some((reference) => sources.leadsTo(source, reference))) return undefined;
  const command = `${wording.plugin('set-volume')} ${typed(target)} ${volumeFlags(source)} --mount-path PATH${wording.inNamespace}`;
  return `${printed(target)} does not reference ${display(source)} yet; to mount it, run:\n  ${command}`;
}

/** The flags of set-volume that name the source: `-t configmap --configmap-name foo`. */
export function volumeFlags({ kind, name }: SourceName): string {
  const type = kind.toLowerCase();
  return `-t ${type} --${type}-name ${name}`;
}
