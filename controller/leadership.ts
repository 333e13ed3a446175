// Whether this replica is the one that works: by a lease, or alone, without one.

import { randomUUID } from 'node:crypto';
import type { LeaderElectionConfig } from './config.ts';
import type { KubeClient } from './kube/client.ts';
import { KubeLease } from './kube/leases.ts';
import { LeaderElector } from './runtime/leader-election.ts';
import type { Log } from './runtime/log.ts';

export type Leadership = Pick<LeaderElector, 'isLeading' | 'run'>;

export interface Replica {
  readonly client: KubeClient;
  /** The controller's own. */
  readonly namespace: string;
  readonly hostname: string;
  readonly log: Log;
}

/** Without a configuration, this replica leads all the time. */
export function leadershipOf(config: LeaderElectionConfig | undefined, replica: Replica): Leadership {
  if (config === undefined) return { isLeading: true, run: (_stop, work) => work() };
  const { client, hostname, log } = replica;
  const { timings, resourceName, resourceNamespace = replica.namespace } = config;
  return new LeaderElector({
    port: new KubeLease(client, { namespace: resourceNamespace, name: resourceName }, log),
    // A container that is restarted keeps its host's name.
    identity: `${hostname}_${randomUUID()}`,
    name: `${resourceNamespace}/${resourceName}`,
    timings,
    log,
  });
}
