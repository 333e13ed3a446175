// `make image`: the controller's image as an archive in dist/, for `docker load`, `ctr images import` or `skopeo copy`.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { imageArchitecture } from '../embedded/image-archive.ts';
import { repositoryRoot } from '../embedded/paths.ts';
import { messageOf } from '../embedded/problem.ts';
import { controllerImage, controllerImageName } from './controller-image.ts';

const USAGE = `hack/image/main.ts [FILE]: writes the controller's image, made of dist/config-rollout-controller, Node and Debian's
packages, as an archive for this machine's architecture; FILE: where to (default: below dist/).`;

async function main([path, ...others]: readonly string[]): Promise<void> {
  if (path?.startsWith('-') === true || others.length > 0) throw new Error(`usage: ${USAGE}`);
  const name = controllerImageName();
  const archive = `${name.replace(':', '-')}-linux-${imageArchitecture()}.tar`;
  const target = path ?? join(repositoryRoot, 'dist', archive);
  const { content, ids } = await controllerImage((line) => console.error(line));
  mkdirSync(join(target, '..'), { recursive: true });
  writeFileSync(target, content);
  const megabytes = (content.length / 1e6).toFixed(0);
  console.log(`${name} ${ids.get(name)} is in ${relative(process.cwd(), target)} (${megabytes} MB)`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`error: ${messageOf(error)}`);
  process.exitCode = 1;
});
