// The flags of set-volume → what is asked for, checked. The flags are those of `oc set volume` that have a meaning here.

import { posix } from 'node:path';
import { fieldManagerFlag, WRITE_FLAGS } from '../common-flags.ts';
import { UsageError } from '../errors.ts';
import type { FlagTable, Values } from '../flags.ts';
import type { SourceName } from '../sources.ts';

export const MANAGER = 'kubectl-set-volume';

export const VOLUME_FLAGS = {
  ...WRITE_FLAGS,
  ...fieldManagerFlag(MANAGER),
  add: {
    type: 'switch',
    usage: 'If true, add the volume and its mounts. Need not be given: the flags that describe a volume mean it.',
  },
  remove: { type: 'switch', usage: 'If true, remove the volume and its mounts.' },
  confirm: { type: 'switch', usage: 'If true, confirm that you really want to remove all volumes.' },
  name: { type: 'text', usage: "Name of the volume. If empty, it is the ConfigMap's or Secret's." },
  containers: {
    type: 'text',
    short: 'c',
    usage:
      'The containers to change - may use wildcards. If empty, all containers; init containers only if they match.',
  },
  type: { type: 'text', short: 't', usage: 'Type of the volume to add: configmap or secret.' },
  'mount-path': { type: 'text', short: 'm', usage: 'Mount path inside the container.' },
  'sub-path': { type: 'text', usage: 'Key of the volume to mount at the mount path, instead of the whole volume.' },
  'default-mode': {
    type: 'text',
    usage: 'The mode bits to create files with, between 0000 and 0777. Kubernetes takes 0644 for none.',
  },
  'read-only': { type: 'switch', usage: 'Mark the mount as read-only. ConfigMaps and Secrets are never writable.' },
  overwrite: { type: 'switch', usage: 'If true, replace a volume of that name, or what is mounted at that path.' },
  'configmap-name': { type: 'text', alias: 'configmapname', usage: 'Name of the ConfigMap to mount.' },
  'secret-name': { type: 'text', alias: 'secretname', usage: 'Name of the Secret to mount.' },
} as const satisfies FlagTable;

export type VolumeFlags = Values<typeof VOLUME_FLAGS>;

/** Wildcards; undefined when all regular containers are meant. */
type Containers = string | undefined;

export interface AddRequest {
  readonly operation: 'add';
  readonly name: string | undefined;
  /** Undefined: the volume is there, and is mounted (once more, or elsewhere). */
  readonly source: SourceName | undefined;
  readonly defaultMode: number | undefined;
  readonly containers: Containers;
  readonly mount:
    | { readonly path: string; readonly subPath: string | undefined; readonly readOnly: boolean }
    | undefined;
  readonly overwrite: boolean;
}

export interface RemoveRequest {
  readonly operation: 'remove';
  /** Both undefined: all volumes. */
  readonly name: string | undefined;
  readonly source: SourceName | undefined;
  readonly containers: Containers;
  readonly mountPath: string | undefined;
}

export interface ListRequest {
  readonly operation: 'list';
  readonly name: string | undefined;
  readonly containers: Containers;
}

export type VolumeRequest = AddRequest | RemoveRequest | ListRequest;

const FOR_ADD = ['type', 'sub-path', 'default-mode', 'read-only', 'overwrite'] as const;
const MEANS_ADD = [...FOR_ADD, 'mount-path', 'configmap-name', 'secret-name'] as const;

/** Throws UsageError. */
export function readRequest(flags: VolumeFlags): VolumeRequest {
  if (flags.add && flags.remove) throw new UsageError('you may only specify one operation at a time');
  if (flags.remove) return readRemove(flags);
  if (flags.add || MEANS_ADD.some((name) => flags[name])) return readAdd(flags);
  if (flags.confirm) throw new UsageError('--confirm is only valid for --remove');
  if (flags.output) throw new UsageError('listing volumes and --output may not be specified together');
  return { operation: 'list', name: flags.name, containers: flags.containers };
}

function readAdd(flags: VolumeFlags): AddRequest {
  const source = sourceOf(flags);
  if (source === undefined && flags.name === undefined) {
    throw new UsageError(
      'must provide --type and a name, as in -t configmap --configmap-name foo; or the --name of a volume that is there',
    );
  }
  if (source === undefined && flags['default-mode']) {
    throw new UsageError('--default-mode is only available for secrets and configmaps; add --type and a name');
  }
  return {
    operation: 'add',
    name: flags.name,
    source,
    defaultMode: modeOf(flags['default-mode']),
    containers: flags.containers,
    mount: mountOf(flags),
    overwrite: flags.overwrite,
  };
}

function readRemove(flags: VolumeFlags): RemoveRequest {
  if (FOR_ADD.some((name) => name !== 'type' && flags[name])) {
    throw new UsageError(`--${FOR_ADD.slice(1).join('|--')} are only valid for --add operation`);
  }
  const source = sourceOf(flags);
  if (flags.name === undefined && source === undefined && !flags.confirm) {
    throw new UsageError(
      'must provide --confirm for removing more than one volume; to remove one, give its --name, --configmap-name or --secret-name',
    );
  }
  const path = flags['mount-path'];
  return {
    operation: 'remove',
    name: flags.name,
    source,
    containers: flags.containers,
    mountPath: path === undefined ? undefined : cleanPath(path),
  };
}

function sourceOf(flags: VolumeFlags): SourceName | undefined {
  const configMap = flags['configmap-name'];
  const secret = flags['secret-name'];
  if (configMap && secret) throw new UsageError('either specify --configmap-name or --secret-name but not both');
  const type = flags.type?.toLowerCase() ?? (configMap ? 'configmap' : secret ? 'secret' : undefined);
  switch (type) {
    case undefined:
      return undefined;
    case 'configmap':
    case 'cm':
      if (!configMap) throw new UsageError('must provide --configmap-name for --type=configmap');
      return { kind: 'ConfigMap', name: configMap };
    case 'secret':
      if (!secret) throw new UsageError('must provide --secret-name for --type=secret');
      return { kind: 'Secret', name: secret };
    default:
      throw new UsageError(`invalid volume type "${flags.type}". Supported types: configmap, secret`);
  }
}

function modeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^0?[0-7]{3}$/.test(text)) throw new UsageError('--default-mode must be between 0000 and 0777');
  return Number.parseInt(text, 8);
}

function mountOf(flags: VolumeFlags): AddRequest['mount'] {
  const path = flags['mount-path'];
  const subPath = flags['sub-path'] || undefined;
  if (!path) {
    if (subPath || flags['read-only']) throw new UsageError('--sub-path and --read-only need a --mount-path');
    return undefined;
  }
  if (!path.startsWith('/') || cleanPath(path) === '/' || path.includes(':')) {
    throw new UsageError(`--mount-path "${path}" must be an absolute path without ":", and not the root`);
  }
  if (subPath !== undefined && (subPath.startsWith('/') || subPath.split('/').includes('..'))) {
    throw new UsageError(`--sub-path "${subPath}" must be a relative path without ".."`);
  }
  return { path: cleanPath(path), subPath: subPath && cleanPath(subPath), readOnly: flags['read-only'] };
}

/** `/etc//foo/` and `/etc/foo` are one place. */
export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal === '/' ? normal : normal.replace(/\/$/, '');
}
