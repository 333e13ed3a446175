// ConfigRollouts as the caches keep them.

import type { ConfigRolloutSpec, ConfigRolloutStatus } from '../core/config-rollout.ts';
import { API_VERSION } from '../core/names.ts';
import { type ConfigRollout, readPolicy } from '../core/policy.ts';
import type { ResourceName } from './kind.ts';
import { projectMeta, rawObject } from './raw.ts';

export const CONFIG_ROLLOUTS: ResourceName = {
  apiVersion: API_VERSION,
  kind: 'ConfigRollout',
  resource: 'configrollouts',
};

/** Undefined for an object that is malformed. */
export function projectConfigRollout(value: unknown): ConfigRollout | undefined {
  const raw = rawObject(value);
  if (raw === undefined) return undefined;
  const { spec, status } = value as {
    readonly spec?: Partial<ConfigRolloutSpec>;
    readonly status?: ConfigRolloutStatus;
  };
  if (spec?.workload === undefined) return undefined;
  return {
    ...projectMeta(raw),
    generation: raw.metadata.generation ?? 0,
    workload: spec.workload,
    policy: readPolicy(spec, status),
    status,
    isOwned: (raw.metadata.ownerReferences ?? []).length > 0,
  };
}
