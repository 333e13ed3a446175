// One workload's ConfigRollout: made when it is missing, and kept up. Nothing is written that is there already.

import { isDeepStrictEqual } from 'node:util';
import { type Action, NOTHING, type Plan } from './actions.ts';
import type { ConfigRolloutStatus } from './config-rollout.ts';
import { API_VERSION, MANAGED_BY_LABEL, MANAGED_LABEL, MANAGER } from './names.ts';
import { type ConfigRollout, configRolloutName } from './policy.ts';
import { ownerReference } from './snapshot.ts';
import { type StatusObservation, statusOf, statusWithout } from './status.ts';
import { refOf, type Workload } from './types.ts';

export type ConfigRolloutObservation = Omit<StatusObservation, 'policy' | 'before' | 'generation'> & {
  /** Undefined: there is none. */
  readonly configRollout: ConfigRollout | undefined;
};

/** One that speaks of a workload that does not exist. */
export interface Bereft {
  readonly workload: undefined;
  readonly configRollout: ConfigRollout;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** As it is created: the rest of its spec is the schema's defaults, or a person's. */
export interface ConfigRolloutManifest {
  readonly apiVersion: string;
  readonly kind: 'ConfigRollout';
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences: readonly ReturnType<typeof ownerReference>[];
  };
  readonly spec: { readonly workload: { readonly kind: string; readonly name: string } };
}

// Most rollouts of small workloads are done by then: one write says how it ended.
const PASSING_MS = 1000;

// Whoever is told that there is one already waits for the watch to show it; in vain where that was a proxy's word, or an API
// server's that was still starting.
const LOOK_AGAIN_MS = 5000;

export interface StatusPlan extends Plan {
  /** What would be written passes, as a rule: it is written when it lasts. */
  readonly passes?: true;
}

/**
 * What to do about the ConfigRollout of one workload. `passingSince` is since when plans of it pass, in milliseconds since the
 * epoch; undefined: the last one did not.
 */
export function planStatus(
  observed: ConfigRolloutObservation | Bereft,
  settleMs: number,
  passingSince: number | undefined,
): StatusPlan {
  if (observed.workload === undefined) return planBereft(observed);
  const { workload, sources, configRollout } = observed;
  if (workload.deleting) return NOTHING;
  if (configRollout === undefined) {
    const isManaged = sources.length > 0 && !['none', undefined].includes(workload.labels[MANAGED_LABEL]);
    return isManaged ? { actions: [create(workload)], requeueAfterMs: LOOK_AGAIN_MS } : NOTHING;
  }
  if (configRollout.deleting) return NOTHING;
  const { generation, status: before, policy } = configRollout;
  const status = statusOf({ ...observed, policy, before, generation });
  // Who wants one workload to settle for longer wants to see it wait.
  const passingMs = settleMs + PASSING_MS;
  const ageMs = observed.now - (passingSince ?? observed.now);
  // A clock that was set back says nothing of the age. And a policy may go by the time of the last rollout.
  const isViewOnly = policy.minIntervalMs === 0 && !policy.rollsBack;
  const mayPass = isViewOnly && isPassing(status) && ageMs >= 0 && ageMs < passingMs;
  const plan = write(configRollout, status);
  return mayPass && plan.actions.length > 0 ? { actions: [], passes: true, requeueAfterMs: passingMs - ageMs } : plan;
}

// A state that every rollout goes through.
function isPassing(status: ConfigRolloutStatus): boolean {
  return ['Pending', 'Progressing'].includes(reasonOf(status));
}

// The garbage collector is about to take an owned one.
function planBereft({ configRollout, now }: Bereft): Plan {
  const { isOwned, deleting, workload, generation, status: before } = configRollout;
  if (isOwned || deleting) return NOTHING;
  return write(configRollout, statusWithout(workload, generation, before, now));
}

function write(configRollout: ConfigRollout, status: ConfigRolloutStatus): Plan {
  const { status: before } = configRollout;
  if (isDeepStrictEqual(status, before)) return NOTHING;
  const target = refOf({ ...configRollout, apiVersion: API_VERSION, kind: 'ConfigRollout' });
  return {
    actions: [
      {
        type: 'WriteStatus',
        target,
        resourceVersion: configRollout.resourceVersion,
        status,
        why: `${reasonOf(before)} → ${reasonOf(status)}`,
      },
    ],
  };
}

/** Also for `kubectl config-rollout pause`, where the controller has made none yet. */
export function configRolloutManifest(workload: Workload): ConfigRolloutManifest {
  const { namespace, kind, name } = workload;
  return {
    apiVersion: API_VERSION,
    kind: 'ConfigRollout',
    metadata: {
      namespace,
      name: configRolloutName(workload),
      labels: { [MANAGED_BY_LABEL]: MANAGER },
      ownerReferences: [ownerReference(workload)],
    },
    spec: { workload: { kind, name } },
  };
}

function create(workload: Workload): Action {
  return {
    type: 'CreateConfigRollout',
    manifest: configRolloutManifest(workload),
    why: 'where people say how its config rolls out, and see how it stands',
  };
}

function reasonOf(status: ConfigRollout['status']): string {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.reason ?? 'unknown';
}
