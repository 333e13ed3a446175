// What a pod template mounts, as text: oc's layout, with the source where a snapshot is mounted.

import type { Json } from '../cluster.ts';
import { CommandError } from '../errors.ts';
import { printed, type Target } from '../resources.ts';
import type { SourceName, Sources } from '../sources.ts';
import {
  allContainers,
  type Mount,
  type PodSpec,
  sourceOfProjection,
  sourceOfVolume,
  type Volume,
} from './pod-template.ts';
import type { ListRequest } from './request.ts';
import { selectContainers } from './selection.ts';

/** Throws CommandError when the volume or the containers asked for are not there. */
export function describeVolumes(target: Target, spec: PodSpec, request: ListRequest, sources: Sources): string {
  const selected = request.containers && selectContainers(spec, request.containers, printed(target));
  const containers = allContainers(spec).filter((container) => !selected || selected(container));
  const volumes = (spec.volumes ?? []).filter(({ name }) => request.name === undefined || name === request.name);
  if (request.name !== undefined && volumes.length === 0) {
    throw new CommandError(`volume "${request.name}" not found in ${printed(target)}`);
  }
  const lines = volumes.flatMap((volume) => [
    `  ${describeVolume(volume, sources)} as ${volume.name}`,
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
export function describeVolume(volume: Volume, sources: Sources): string {
  const { name: _, projected, ...others } = volume;
  const held = sourceOfVolume(volume);
  if (held !== undefined) return describeSource(held, sources);
  if (projected !== undefined) {
    return `projected ${(projected.sources ?? []).map((source) => describeProjected(source, sources)).join(', ')}`;
  }
  const [type = 'unknown', value] = Object.entries(others)[0] ?? [];
  return describeOther(type, (value ?? {}) as Json);
}

function describeSource(held: SourceName, sources: Sources): string {
  const type = held.kind === 'Secret' ? 'secret' : 'configMap';
  const source = sources.sourceOf(held);
  return source === undefined ? `${type}/${held.name}` : `${type}/${source.name} (pinned: ${held.name})`;
}

function describeProjected(projection: Json, sources: Sources): string {
  const held = sourceOfProjection(projection);
  return held === undefined ? (Object.keys(projection)[0] ?? 'unknown') : describeSource(held, sources);
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
