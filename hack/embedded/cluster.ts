// The whole life of one cluster: up, down, and what is known of it in between. Tests and the demo import this.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { type BinaryFolder, findBinaries, type K3sSource } from './binaries.ts';
import { startControlPlane, startStandIn } from './control-plane.ts';
import { k3sRuns, removeK3s, startK3s } from './k3s.ts';
import { withLock } from './lock.ts';
import { removeTraces } from './node-traces.ts';
import { type Layout, layout, resolveDataDir } from './paths.ts';
import { messageOf, Obstacle, Problem } from './problem.ts';
import { stop } from './processes.ts';
import { nodeObstacle, startNode } from './real-node.ts';
import { type Log, Starter, timed } from './starter.ts';
import { deadComponents, emptyState, type NodeKind, readState, type State } from './state.ts';

export interface Cluster {
  readonly dataDir: string;
  /** Path of the kubeconfig. */
  readonly kubeconfig: string;
  /** Path of the audit log: one JSON object a line. */
  readonly auditLog: string;
  readonly server: string;
  readonly node: NodeKind;
}

export interface UpOptions {
  readonly dataDir?: string;
  /** A real kubelet, where the machine allows it. 'required': an Obstacle is thrown where it does not. */
  readonly node?: NodeWish;
  /** k3s in Docker, where it can be had, before the programs that are on this machine. */
  readonly k3sFirst?: boolean;
  readonly log?: (line: string) => void;
  /** Gives up, and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

type NodeWish = boolean | 'required';

const silent: Log = () => undefined;
const ATTEMPTS = 3;
/** Of a block for documentation (RFC 5737): no pod is there to ask for it. */
const STAND_IN_NETWORK = { serviceRange: '10.96.0.0/16', advertised: '198.51.100.1' };

export async function up({
  dataDir,
  node = false,
  k3sFirst = false,
  log = silent,
  signal,
}: UpOptions): Promise<Cluster> {
  const files = layout(resolveDataDir(dataDir));
  return exclusively(
    files,
    log,
    async () => {
      const state = readState(files);
      if (state !== undefined && (await isRunning(state))) {
        log(`The cluster in ${files.dataDir} is running already, at ${state.server} (node: ${nodeText(state)}).`);
        return describe(files, state);
      }
      if (state === undefined) refuseForeignFolder(files);
      else await clearAway(files, state, 'Clearing away what is left of an earlier cluster', log);
      return timed(log, 'The cluster is ready', () => create(files, { node, k3sFirst, log, signal }));
    },
    signal,
  );
}

export async function down(dataDir?: string, log: Log = silent): Promise<void> {
  const files = layout(resolveDataDir(dataDir));
  await exclusively(files, log, async () => {
    const state = readState(files);
    if (state === undefined) log(`There is no cluster in ${files.dataDir}.`);
    else await clearAway(files, state, `The cluster in ${files.dataDir} is stopped and removed`, log);
  });
}

export async function isRunning(state: State): Promise<boolean> {
  if (!state.ready || deadComponents(state).length > 0) return false;
  return state.container === undefined || k3sRuns(state.container).catch(() => false);
}

export function nodeText({ node, nodeReason }: State): string {
  return nodeReason === undefined ? node : `${node} (${nodeReason})`;
}

/** Two commands never work on the same cluster at the same time. The lock lies beside the folder: `down` removes that. */
async function exclusively<T>(files: Layout, log: Log, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  mkdirSync(dirname(files.dataDir), { recursive: true });
  const onWait = (pid: number) => log(`Waiting for process ${pid}, which is at work on ${files.dataDir}.`);
  return withLock(files.lock, { onWait, signal }, work);
}

function refuseForeignFolder(files: Layout): void {
  if (existsSync(files.dataDir) && readdirSync(files.dataDir).length > 0) {
    throw new Problem(`${files.dataDir} holds something else: choose an empty or a new folder with --data.`);
  }
}

function describe(files: Layout, { server, node }: State): Cluster {
  return { dataDir: files.dataDir, kubeconfig: files.kubeconfig, auditLog: files.auditLog, server, node };
}

interface Wish {
  readonly node: NodeWish;
  readonly k3sFirst: boolean;
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
}

async function create(files: Layout, { node, k3sFirst, log, signal }: Wish): Promise<Cluster> {
  const source = await findBinaries({ realNode: node !== false, k3sFirst }, log, signal);
  log(`Using ${sourceText(source)}`);
  let obstacle: string | undefined;
  for (let attempt = 1; ; attempt += 1) {
    mkdirSync(files.dataDir, { recursive: true, mode: 0o700 });
    const starter = new Starter(files, emptyState, log, signal);
    try {
      await start(starter, source, node, obstacle);
      starter.note({ ready: true });
      return describe(files, starter.state);
    } catch (error) {
      const otherPorts = lostItsPort(starter.state);
      const withoutNode = node === true && obstacle === undefined && source.kind === 'folder';
      await clearAway(files, starter.state, 'Stopped what had been started', log);
      if (signal?.aborted === true || attempt === ATTEMPTS) throw error;
      if (otherPorts) log('A port was taken by somebody else in the meantime: trying again with others.');
      else if (withoutNode) obstacle = whyNoNode(error);
      else throw error;
    }
  }
}

function whyNoNode(error: unknown): string {
  const lastWords = error instanceof Problem ? error.detail?.trim().split('\n').at(-1) : undefined;
  const message = messageOf(error).replace(/\.$/, '');
  return lastWords === undefined ? message : `${message}: ${lastWords}`;
}

function sourceText(source: BinaryFolder | K3sSource): string {
  return source.kind === 'k3s' ? `Docker and ${source.image}` : source.folder;
}

function lostItsPort({ components }: State): boolean {
  return components.some(({ log }) => existsSync(log) && readFileSync(log, 'utf8').includes('address already in use'));
}

async function start(
  starter: Starter,
  source: BinaryFolder | K3sSource,
  node: NodeWish,
  earlier: string | undefined,
): Promise<void> {
  if (source.kind === 'k3s') return startK3s(starter, source.image);
  starter.note({ binaries: source.folder });
  const obstacle = node !== false ? (earlier ?? (await nodeObstacle(starter.files, source))) : undefined;
  if (node !== false && obstacle === undefined) return startNode(starter, source);
  if (obstacle !== undefined && node === 'required') throw new Obstacle(`No real node can run here: ${obstacle}.`);
  if (obstacle !== undefined) starter.log(`No real node here: ${obstacle}. A stand-in takes its place.`);
  const plane = await startControlPlane(starter, { binaries: source, network: STAND_IN_NETWORK, realNode: false });
  await startStandIn(starter, plane);
  starter.note({ node: 'stand-in', nodeReason: obstacle });
  plane.api.close();
}

/** Nothing in here is worth a goodbye: all of it is thrown away. */
async function clearAway(files: Layout, state: State, sentence: string, log: Log): Promise<void> {
  await timed(log, sentence, async () => {
    for (const component of state.components.toReversed()) await stop(component.process, 0);
    if (state.container !== undefined) await removeK3s(state.container);
    if (state.traces !== undefined) await removeTraces(files, state);
    rmSync(files.dataDir, { recursive: true, force: true, maxRetries: 5 });
  });
}
