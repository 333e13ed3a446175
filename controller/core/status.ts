// How the config of one workload stands: what its ConfigRollout shows, and `kubectl config-rollout status`. Derived from the
// labels, the template and the sources; what it says decides nothing, but for `lastRollout.time`.

import type { ConfigRolloutStatus } from './config-rollout.ts';
import { type Pins, pinOf, referencesTo, revisionsSinceRoll, rolledHash, type SourceView } from './decide.ts';
import { currentOf } from './history.ts';
import { missedDeadline, wasTakenBack } from './plan-rollback.ts';
import type { LastRollout, Policy } from './policy.ts';
import { conditionsOf, type Verdict } from './status-conditions.ts';
import { timestampOf } from './timestamp.ts';
import { mention, type Revision, type Workload } from './types.ts';

export type SourceStatus = NonNullable<ConfigRolloutStatus['sources']>[number];

export interface StatusObservation {
  readonly workload: Workload;
  readonly sources: readonly SourceView[];
  readonly revisions: readonly Revision[];
  readonly pins: Pins;
  readonly policy: Policy;
  /** What was said before; undefined: nothing yet. */
  readonly before: ConfigRolloutStatus | undefined;
  /** The generation of the ConfigRollout; undefined where there is none. */
  readonly generation: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The same world twice gives the same status, times included. */
export function statusOf(observed: StatusObservation): ConfigRolloutStatus {
  const { workload, generation, before, now } = observed;
  const lastRollout = lastRolloutOf(observed);
  const sources = sourcesOf(observed, lastRollout);
  const verdict: Verdict = {
    sources,
    outcome: lastRollout?.outcome,
    takenBack: wasTakenBack(workload),
    missing: missingSnapshots(observed),
  };
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: conditionsOf(verdict, generation, before?.conditions ?? [], timestampOf(now)),
    sources,
    ...(lastRollout && { lastRollout }),
  };
}

/** Of a workload that does not exist. */
export function statusWithout(
  workload: { readonly kind: string; readonly name: string },
  generation: number,
  before: ConfigRolloutStatus | undefined,
  now: number,
): ConfigRolloutStatus {
  const verdict: Verdict = {
    sources: [],
    outcome: undefined,
    takenBack: false,
    missing: [],
    absent: mention(workload),
  };
  return {
    observedGeneration: generation,
    conditions: conditionsOf(verdict, generation, before?.conditions ?? [], timestampOf(now)),
    sources: [],
  };
}

function mountedSources({ workload, sources, pins }: StatusObservation): SourceView[] {
  return sources.filter((source) => referencesTo(workload.references, source, pins).length > 0);
}

/** Those that the template mentions, in a fixed order. */
function sourcesOf(observed: StatusObservation, lastRollout: LastRollout | undefined): SourceStatus[] {
  const { workload, pins } = observed;
  return mountedSources(observed)
    .map((source): SourceStatus => {
      const rolled = rolledHash(workload, source);
      const mounted = referencesTo(workload.references, source, pins).find((each) => pinOf(pins, each));
      return {
        kind: source.kind,
        name: source.name,
        ...(source.hash !== undefined && { hash: source.hash }),
        ...(rolled !== undefined && { rolledHash: rolled }),
        ...(mounted && { snapshot: mounted.name }),
        state: stateOf(observed, source, lastRollout),
      };
    })
    .sort((a, b) => compare(a.kind, b.kind) || compare(a.name, b.name));
}

function stateOf(
  { workload, pins, policy }: StatusObservation,
  source: SourceView,
  lastRollout: LastRollout | undefined,
): SourceStatus['state'] {
  const mounted = referencesTo(workload.references, source, pins).map((each) => pinOf(pins, each));
  const { hash } = source;
  if (hash !== undefined && mounted.every((pin) => pin?.hash === hash)) {
    return lastRollout?.outcome === 'Failed' && rolledIn(lastRollout, source) ? 'Failed' : 'Current';
  }
  const isRaw = mounted.some((pin) => pin === undefined);
  if (rolledHash(workload, source) === hash && !isRaw) return 'RolledBack';
  return policy.paused ? 'Paused' : 'Pending';
}

/** What was rolled out last, and how far it is. From the outcome on that ended it, it stays what it was. */
function lastRolloutOf(observed: StatusObservation): LastRollout | undefined {
  const { before, now } = observed;
  const known = before?.lastRollout;
  // What is managed no more rolls no more; what rolled last stands.
  if (mountedSources(observed).length === 0) return known;
  const changed = rolledSince(observed);
  if (changed.length === 0 && known === undefined) return undefined;
  const cause = causeOf(observed);
  const rollout =
    changed.length === 0 && known
      ? known
      : {
          time: timestampOf(now),
          outcome: 'Progressing' as const,
          ...(cause !== undefined && { cause }),
          sources: changed,
        };
  return { ...rollout, outcome: outcomeOf(observed, rollout) };
}

/** What was rolled out since the last status. */
function rolledSince(observed: StatusObservation): LastRollout['sources'] {
  const { workload, revisions, before } = observed;
  // A person may have mentioned a source again that was rolled long ago.
  const isFresh = before === undefined || revisionsSinceRoll(workload, revisions).length <= 1;
  return mountedSources(observed).flatMap(({ kind, name, recorded }) => {
    const to = rolledHash(workload, { kind, name, recorded });
    const known = before?.sources?.find((each) => each.kind === kind && each.name === name);
    const from = known?.rolledHash;
    if (to === undefined || to === from || (known === undefined && !isFresh)) return [];
    return [{ kind, name, ...(from !== undefined && { from }), to }];
  });
}

function rolledIn({ sources }: LastRollout, { kind, name }: SourceView): boolean {
  return sources.some((each) => each.kind === kind && each.name === name);
}

function outcomeOf(observed: StatusObservation, rollout: LastRollout): LastRollout['outcome'] {
  const { workload, pins, revisions } = observed;
  const rolled = mountedSources(observed).filter((source) => rolledIn(rollout, source));
  const wentBack = rolled.some((source) =>
    referencesTo(workload.references, source, pins).some(
      (each) => (pinOf(pins, each)?.hash ?? source.hash) !== rolledHash(workload, source),
    ),
  );
  if (wentBack) return 'RolledBack';
  // Done is done: a workload that is scaled up, or whose pods fail later, rolls out no config.
  if (rollout.outcome === 'Complete' || workload.progress.state === 'Complete') return 'Complete';
  return missedDeadline(workload, revisions) ? 'Failed' : 'Progressing';
}

// On the workload until its revision carries it.
function causeOf({ workload, revisions }: StatusObservation): string | undefined {
  return workload.cause ?? currentOf(workload, revisions)?.cause;
}

function missingSnapshots({ workload, pins }: StatusObservation): string[] {
  const missing = workload.references.filter((each) => pinOf(pins, each)?.exists === false);
  return [...new Set(missing.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`))];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
