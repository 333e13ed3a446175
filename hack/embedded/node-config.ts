// What containerd, the kubelet and their network plugins are told, and the script that is the first process of the
// node. It runs in mount and process namespaces of its own: when it ends, every container, shim and mount of the node
// is gone, however it ended.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { PAUSE_IMAGE } from './node-image.ts';
import type { NodeNetwork } from './node-network.ts';

/** Resolves on every machine, and the API server reaches the kubelet by it. */
export const NODE_NAME = 'localhost';
/** The component whose process is the first of the node's namespaces. */
export const NODE_COMPONENT = 'kubelet';
export const NODE_SOCKET = '/run/containerd/containerd.sock';

export interface NodeSetup {
  readonly folder: string;
  readonly logs: string;
  readonly binaries: string;
  readonly kubeconfig: string;
  readonly kubeletPort: number;
  readonly network: NodeNetwork;
}

export function containerdConfig({ folder, binaries }: NodeSetup): string {
  return `version = 2
root = "${folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "${NODE_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # Some machines may not lower oom_score_adj, and every pod would fail.
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "${binaries}/runc"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "${binaries}/cni"
  conf_dir = "${folder}/cni"
`;
}

export function cniConfig({ folder, network }: NodeSetup): string {
  return JSON.stringify({
    cniVersion: '0.4.0',
    name: 'config-rollout',
    plugins: [
      {
        type: 'bridge',
        bridge: network.bridge,
        // The bridge has its address already; the plugin would also turn on forwarding on the whole machine.
        isGateway: false,
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: join(folder, 'addresses'),
          ranges: [[{ subnet: network.podRange, gateway: network.address }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  });
}

export function kubeletConfig({ folder, kubeletPort }: NodeSetup): string {
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '127.0.0.1',
    port: kubeletPort,
    readOnlyPort: 0,
    healthzPort: 0,
    // For the users of this machine only, as is etcd.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    hairpinMode: 'none',
    resolvConf: join(folder, 'resolv.conf'),
    volumePluginDir: join(folder, 'volume-plugins'),
    serializeImagePulls: false,
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '1Mi', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    maxPods: 250,
    // A changed ConfigMap shows in the pods that mount it after seconds, not after a minute.
    syncFrequency: '10s',
    nodeStatusUpdateFrequency: '1s',
    logging: { format: 'text' },
  });
}

/** What the kubelet would otherwise set on the whole machine: it leaves alone what is as it wishes. */
const KERNEL_SETTINGS: Readonly<Record<string, number>> = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

export function nodeScript({ folder, logs, binaries, kubeconfig, network }: NodeSetup): string {
  const settings = Object.entries(KERNEL_SETTINGS).map(([name, value]) => {
    const file = `'${folder}/kernel/${createHash('sha256').update(name).digest('hex').slice(0, 8)}'`;
    return `echo ${value} > ${file} && mount -o bind ${file} /proc/sys/${name}`;
  });
  return `set -eu
busybox='${binaries}/busybox'
mount() { "$busybox" mount "$@"; }

# Whatever has a fixed place on a machine goes to folders that only this node sees.
"$busybox" mkdir -p '${folder}/var-lib' '${folder}/var-log' '${folder}/kernel'
mount -o bind '${folder}/var-lib' /var/lib
mount -o bind '${folder}/var-log' /var/log
mount -t tmpfs -o mode=755 tmpfs /run
# Only the look of them, for the kubelet: the machine's own settings stay.
${settings.join('\n')}
mount --make-rshared /

export PATH='${binaries}':"$PATH" LD_LIBRARY_PATH='${binaries}/lib' HOME='${folder}'
'${binaries}/containerd' --config '${folder}/containerd.toml' >> '${logs}/containerd.log' 2>&1 &
containerd=$!
tries=0
until '${binaries}/ctr' --address ${NODE_SOCKET} version > /dev/null 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] && kill -0 "$containerd" || { echo 'containerd does not answer'; exit 1; }
  "$busybox" sleep 0.1
done
'${binaries}/ctr' --address ${NODE_SOCKET} --namespace k8s.io images import '${folder}/images.tar'

'${binaries}/kubelet' \\
  --config='${folder}/kubelet.yaml' \\
  --kubeconfig='${kubeconfig}' \\
  --root-dir='${folder}/kubelet' \\
  --cert-dir='${folder}/kubelet-pki' \\
  --hostname-override=${NODE_NAME} \\
  --node-ip=${network.address} \\
  --container-runtime=remote \\
  --container-runtime-endpoint=unix://${NODE_SOCKET} \\
  --pod-infra-container-image=${PAUSE_IMAGE} \\
  >> '${logs}/kubelet.log' 2>&1 &
kubelet=$!
# Without either of them this is no node any more.
while :; do
  kill -0 "$containerd" 2> /dev/null || { echo 'containerd ended'; exit 1; }
  kill -0 "$kubelet" 2> /dev/null || { echo 'the kubelet ended'; exit 1; }
  "$busybox" sleep 1
done
`;
}
