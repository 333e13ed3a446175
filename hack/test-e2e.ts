// The product as users get it: its image, installed from the manifests, on a cluster whose pods really run; and the image
// in Docker. Everything comes and goes with this command. What the machine cannot run is reported as skipped, with the
// reason, and never as passed; what it can run and does not work is a failure.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Cluster, down, up } from './embedded/cluster.ts';
import { type DockerEngine, mayHaveDocker, startDockerEngine } from './embedded/docker-engine.ts';
import { helmPath, kubectlPath } from './embedded/kubectl.ts';
import { loadImages } from './embedded/load.ts';
import { BUSYBOX_IMAGE } from './embedded/node-image.ts';
import { repositoryRoot } from './embedded/paths.ts';
import { messageOf, Obstacle, Problem } from './embedded/problem.ts';
import { timed } from './embedded/starter.ts';
import { controllerImage, controllerImageName } from './image/controller-image.ts';

const JEST = [
  '--experimental-vm-modules',
  '--no-warnings',
  'node_modules/jest/bin/jest.js',
  '--config',
  'jest.e2e.config.json',
];
/** For clusters that can pull it. */
const PULLED_SHELL_IMAGE = 'busybox:1.37';

const log = (line: string): void => console.log(line);
const stopped = new AbortController();
let running: ChildProcess | undefined;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    stopped.abort(new Problem(`Interrupted by ${name}.`));
    running?.kill('SIGTERM');
  });
}

const kept = process.env['TEST_CLUSTER_DATA'];
const folder = mkdtempSync(join(tmpdir(), 'config-rollout-e2e-'));
const dataDir = kept ?? join(folder, 'cluster');
const cleaning: (() => Promise<void>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
log(
  'End to end: a real cluster comes up, the image is built and installed from the manifests, and the pods are asked what',
);
log('they read. About three minutes; the first time, Kubernetes may have to be built and packages fetched: ten more.');
try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (error instanceof Problem && error.detail !== undefined) console.error(error.detail);
  console.error(`error: ${messageOf(error)}`);
  process.exitCode = stopped.signal.aborted ? 130 : 1;
} finally {
  for (const clean of cleaning.reverse()) {
    await clean().catch((error) => {
      console.error(`error: cleaning up: ${messageOf(error)}`);
      process.exitCode = 1;
    });
  }
}

async function run(args: readonly string[]): Promise<number> {
  await execute([join(repositoryRoot, 'hack/build.ts')]);
  const cluster = await orObstacle(startCluster);
  const engine = await orObstacle(findEngine);
  const archive = join(folder, 'image.tar');
  const image = await orObstacle(() => makeImage(archive, isObstacle(cluster) ? undefined : cluster));
  if (!isObstacle(cluster) && !isObstacle(image))
    await timed(log, 'The image is on the node', () => loadImages(archive, dataDir));
  const noCluster = [cluster, image].find(isObstacle)?.message;
  const noDocker = [engine, image].find(isObstacle)?.message;
  const results = join(folder, 'results.json');
  const code = await execute([...JEST, '--json', `--outputFile=${results}`, ...args], {
    E2E_IMAGE_ARCHIVE: archive,
    E2E_SHELL_IMAGE: !isObstacle(cluster) && cluster.node === 'k3s' ? PULLED_SHELL_IMAGE : BUSYBOX_IMAGE,
    TEST_KUBECTL: await kubectlPath(),
    TEST_HELM: await helmPath(),
    ...(isObstacle(cluster) ? {} : { TEST_KUBECONFIG: cluster.kubeconfig, TEST_AUDIT_LOG: cluster.auditLog }),
    ...(isObstacle(engine) ? {} : engine),
    ...(noCluster !== undefined && { E2E_NO_CLUSTER: noCluster }),
    ...(noDocker !== undefined && { E2E_NO_DOCKER: noDocker }),
  });
  summarize(results, { 'installed from the manifests': noCluster, 'the image in Docker': noDocker });
  return code;
}

/** Gives the obstacle instead of throwing it: that is no failure. */
async function orObstacle<T>(work: () => Promise<T>): Promise<T | Obstacle> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error;
    log(`SKIPPED: ${error.message}`);
    return error;
  }
}

function isObstacle(value: unknown): value is Obstacle {
  return value instanceof Obstacle;
}

async function startCluster(): Promise<Cluster> {
  // The first thing to be removed: also what an up that fails half-way leaves.
  if (kept === undefined) cleaning.push(() => down(dataDir, log));
  const cluster = await up({ dataDir, node: 'required', k3sFirst: true, log, signal: stopped.signal });
  const how = {
    k3s: 'k3s in Docker, by testcontainers',
    kubelet: "a kubelet and containerd on this machine, made of Debian's packages",
    'stand-in': 'no containers',
  };
  log(`The cluster: ${how[cluster.node]}.`);
  // TEST_CLUSTER_DATA may name one that was started without a node.
  if (cluster.node === 'stand-in')
    throw new Problem(`The cluster in ${dataDir} runs no containers: start it with --node.`);
  return cluster;
}

/** The variables by which testcontainers finds an engine. */
async function findEngine(): Promise<Readonly<Record<string, string>>> {
  if (mayHaveDocker()) {
    const { getContainerRuntimeClient } = await import('testcontainers');
    const client = await getContainerRuntimeClient().catch(() => undefined);
    if (client !== undefined) {
      log(`The Docker engine: this machine's own (${client.info.containerRuntime.serverVersion}).`);
      return {};
    }
  }
  const engine: DockerEngine = await startDockerEngine(join(folder, 'docker'), log, stopped.signal);
  cleaning.push(() => timed(log, 'The Docker engine is stopped', () => engine.stop()));
  return engine.environment;
}

/** With k3s there are an engine and a registry, so the Dockerfile is what makes it; otherwise Debian's packages do. */
async function makeImage(archive: string, cluster: Cluster | undefined): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await timed(log, `The image ${controllerImageName()} is built`, async () => {
    if (cluster?.node === 'k3s') {
      const options = { cwd: repositoryRoot, env: { ...process.env, DOCKER_BUILDKIT: '1' }, signal: stopped.signal };
      await promisify(execFile)('docker', ['build', '--quiet', '--tag', controllerImageName(), '.'], options);
      await promisify(execFile)('docker', ['save', '--output', archive, controllerImageName()], options);
    } else {
      writeFileSync(archive, (await controllerImage(log, stopped.signal)).content);
    }
  });
}

interface Results {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

function summarize(path: string, obstacles: Readonly<Record<string, string | undefined>>): void {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(path, 'utf8')) as Results;
  for (const [part, obstacle] of Object.entries(obstacles)) {
    if (obstacle !== undefined) log(`SKIPPED: ${part}: ${obstacle}`);
  }
  log(`End to end: ${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped.`);
}

/** Gives the exit code of a program of Node's. */
function execute(argv: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<number> {
  stopped.signal.throwIfAborted();
  const child = spawn(process.execPath, argv, {
    cwd: repositoryRoot,
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  running = child;
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      running = undefined;
      if (stopped.signal.aborted) reject(stopped.signal.reason);
      else resolve(code ?? 1);
    });
  });
}
