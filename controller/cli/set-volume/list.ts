// What a pod template mounts, as text: oc's layout, with the source where a snapshot is mounted.

import type { Json } from '../cluster.ts';
import type { ConfigMaps } from '../config-maps.ts';
import { CommandError } from '../errors.ts';
import { printed, type Target } from '../resources.ts';
import { allContainers, type Mount, type PodSpec, type Volume } from './pod-template.ts';
import type { ListRequest } from './request.ts';
import { selectContainers } from './selection.ts';

/** Throws CommandError when the volume or the containers asked for are not there. */
export function describeVolumes(target: Target, spec: PodSpec, request: ListRequest, configMaps: ConfigMaps): string {
  const selected = request.containers && selectContainers(spec, request.containers, printed(target));
  const containers = allContainers(spec).filter((container) => !selected || selected(container));
  const volumes = (spec.volumes ?? []).filter(({ name }) => request.name === undefined || name === request.name);
  if (request.name !== undefined && volumes.length === 0) {
    throw new CommandError(`volume "${request.name}" not found in ${printed(target)}`);
  }
  const lines = volumes.flatMap((volume) => [
    `  ${describeVolume(volume, configMaps)} as ${volume.name}`,
    ...containers.flatMap(({ name, volumeMounts = [] }) =>
      volumeMounts
        .filter((mount) => mount.name === volume.name)
        .map(
          (mount) =>
            `    mounted at ${describeMount(mount)}${allContainers(spec).length > 1 ? ` in container ${name}` : ''}`,
        ),
    ),
  ]);
  return `${[`${target.resource.kind} ${target.name}`, ...lines].join('\n')}\n`;
}

function describeMount({ mountPath, subPath }: Mount): string {
  return subPath ? `${mountPath} (sub-path ${subPath})` : mountPath;
}

/** `configMap/foo (pinned: foo-6ct58987ht)`. */
export function describeVolume(volume: Volume, configMaps: ConfigMaps): string {
  const { name: _, configMap, secret, projected, ...others } = volume;
  if (configMap !== undefined) return describeConfigMap(configMap.name, configMaps);
  if (secret !== undefined) return `secret/${secret.secretName}`;
  if (projected !== undefined) {
    const sources = (projected.sources ?? []).map((source) => describeProjected(source, configMaps));
    return `projected ${sources.join(', ')}`;
  }
  const [type = 'unknown', value] = Object.entries(others)[0] ?? [];
  return describeOther(type, (value ?? {}) as Json);
}

function describeConfigMap(name: string | undefined, configMaps: ConfigMaps): string {
  const source = name === undefined ? undefined : configMaps.sourceOf(name);
  return source === undefined ? `configMap/${name}` : `configMap/${source} (pinned: ${name})`;
}

function describeProjected(source: Json, configMaps: ConfigMaps): string {
  const [type = 'unknown', value] = Object.entries(source)[0] ?? [];
  const { name } = (value ?? {}) as { readonly name?: string };
  if (type === 'configMap') return describeConfigMap(name, configMaps);
  return name === undefined ? type : `${type}/${name}`;
}

function describeOther(type: string, value: Json): string {
  switch (type) {
    case 'emptyDir':
      return 'empty directory';
    case 'hostPath':
      return `host path ${value['path']}`;
    case 'persistentVolumeClaim':
      return `pvc/${value['claimName']}`;
    default:
      return type;
  }
}
