// Before all integration tests: a real cluster, the executables, and the rules under which the controller runs.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { up } from '../../hack/embedded/cluster.ts';
import { kubectlEnvironment, kubectlPath } from '../../hack/embedded/kubectl.ts';
import { makeServiceAccountKubeconfig } from '../support/service-account.ts';

export default async function setUp(): Promise<void> {
  execFileSync(process.execPath, ['hack/build.ts'], { stdio: 'inherit' });
  const dataDir = process.env['TEST_CLUSTER_DATA'] ?? mkdtempSync(join(tmpdir(), 'config-rollout-test-'));
  const cluster = await up({ dataDir, log: (line) => console.log(line) });
  const kubectl = await kubectlPath();
  Object.assign(process.env, {
    TEST_CLUSTER_STARTED: dataDir,
    TEST_KUBECONFIG: cluster.kubeconfig,
    TEST_AUDIT_LOG: cluster.auditLog,
    TEST_KUBECTL: kubectl,
  });
  // Everything but the Deployment, whose image no node here could pull: the tests run its program themselves.
  const manifests = parseAllDocuments(readFileSync('manifests/install.yaml', 'utf8')).map((document) =>
    document.toJSON(),
  );
  const rules = manifests.filter(({ kind }) => kind !== 'Deployment').map((manifest) => stringify(manifest));
  const env = kubectlEnvironment(cluster.kubeconfig);
  execFileSync(kubectl, ['apply', '-f', '-'], { env, input: rules.join('---\n') });
  const kubeconfig = join(dataDir, 'controller.kubeconfig');
  writeFileSync(
    kubeconfig,
    makeServiceAccountKubeconfig(kubectl, cluster.kubeconfig, 'config-rollout', 'config-rollout'),
    { mode: 0o600 },
  );
  process.env['TEST_CONTROLLER_KUBECONFIG'] = kubeconfig;
}
