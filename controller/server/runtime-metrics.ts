// What every controller tells of itself, in the names, labels and buckets of controller-runtime and client-go: people have
// dashboards and alerts for these already.

import type { ControllerObserver, RunResult } from '../runtime/controller.ts';
import type { RequestEnd } from '../runtime/request-end.ts';
import type { QueueState, WorkQueue } from '../runtime/work-queue.ts';
import type { Instruments } from './instruments.ts';

// The third never happens here: nothing asks to run again at once. There it is on dashboards.
const RESULTS: readonly (RunResult | 'requeue')[] = ['success', 'error', 'requeue', 'requeue_after'];

// Both: the second came with newer versions.
const QUEUE_LABELS = ['name', 'controller'] as const;
const queueLabels = (controller: string) => ({ name: controller, controller });

const RECONCILE_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2,
  2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];
const QUEUE_BUCKETS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000];
const REQUEST_BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** Gives what makes an observer for a controller of that name and so many workers. */
export function controllerMetrics(make: Instruments): (controller: string, concurrency: number) => ControllerObserver {
  const labels = ['controller'] as const;
  const total = make.counter('controller_runtime_reconcile_total', 'Total number of reconciliations per controller', [
    'controller',
    'result',
  ]);
  const errors = make.counter(
    'controller_runtime_reconcile_errors_total',
    'Total number of reconciliation errors per controller',
    labels,
  );
  const time = make.histogram(
    'controller_runtime_reconcile_time_seconds',
    'Length of time per reconciliation per controller',
    labels,
    RECONCILE_BUCKETS,
  );
  const most = make.gauge(
    'controller_runtime_max_concurrent_reconciles',
    'Maximum number of concurrent reconciles per controller',
    labels,
  );
  const active = make.gauge(
    'controller_runtime_active_workers',
    'Number of currently used workers per controller',
    labels,
  );
  return (controller, concurrency) => {
    for (const result of RESULTS) total.inc({ controller, result }, 0);
    errors.inc({ controller }, 0);
    active.set({ controller }, 0);
    most.set({ controller }, concurrency);
    return {
      started: () => active.inc({ controller }),
      finished: (result, seconds) => {
        active.dec({ controller });
        total.inc({ controller, result });
        time.observe({ controller }, seconds);
        if (result === 'error') errors.inc({ controller });
      },
    };
  };
}

/**
 * Gives what starts to observe a queue; it must not have had a key before. The label `priority` is left out, as there is
 * none: to Prometheus that is the same as an empty one. Unlike there, only failures count as retries, not each delay.
 */
export function queueMetrics(make: Instruments): (controller: string, queue: WorkQueue) => void {
  const queues = new Map<string, WorkQueue>();
  const adds = make.counter('workqueue_adds_total', 'Total number of adds handled by workqueue', QUEUE_LABELS);
  const waited = make.histogram(
    'workqueue_queue_duration_seconds',
    'How long in seconds an item stays in workqueue before being requested',
    QUEUE_LABELS,
    QUEUE_BUCKETS,
  );
  const worked = make.histogram(
    'workqueue_work_duration_seconds',
    'How long in seconds processing an item from workqueue takes.',
    QUEUE_LABELS,
    QUEUE_BUCKETS,
  );
  const retries = make.counter('workqueue_retries_total', 'Total number of retries handled by workqueue', QUEUE_LABELS);
  const ofState = (name: string, help: string, read: (state: QueueState) => number) =>
    make.readGauge(name, help, QUEUE_LABELS, () =>
      [...queues].map(([controller, queue]) => [queueLabels(controller), read(queue.state())] as const),
    );
  ofState('workqueue_depth', 'Current depth of workqueue', ({ depth }) => depth);
  ofState(
    'workqueue_unfinished_work_seconds',
    "How many seconds of work has been done that is in progress and hasn't been observed by work_duration. Large values indicate stuck workers.",
    ({ unfinishedSeconds }) => unfinishedSeconds,
  );
  ofState(
    'workqueue_longest_running_processor_seconds',
    'How many seconds has the longest running processor for workqueue been running.',
    ({ longestSeconds }) => longestSeconds,
  );
  return (controller, queue) => {
    const labels = queueLabels(controller);
    queues.set(controller, queue);
    adds.inc(labels, 0);
    retries.inc(labels, 0);
    queue.observe({
      added: () => adds.inc(labels),
      started: (seconds) => waited.observe(labels, seconds),
      finished: (seconds) => worked.observe(labels, seconds),
      retried: () => retries.inc(labels),
    });
  };
}

/** Gives what counts requests to the API server. */
export function requestMetrics(make: Instruments): (end: RequestEnd) => void {
  const total = make.counter(
    'rest_client_requests_total',
    'Number of HTTP requests, partitioned by status code, method, and host.',
    ['code', 'method', 'host'],
  );
  const duration = make.histogram(
    'rest_client_request_duration_seconds',
    'Request latency in seconds. Broken down by verb, and host.',
    ['verb', 'host'],
    REQUEST_BUCKETS,
  );
  return ({ method, host, status, seconds }) => {
    total.inc({ code: status === 0 ? '<error>' : String(status), method, host });
    duration.observe({ verb: method, host }, seconds);
  };
}

/** Gives what shows whether this process leads, under the name of a Lease. */
export function leaderMetrics(make: Instruments): (lease: string, isLeading: () => boolean) => void {
  const leases = new Map<string, () => boolean>();
  make.readGauge(
    'leader_election_master_status',
    "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master. 'name' is the string used to identify the lease. Please make sure to group by name.",
    ['name'],
    () => [...leases].map(([name, isLeading]) => [{ name }, isLeading() ? 1 : 0] as const),
  );
  return (lease, isLeading) => void leases.set(lease, isLeading);
}
