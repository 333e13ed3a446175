// From a folder of programs to a cluster that answers: etcd, API server, controller manager, and something that runs
// the pods.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from './api.ts';
import type { BinaryFolder } from './binaries.ts';
import { apiServer, type ClusterNetwork, controllerManager, etcd, type Plane, scheduler } from './components.ts';
import { readAuthority, type Tokens, writeCredentials, writeKubeconfig } from './credentials.ts';
import { embeddedFolder } from './paths.ts';
import { freePorts } from './ports.ts';
import type { StandInConfig } from './stand-in.ts';
import { type Starter, timed } from './starter.ts';

export interface ControlPlane {
  readonly api: Api;
  readonly server: string;
  readonly tokens: Tokens;
}

export interface PlaneOptions {
  readonly binaries: BinaryFolder;
  readonly network: ClusterNetwork;
  readonly realNode: boolean;
}

const ready = async (api: Api, path: string): Promise<boolean> => (await api.call({ path })).status === 200;

export async function startControlPlane(starter: Starter, options: PlaneOptions): Promise<ControlPlane> {
  const { files, log } = starter;
  const { folder, minor, version } = options.binaries;
  const ports = await freePorts('etcd', 'etcdPeer', 'api');
  const plane: Plane = { files, binaries: folder, minor, ports, network: options.network, realNode: options.realNode };
  const server = `https://127.0.0.1:${ports.api}`;
  const tokens = writeCredentials(files);
  starter.note({ server, serverVersion: version });

  const api = await timed(log, `etcd and kube-apiserver ${version} answer at ${server}`, async () => {
    await starter.start(etcd(plane));
    const program = await starter.start(apiServer(plane));
    await starter.until('The API server made no certificate', 60, async () => readAuthority(files) !== '', program);
    const client = new Api({ server, authority: readAuthority(files), token: tokens.admin }, 'config-rollout-cluster');
    await starter.until('The API server did not become ready', 90, () => ready(client, '/readyz'), program);
    return client;
  });
  writeKubeconfig(files.kubeconfig, server, readAuthority(files), tokens.admin);

  await timed(log, 'kube-controller-manager works', async () => {
    const kubeconfig = kubeconfigFor(starter, server, tokens, 'controllerManager');
    const program = await starter.start(controllerManager(plane, kubeconfig));
    if (options.realNode) await starter.start(scheduler(plane, kubeconfigFor(starter, server, tokens, 'scheduler')));
    const namespace = '/api/v1/namespaces/default';
    const both = async () =>
      (await ready(api, `${namespace}/serviceaccounts/default`)) &&
      (await ready(api, `${namespace}/configmaps/kube-root-ca.crt`));
    await starter.until('The controller manager made no default ServiceAccount', 60, both, program);
  });
  return { api, server, tokens };
}

export function kubeconfigFor(starter: Starter, server: string, tokens: Tokens, party: keyof Tokens): string {
  const path = join(starter.files.dataDir, `${party}.kubeconfig`);
  writeKubeconfig(path, server, readAuthority(starter.files), tokens[party]);
  return path;
}

export async function startStandIn(starter: Starter, { api, server, tokens }: ControlPlane): Promise<void> {
  await timed(starter.log, 'a stand-in for the node runs the pods', async () => {
    const path = join(starter.files.dataDir, 'stand-in.json');
    const config: StandInConfig = {
      server,
      authority: readAuthority(starter.files),
      token: tokens.standIn,
      version: starter.state.serverVersion,
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    const args = ['--no-warnings', join(embeddedFolder, 'stand-in.ts'), path];
    const program = await starter.start({ name: 'stand-in', command: process.execPath, args, ports: [] });
    const untainted = async () => {
      const { status, body } = await api.call({ path: '/api/v1/nodes/stand-in' });
      const node = JSON.parse(body) as { spec?: { taints?: unknown[] }; status?: { conditions?: unknown[] } };
      return status === 200 && node.spec?.taints === undefined && node.status?.conditions !== undefined;
    };
    await starter.until('The stand-in registered no node', 30, untainted, program);
  });
}
