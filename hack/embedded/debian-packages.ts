// Debian's packages as folders: which release they are taken from, on which machines that can be done, and a cache of
// those that are used as they are.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PrivateApt } from './apt.ts';
import { withLock } from './lock.ts';
import { cacheFolder } from './paths.ts';
import { Obstacle } from './problem.ts';
import { createRunner } from './runner.ts';
import { type Log, timed } from './starter.ts';

export const CODENAME = 'bookworm';
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** Why this machine cannot use those packages; undefined when nothing speaks against it. */
export function debianObstacle(): string | undefined {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!/^ID=debian$/m.test(release) || !release.includes(`VERSION_CODENAME=${CODENAME}`)) {
    return `only Debian 12 (${CODENAME}) has the packages, and this is another system`;
  }
  if (ARCHITECTURES[process.arch] === undefined) return `only amd64 and arm64 are known, and this is ${process.arch}`;
  return undefined;
}

/** The folder of libraries below usr/lib and lib, such as x86_64-linux-gnu. */
export function libraryFolder(): string {
  return ARCHITECTURES[process.arch] ?? '';
}

export interface Unpacked {
  /** The packages' files, as they would lie below /. */
  readonly root: string;
  /** A folder for each package, with the file `control`: its name, version, license and so on. */
  readonly controls: string;
}

/** Unpacks these packages, and none that they depend on, into the cache; only the first time that this list is asked for. */
export async function unpackedPackages(
  name: string,
  packages: readonly string[],
  log: Log,
  signal?: AbortSignal,
): Promise<Unpacked> {
  const obstacle = debianObstacle();
  if (obstacle !== undefined) throw new Obstacle(`Debian's packages (${name}) cannot be used here: ${obstacle}.`);
  const list = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 8);
  const target = join(cacheFolder(), 'packages', `${name}-${CODENAME}-${process.arch}-${list}`);
  const unpacked = { root: join(target, 'root'), controls: join(target, 'controls') };
  mkdirSync(dirname(target), { recursive: true });
  return withLock(`${target}.lock`, { signal }, async () => {
    if (existsSync(target)) return unpacked;
    const work = `${target}.new`;
    rmSync(work, { recursive: true, force: true });
    try {
      await timed(log, `Debian's packages are downloaded (${name})`, async () => {
        const run = createRunner(join(work, 'apt.log'), signal);
        const apt = new PrivateApt(run, join(work, 'apt'), CODENAME);
        await apt.update();
        await apt.unpack(packages, join(work, 'root'), join(work, 'controls'));
      });
      rmSync(join(work, 'apt'), { recursive: true });
      renameSync(work, target);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
    return unpacked;
  });
}
