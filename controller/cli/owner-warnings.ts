// What a person should hear who has just made a Deployment the owner of a ConfigMap.

import { MANAGED_LABEL, OWNERS_ANNOTATION } from '../core/names.ts';
import { declaredEntries } from '../core/opt-in.ts';
import type { OwnerReference, Workload } from '../core/types.ts';
import type { Wording } from './command.ts';
import type { ConfigMaps } from './config-maps.ts';
import { printed, type Target, typed } from './resources.ts';

export interface Owned {
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  readonly declaredOwners: string | undefined;
}

/** `added` are the owners that were just set. With the commands that opt in without the consequence. */
export function deletionWarning(configMap: Owned, added: readonly Target[], wording: Wording): string {
  const self = `configmap/${configMap.name}`;
  const owners = configMap.owners.map(({ apiVersion, kind, name }) => {
    const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : '';
    return `${kind.toLowerCase()}${group}/${name}`;
  });
  const said =
    owners.length === 1
      ? `deleting ${owners[0]} now also deletes ${self}`
      : `${self} is now deleted with the last of its owners (${owners.join(', ')})`;
  const names = added.map(typed);
  const declared = [...new Set([...declaredEntries(configMap), ...names])].join(',');
  const where = wording.inNamespace;
  const remove = `${wording.plugin('set-owner')} ${self} ${names.join(' ')} --remove${where}`;
  return [
    `${said}; to opt in without that, declare the owner instead:`,
    `  kubectl annotate ${self} ${OWNERS_ANNOTATION}=${declared} --overwrite${where} && ${remove}`,
    `or opt in ${names.join(', ')} with every ConfigMap that is referenced there:`,
    `  kubectl label ${names.join(' ')} ${MANAGED_LABEL}=all --overwrite${where} && ${remove}`,
  ].join('\n');
}

/** Undefined when the workload's template names the ConfigMap, or a snapshot of it. */
export function notReferencedWarning(
  name: string,
  workload: Workload,
  target: Target,
  configMaps: ConfigMaps,
  wording: Wording,
): string | undefined {
  if (workload.references.some((reference) => configMaps.leadsTo(name, reference.name))) return undefined;
  const command = `${wording.plugin('set-volume')} ${typed(target)} -t configmap --configmap-name ${name} --mount-path PATH${wording.inNamespace}`;
  return `${printed(target)} does not reference configmap/${name} yet; to mount it, run:\n  ${command}`;
}
