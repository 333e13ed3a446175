// How the config of workloads stands, read from the cluster as the controller would see it: neither the controller nor its
// ConfigRollouts have to be there.

import type { ConfigRolloutStatus } from '../../core/config-rollout.ts';
import { rolledHash } from '../../core/decide.ts';
import type { Policy } from '../../core/policy.ts';
import { statusOf } from '../../core/status.ts';
import { timestampOf } from '../../core/timestamp.ts';
import { display, type Workload } from '../../core/types.ts';
import type { Cluster } from '../cluster.ts';
import { aFewAtATime } from '../reading.ts';
import { optsIn } from '../sources.ts';
import { type ViewOptions, viewNamespace } from '../view/load.ts';
import type { Located, NamespaceView, WorkloadView } from '../view/namespace-view.ts';
import { type End, stateOf } from './states.ts';

export interface WorkloadStatus extends WorkloadView {
  readonly policy: Policy;
  readonly status: ConfigRolloutStatus;
  /** The reason of its condition Ready. */
  readonly reason: string;
  /** Undefined: it goes on by itself. */
  readonly end: End | undefined;
  /** Sources whose content may not be read: what was rolled out last counts as that of now. */
  readonly unread: readonly string[];
}

export interface Statuses {
  /** Of the workloads that were named; of others, those that have config rolled out to them. */
  readonly statuses: readonly WorkloadStatus[];
  readonly warnings: readonly string[];
}

/** @throws ServerError NotFound for a workload that was named and does not exist */
export async function readStatuses(cluster: Cluster, options: ViewOptions): Promise<Statuses> {
  const found = await readOnce(cluster, options);
  // Lists are not of one moment: a snapshot that came with the rollout may be in the one and not yet in the other.
  const isSure = found.statuses.every(({ reason }) => reason !== 'SnapshotMissing');
  return isSure ? found : readOnce(cluster, options);
}

async function readOnce(cluster: Cluster, options: ViewOptions): Promise<Statuses> {
  const view = await viewNamespace(cluster, options);
  const isNamed = 'targets' in options;
  const targets = view.targets.filter((target) => isNamed || view.look(target).managed.length > 0);
  const byTarget = new Map<Located, WorkloadStatus>();
  await aFewAtATime(targets, async (target) => {
    byTarget.set(target, await readStatus(view, target));
  });
  const statuses = targets.flatMap((target) => byTarget.get(target) ?? []);
  return { statuses, warnings: warningsOf(view, statuses) };
}

/** Of one workload of a view. */
export async function readStatus(view: NamespaceView, target: Located): Promise<WorkloadStatus> {
  const look = await view.observe(target);
  const { workload, observation } = look;
  const { policy } = observation;
  const unread = observation.sources.filter(({ hash }) => hash === undefined);
  const sources = observation.sources.map((source) => ({
    ...source,
    hash: source.hash ?? rolledHash(workload, source),
  }));
  const { status: noted, generation } = view.configRolloutOf(workload) ?? {};
  const before = noted?.lastRollout ? noted : { ...noted, ...assumedBefore(view, look) };
  const status = statusOf({ ...observation, sources, before, generation });
  const reason = status.conditions?.find(({ type }) => type === 'Ready')?.reason ?? '';
  return { ...look, policy, status, reason, end: endOf(reason, workload), unread: unread.map(display) };
}

/** What a controller that was there all the time would have noted of the last rollout: it began with the newest revision. */
function assumedBefore(
  view: NamespaceView,
  { workload, revisions, current, observation }: WorkloadView,
): ConfigRolloutStatus | undefined {
  const rolled = observation.sources.flatMap((source) => {
    const hash = rolledHash(workload, source);
    return hash === undefined ? [] : [{ kind: source.kind, name: source.name, hash }];
  });
  const since = Math.max(0, ...[workload, ...revisions].map((each) => view.createdAt(each) ?? 0));
  if (rolled.length === 0) return undefined;
  const cause = workload.cause ?? current?.cause;
  return {
    sources: rolled.map(({ hash, ...source }) => ({ ...source, rolledHash: hash, state: 'Current' })),
    lastRollout: {
      time: timestampOf(since),
      outcome: 'Progressing',
      ...(cause !== undefined && { cause }),
      sources: rolled.map(({ hash, ...source }) => ({ ...source, to: hash })),
    },
  };
}

// What was rolled back says so at once, while its pods are still being replaced; and for a moment it bears the verdict on
// the rollout before.
function endOf(reason: string, { progress: { state, updated, desired } }: Workload): End | undefined {
  const isBack = state === 'Complete' || (state === 'Failed' && updated >= desired);
  return reason === 'RolledBack' && !isBack ? undefined : stateOf(reason).end;
}

function warningsOf(view: NamespaceView, statuses: readonly WorkloadStatus[]): readonly string[] {
  const unread = new Set(statuses.flatMap((each) => each.unread));
  return [
    ...view.refusals,
    ...new Set(statuses.flatMap(({ refusals }) => refusals)),
    ...[...unread].map((name) => `${name} may not be read: what was rolled out last is taken for its content of now`),
    ...new Set(statuses.flatMap(pendingSecrets)),
  ];
}

/** Whether the controller manages Secrets cannot be seen from here, but for what it did. */
function pendingSecrets({ status, managed, workload }: WorkloadStatus): string[] {
  const pending = (status.sources ?? []).filter(
    ({ kind, state, rolledHash }) => kind === 'Secret' && state === 'Pending' && rolledHash === undefined,
  );
  return pending
    .filter(({ name }) => managed.some((source) => source.name === name && optsIn(source, workload) !== undefined))
    .map((source) => `${display(source)}: changes of Secrets roll out only where the controller runs with --secrets`);
}
