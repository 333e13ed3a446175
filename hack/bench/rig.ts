// What is installed in the cluster of a run: the manifests of ours, and an identity for each who takes part, by which the
// audit log tells them apart.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Cluster } from '../embedded/cluster.ts';
import { type Installed, installRules } from '../embedded/install.ts';
import { kubectlEnvironment, kubectlPath } from '../embedded/kubectl.ts';
import { makeServiceAccountKubeconfig } from '../embedded/service-account.ts';
import { manifestsWith } from '../kustomize.ts';
import { AuditLog } from './audit.ts';
import { CandidateProcess } from './candidate.ts';
import type { Target } from './targets.ts';

/** Of the manifests. */
const OWN = 'config-rollout';
/** Where the ServiceAccounts of all others are. */
const OTHERS = 'bench-others';

export class Rig {
  readonly cluster: Cluster;
  readonly installed: Installed;
  readonly #kubectl: string;
  readonly #audit: AuditLog;
  #count = 0;

  private constructor(cluster: Cluster, installed: Installed, kubectl: string) {
    this.cluster = cluster;
    this.installed = installed;
    this.#kubectl = kubectl;
    this.#audit = new AuditLog(cluster.auditLog);
  }

  /** Installs the manifests, with the rights to roll out Secrets. */
  static async on(cluster: Cluster): Promise<Rig> {
    const kubectl = await kubectlPath();
    const installed = await installRules(kubectl, cluster.kubeconfig, cluster.dataDir);
    const all = await manifestsWith({ components: ['secrets'] });
    const rights = all.filter(({ metadata }) => metadata.name === 'config-rollout-secrets');
    const rig = new Rig(cluster, installed, kubectl);
    rig.#apply([...rights, ...adminsOf(OTHERS)]);
    return rig;
  }

  /** Our own gets the rights of the manifests, everybody else all there are. */
  candidate(name: string, target: Target, command: string): CandidateProcess {
    const { cluster, installed } = this;
    this.#count += 1;
    const isOwn = target.name === OWN;
    const account = isOwn ? OWN : `${target.name}-${this.#count}`;
    const namespace = isOwn ? OWN : OTHERS;
    const dataDir = join(cluster.dataDir, `candidate-${this.#count}`);
    mkdirSync(dataDir);
    return new CandidateProcess({
      name,
      target,
      command,
      kubeconfig: isOwn ? installed.kubeconfig : this.#kubeconfigOf(account, dataDir),
      user: `system:serviceaccount:${namespace}:${account}`,
      audit: this.#audit,
      webhookPort: installed.webhookPort,
      dataDir,
    });
  }

  #kubeconfigOf(account: string, dataDir: string): string {
    this.#apply([{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: OTHERS, name: account } }]);
    const path = join(dataDir, 'kubeconfig');
    const text = makeServiceAccountKubeconfig(this.#kubectl, this.cluster.kubeconfig, OTHERS, account);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  #apply(manifests: readonly object[]): void {
    const env = kubectlEnvironment(this.cluster.kubeconfig);
    const input = manifests.map((manifest) => stringify(manifest)).join('---\n');
    execFileSync(this.#kubectl, ['apply', '-f', '-'], { env, input, stdio: ['pipe', 'ignore', 'inherit'] });
  }
}

/** A namespace whose ServiceAccounts may do everything. */
function adminsOf(namespace: string): object[] {
  const apiGroup = 'rbac.authorization.k8s.io';
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: namespace },
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup, kind: 'Group', name: `system:serviceaccounts:${namespace}` }],
    },
  ];
}
