// After all integration tests: what they left is looked at, and then nothing is left behind, unless the cluster was
// somebody's own.

import { down } from '../../hack/embedded/cluster.ts';
import { env } from '../support/controller.ts';
import { inspect } from '../support/inspection.ts';

export default async function tearDown(): Promise<void> {
  try {
    const found = await inspect({
      kubectl: env('TEST_KUBECTL'),
      kubeconfig: env('TEST_KUBECONFIG'),
      auditLog: env('TEST_AUDIT_LOG'),
      auditFrom: Number(env('TEST_AUDIT_FROM')),
      output: env('TEST_CONTROLLER_OUTPUT'),
    });
    console.log(`In all of this run: ${found}.`);
  } finally {
    if (process.env['TEST_CLUSTER_DATA'] === undefined) await down(env('TEST_CLUSTER_STARTED'));
  }
}
