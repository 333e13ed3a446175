// Before all integration tests: a real cluster, the executables, and the rules under which the controller runs.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { up } from '../../hack/embedded/cluster.ts';
import { installRules } from '../../hack/embedded/install.ts';
import { helmPath, kubectlPath } from '../../hack/embedded/kubectl.ts';

export default async function setUp(): Promise<void> {
  if (process.env['TEST_BUILT'] === undefined) execFileSync(process.execPath, ['hack/build.ts'], { stdio: 'inherit' });
  const dataDir = process.env['TEST_CLUSTER_DATA'] ?? mkdtempSync(join(tmpdir(), 'config-rollout-test-'));
  const cluster = await up({ dataDir, log: (line) => console.log(line) });
  const kubectl = await kubectlPath();
  const { kubeconfig, webhookPort } = await installRules(kubectl, cluster.kubeconfig, dataDir);
  const output = join(dataDir, 'controllers.log');
  writeFileSync(output, '', { mode: 0o600 });
  Object.assign(process.env, {
    TEST_CLUSTER_STARTED: dataDir,
    TEST_KUBECONFIG: cluster.kubeconfig,
    TEST_AUDIT_LOG: cluster.auditLog,
    TEST_AUDIT_FROM: String(statSync(cluster.auditLog).size),
    TEST_CONTROLLER_OUTPUT: output,
    TEST_KUBECTL: kubectl,
    TEST_HELM: await helmPath(),
    TEST_CONTROLLER_KUBECONFIG: kubeconfig,
    TEST_WEBHOOK_PORT: String(webhookPort),
  });
}
