// After all integration tests: nothing is left behind, unless the cluster was somebody's own.

import { down } from '../../hack/embedded/cluster.ts';

export default async function tearDown(): Promise<void> {
  if (process.env['TEST_CLUSTER_DATA'] === undefined) await down(process.env['TEST_CLUSTER_STARTED']);
}
