// The command lines of the control plane: what makes these programs a small, quick and safe cluster for tests.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from './paths.ts';

export interface Plane {
  readonly files: Layout;
  /** The folder with the programs. */
  readonly binaries: string;
  /** Minor version of Kubernetes: some flags came or went. */
  readonly minor: number;
  readonly ports: { readonly etcd: number; readonly etcdPeer: number; readonly api: number };
  readonly network: ClusterNetwork;
  readonly realNode: boolean;
}

export interface ClusterNetwork {
  readonly serviceRange: string;
  /** Where pods would find the API server; it listens on the loopback interface only. */
  readonly advertised: string;
}

export interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly ports: readonly number[];
}

const HOST = '127.0.0.1';

/** One line for each request of anybody, when it is answered: what the tests count. */
const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`;

export function writeAuditFiles({ auditLog, auditPolicy }: Layout): void {
  writeFileSync(auditPolicy, AUDIT_POLICY);
  writeFileSync(auditLog, '', { flag: 'a', mode: 0o600 });
}

export function auditArguments(log: string, policy: string): readonly string[] {
  return [
    `--audit-policy-file=${policy}`,
    `--audit-log-path=${log}`,
    '--audit-log-format=json',
    // Each line is written before the answer goes out.
    '--audit-log-mode=blocking',
    // In megabytes: one file, never rotated.
    '--audit-log-maxsize=100000',
  ];
}

export function etcd({ files, binaries, ports }: Plane): Program {
  const client = `http://${HOST}:${ports.etcd}`;
  const peer = `http://${HOST}:${ports.etcdPeer}`;
  return {
    name: 'etcd',
    command: join(binaries, 'etcd'),
    args: [
      '--name=default',
      `--data-dir=${files.etcd}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      // Nothing here has to survive a power cut.
      '--unsafe-no-fsync',
      '--quota-backend-bytes=8589934592',
    ],
    ports: [ports.etcd, ports.etcdPeer],
  };
}

export function apiServer({ files, binaries, minor, ports, network, realNode }: Plane): Program {
  mkdirSync(files.certificates, { recursive: true, mode: 0o700 });
  writeAuditFiles(files);
  return {
    name: 'kube-apiserver',
    command: join(binaries, 'kube-apiserver'),
    args: [
      `--etcd-servers=http://${HOST}:${ports.etcd}`,
      `--bind-address=${HOST}`,
      `--secure-port=${ports.api}`,
      `--advertise-address=${network.advertised}`,
      `--service-cluster-ip-range=${network.serviceRange}`,
      `--cert-dir=${files.certificates}`,
      `--token-auth-file=${files.tokens}`,
      '--authorization-mode=RBAC',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${files.serviceAccountKey}`,
      `--service-account-signing-key-file=${files.serviceAccountKey}`,
      // Tokens of pods as in current clusters: projected, bound to the pod, no Secret for each ServiceAccount.
      ...(minor < 22 ? ['--feature-gates=BoundServiceAccountTokenVolume=true'] : []),
      '--allow-privileged=true',
      ...auditArguments(files.auditLog, files.auditPolicy),
      // Webhooks reach the pods behind their Service directly: nothing here translates Service addresses.
      '--enable-aggregator-routing=true',
      '--profiling=false',
      ...(realNode ? ['--kubelet-preferred-address-types=Hostname'] : []),
    ],
    ports: [ports.api],
  };
}

export function controllerManager({ files, binaries, minor, realNode }: Plane, kubeconfig: string): Program {
  // Without a kubelet's heartbeats nobody may declare the node dead.
  const without = ['-serviceaccount-token', ...(realNode ? [] : ['-nodelifecycle'])];
  return {
    name: 'kube-controller-manager',
    command: join(binaries, 'kube-controller-manager'),
    args: [
      `--kubeconfig=${kubeconfig}`,
      `--service-account-private-key-file=${files.serviceAccountKey}`,
      `--root-ca-file=${files.authority}`,
      `--controllers=${['*', ...without].join(',')}`,
      '--leader-elect=false',
      ...(minor < 24 ? ['--port=0'] : []),
      '--secure-port=0',
      '--kube-api-qps=1000',
      '--kube-api-burst=2000',
      '--node-monitor-period=1s',
      '--concurrent-deployment-syncs=20',
      '--concurrent-replicaset-syncs=20',
      '--concurrent-gc-syncs=40',
      '--concurrent-namespace-syncs=20',
      '--profiling=false',
    ],
    ports: [],
  };
}

export function scheduler({ binaries, minor }: Plane, kubeconfig: string): Program {
  return {
    name: 'kube-scheduler',
    command: join(binaries, 'kube-scheduler'),
    args: [
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      ...(minor < 24 ? ['--port=0'] : []),
      '--secure-port=0',
      '--kube-api-qps=500',
      '--kube-api-burst=1000',
    ],
    ports: [],
  };
}

export function tailOf(log: string, lines: number): string {
  try {
    return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}
