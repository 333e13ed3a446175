// What to write into which ConfigRollout, so that a workload's changes of config wait, or go on.

import { isFailure } from '../../app/errors.ts';
import { API_VERSION, MANAGED_LABEL } from '../../core/names.ts';
import { configRolloutManifest } from '../../core/plan-status.ts';
import { configRolloutName } from '../../core/policy.ts';
import { mention, type Workload } from '../../core/types.ts';
import { CONFIG_ROLLOUTS } from '../../workloads/config-rollout.ts';
import { WORKLOAD_KINDS } from '../../workloads/kinds.ts';
import type { Cluster, Json, WriteOptions } from '../cluster.ts';
import { CommandError, ServerError } from '../errors.ts';
import { retryOnConflict } from '../reading.ts';
import type { Target } from '../resources.ts';

export type Wish = 'pause' | 'resume';

interface Seen {
  readonly workload: Workload;
  /** The ConfigRollout as the server sent it; undefined when there is none. */
  readonly found: Json | undefined;
}

interface PausePlan {
  /** Undefined: it is so already. */
  readonly write: 'create' | 'patch' | undefined;
  readonly verb: string;
  /** The ConfigRollout, with what is to be written. */
  readonly result: Json;
  readonly warnings: readonly string[];
}

/** Throws CommandError where the server knows no ConfigRollouts. */
export async function read(cluster: Cluster, { resource, name }: Target): Promise<Seen> {
  const raw = await cluster.get(resource, name);
  const workload = WORKLOAD_KINDS.find(({ kind }) => kind === resource.kind)?.project(raw);
  if (workload === undefined) throw new CommandError(`the server answered with something that is no ${resource.kind}`);
  try {
    return { workload, found: await cluster.get(CONFIG_ROLLOUTS, configRolloutName(workload)) };
  } catch (error) {
    // Where they are not installed, those who have no right to them are told that, and not that they are not there.
    const isUnknown = isFailure(error, 'NotFound') || isFailure(error, 'Forbidden');
    if (isUnknown && !(await cluster.serves(CONFIG_ROLLOUTS))) throw notInstalled();
    if (!isFailure(error, 'NotFound')) throw error;
    return { workload, found: undefined };
  }
}

export function planPause({ workload, found }: Seen, wish: Wish): PausePlan {
  const paused = wish === 'pause';
  const manifest = configRolloutManifest(workload);
  const { spec } = (found ?? manifest) as { readonly spec?: { readonly paused?: boolean } };
  const result = { ...(found ?? manifest), spec: { ...spec, paused } };
  const isSo = (spec?.paused ?? false) === paused;
  const warnings = paused ? warningsOf(workload) : [];
  // An empty ConfigRollout would say nothing.
  if (isSo)
    return { write: undefined, verb: `config rollouts ${paused ? 'already paused' : 'not paused'}`, result, warnings };
  return { write: found ? 'patch' : 'create', verb: `config rollouts ${wish}d`, result, warnings };
}

/** Reads, plans and writes, again where another writer was in between. `first`: what was read already. */
export async function write(
  cluster: Cluster,
  order: {
    readonly target: Target;
    readonly wish: Wish;
    readonly options: WriteOptions;
    readonly first: Seen | undefined;
  },
): Promise<PausePlan> {
  let fresh = order.first;
  return retryOnConflict(async () => {
    const seen = fresh ?? (await read(cluster, order.target));
    fresh = undefined;
    const plan = planPause(seen, order.wish);
    return plan.write === undefined ? plan : { ...plan, result: await send(cluster, seen, plan, order.options) };
  });
}

async function send(cluster: Cluster, { workload, found }: Seen, { result }: PausePlan, options: WriteOptions) {
  const { spec } = result as { readonly spec: { readonly paused: boolean } };
  if (found !== undefined) {
    const { uid, resourceVersion } = found['metadata'] as Json;
    const body = { metadata: { uid, resourceVersion }, spec: { paused: spec.paused } };
    return cluster.patch(CONFIG_ROLLOUTS, configRolloutName(workload), { type: 'merge', body }, options);
  }
  try {
    return await cluster.create(CONFIG_ROLLOUTS, result, options);
  } catch (error) {
    // The controller has just made it.
    if (!(error instanceof ServerError) || !isFailure(error, 'AlreadyExists')) throw error;
    throw new ServerError({ ...error.fields, kind: 'Conflict' });
  }
}

/** `configrollout.configrollout.dev/deployment-bar`. */
export function printedConfigRollout({ result }: PausePlan): string {
  const { name } = result['metadata'] as { readonly name: string };
  return `configrollout.${API_VERSION.split('/')[0]}/${name}`;
}

/** One may pause before opting in; one may also have the wrong workload. */
function warningsOf(workload: Workload): string[] {
  const managed = workload.labels[MANAGED_LABEL];
  if (managed === 'none') {
    return [`${mention(workload)} has the label ${MANAGED_LABEL}=none: nothing rolls out to it anyway`];
  }
  if (managed !== undefined) return [];
  return [
    `nothing rolls out to ${mention(workload)} yet: it is paused from the first change on, once something is opted in`,
  ];
}

function notInstalled(): CommandError {
  return new CommandError(
    'the server does not know ConfigRollouts, where the pause is noted; let an administrator install them, in a checkout of the config-rollout project: kubectl apply -k crds (on a server before 1.25: the manifests with the component old-servers, see docs/operations.md)',
  );
}
