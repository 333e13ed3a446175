// What /metrics says: every name, type and label, as a promise to those who write alerts; and what makes the numbers move.

import { beforeEach, describe, expect, test } from '@jest/globals';
import { ClusterError } from '../../controller/app/errors.ts';
import { World } from '../../controller/app/world.ts';
import type { Action, EventAction } from '../../controller/core/actions.ts';
import { REASONS } from '../../controller/core/names.ts';
import { runController } from '../../controller/runtime/controller.ts';
import { WorkQueue } from '../../controller/runtime/work-queue.ts';
import { censusOf } from '../../controller/server/census.ts';
import { Metrics } from '../../controller/server/metrics.ts';
import { aConfigMap, aSnapshot, aWorkload, H1, H2, WORLD } from '../support/builders.ts';

/** Of ours and of controller-runtime's, all there are: name, type, labels. None may hold the name of an object. */
const GOLDEN = `
config_rollout_admission_duration_seconds histogram path
config_rollout_admission_requests_total counter path,result
config_rollout_build_info gauge version
config_rollout_events_total counter reason,type
config_rollout_failures_total counter controller,reason
config_rollout_managed_workloads gauge kind
config_rollout_repins_total counter kind
config_rollout_revisions_deleted_total counter kind
config_rollout_rollbacks_total counter kind
config_rollout_rollouts_total counter kind
config_rollout_snapshots gauge kind
config_rollout_snapshots_created_total counter kind
config_rollout_snapshots_swept_total counter kind
config_rollout_throttled_total counter kind
controller_runtime_active_workers gauge controller
controller_runtime_max_concurrent_reconciles gauge controller
controller_runtime_reconcile_errors_total counter controller
controller_runtime_reconcile_time_seconds histogram controller
controller_runtime_reconcile_total counter controller,result
leader_election_master_status gauge name
rest_client_request_duration_seconds histogram host,verb
rest_client_requests_total counter code,host,method
workqueue_adds_total counter controller,name
workqueue_depth gauge controller,name
workqueue_longest_running_processor_seconds gauge controller,name
workqueue_queue_duration_seconds histogram controller,name
workqueue_retries_total counter controller,name
workqueue_unfinished_work_seconds gauge controller,name
workqueue_work_duration_seconds histogram controller,name
`;
/** prom-client's own, some of which depend on the system. */
const OF_PROCESS = /^(process|nodejs)_/;
const WHO = { namespace: 'planted-namespace', name: 'planted-name', uid: 'planted-uid' };

const log = (): void => undefined;
const target = (kind: string) => ({ apiVersion: 'v1', kind, ...WHO });
const event = (reason: EventAction['reason'], kind = 'Deployment'): EventAction => {
  const note = 'planted-note';
  return { type: 'Event', severity: 'Normal', reason, note, regarding: target(kind), once: false };
};

let world: World;
let metrics: Metrics;
beforeEach(() => {
  world = new World(WORLD, log);
  metrics = new Metrics({
    version: '1.2.3',
    workloadKinds: ['Deployment', 'StatefulSet'],
    sourceKinds: ['ConfigMap', 'Secret'],
    census: censusOf(world),
  });
});

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

async function scrape() {
  const text = await metrics.registry.metrics();
  const types = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type] as const),
  );
  const samples = [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)].map(
    ([, name = '', labels = '', value]): Sample => ({
      name,
      labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, said]) => [key, said])),
      value: Number(value),
    }),
  );
  return { text, types, samples };
}

/** The value of `name{labels}`; undefined when there is no such sample. */
async function sampleOf(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
  const { samples } = await scrape();
  return samples.find(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value;
}

/** Makes every metric say something. */
async function sayAll(): Promise<void> {
  metrics.onRequest({ method: 'GET', host: 'api:6443', status: 200, seconds: 0.1 });
  metrics.observeLeadership('config-rollout', () => true);
  metrics.onAdmission({ path: '/mutate', result: 'patched', seconds: 0.01 });
  metrics.onEventSent(event(REASONS.rolledOut));
  metrics.onAction({ type: 'DeleteRevision', target: target('ReplicaSet'), resourceVersion: '1', why: 'planted-why' });
  const queue = new WorkQueue({ minimumMs: 1, maximumMs: 1 });
  metrics.observeQueue('source', queue);
  queue.add('planted-key');
  let failures = 0;
  const reconcile = async () => {
    if (failures++ === 0) throw new ClusterError('Forbidden', 'planted-message', 1);
    queue.shutDown();
  };
  const observer = metrics.observeController('source', 1);
  await runController({ name: 'source', queue, concurrency: 1, reconcile, observer, log });
}

describe('the metrics', () => {
  test('have these names, types and labels, and no others', async () => {
    await sayAll();
    const { types, samples } = await scrape();
    const seen = [...types]
      .filter(([name]) => !OF_PROCESS.test(name))
      .map(([name, type]) => {
        const own = samples.filter((sample) => sample.name.replace(/_(bucket|sum|count)$/, '') === name);
        const labels = new Set(own.flatMap((sample) => Object.keys(sample.labels)));
        labels.delete('le');
        return `${name} ${type} ${[...labels].sort().join(',')}`;
      });
    expect(`\n${seen.sort().join('\n')}\n`).toBe(GOLDEN);
  });

  test('have a text that says what each is', async () => {
    const { text, types } = await scrape();
    for (const name of types.keys()) expect(text).toMatch(new RegExp(`^# HELP ${name} \\S.{5,}$`, 'm'));
  });

  test('tell of the process, too', async () => {
    const { types } = await scrape();
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
    ])
      expect(types.has(name)).toBe(true);
  });

  test('never say what an object is called', async () => {
    await sayAll();
    for (const reason of Object.values(REASONS)) metrics.onAction(event(reason));
    const source = aConfigMap(WHO);
    world.sources.get('ConfigMap')?.replace('', [source, aSnapshot({ hash: H1, source: WHO.name })], '1');
    world.workloads.get('Deployment')?.replace('', [aWorkload({ ...WHO, rolled: { 'planted-name': H1 } })], '1');
    expect((await scrape()).text).not.toContain('planted');
  });

  test('of two in one process have nothing to do with each other', async () => {
    new Metrics({ version: '2', workloadKinds: [], sourceKinds: [], census: censusOf(world) }).observeLeadership(
      'x',
      () => true,
    );
    expect(await sampleOf('leader_election_master_status')).toBeUndefined();
    expect(await sampleOf('config_rollout_build_info', { version: '1.2.3' })).toBe(1);
  });
});

describe('what was done', () => {
  const CASES: readonly (readonly [Action, string, string])[] = [
    [event(REASONS.rolledOut), 'rollouts_total', 'Deployment'],
    [event(REASONS.repinned, 'StatefulSet'), 'repins_total', 'StatefulSet'],
    [event('ConfigRolledBack' as EventAction['reason']), 'rollbacks_total', 'Deployment'],
    [event(REASONS.rolloutsSlowed), 'throttled_total', 'Deployment'],
    [
      { type: 'DeleteSnapshot', target: target('Secret'), resourceVersion: '1', why: '' },
      'snapshots_swept_total',
      'Secret',
    ],
    [
      { type: 'DeleteRevision', target: target('ReplicaSet'), resourceVersion: '1', why: '' },
      'revisions_deleted_total',
      'ReplicaSet',
    ],
  ];
  test.each(CASES.map(([action, name, kind]) => ({ action, name, kind })))('counts as $name of $kind', async (each) => {
    metrics.onAction(each.action);
    metrics.onAction(each.action);
    const { samples } = await scrape();
    const counted = samples.filter(({ name, value }) => /^config_rollout_.*_total$/.test(name) && value > 0);
    expect(counted).toEqual([{ name: `config_rollout_${each.name}`, labels: { kind: each.kind }, value: 2 }]);
  });

  test('begins at 0, so that the first shows as an increase', async () => {
    for (const name of ['rollouts', 'repins', 'rollbacks', 'throttled'])
      expect(await sampleOf(`config_rollout_${name}_total`, { kind: 'StatefulSet' })).toBe(0);
    for (const name of ['snapshots_created', 'snapshots_swept'])
      expect(await sampleOf(`config_rollout_${name}_total`, { kind: 'Secret' })).toBe(0);
    for (const kind of ['ReplicaSet', 'ControllerRevision'])
      expect(await sampleOf('config_rollout_revisions_deleted_total', { kind })).toBe(0);
    metrics.observeController('workload', 1);
    for (const reason of ['Forbidden', 'Unavailable', 'Unexpected'])
      expect(await sampleOf('config_rollout_failures_total', { controller: 'workload', reason })).toBe(0);
    for (const reason of Object.values(REASONS))
      expect(await sampleOf('config_rollout_events_total', { reason })).toBe(0);
  });

  test('counts an Event when it is sent', async () => {
    metrics.onAction(event(REASONS.rolledOut));
    expect(await sampleOf('config_rollout_events_total', { reason: REASONS.rolledOut })).toBe(0);
    metrics.onEventSent(event(REASONS.rolledOut));
    expect(await sampleOf('config_rollout_events_total', { type: 'Normal', reason: REASONS.rolledOut })).toBe(1);
  });
});

test('what there is, is counted anew at each scrape', async () => {
  const source = aConfigMap();
  const sources = world.sources.get('ConfigMap');
  sources?.replace('', [source, aSnapshot({ hash: H1 }), aSnapshot({ hash: H2 })], '1');
  const workloads = [
    aWorkload({ name: 'a', rolled: { foo: H1 } }),
    aWorkload({ name: 'b', labels: { 'configrollout.dev/managed': 'all' } }),
    aWorkload({ name: 'c', labels: { 'configrollout.dev/managed': 'none' } }),
    aWorkload({ name: 'd' }),
  ];
  world.workloads.get('Deployment')?.replace('', workloads, '1');
  expect(await sampleOf('config_rollout_snapshots', { kind: 'ConfigMap' })).toBe(2);
  expect(await sampleOf('config_rollout_snapshots', { kind: 'Secret' })).toBe(0);
  expect(await sampleOf('config_rollout_managed_workloads', { kind: 'Deployment' })).toBe(2);
  sources?.replace('', [source], '2');
  expect(await sampleOf('config_rollout_snapshots', { kind: 'ConfigMap' })).toBe(0);
});

describe('a request to the API server', () => {
  test('is counted by its status', async () => {
    metrics.onRequest({ method: 'PATCH', host: 'api', status: 409, seconds: 0.2 });
    expect(await sampleOf('rest_client_requests_total', { code: '409', method: 'PATCH', host: 'api' })).toBe(1);
    expect(await sampleOf('rest_client_request_duration_seconds_sum', { verb: 'PATCH' })).toBe(0.2);
  });

  test('without an answer is counted as client-go counts it', async () => {
    metrics.onRequest({ method: 'GET', host: 'api', status: 0, seconds: 1 });
    expect(await sampleOf('rest_client_requests_total', { code: '<error>', method: 'GET' })).toBe(1);
  });
});

describe('a controller', () => {
  const run = async (...outcomes: readonly unknown[]) => {
    const queue = new WorkQueue({ minimumMs: 1, maximumMs: 1 });
    const left = [...outcomes];
    const finished = runController({
      name: 'workload',
      queue,
      concurrency: 3,
      observer: metrics.observeController('workload', 3),
      log,
      reconcile: async () => {
        const outcome = left.shift();
        if (left.length === 0) queue.shutDown();
        if (outcome instanceof Error) throw outcome;
        return outcome as undefined;
      },
    });
    queue.add('a');
    await finished;
  };
  const result = (of: string) => sampleOf('controller_runtime_reconcile_total', { controller: 'workload', result: of });
  const failure = (reason: string) => sampleOf('config_rollout_failures_total', { controller: 'workload', reason });

  test('counts how its runs end, and why they fail', async () => {
    await run(
      new ClusterError('Forbidden', '', 1),
      new ClusterError('Conflict', ''),
      new TypeError('a bug of ours'),
      { requeueAfterMs: 1 },
      undefined,
    );
    expect(await result('success')).toBe(1);
    expect(await result('requeue_after')).toBe(1);
    expect(await result('error')).toBe(3);
    expect(await result('requeue')).toBe(0);
    expect(await sampleOf('controller_runtime_reconcile_errors_total')).toBe(3);
    expect(await sampleOf('controller_runtime_reconcile_time_seconds_count')).toBe(5);
    expect(await failure('Forbidden')).toBe(1);
    expect(await failure('Unexpected')).toBe(1);
    expect(await failure('Conflict')).toBeUndefined();
  });

  test('counts its workers, and those that work', async () => {
    const queue = new WorkQueue();
    const gate = Promise.withResolvers<void>();
    const reconcile = () => gate.promise;
    const observer = metrics.observeController('source', 3);
    const finished = runController({ name: 'source', queue, concurrency: 3, reconcile, observer, log });
    queue.add('a');
    queue.add('b');
    await Promise.resolve();
    expect(await sampleOf('controller_runtime_max_concurrent_reconciles')).toBe(3);
    expect(await sampleOf('controller_runtime_active_workers')).toBe(2);
    gate.resolve();
    queue.shutDown();
    await finished;
    expect(await sampleOf('controller_runtime_active_workers')).toBe(0);
  });
});

test('a queue shows what waits and what runs', async () => {
  const queue = new WorkQueue();
  metrics.observeQueue('snapshot', queue);
  expect(await sampleOf('workqueue_depth', { name: 'snapshot', controller: 'snapshot' })).toBe(0);
  for (const key of ['a', 'b', 'c']) queue.add(key);
  await queue.get();
  expect(await sampleOf('workqueue_depth')).toBe(2);
  expect(await sampleOf('workqueue_adds_total')).toBe(3);
  expect(await sampleOf('workqueue_queue_duration_seconds_count')).toBe(1);
  expect(await sampleOf('workqueue_longest_running_processor_seconds')).toBeGreaterThan(0);
  expect(await sampleOf('workqueue_unfinished_work_seconds')).toBeGreaterThan(0);
  queue.done('a');
  expect(await sampleOf('workqueue_work_duration_seconds_count')).toBe(1);
  expect(await sampleOf('workqueue_unfinished_work_seconds')).toBe(0);
});

test('whether this process leads is asked at each scrape', async () => {
  let leads = false;
  metrics.observeLeadership('config-rollout', () => leads);
  expect(await sampleOf('leader_election_master_status', { name: 'config-rollout' })).toBe(0);
  leads = true;
  expect(await sampleOf('leader_election_master_status', { name: 'config-rollout' })).toBe(1);
});

test('an answer to the API server is counted', async () => {
  metrics.onAdmission({ path: '/mutate', result: 'late', seconds: 1.75 });
  expect(await sampleOf('config_rollout_admission_requests_total', { path: '/mutate', result: 'late' })).toBe(1);
  expect(await sampleOf('config_rollout_admission_duration_seconds_sum', { path: '/mutate' })).toBe(1.75);
});
