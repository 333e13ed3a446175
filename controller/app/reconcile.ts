// reconcile = observe → plan → apply, for each of the three concerns. Failures become an Event where a person has to act,
// and are thrown on, for the worker loop to try again.

import { REASONS, type Reason } from '../core/names.ts';
import { managesAll } from '../core/opt-in.ts';
import { freshPacing, type Pacing, takeToken } from '../core/pacing.ts';
import { planSnapshot } from '../core/plan-snapshot.ts';
import { planSource } from '../core/plan-source.ts';
import { planWorkload, type WorkloadPlan } from '../core/plan-workload.ts';
import { display, type ObjectRef, refOf, type Workload } from '../core/types.ts';
import type { ReconcileResult } from '../runtime/controller.ts';
import type { Apply } from './apply.ts';
import { ClusterError, type FailureKind } from './errors.ts';
import type { Observer } from './observe.ts';
import type { ClusterPort } from './ports.ts';

export interface Settings {
  readonly settleMs: number;
  readonly sweepGraceMs: number;
}

const EXPLAINED: Partial<Record<FailureKind, { reason: Reason; next: string }>> = {
  Forbidden: {
    reason: REASONS.forbidden,
    next: 'compare the controller’s ClusterRole with manifests/rbac.yaml, or ask who runs the admission policy',
  },
  QuotaExceeded: {
    reason: REASONS.quotaExceeded,
    next: 'raise the quota, or lower revisionHistoryLimit so that fewer snapshots are kept',
  },
  Rejected: { reason: REASONS.rejected, next: 'change what the API server objects to' },
};

export class Reconciler {
  readonly #observer: Observer;
  readonly #apply: Apply;
  readonly #port: ClusterPort;
  readonly #settings: Settings;
  readonly #pacing = new Map<string, Pacing>();

  constructor(observer: Observer, apply: Apply, port: ClusterPort, settings: Settings) {
    this.#observer = observer;
    this.#apply = apply;
    this.#port = port;
    this.#settings = settings;
  }

  /** `key` is namespace/name of a source. Gives the workloads that have to be looked at next. */
  async source(key: string): Promise<readonly Workload[]> {
    const subject = this.#observer.sourceRef(key);
    if (subject === undefined) return [];
    const observed = await this.#explaining(subject, () => this.#observer.source(key));
    if (observed === undefined) return [];
    await this.#carryOut(`source ${key}`, subject, () => planSource(observed));
    return observed.users.map(({ workload }) => workload);
  }

  /** `key` is Kind/namespace/name of a workload. */
  async workload(key: string): Promise<ReconcileResult> {
    const [kind = '', namespace = '', name = ''] = key.split('/');
    const observed = await this.#observer.workload(kind, namespace, name);
    if (observed === undefined) return {};
    const { workload, now, sources } = observed;
    if (sources.length === 0 && !managesAll(workload)) return {};
    const pacing = this.#pacing.get(workload.uid) ?? freshPacing(now);
    const plan = await this.#carryOut(`workload ${key}`, refOf(workload), () =>
      planWorkload({ ...observed, pacing, settleMs: this.#settings.settleMs }),
    );
    this.#remember(workload.uid, pacing, plan, now);
    return plan;
  }

  /** `key` is namespace/name of a snapshot. */
  async snapshot(key: string): Promise<ReconcileResult> {
    const observed = this.#observer.snapshot(key);
    if (observed === undefined) return {};
    const subject = refOf({ apiVersion: 'v1', ...observed.snapshot });
    return this.#carryOut(`snapshot ${key}`, subject, () =>
      planSnapshot({ ...observed, graceMs: this.#settings.sweepGraceMs }),
    );
  }

  /** Forgets what was remembered of a workload that is gone. */
  forget(workload: Workload): void {
    this.#pacing.delete(workload.uid);
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
    this.#pacing.set(uid, {
      bucket: rolls ? takeToken(pacing.bucket, now) : pacing.bucket,
      pendingSince: waits ? (pacing.pendingSince ?? now) : undefined,
      slowed: slowed || (rolls && pacing.slowed),
    });
  }

  #explain(subject: ObjectRef, error: unknown): void {
    const explained = error instanceof ClusterError ? EXPLAINED[error.kind] : undefined;
    if (explained === undefined || !(error instanceof Error)) return;
    const note = `the configuration of ${display(subject)} cannot be rolled out: ${clip(error.message)}; ${explained.next}`;
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
