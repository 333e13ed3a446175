// Removing volumes, as data: pod spec and request → pod spec. A volume goes with the last of its mounts.

import { display } from '../../core/types.ts';
import { CommandError } from '../errors.ts';
import type { VolumeContext } from './plan.ts';
import { allContainers, mapContainers, type PodSpec, type Volume, withMounts, withVolumes } from './pod-template.ts';
import { cleanPath, type RemoveRequest } from './request.ts';
import { mounts, selectContainers } from './selection.ts';

/** Throws CommandError when what is to be removed is not there. */
export function removeVolumes(
  spec: PodSpec,
  request: RemoveRequest,
  context: VolumeContext,
): { readonly spec: PodSpec; readonly removed: readonly Volume[] } {
  const { mountPath, containers } = request;
  const volumes = spec.volumes ?? [];
  const names = new Set(volumes.filter((volume) => isMeant(volume, request, context)).map(({ name }) => name));
  if (names.size === 0 && (request.name !== undefined || request.source !== undefined)) {
    throw new CommandError(notFound(request, volumes, context.workload));
  }
  const selects = containers === undefined ? () => true : selectContainers(spec, containers, context.workload);
  let dropped = 0;
  const unmounted = mapContainers(spec, selects, (container) => {
    const before = container.volumeMounts ?? [];
    const after = before.filter(
      (mount) => !names.has(mount.name) || (mountPath !== undefined && cleanPath(mount.mountPath) !== mountPath),
    );
    dropped += before.length - after.length;
    return before.length === after.length ? container : withMounts(container, after);
  });
  if (mountPath !== undefined && dropped === 0) {
    throw new CommandError(`${context.workload} mounts no such volume at ${mountPath}`);
  }
  const stillMounted = new Set(
    allContainers(unmounted).flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)),
  );
  const goes = ({ name }: Volume) => names.has(name) && !stillMounted.has(name);
  return {
    spec: withVolumes(
      unmounted,
      volumes.filter((volume) => !goes(volume)),
    ),
    removed: volumes.filter(goes),
  };
}

function isMeant(volume: Volume, { name, source }: RemoveRequest, { sources }: VolumeContext): boolean {
  if (name !== undefined && volume.name !== name) return false;
  return source === undefined || mounts(volume, source, sources);
}

function notFound({ name, source }: RemoveRequest, volumes: readonly Volume[], workload: string): string {
  const what = [name && `volume "${name}"`, source && `a volume of ${display(source)}`].filter(Boolean).join(', ');
  const has = volumes.length === 0 ? 'no volumes' : volumes.map((volume) => volume.name).join(', ');
  return `${what} not found in ${workload} (it has: ${has})`;
}
