// The container images of the real node, made here from Debian's static busybox: one to run in tests, and the one that
// holds a pod's namespaces. There is no registry to pull any from.

import { readFileSync } from 'node:fs';
import { type Image, imageArchive } from './image-archive.ts';
import { tar } from './tar.ts';

export const BUSYBOX_IMAGE = 'config-rollout.local/busybox:1';
export const PAUSE_IMAGE = 'config-rollout.local/pause:1';

const PASSWD = 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n';

function layer(busybox: string, applets: readonly string[]): Buffer {
  return tar([
    { path: 'bin/', mode: 0o755, folder: true },
    { path: 'bin/busybox', mode: 0o755, content: readFileSync(busybox) },
    ...applets.map((name) => ({ path: `bin/${name}`, mode: 0o777, link: 'busybox' })),
    { path: 'etc/', mode: 0o755, folder: true },
    { path: 'etc/passwd', mode: 0o644, content: Buffer.from(PASSWD) },
    { path: 'etc/group', mode: 0o644, content: Buffer.from('root:x:0:\nnobody:x:65534:\n') },
    { path: 'tmp/', mode: 0o1777, folder: true },
  ]);
}

/** Both images, in an archive as `ctr images import` takes it. */
export function nodeImages(busybox: string, applets: readonly string[]): Buffer {
  const layers = [layer(busybox, applets)];
  const images: readonly Image[] = [
    { name: BUSYBOX_IMAGE, layers, config: { Env: ['PATH=/bin'], Cmd: ['sh'] } },
    { name: PAUSE_IMAGE, layers, config: { Env: ['PATH=/bin'], Entrypoint: ['/bin/sleep', '2147483647'] } },
  ];
  return imageArchive(images).content;
}
