// The node that all pods of the stand-in run on: an object without a machine behind it. DaemonSets ask for one, and
// pods that are bound to a node that does not exist are collected as garbage.

import type { Api } from './api.ts';

export const NODE_NAME = 'stand-in';
/** Of the block for documentation (RFC 5737): no request to it ever arrives. */
export const NODE_IP = '198.51.100.1';

const AMOUNTS = { cpu: '10k', memory: '10Ti', pods: '1M', 'ephemeral-storage': '10Ti' };

function node(): object {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: NODE_NAME,
      labels: {
        'kubernetes.io/hostname': NODE_NAME,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': process.arch === 'x64' ? 'amd64' : process.arch,
      },
    },
  };
}

function status(version: string): object {
  const now = new Date().toISOString();
  const condition = (type: string, value: string, reason: string) => ({
    type,
    status: value,
    reason,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  });
  return {
    capacity: AMOUNTS,
    allocatable: AMOUNTS,
    addresses: [
      { type: 'InternalIP', address: NODE_IP },
      { type: 'Hostname', address: NODE_NAME },
    ],
    conditions: [
      condition('Ready', 'True', 'StandIn'),
      condition('MemoryPressure', 'False', 'StandIn'),
      condition('DiskPressure', 'False', 'StandIn'),
      condition('PIDPressure', 'False', 'StandIn'),
    ],
    nodeInfo: {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      operatingSystem: 'linux',
      kubeletVersion: version,
      kubeProxyVersion: version,
      containerRuntimeVersion: 'stand-in://1',
      bootID: '',
      kernelVersion: '',
      machineID: '',
      osImage: 'stand-in',
      systemUUID: '',
    },
  };
}

async function patch(api: Api, path: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/merge-patch+json' };
  const answer = await api.call({ method: 'PATCH', path, body, headers });
  if (answer.status !== 200) throw new Error(`PATCH ${path}: HTTP ${answer.status} ${answer.body}`);
}

export async function createNode(api: Api, version: string): Promise<void> {
  const created = await api.call({ method: 'POST', path: '/api/v1/nodes', body: node() });
  if (created.status !== 201 && created.status !== 409) {
    throw new Error(`creating the node: HTTP ${created.status} ${created.body}`);
  }
  const path = `/api/v1/nodes/${NODE_NAME}`;
  await patch(api, `${path}/status`, { status: status(version) });
  // Admission marks each new node as not ready, and the controller that would unmark it is off.
  await patch(api, path, { spec: { taints: null } });
}
