// Container images, written without a container engine, in the format of `docker save`: containerd, Docker, Podman and
// skopeo all read it. OCI's own layout would make the file say under which registry the image is known; here whoever
// imports it completes the name, and a kubelet finds `config-rollout:0.1.0` as its manifest calls it. The same input
// gives the same bytes: nothing in it tells when or where it was made.

import { createHash } from 'node:crypto';
import { type TarEntry, tar } from './tar.ts';

/** What a container of the image runs, in the words of OCI's image configuration. */
export interface ImageConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface Image {
  /** With its tag. */
  readonly name: string;
  /** Tar archives, the lowest first. */
  readonly layers: readonly Buffer[];
  readonly config: ImageConfig;
}

export interface ImageArchive {
  readonly content: Buffer;
  /** By the name of each image what engines call its id: the digest of its configuration, which names the layers'. */
  readonly ids: ReadonlyMap<string, string>;
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const hashOf = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/** The machine's architecture, as images name it. */
export function imageArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

/** An archive for `ctr images import` or `docker load`; layers that several of the images have are in it once. */
export function imageArchive(images: readonly Image[]): ImageArchive {
  const files = new Map<string, TarEntry>();
  const keep = (path: string, content: Buffer): string => {
    files.set(path, { path, mode: 0o644, content });
    return path;
  };
  const hashes = new Map<Buffer, string>();
  const hashOfLayer = (layer: Buffer): string => {
    const hash = hashes.get(layer) ?? hashOf(layer);
    hashes.set(layer, hash);
    return hash;
  };
  const ids = new Map<string, string>();
  const manifests = images.map(({ name, layers, config }) => {
    const layerHashes = layers.map(hashOfLayer);
    const rootfs = { type: 'layers', diff_ids: layerHashes.map((hash) => `sha256:${hash}`) };
    const description = json({ architecture: imageArchitecture(), os: 'linux', config, rootfs });
    const id = hashOf(description);
    ids.set(name, `sha256:${id}`);
    return {
      Config: keep(`${id}.json`, description),
      RepoTags: [name],
      Layers: layers.map((layer) => keep(`${hashOfLayer(layer)}.tar`, layer)),
    };
  });
  keep('manifest.json', json(manifests));
  return { content: tar([...files.values()]), ids };
}
