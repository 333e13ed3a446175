// How workloads opt in, the one thing in which controllers differ here. For all of them a workload has rolled when its pod
// template has changed.

import { MANAGED_LABEL, OWNERS_ANNOTATION } from '../../controller/core/names.ts';
import type { Settings } from './scenario.ts';

type Strings = Readonly<Record<string, string>>;

// biome-ignore lint/suspicious/noExplicitAny: objects of the API server, read as they come
type Json = any;

/** A ConfigMap or a Secret, and the workloads that use it, as `deployment/web`. */
export interface Use {
  readonly source: string;
  readonly owners: readonly string[];
}

export interface Target {
  readonly name: string;
  /** Annotations of a source that rolls its users. */
  ofSource(use: Use): Strings;
  /** Annotations of a workload that rolls with what its template names. */
  ofWorkload(): Strings;
  /** Labels of a workload, whoever's it is. */
  readonly workloadLabels?: Strings;
  /** False while the controller is still to take the workload over, by a rollout that is no change's; undefined: it never does. */
  readonly hasAdopted?: (workload: Json) => boolean;
  /** What it prints once its caches are complete; undefined: the audit log has to tell. */
  readonly readyText?: string;
  /** What it prints once it serves admission, as it is installed; undefined: there is none. */
  readonly servingText?: string;
  /** By which it waits before it rolls, as it does by default; without, it never does. */
  readonly waiting?: Settings;
}

export const TARGET_NAMES = ['config-rollout', 'reloader', 'wave'] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

const none = (): Strings => ({});

export const TARGETS: Readonly<Record<TargetName, Target>> = {
  'config-rollout': {
    name: 'config-rollout',
    ofSource: ({ owners }) => ({ [OWNERS_ANNOTATION]: owners.join(', ') }),
    ofWorkload: none,
    hasAdopted: ({ metadata }) => metadata.labels?.['configrollout.dev/managed'] !== undefined,
    readyText: 'caches are complete',
    servingText: 'admission is served',
    waiting: { settle: '1s' },
  },
  // Reloader itself takes nothing over; config-rollout does, told to read its annotations. Then a rest has to tell.
  reloader: {
    name: 'reloader',
    ofSource: none,
    ofWorkload: () => ({ 'reloader.stakater.com/auto': 'true' }),
    hasAdopted: () => true,
  },
  wave: {
    name: 'wave',
    ofSource: none,
    ofWorkload: () => ({ 'wave.pusher.com/update-on-config-change': 'true' }),
    hasAdopted: ({ spec }) => spec.template.metadata?.annotations?.['wave.pusher.com/config-hash'] !== undefined,
  },
};

/** On a source, the workloads that it rolls; on these, that they are the bare loop's. */
export const BARE_LOOP_ANNOTATION = 'bench.local/owners';

/** How the bare loop is told: not one of the targets that can be asked for, but each of them is measured against it. */
export const FLOOR: Target = {
  name: 'bare-loop',
  ofSource: ({ owners }) => ({ [BARE_LOOP_ANNOTATION]: owners.join(',') }),
  ofWorkload: () => ({ [BARE_LOOP_ANNOTATION]: 'true' }),
  readyText: 'ready',
};

/**
 * The same where API servers ask about each write of a workload, as they do where config-rollout is installed: by its label,
 * which says here that config-rollout itself has nothing to do with it.
 */
export const REVIEWED_FLOOR: Target = {
  ...FLOOR,
  workloadLabels: { [MANAGED_LABEL]: 'none' },
  servingText: 'ready',
};

/** The same, with nobody to ask. */
export function withoutAdmission({ servingText: _, ...target }: Target): Target {
  return target;
}
