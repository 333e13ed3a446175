// A real node: a kubelet with containerd, in namespaces of its own, and a scheduler. Pods run as they do in any
// cluster, from images that are on this machine.

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Api } from './api.ts';
import type { BinaryFolder } from './binaries.ts';
import { containerObstacle } from './container-obstacle.ts';
import { type ControlPlane, kubeconfigFor, startControlPlane } from './control-plane.ts';
import {
  cniConfig,
  containerdConfig,
  kubeletConfig,
  NODE_COMPONENT,
  NODE_NAME,
  type NodeSetup,
  nodeScript,
} from './node-config.ts';
import { nodeImages } from './node-image.ts';
import { bridgeName, createNetwork, type NodeNetwork } from './node-network.ts';
import { probe } from './node-probe.ts';
import { embeddedFolder, type Layout } from './paths.ts';
import { freePorts } from './ports.ts';
import { identify, type ProcessId } from './processes.ts';
import { type Starter, timed } from './starter.ts';

const PROGRAMS = ['kubelet', 'kube-scheduler', 'containerd', 'containerd-shim-runc-v2', 'ctr', 'runc', 'busybox'];
const HIDDEN = ['/run/', '/var/run/', '/var/lib/', '/var/log/'];

/** Why there can be no real node here; undefined when nothing speaks against it. */
export async function nodeObstacle(files: Layout, { folder }: BinaryFolder): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it needs root';
  const missing = PROGRAMS.find((name) => !existsSync(join(folder, name)));
  if (missing !== undefined) return `${folder} has no ${missing}`;
  const hidden = [folder, files.dataDir].find((path) => HIDDEN.some((prefix) => path.startsWith(prefix)));
  if (hidden !== undefined) return `${hidden} lies where the node puts folders of its own`;
  return containerObstacle(join(files.node, 'probe'), join(folder, 'busybox'));
}

export async function startNode(starter: Starter, source: BinaryFolder): Promise<void> {
  const { files, log } = starter;
  const bridge = bridgeName(files.dataDir);
  const network = await createNetwork(join(source.folder, 'busybox'), bridge, () =>
    starter.note({ traces: { bridge } }),
  );
  const plane = await startControlPlane(starter, {
    binaries: source,
    network: { serviceRange: network.serviceRange, advertised: network.address },
    realNode: true,
  });
  await startRelay(starter, plane.server, network);
  await timed(log, 'containerd and kubelet run a real node', () =>
    startKubelet(starter, plane, network, source.folder),
  );
  await timed(log, 'A first pod has run on it', () => probe(starter, plane.api));
  starter.note({ node: 'kubelet' });
  plane.api.close();
}

async function startRelay(starter: Starter, server: string, { apiService }: NodeNetwork): Promise<void> {
  const args = ['--no-warnings', join(embeddedFolder, 'relay.ts'), apiService, '443', new URL(server).port];
  await starter.start({ name: 'relay', command: process.execPath, args, ports: [] });
}

async function startKubelet(starter: Starter, plane: ControlPlane, network: NodeNetwork, binaries: string) {
  const { files } = starter;
  const { kubelet: kubeletPort } = await freePorts('kubelet');
  const setup: NodeSetup = {
    folder: files.node,
    logs: files.logs,
    binaries,
    kubeconfig: kubeconfigFor(starter, plane.server, plane.tokens, 'kubelet'),
    kubeletPort,
    network,
  };
  await writeSetup(setup);
  const busybox = join(binaries, 'busybox');
  const script = join(files.node, 'node.sh');
  const args = ['unshare', '-m', '-p', '-f', '--mount-proc', busybox, 'sh', script];
  const outer = await starter.start({ name: 'node', command: busybox, args, ports: [] });
  const inner = async () => {
    const first = firstChild(outer.process);
    if (first === undefined) return false;
    const component = {
      name: NODE_COMPONENT,
      process: first,
      ports: [kubeletPort],
      log: join(files.logs, 'kubelet.log'),
    };
    starter.note({ components: [...starter.state.components, component] });
    return true;
  };
  await starter.until('The node got no namespace of its own', 10, inner, outer);
  const suspect = { ...outer, log: join(files.logs, 'kubelet.log') };
  await starter.until('The node did not become ready', 60, () => isReady(plane.api), suspect);
}

async function writeSetup(setup: NodeSetup): Promise<void> {
  const { folder, binaries } = setup;
  const busybox = join(binaries, 'busybox');
  mkdirSync(join(folder, 'cni'), { recursive: true });
  const { stdout } = await promisify(execFile)(busybox, ['--list']);
  writeFileSync(
    join(folder, 'images.tar'),
    nodeImages(
      busybox,
      stdout
        .trim()
        .split('\n')
        .filter((a) => a !== 'busybox'),
    ),
  );
  writeFileSync(join(folder, 'containerd.toml'), containerdConfig(setup));
  writeFileSync(join(folder, 'cni', '10-config-rollout.conflist'), cniConfig(setup));
  writeFileSync(join(folder, 'kubelet.yaml'), kubeletConfig(setup));
  // Not empty: pods would get the machine's, with name servers that they cannot reach.
  writeFileSync(join(folder, 'resolv.conf'), 'options ndots:1\n');
  writeFileSync(join(folder, 'node.sh'), nodeScript(setup));
}

/** The first process of the namespace, as this side sees it: all others end with it. */
function firstChild({ pid }: ProcessId): ProcessId | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? undefined : identify(Number(children.split(' ')[0]));
}

async function isReady(api: Api): Promise<boolean> {
  const { status, body } = await api.call({ path: `/api/v1/nodes/${NODE_NAME}` });
  if (status !== 200) return false;
  const node = JSON.parse(body) as {
    spec: { taints?: unknown[] };
    status: { conditions?: { type: string; status: string }[] };
  };
  const ready = node.status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  return ready === true && (node.spec.taints ?? []).length === 0;
}
