// Adding a volume, as data: pod spec and request → pod spec. What is there already is left as it is, and what is in the
// way is replaced only when that was asked for. A pin of the controller counts as the source that it is a copy of.

import { shorten } from '../../core/names.ts';
import { CommandError } from '../errors.ts';
import type { SourceName } from '../sources.ts';
import { describeVolume } from './list.ts';
import type { VolumeContext } from './plan.ts';
import {
  type Container,
  type Mount,
  mapContainers,
  type PodSpec,
  sourceOfVolume,
  type Volume,
  withMounts,
  withVolumes,
} from './pod-template.ts';
import { type AddRequest, cleanPath } from './request.ts';
import { mounts, selectContainers } from './selection.ts';

const LABEL_MAX = 63;

/** Throws CommandError for what is in the way. */
export function addVolume(spec: PodSpec, request: AddRequest, context: VolumeContext): PodSpec {
  const name = volumeName(spec, request, context);
  const withVolume = withVolumes(spec, volumesWith(spec.volumes ?? [], name, request, context));
  const { mount } = request;
  if (mount === undefined) return withVolume;
  const selects = selectContainers(withVolume, request.containers, context.workload);
  return mapContainers(withVolume, selects, (container) => {
    const wanted: Mount = {
      name,
      mountPath: mount.path,
      ...(mount.subPath !== undefined && { subPath: mount.subPath }),
      ...(mount.readOnly && { readOnly: true }),
    };
    return withMounts(container, mountsWith(container, wanted, request.overwrite, context.workload));
  });
}

/** The volume's name: as asked for, as the source is mounted already, or as the source is called. */
function volumeName(spec: PodSpec, { name, source }: AddRequest, { sources }: VolumeContext): string {
  if (name !== undefined) return name;
  if (source === undefined) throw new CommandError('a volume needs a --name, a --configmap-name or a --secret-name');
  // One that shows only some of the keys is mounted for another purpose.
  const found = (spec.volumes ?? []).find(
    (volume) => mounts(volume, source, sources) && (volume.configMap ?? volume.secret)?.['items'] === undefined,
  );
  return found?.name ?? defaultVolumeName(source.name);
}

/** Names of volumes are DNS labels: no dots, 63 characters at most. */
export function defaultVolumeName(source: string): string {
  return shorten(source.replaceAll('.', '-'), LABEL_MAX);
}

function volumesWith(
  volumes: readonly Volume[],
  name: string,
  request: AddRequest,
  context: VolumeContext,
): readonly Volume[] {
  const { source, defaultMode } = request;
  const existing = volumes.find((volume) => volume.name === name);
  if (source === undefined) {
    if (existing !== undefined) return volumes;
    throw new CommandError(
      `volume "${name}" not found in ${context.workload}; to add it, say what it holds: -t configmap --configmap-name NAME`,
    );
  }
  if (existing === undefined) return [...volumes, { name, ...volumeSource(source, defaultMode) }];
  const changed = changeVolume(existing, source, request, context);
  return volumes.map((volume) => (volume === existing ? changed : volume));
}

function changeVolume(existing: Volume, source: SourceName, request: AddRequest, context: VolumeContext): Volume {
  const { defaultMode, overwrite } = request;
  const { sources, workload } = context;
  const files = existing.configMap ?? existing.secret;
  if (!mounts(existing, source, sources)) {
    if (overwrite) return { name: existing.name, ...volumeSource(source, defaultMode) };
    throw new CommandError(
      `volume "${existing.name}" of ${workload} already exists: ${describeVolume(existing, sources)}. Use --overwrite to replace it, or another --name`,
    );
  }
  const sameMode = defaultMode === undefined || files?.defaultMode === defaultMode;
  if (!sameMode && !overwrite) {
    throw new CommandError(
      `volume "${existing.name}" of ${workload} already exists with another default mode. Use --overwrite to change it`,
    );
  }
  const mode = sameMode ? {} : { defaultMode };
  const unpin = overwrite && sourceOfVolume(existing)?.name !== source.name && !context.keepsPinned(source);
  if (sameMode && !unpin) return existing;
  const { configMap, secret } = existing;
  return source.kind === 'Secret'
    ? { ...existing, secret: { ...secret, ...mode, ...(unpin && { secretName: source.name }) } }
    : { ...existing, configMap: { ...configMap, ...mode, ...(unpin && { name: source.name }) } };
}

function volumeSource(source: SourceName, mode: number | undefined): Partial<Volume> {
  const defaultMode = mode === undefined ? {} : { defaultMode: mode };
  return source.kind === 'Secret'
    ? { secret: { secretName: source.name, ...defaultMode } }
    : { configMap: { name: source.name, ...defaultMode } };
}

function mountsWith(container: Container, wanted: Mount, overwrite: boolean, workload: string): readonly Mount[] {
  const existing = container.volumeMounts ?? [];
  const there = existing.find(({ mountPath }) => cleanPath(mountPath) === wanted.mountPath);
  if (there === undefined) {
    // With --overwrite a volume that is mounted moves, as it does with oc.
    const moved = overwrite ? existing.find(({ name }) => name === wanted.name) : undefined;
    return moved === undefined
      ? [...existing, wanted]
      : existing.map((mount) => (mount === moved ? { ...mount, mountPath: wanted.mountPath } : mount));
  }
  if (isSameMount(there, wanted)) return existing;
  if (overwrite) return existing.map((mount) => (mount === there ? wanted : mount));
  const taken =
    there.name === wanted.name ? `volume "${there.name}" with another sub-path or mode` : `volume "${there.name}"`;
  throw new CommandError(
    `mount path ${wanted.mountPath} of container "${container.name}" in ${workload} is taken by ${taken}. Use --overwrite to replace it, or another --mount-path`,
  );
}

// A mount that is more read-only than was asked for serves as well: these volumes are never writable.
function isSameMount(there: Mount, wanted: Mount): boolean {
  return (
    there.name === wanted.name &&
    cleanPath(there.subPath ?? '.') === cleanPath(wanted.subPath ?? '.') &&
    there['subPathExpr'] === undefined &&
    (there.readOnly === true || wanted.readOnly !== true)
  );
}
