// The controller's image without an engine and a registry: Debian's libraries, Node from the npm package of that name, and
// the one file that `npm run build` makes. The Dockerfile makes the same with an engine, and a test compares the two.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ImageArchive, type ImageConfig, imageArchive } from '../embedded/image-archive.ts';
import { repositoryRoot } from '../embedded/paths.ts';
import { Problem } from '../embedded/problem.ts';
import type { Log } from '../embedded/starter.ts';
import { tar } from '../embedded/tar.ts';
import { CONTROLLER_FLAGS } from '../node-flags.ts';
import { baseLayer, CERTIFICATES, file, USER_ID, withFolders } from './base.ts';

const NODE = 'usr/local/bin/node';
const CONTROLLER = 'usr/local/bin/config-rollout-controller';

function read(path: string, howToGetIt: string): Buffer {
  try {
    return readFileSync(join(repositoryRoot, path));
  } catch {
    throw new Problem(`There is no ${path}: ${howToGetIt} first.`);
  }
}

function packageOf(): { readonly version: string; readonly description: string; readonly license: string } {
  return JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'));
}

/** As the manifests name it. */
export function controllerImageName(): string {
  return `config-rollout:${packageOf().version}`;
}

export function controllerImageConfig(): ImageConfig {
  const { version, description, license } = packageOf();
  return {
    User: `${USER_ID}:${USER_ID}`,
    Env: ['PATH=/usr/local/bin', `SSL_CERT_FILE=${CERTIFICATES}`],
    Entrypoint: [`/${NODE}`, ...CONTROLLER_FLAGS, `/${CONTROLLER}`],
    Labels: {
      'org.opencontainers.image.title': 'config-rollout',
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.licenses': license,
      'org.opencontainers.image.version': version,
    },
  };
}

/** The image with what is in dist/ and node_modules/ now, as an archive of this one image. */
export async function controllerImage(log: Log, signal?: AbortSignal): Promise<ImageArchive> {
  const node = read('node_modules/node/bin/node', 'run npm ci');
  const controller = read('dist/config-rollout-controller', 'run make build');
  const layer = (path: string, content: Buffer) => tar(withFolders([file(path, content, 0o755)]));
  const layers = [await baseLayer(log, signal), layer(NODE, node), layer(CONTROLLER, controller)];
  return imageArchive([{ name: controllerImageName(), layers, config: controllerImageConfig() }]);
}
