// The kubectl plugin as krew takes it: an archive, and a manifest that says where it is and what its sum is.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import { tar } from '../embedded/tar.ts';

const HOMEPAGE = 'https://github.com/config-rollout/config-rollout';
/** One script runs on all of them. */
const PLATFORMS = ['linux', 'darwin'].flatMap((os) => ['amd64', 'arm64'].map((arch) => ({ os, arch })));
const PLUGIN = 'kubectl-config_rollout';

export interface Release {
  readonly version: string;
  /** Where the archive will be; default: the project's releases. */
  readonly baseUrl: string | undefined;
  readonly plugin: Buffer;
  readonly license: Buffer;
}

export interface KrewPlugin {
  readonly archiveName: string;
  readonly archive: Buffer;
  /** YAML. */
  readonly manifest: string;
}

/** The same input gives the same bytes. */
export function krewPlugin({ version, baseUrl, plugin, license }: Release): KrewPlugin {
  const archiveName = `config-rollout-v${version}.tar.gz`;
  const archive = gzipSync(
    tar([
      { path: PLUGIN, mode: 0o755, content: plugin },
      { path: 'LICENSE', mode: 0o644, content: license },
    ]),
    { level: 9 },
  );
  const folder = baseUrl ?? `${HOMEPAGE}/releases/download/v${version}`;
  const uri = `${folder.replace(/\/+$/, '')}/${archiveName}`;
  const sha256 = createHash('sha256').update(archive).digest('hex');
  const files = [PLUGIN, 'LICENSE'].map((from) => ({ from, to: '.' }));
  const manifest = {
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'config-rollout' },
    spec: {
      version: `v${version}`,
      homepage: HOMEPAGE,
      shortDescription: 'Roll out ConfigMaps and Secrets like images',
      description:
        'Opts ConfigMaps and Secrets in to being rolled out by config-rollout, a controller that makes\n' +
        '`kubectl rollout undo` bring back the config that a revision ran with; shows what runs with which of\n' +
        'them, and what a change would restart. The latter needs no controller.\n',
      caveats: 'Needs Node 22.19 or newer on the PATH, as `node`.\n',
      platforms: PLATFORMS.map((matchLabels) => ({ selector: { matchLabels }, uri, sha256, files, bin: PLUGIN })),
    },
  };
  return { archiveName, archive, manifest: stringify(manifest, { aliasDuplicateObjects: false, lineWidth: 0 }) };
}
