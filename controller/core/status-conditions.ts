// The conditions of a ConfigRollout. Their reasons are constants, that people alert on and GitOps tools judge health by;
// docs/semantics.md lists them.

import type { ConfigRolloutStatus } from './config-rollout.ts';
import { display } from './types.ts';

type Condition = NonNullable<ConfigRolloutStatus['conditions']>[number];
type Source = NonNullable<ConfigRolloutStatus['sources']>[number];
type Outcome = NonNullable<ConfigRolloutStatus['lastRollout']>['outcome'];
type Said = Pick<Condition, 'status' | 'reason' | 'message'>;

export interface Verdict {
  readonly sources: readonly Source[];
  /** Of the last rollout; undefined: there was none. */
  readonly outcome: Outcome | undefined;
  /** The last rollout failed, and the controller took it back. */
  readonly takenBack: boolean;
  /** Snapshots that the template mounts, and that are gone. */
  readonly missing: readonly string[];
  /** The workload, when it does not exist. */
  readonly absent?: string;
}

/** Conditions that still say the same keep the time of their last transition. */
export function conditionsOf(
  verdict: Verdict,
  generation: number | undefined,
  before: readonly Condition[],
  time: string,
): Condition[] {
  const said = { Ready: ready(verdict), Progressing: progressing(verdict), Degraded: degraded(verdict) };
  return (['Ready', 'Progressing', 'Degraded'] as const).map((type) => {
    const old = before.find((condition) => condition.type === type);
    return {
      type,
      ...said[type],
      ...(generation !== undefined && { observedGeneration: generation }),
      lastTransitionTime: old?.status === said[type].status ? old.lastTransitionTime : time,
    };
  });
}

function ready(verdict: Verdict): Said {
  const { sources, outcome, takenBack, absent } = verdict;
  if (absent !== undefined) return no('WorkloadNotFound', `there is no ${absent} in this namespace`);
  if (sources.length === 0) {
    return no('NotManaged', 'no ConfigMap or Secret that its template names is opted in');
  }
  const are = (state: Source['state']) => sources.filter((source) => source.state === state);
  const [failed, paused, pending, back] = [are('Failed'), are('Paused'), are('Pending'), are('RolledBack')];
  if (verdict.missing.length > 0) return no('SnapshotMissing', missing(verdict));
  if (failed.length > 0) return no('RolloutFailed', `${names(failed)}: no progress within the deadline`);
  if (back.length > 0 && takenBack) {
    return no('RolledBackAfterFailure', `${names(back)}: failed, and taken back; the next change rolls out again`);
  }
  if (paused.length > 0) return no('Paused', `${names(paused)}: ${changes(paused.length)} waiting`);
  if (pending.length > 0) return no('Pending', `${names(pending)}: ${changes(pending.length)} about to roll out`);
  if (outcome === 'Progressing') return no('Progressing', 'pods are being replaced');
  if (back.length > 0) return yes('RolledBack', `${names(back)}: went back; the next change rolls out again`);
  return yes('Current', 'runs with the content of now');
}

function progressing({ sources, outcome }: Verdict): Said {
  const pending = sources.filter(({ state }) => state === 'Pending');
  if (outcome === 'Progressing') return yes('RollingOut', 'pods are being replaced');
  if (pending.length > 0) return yes('Waiting', `${names(pending)}: waits for its snapshot, or for its turn`);
  return no(
    outcome ?? 'NoRollout',
    outcome === undefined ? 'nothing was rolled out yet' : `the last rollout: ${outcome}`,
  );
}

function degraded(verdict: Verdict): Said {
  const { sources, takenBack, missing: lost } = verdict;
  const are = (state: Source['state']) => sources.filter((source) => source.state === state);
  if (lost.length > 0) return yes('SnapshotMissing', missing(verdict));
  if (are('Failed').length > 0) return yes('RolloutFailed', `${names(are('Failed'))}: no progress within the deadline`);
  if (takenBack && are('RolledBack').length > 0) {
    return yes('RolledBackAfterFailure', `${names(are('RolledBack'))}: failed, and taken back`);
  }
  return no('AsExpected', 'no rollout of config failed');
}

function yes(reason: string, message: string): Said {
  return { status: 'True', reason, message };
}

function no(reason: string, message: string): Said {
  return { status: 'False', reason, message };
}

const MOST_NAMES = 3;

function names(sources: readonly Source[]): string {
  const more = sources.length > MOST_NAMES ? ` and ${sources.length - MOST_NAMES} more` : '';
  return `${sources.slice(0, MOST_NAMES).map(display).join(', ')}${more}`;
}

function changes(count: number): string {
  return count === 1 ? '1 change' : `${count} changes`;
}

function missing({ missing: lost }: Verdict): string {
  return `${lost.slice(0, MOST_NAMES).join(', ')}: mounted, and gone; new pods cannot start`;
}
