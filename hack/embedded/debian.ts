// The programs of a cluster from Debian's packages alone: etcd and the container runtime as they are, Kubernetes built
// from its source package. Done once; the result is kept in the user's cache.

import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { cpus } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { PrivateApt } from './apt.ts';
import { CODENAME, debianObstacle, libraryFolder } from './debian-packages.ts';
import { withLock } from './lock.ts';
import { cacheFolder, embeddedFolder } from './paths.ts';
import { Obstacle, Problem } from './problem.ts';
import { createRunner, type Runner } from './runner.ts';
import { type Log, timed } from './starter.ts';

/** Raise it when what is built, or from what, changes. */
const RECIPE = 1;
const NEEDED_BYTES = 6e9;

const BUILD_PACKAGES = [
  ...['golang-1.19-go', 'golang-1.19-src', 'golang-github-modern-go-reflect2-dev'],
  ...['make', 'patch', 'xz-utils', 'jq', 'libjq1', 'libonig5'],
  ...['rsync', 'libpopt0', 'libacl1', 'libssl3', 'libxxhash0', 'liblz4-1', 'libzstd1'],
];
const CLUSTER_PACKAGES = [
  ...['etcd-server', 'busybox-static'],
  ...['containerd', 'runc', 'libseccomp2', 'containernetworking-plugins'],
];

/** From the unpacked packages into the folder of programs. */
const PROGRAMS = [
  ...['usr/bin/etcd', 'usr/bin/containerd', 'usr/bin/containerd-shim-runc-v2', 'usr/bin/ctr'],
  ...['usr/sbin/runc', 'bin/busybox'],
];
const PLUGINS = ['bridge', 'host-local', 'loopback'];

export function debianFolder(): string {
  return join(cacheFolder(), 'binaries', `debian-${CODENAME}-${process.arch}-r${RECIPE}`);
}

function refuse(): void {
  const obstacle = debianObstacle();
  if (obstacle === undefined) return;
  throw new Obstacle(
    `Kubernetes cannot be built here: ${obstacle}. Start a Docker engine, or set KUBEBUILDER_ASSETS to a folder with ` +
      'etcd, kube-apiserver and kube-controller-manager.',
  );
}

function refuseSmallDisk(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  if (bavail * bsize >= NEEDED_BYTES) return;
  const free = gigabytes(bavail * bsize);
  throw new Problem(
    `Building Kubernetes takes ${gigabytes(NEEDED_BYTES)} GB of disk, and ${folder} has ${free} GB free.`,
  );
}

/** Gives the folder of programs. Only one process builds; the others wait and use what it made. */
export async function buildFromDebian(log: Log, signal?: AbortSignal): Promise<string> {
  refuse();
  const target = debianFolder();
  const parent = dirname(target);
  mkdirSync(parent, { recursive: true });
  const onWait = (pid: number) => log(`Waiting for process ${pid}, which is building Kubernetes.`);
  return withLock(`${target}.lock`, { onWait, signal }, async () => {
    if (existsSync(target)) return target;
    // Only builds that were killed can have left any.
    for (const name of readdirSync(parent)) {
      if (name.startsWith('building-')) rmSync(join(parent, name), { recursive: true, force: true });
    }
    refuseSmallDisk(parent);
    const work = join(parent, `building-${process.pid}`);
    const buildLog = join(parent, 'build.log');
    rmSync(buildLog, { force: true });
    log(
      `Building Kubernetes from Debian's source package, once: about 7 minutes with two cores, here ${cpus().length}.`,
    );
    log(`The whole log: ${buildLog}`);
    try {
      await timed(log, 'Kubernetes is built', () => build(createRunner(buildLog, signal), work, log));
      renameSync(join(work, 'programs'), target);
    } finally {
      rmSync(work, { recursive: true, force: true, maxRetries: 5 });
    }
    return target;
  });
}

async function build(run: Runner, work: string, log: Log): Promise<void> {
  const root = join(work, 'root');
  const programs = join(work, 'programs');
  mkdirSync(join(programs, 'cni'), { recursive: true });
  mkdirSync(join(programs, 'lib'));

  const version = await timed(log, 'The packages are downloaded', async () => {
    const apt = new PrivateApt(run, join(work, 'apt'), CODENAME);
    await apt.update();
    await apt.unpack([...BUILD_PACKAGES, ...CLUSTER_PACKAGES], root);
    return apt.source('kubernetes', join(work, 'source'));
  });
  const libraries = libraryFolder();
  for (const path of PROGRAMS) take(join(root, path), join(programs, path.replace(/.*\//, '')));
  for (const name of PLUGINS) take(join(root, 'usr/lib/cni', name), join(programs, 'cni', name));
  take(join(root, 'usr/lib', libraries, 'libseccomp.so.2'), join(programs, 'lib', 'libseccomp.so.2'));

  const progress = new Progress(log);
  const search = (...folders: string[]) => folders.map((folder) => join(root, folder)).join(delimiter);
  try {
    await run('bash', [join(embeddedFolder, 'build-kubernetes.sh'), work, root, programs, `v${version}`], {
      env: {
        PATH: `${search('usr/bin', 'bin')}${delimiter}${process.env['PATH'] ?? ''}`,
        LD_LIBRARY_PATH: search(`usr/lib/${libraries}`, `lib/${libraries}`),
      },
      onLine: (line) => progress.take(line),
    });
  } finally {
    progress.end();
  }
}

function take(from: string, to: string): void {
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}

/** A line for each phase, and one a minute in between: nobody waits seven minutes in silence. */
class Progress {
  readonly #log: Log;
  readonly #start = performance.now();
  readonly #timer: NodeJS.Timeout;
  #phase = 'starting';

  constructor(log: Log) {
    this.#log = log;
    this.#timer = setInterval(() => this.#tell(), 60_000);
  }

  take(line: string): void {
    if (!line.startsWith('phase: ')) return;
    this.#phase = line.slice('phase: '.length);
    this.#tell();
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    this.#log(`  ${Math.round((performance.now() - this.#start) / 1000)} s: ${this.#phase}`);
  }
}
