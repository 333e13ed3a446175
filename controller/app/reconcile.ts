// reconcile = observe → plan → apply, for each of the four concerns. Failures become an Event where a person has to act,
// and are thrown on, for the worker loop to try again.

import { REASONS, type Reason } from '../core/names.ts';
import { freshPacing, notAhead, type Pacing, pendingSince, takeToken, throttleMs } from '../core/pacing.ts';
import { planSnapshot } from '../core/plan-snapshot.ts';
import { planSource, type SourceObservation } from '../core/plan-source.ts';
import { planStatus } from '../core/plan-status.ts';
import { planWorkload, type WorkloadPlan } from '../core/plan-workload.ts';
import { configRef, mention, type ObjectRef, objectKey, refOf, type Workload } from '../core/types.ts';
import type { ReconcileResult } from '../runtime/controller.ts';
import type { Apply } from './apply.ts';
import { ClusterError, type FailureKind } from './errors.ts';
import type { Observer } from './observe.ts';
import type { ClusterPort } from './ports.ts';

export interface Settings {
  readonly settleMs: number;
  readonly sweepGraceMs: number;
  readonly admission: boolean;
  /** Plans are printed, not carried out: nothing has to be paced. */
  readonly dryRun?: boolean;
}

const EXPLAINED: Partial<Record<FailureKind, { reason: Reason; next: string }>> = {
  Forbidden: {
    reason: REASONS.forbidden,
    next: 'compare the controller’s ClusterRole with manifests/base/rbac.yaml, or ask who runs the admission policy',
  },
  QuotaExceeded: {
    reason: REASONS.quotaExceeded,
    next: 'raise the quota, or lower revisionHistoryLimit so that fewer snapshots are kept',
  },
  Rejected: { reason: REASONS.rejected, next: 'change what the API server objects to' },
};

const IDLE = { sources: [] };

export class Reconciler {
  readonly #observer: Observer;
  readonly #apply: Apply;
  readonly #port: ClusterPort;
  readonly #settings: Settings;
  readonly #pacing = new Map<string, Pacing>();
  /** The version of each source that its workloads have been looked at with. */
  readonly #told = new Map<string, string>();
  /** The uids of workloads that can do nothing before one of their sources is looked at. */
  readonly #awaiting = new Set<string>();
  /** Since when the ConfigRollout of a workload is behind by what passes, by objectKey. Milliseconds since the epoch. */
  readonly #passingSince = new Map<string, number>();

  constructor(observer: Observer, apply: Apply, port: ClusterPort, settings: Settings) {
    this.#observer = observer;
    this.#apply = apply;
    this.#port = port;
    this.#settings = settings;
  }

  /** `key` is the objectKey of a source. Gives the workloads that have to be looked at next. */
  async source(key: string): Promise<ReconcileResult & { readonly users: readonly Workload[] }> {
    const subject = this.#observer.sourceRef(key);
    const observed = subject && (await this.#explaining(subject, () => this.#observer.source(key, this.#isSlowed)));
    if (subject === undefined || observed === undefined) {
      this.#told.delete(key);
      return { users: [] };
    }
    const plan = await this.#carryOut(`source ${key}`, subject, () => planSource(observed));
    return { ...plan, users: this.#concerned(key, observed) };
  }

  // A source is looked at whenever one of its workloads changes: that concerns none of the others, but those that wait for it.
  #concerned(key: string, { source, users, snapshot }: SourceObservation): readonly Workload[] {
    const version = `${source.uid}/${source.resourceVersion}`;
    const isNews = this.#told.get(key) !== version;
    if (users.length > 0) this.#told.set(key, version);
    else this.#told.delete(key);
    // There is nothing that they could do without a name for the snapshot.
    if (snapshot === undefined) return [];
    return users.filter(({ uid }) => isNews || this.#awaiting.has(uid));
  }

  /** `key` is the objectKey of a workload. Gives the keys of the sources that have to be looked at again. */
  async workload(key: string): Promise<ReconcileResult & { readonly sources: readonly string[] }> {
    const observed = await this.#observer.workload(key);
    if (observed === undefined || observed.sources.length === 0) return IDLE;
    const { workload, now, sources } = observed;
    const pacing = this.#pacingOf(workload, now) ?? freshPacing(now);
    const { settleMs, admission } = this.#settings;
    const plan = await this.#carryOut(`workload ${key}`, refOf(workload), () =>
      planWorkload({ ...observed, pacing, settleMs, admission }),
    );
    if (!this.#settings.dryRun) this.#remember(workload.uid, pacing, plan, now);
    if (plan.awaits === undefined) {
      this.#awaiting.delete(workload.uid);
      return { ...plan, sources: [] };
    }
    this.#awaiting.add(workload.uid);
    // What it waits for may have come while it was looked at; or it was not made while its rollout waited, see #isSlowed.
    return { ...plan, sources: sources.map(({ kind, name }) => objectKey({ ...workload, kind, name })) };
  }

  /** `key` is the objectKey of a workload, whose ConfigRollout is kept up. */
  async status(key: string): Promise<ReconcileResult> {
    const observed = await this.#observer.status(key);
    const since = this.#passingSince.get(key);
    this.#passingSince.delete(key);
    if (observed === undefined) return {};
    const plan = planStatus(observed, this.#settings.settleMs, since);
    if (plan.passes) this.#passingSince.set(key, since ?? observed.now);
    await this.#apply(`status ${key}`, plan);
    return plan;
  }

  /** `key` is the objectKey of a snapshot. */
  async snapshot(key: string): Promise<ReconcileResult> {
    const observed = this.#observer.snapshot(key);
    if (observed === undefined) return {};
    const subject = configRef(observed.snapshot);
    return this.#carryOut(`snapshot ${key}`, subject, () =>
      planSnapshot({ ...observed, graceMs: this.#settings.sweepGraceMs }),
    );
  }

  readonly #isSlowed = (workload: Workload, now: number): boolean => {
    const pacing = this.#pacingOf(workload, now);
    if (pacing === undefined || pacing.awaitsSnapshot) return false;
    const waited = now - (pacing.pendingSince ?? now);
    const { heldSince, bucket } = pacing;
    return heldSince !== undefined || throttleMs(bucket, now) > 0 || waited > this.#settings.settleMs;
  };

  #pacingOf({ uid }: Workload, now: number): Pacing | undefined {
    const known = this.#pacing.get(uid);
    return known && notAhead(known, now);
  }

  /** Forgets what was remembered of a workload that is gone. */
  forget(workload: Workload): void {
    this.#pacing.delete(workload.uid);
    this.#awaiting.delete(workload.uid);
  }

  async #carryOut<P extends Parameters<Apply>[1]>(key: string, subject: ObjectRef, plan: () => P): Promise<P> {
    const made = plan();
    await this.#explaining(subject, () => this.#apply(key, made));
    return made;
  }

  async #explaining<T>(subject: ObjectRef, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#explain(subject, error);
      throw error;
    }
  }

  #remember(uid: string, pacing: Pacing, plan: WorkloadPlan, now: number): void {
    const { pending, rolls, slowed } = plan;
    if (!pending && pacing.pendingSince === undefined && !this.#pacing.has(uid)) return;
    const waits = pending && !rolls;
    const bucket = rolls ? takeToken(pacing.bucket, now) : pacing.bucket;
    this.#pacing.set(uid, {
      bucket,
      awaitsSnapshot: plan.awaits === 'snapshot',
      rolledAt: rolls ? now : pacing.rolledAt,
      pendingSince: waits ? (pendingSince(pacing) ?? now) : undefined,
      heldSince: plan.held ? (pacing.heldSince ?? now) : undefined,
      // Said once, until a pause has let a token be saved up.
      slowed: slowed || (pacing.slowed && throttleMs(bucket, now) > 0),
    });
  }

  #explain(subject: ObjectRef, error: unknown): void {
    const explained = error instanceof ClusterError ? EXPLAINED[error.kind] : undefined;
    if (explained === undefined || !(error instanceof Error)) return;
    const note = `the configuration of ${mention(subject)} cannot be rolled out: ${clip(error.message)}; ${explained.next}`;
    this.#port.emit({
      type: 'Event',
      severity: 'Warning',
      reason: explained.reason,
      note,
      regarding: subject,
      once: true,
    });
  }
}

// Notes of Events hold 1,024 characters at most.
function clip(text: string): string {
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}
