// The lowest layer of the controller's image, from Debian's packages: the C and C++ libraries that Node is linked to, the
// CA certificates, and a user that is nobody else. No shell, no package manager.

import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { libraryFolder, type Unpacked, unpackedPackages } from '../embedded/debian-packages.ts';
import type { Log } from '../embedded/starter.ts';
import { type TarEntry, tar } from '../embedded/tar.ts';

/** gcc-12-base has the copyright of the two libraries before it. */
const PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1', 'gcc-12-base', 'ca-certificates'];

export const USER_ID = 65532;
export const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

const FILES: Readonly<Record<string, string>> = {
  'etc/passwd': `root:x:0:0:root:/:/sbin/nologin\nnonroot:x:${USER_ID}:${USER_ID}:nonroot:/:/sbin/nologin\n`,
  'etc/group': `root:x:0:\nnonroot:x:${USER_ID}:\n`,
  'etc/nsswitch.conf': 'hosts: files dns\n',
};

/** The base layer: a tar archive that depends on nothing but the packages' content. */
export async function baseLayer(log: Log, signal?: AbortSignal): Promise<Buffer> {
  const packages = await unpackedPackages('image-base', PACKAGES, log, signal);
  const files = Object.entries(FILES).map(([path, text]) => file(path, Buffer.from(text)));
  const certificates = file(CERTIFICATES.slice(1), certificateBundle(packages.root));
  const temporary: TarEntry = { path: 'tmp/', mode: 0o1777, folder: true };
  return tar(withFolders([...libraries(packages.root), ...descriptions(packages), ...files, certificates, temporary]));
}

export function file(path: string, content: Buffer, mode = 0o644): TarEntry {
  return { path, mode, content };
}

/** The archive's entries in order, each with the folders above it: some unpackers want them. */
export function withFolders(entries: readonly TarEntry[]): TarEntry[] {
  const all = new Map<string, TarEntry>();
  for (const entry of entries) {
    const parts = entry.path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const path = `${parts.slice(0, depth).join('/')}/`;
      if (!all.has(path)) all.set(path, { path, mode: 0o755, folder: true });
    }
    all.set(entry.path, entry);
  }
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The loader and the libraries, not what they would load for other alphabets or for profilers. */
function libraries(root: string): TarEntry[] {
  const folders = ['lib64', ...['lib', 'usr/lib'].map((folder) => join(folder, libraryFolder()))];
  return folders.flatMap((folder) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { withFileTypes: true })
          .filter((entry) => /\.so(\.\d+)*$/.test(entry.name) && !entry.isDirectory())
          .map((entry) => copy(root, join(folder, entry.name)))
      : [],
  );
}

/** What scanners look for to know what is inside, and the licenses, which have to come with the files. */
function descriptions({ root, controls }: Unpacked): TarEntry[] {
  return PACKAGES.flatMap((name) => [
    file(`var/lib/dpkg/status.d/${name}`, readFileSync(join(controls, name, 'control'))),
    file(`usr/share/doc/${name}/copyright`, readFileSync(join(root, 'usr/share/doc', name, 'copyright'))),
  ]);
}

/** What the package's own script would put together when it is installed. */
function certificateBundle(root: string): Buffer {
  const folder = join(root, 'usr/share/ca-certificates/mozilla');
  const names = readdirSync(folder).filter((name) => name.endsWith('.crt'));
  return Buffer.concat(names.sort().map((name) => readFileSync(join(folder, name))));
}

function copy(root: string, path: string): TarEntry {
  const from = join(root, path);
  const link = linkTarget(from);
  if (link !== undefined) return { path, mode: 0o777, link };
  return file(path, readFileSync(from), statSync(from).mode & 0o755);
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
