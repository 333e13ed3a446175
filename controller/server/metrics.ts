// What the process has done and seen, as numbers for Prometheus. Labels are kinds, reasons, and names of parts of this
// program: never an object's name or a namespace, which would tell too much and grow without end.

import { collectDefaultMetrics, Registry } from 'prom-client';
import { ClusterError, type FailureKind } from '../app/errors.ts';
import type { Action, EventAction } from '../core/actions.ts';
import { REASONS } from '../core/names.ts';
import type { ControllerObserver } from '../runtime/controller.ts';
import { Instruments } from './instruments.ts';
import { controllerMetrics, leaderMetrics, queueMetrics, requestMetrics } from './runtime-metrics.ts';
import type { AdmissionEnd } from './server.ts';

export interface MetricsOptions {
  readonly version: string;
  /** Each count begins at 0 for these: of one that begins at 1, Prometheus sees no increase. */
  readonly workloadKinds: readonly string[];
  readonly sourceKinds: readonly string[];
  /** Asked at each scrape. */
  readonly census: Census;
}

/** How many there are, by kind. */
export interface Census {
  readonly snapshots: () => Iterable<readonly [kind: string, count: number]>;
  readonly managedWorkloads: () => Iterable<readonly [kind: string, count: number]>;
}

const KIND = ['kind'] as const;
const REVISION_KINDS = ['ReplicaSet', 'ControllerRevision'];
/** Whether it counts as a failure: a conflict is the normal end of a race. */
const FAILS: Readonly<Record<FailureKind | 'Unexpected', boolean>> = {
  Conflict: false,
  AlreadyExists: true,
  NotFound: true,
  Forbidden: true,
  QuotaExceeded: true,
  Rejected: true,
  Unavailable: true,
  Unexpected: true,
};
/** All other Events are warnings. */
const NORMAL: readonly string[] = [REASONS.rolledOut, REASONS.repinned];
// The API server waits two seconds for an answer.
const ADMISSION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2];

export class Metrics {
  readonly registry = new Registry();
  readonly #make = new Instruments(this.registry);
  readonly #controller = controllerMetrics(this.#make);
  readonly #failures = this.#counter('failures_total', 'Reconciliations that failed, but for lost races', [
    'controller',
    'reason',
  ]);
  readonly #rollouts = this.#counter('rollouts_total', 'Workloads rolled to new content', KIND);
  readonly #repins = this.#counter('repins_total', 'Workloads pinned again after an apply or an undo', KIND);
  readonly #rollbacks = this.#counter('rollbacks_total', 'Workloads rolled back because a rollout failed', KIND);
  readonly #throttled = this.#counter('throttled_total', 'Times that the rollouts of a workload were slowed', KIND);
  readonly #created = this.#counter(
    'snapshots_created_total',
    'Snapshots created, or found there as they should be',
    KIND,
  );
  readonly #swept = this.#counter('snapshots_swept_total', 'Snapshots deleted, by us, that nothing needed', KIND);
  readonly #revisions = this.#counter('revisions_deleted_total', 'Unpinned revisions deleted', KIND);
  readonly #events = this.#counter('events_total', 'Events sent', ['type', 'reason']);
  readonly #admissions = this.#counter('admission_requests_total', 'Admission requests answered', ['path', 'result']);
  readonly #admissionTime = this.#make.histogram(
    'config_rollout_admission_duration_seconds',
    'How long answers to admission requests took',
    ['path'],
    ADMISSION_BUCKETS,
  );
  readonly #byReason: Readonly<Record<string, { inc(labels: { kind: string }): void }>> = {
    [REASONS.rolledOut]: this.#rollouts,
    [REASONS.repinned]: this.#repins,
    [REASONS.rolledBack]: this.#rollbacks,
    [REASONS.rolloutsSlowed]: this.#throttled,
  };

  /** For the queue of the controller of that name, before its first key. */
  readonly observeQueue = queueMetrics(this.#make);
  /** Takes requests to the API server that have ended. */
  readonly onRequest = requestMetrics(this.#make);
  /** For a Lease, by its name: asked at each scrape whether this process leads. */
  readonly observeLeadership = leaderMetrics(this.#make);

  constructor({ version, workloadKinds, sourceKinds, census }: MetricsOptions) {
    collectDefaultMetrics({ register: this.registry });
    this.#make.gauge('config_rollout_build_info', 'Always 1', ['version']).set({ version }, 1);
    const count = (name: string, help: string, read: () => Iterable<readonly [string, number]>) =>
      this.#make.readGauge(`config_rollout_${name}`, help, KIND, () =>
        [...read()].map(([kind, value]) => [{ kind }, value] as const),
      );
    count('snapshots', 'Snapshots there are', census.snapshots);
    count('managed_workloads', 'Workloads there are that were opted in', census.managedWorkloads);
    for (const kind of workloadKinds) {
      for (const each of [this.#rollouts, this.#repins, this.#rollbacks, this.#throttled]) each.inc({ kind }, 0);
    }
    for (const kind of sourceKinds) for (const each of [this.#created, this.#swept]) each.inc({ kind }, 0);
    for (const kind of REVISION_KINDS) this.#revisions.inc({ kind }, 0);
    for (const reason of Object.values(REASONS)) {
      this.#events.inc({ type: NORMAL.includes(reason) ? 'Normal' : 'Warning', reason }, 0);
    }
  }

  /** The observer of a controller with so many workers. */
  observeController(controller: string, concurrency: number): ControllerObserver {
    const { started, finished } = this.#controller(controller, concurrency);
    for (const [reason, counts] of Object.entries(FAILS)) if (counts) this.#failures.inc({ controller, reason }, 0);
    return {
      started,
      finished: (result, seconds, error) => {
        finished(result, seconds);
        if (result === 'error') this.#onFailure(controller, error);
      },
    };
  }

  /** Takes an action that was carried out. Rollouts are told by their Events: a patch alone does not say what it is. */
  onAction(action: Action): void {
    switch (action.type) {
      case 'CreateSnapshot':
        this.#created.inc({ kind: action.manifest.kind });
        return;
      case 'DeleteSnapshot':
        this.#swept.inc({ kind: action.target.kind });
        return;
      case 'DeleteRevision':
        this.#revisions.inc({ kind: action.target.kind });
        return;
      case 'Event':
        this.#byReason[action.reason]?.inc({ kind: action.regarding.kind });
        return;
      case 'PatchMetadata':
      case 'PatchWorkload':
      case 'AnnotateRevision':
      case 'CreateConfigRollout':
      case 'WriteStatus':
        return;
      default:
        action satisfies never;
    }
  }

  /** Takes an Event that was sent: one about a state is an action again and again, and sent once. */
  onEventSent({ severity, reason }: EventAction): void {
    this.#events.inc({ type: severity, reason });
  }

  /** Takes an answer to the API server. */
  onAdmission({ path, result, seconds }: AdmissionEnd): void {
    this.#admissions.inc({ path, result });
    this.#admissionTime.observe({ path }, seconds);
  }

  #onFailure(controller: string, error: unknown): void {
    const reason = error instanceof ClusterError ? error.kind : 'Unexpected';
    if (FAILS[reason]) this.#failures.inc({ controller, reason });
  }

  #counter<T extends string>(name: string, help: string, labels: readonly T[]) {
    return this.#make.counter(`config_rollout_${name}`, help, labels);
  }
}
