// The floor of a start: the LISTs of the controller, page by page and side by side, by its own HTTP client. Nothing is kept. Runs
// as a candidate does, in a process of its own and on its own kubeconfig.

import { ApiError } from '../../controller/kube/api-error.ts';
import { KubeClient } from '../../controller/kube/client.ts';
import { loadKubeConfig } from '../../controller/kube/kubeconfig.ts';
import { resourcePath } from '../../controller/kube/paths.ts';
import { ACCEPT_METADATA_LIST } from '../../controller/runtime/http-list-watch.ts';
import { DEFAULT_TIMINGS } from '../../controller/runtime/reflector-timings.ts';
import { CONFIG_ROLLOUTS } from '../../controller/workloads/config-rollout.ts';
import type { ResourceName } from '../../controller/workloads/kind.ts';
import { revisionKinds, WORKLOAD_KINDS } from '../../controller/workloads/kinds.ts';
import { SOURCES } from '../../controller/workloads/sources.ts';

interface Page {
  readonly metadata: { readonly continue?: string };
}

const NOT_FOUND = 404;
const { config } = loadKubeConfig({ env: process.env });
const client = new KubeClient(config, { userAgent: 'bare-lists' });

await Promise.all([
  list(SOURCES.ConfigMap, ACCEPT_METADATA_LIST),
  ...[...WORKLOAD_KINDS, ...revisionKinds(WORKLOAD_KINDS), CONFIG_ROLLOUTS].map((of) => list(of)),
]);
client.close();

async function list(of: ResourceName, accept = 'application/json'): Promise<void> {
  let token: string | undefined;
  try {
    do {
      const query = { limit: DEFAULT_TIMINGS.pageSize, continue: token };
      const takeItem = () => undefined;
      const page = await client.request<Page>('GET', resourcePath(of), { query, accept, takeItem });
      token = page.metadata.continue || undefined;
    } while (token !== undefined);
  } catch (error) {
    // A kind that is not installed.
    if (!(error instanceof ApiError && error.status === NOT_FOUND)) throw error;
  }
}
