// A Docker engine for as long as one process needs it, from Debian's packages, on a machine that has none running: in
// namespaces of its own, with its data in one folder, without a network and without a rule in the machine's firewall.
// Containers that need a network share the machine's.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tailOf } from './components.ts';
import { containerObstacle } from './container-obstacle.ts';
import { foldersIn, groupTrees, removeEmptyGroup, removeGroup } from './control-groups.ts';
import { libraryFolder, unpackedPackages } from './debian-packages.ts';
import { Obstacle, Problem } from './problem.ts';
import { type Log, timed } from './starter.ts';

const PACKAGES = [
  ...['docker.io', 'containerd', 'runc', 'tini', 'busybox-static', 'iptables'],
  ...['libdevmapper1.02.1', 'libsystemd0', 'libseccomp2', 'libgcrypt20', 'libgpg-error0', 'liblzma5', 'libzstd1'],
  ...['liblz4-1', 'libselinux1', 'libpcre2-8-0', 'libudev1', 'libcap2', 'libip4tc2', 'libip6tc2', 'libxtables12'],
];
const START_SECONDS = 60;
const STOP_SECONDS = 20;

export interface DockerEngine {
  /** Variables by which Docker's own clients and testcontainers find it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends it with all its containers, and removes its data. */
  stop(): Promise<void>;
}

/** Whether an engine of the machine's own is there to be asked: it may still not answer. */
export function mayHaveDocker(): boolean {
  const sockets = ['/var/run/docker.sock', join(process.env['XDG_RUNTIME_DIR'] ?? '/run', 'docker.sock')];
  return (process.env['DOCKER_HOST'] ?? '') !== '' || sockets.some((path) => existsSync(path));
}

/**
 * Starts one with its data in `folder`, which must not exist. It ends with this process, however that ends.
 *
 * @throws Obstacle where the machine lets no containers be run.
 */
export async function startDockerEngine(folder: string, log: Log, signal?: AbortSignal): Promise<DockerEngine> {
  if (process.getuid?.() !== 0) throw new Obstacle('No Docker engine runs, and starting one needs root.');
  const { root } = await unpackedPackages('docker', PACKAGES, log, signal);
  const busybox = join(root, 'bin/busybox');
  const obstacle = await containerObstacle(join(folder, 'probe'), busybox);
  if (obstacle !== undefined) throw new Obstacle(`No Docker engine runs, and none can be started: ${obstacle}.`);
  return timed(log, "A Docker engine from Debian's packages runs", () => start(folder, root, busybox, signal));
}

async function start(folder: string, root: string, busybox: string, signal?: AbortSignal): Promise<DockerEngine> {
  const socket = join(folder, 'docker.sock');
  const logFile = join(folder, 'dockerd.log');
  const scriptFile = join(folder, 'engine.sh');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(scriptFile, script(folder, root, socket));
  const output = openSync(logFile, 'a', 0o600);
  const child = spawn(busybox, ['unshare', '-m', '-p', '-f', '--mount-proc', busybox, 'sh', scriptFile], {
    // Out of reach of Ctrl-C: it is stopped in order. When this process is gone, its end of the pipe is, too.
    detached: true,
    stdio: ['pipe', output, output],
  });
  const stop = async () => {
    await end(child);
    removeGroups();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await answers(socket, child, logFile, signal);
  } catch (error) {
    await stop();
    throw error;
  }
  const environment = {
    DOCKER_HOST: `unix://${socket}`,
    // testcontainers would ask the engine's bridge, which there is none of, for the machine's address.
    TESTCONTAINERS_HOST_OVERRIDE: 'localhost',
    // Its reaper is an image to pull; here all ends with the engine.
    TESTCONTAINERS_RYUK_DISABLED: 'true',
  };
  return { environment, stop };
}

function script(folder: string, root: string, socket: string): string {
  const at = (...paths: string[]) => paths.map((path) => join(root, path)).join(delimiter);
  const libraries = at(join('usr/lib', libraryFolder()), join('lib', libraryFolder()));
  return `set -eu
busybox='${root}/bin/busybox'
# Whatever has a fixed place on a machine goes to where only this engine sees it.
"$busybox" mount -t tmpfs -o mode=755 tmpfs /run
export PATH='${at('usr/sbin', 'usr/bin')}':"$PATH" HOME='${folder}' LD_LIBRARY_PATH='${libraries}'
exec 3<&0
dockerd --data-root '${folder}/data' --exec-root '${folder}/run' --pidfile '${folder}/pid' --host 'unix://${socket}' \\
  --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --userland-proxy=false &
dockerd=$!
# Until nobody holds the other end any more.
{ "$busybox" cat <&3 > /dev/null; kill "$dockerd"; } &
# With this process, the first of its namespace, everything ends.
wait "$dockerd"
`;
}

async function answers(socket: string, child: ChildProcess, log: string, signal?: AbortSignal): Promise<void> {
  const deadline = Date.now() + START_SECONDS * 1000;
  for (;;) {
    signal?.throwIfAborted();
    if (await isReady(socket)) return;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Problem('The Docker engine ended while it was starting.', tailOf(log, 15));
    }
    if (Date.now() > deadline) throw new Problem(`No Docker engine within ${START_SECONDS} s.`, tailOf(log, 15));
    await sleep(50);
  }
}

/** It listens before it works. */
function isReady(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = request({ socketPath, path: '/_ping', timeout: 5_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asking.once('timeout', () => asking.destroy());
    asking.once('error', () => resolve(false));
    asking.end();
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise<true>((resolve) => child.once('exit', () => resolve(true)));
  child.stdin?.end();
  const inTime = await Promise.race([ended, sleep(STOP_SECONDS * 1000, false, { ref: false })]);
  if (inTime) return;
  process.kill(-child.pid, 'SIGKILL');
  await ended;
}

/** Those of containers that ended with the engine; an engine of the machine's own keeps those that it uses. */
function removeGroups(): void {
  for (const tree of groupTrees()) {
    const parent = join(tree, 'docker');
    for (const name of foldersIn(parent)) removeGroup(join(parent, name));
    removeEmptyGroup(parent);
  }
}
