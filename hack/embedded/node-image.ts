// The container images of the real node, made here from Debian's static busybox: one to run in tests, and the one that
// holds a pod's namespaces. There is no registry to pull any from.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tar } from './tar.ts';

export const BUSYBOX_IMAGE = 'config-rollout.local/busybox:1';
export const PAUSE_IMAGE = 'config-rollout.local/pause:1';

interface Image {
  readonly name: string;
  readonly config: object;
}

const IMAGES: readonly Image[] = [
  { name: BUSYBOX_IMAGE, config: { Env: ['PATH=/bin'], Cmd: ['sh'] } },
  { name: PAUSE_IMAGE, config: { Env: ['PATH=/bin'], Entrypoint: ['/bin/sleep', '2147483647'] } },
];

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

/** An archive in OCI's layout, as `ctr images import` takes it. */
export function imageArchive(busybox: string, applets: readonly string[]): Buffer {
  const blobs = new Map<string, Buffer>();
  const store = (mediaType: string, content: Buffer) => {
    const hash = createHash('sha256').update(content).digest('hex');
    blobs.set(hash, content);
    return { mediaType, digest: `sha256:${hash}`, size: content.length };
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const files = store('application/vnd.oci.image.layer.v1.tar', layer(busybox, applets));
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const manifests = IMAGES.map(({ name, config }) => {
    const rootfs = { type: 'layers', diff_ids: [files.digest] };
    const description = store(
      'application/vnd.oci.image.config.v1+json',
      json({ architecture, os: 'linux', config, rootfs }),
    );
    const manifest = json({ schemaVersion: 2, config: description, layers: [files] });
    return {
      ...store('application/vnd.oci.image.manifest.v1+json', manifest),
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.replace(/.*:/, '') },
      platform: { architecture, os: 'linux' },
    };
  });
  return tar([
    { path: 'oci-layout', mode: 0o644, content: json({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', mode: 0o644, content: json({ schemaVersion: 2, manifests }) },
    { path: 'blobs/', mode: 0o755, folder: true },
    { path: 'blobs/sha256/', mode: 0o755, folder: true },
    ...[...blobs].map(([hash, content]) => ({ path: `blobs/sha256/${hash}`, mode: 0o644, content })),
  ]);
}
