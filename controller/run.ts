// The life of a controller: every replica keeps its caches warm and serves admission; the one that leads works, too.

import { runControllers } from './app/controllers.ts';
import { connect, makeQueues } from './app/triggers.ts';
import { assemble, type Parts, type Surroundings } from './assemble.ts';
import type { Config } from './config.ts';
import { aborted } from './runtime/abort.ts';
import { LeadershipLost } from './runtime/leader-election.ts';
import { serveAdmission } from './serve-admission.ts';
import { cachesCheck, onceCheck, shutdownCheck } from './server/checks.ts';
import { serveOperations } from './server/operations.ts';

// With the shutdown delay of the manifests less than a pod's default grace period of 30 s, so that an unclean end is ours
// to report.
const DRAIN_MS = 20_000;

/** Runs until `shutDown` aborts, and everything has ended in order; or until a part fails, which ends the others, too. */
export async function run(config: Config, shutDown: AbortController, surroundings: Surroundings): Promise<void> {
  const { log, version } = surroundings;
  const stop = shutDown.signal;
  const parts = assemble(config, surroundings);
  const { client, events, metrics, reflectors } = parts;
  log('info', `config-rollout ${version} starts on ${describe(config)}`);
  // Read on until the last request is answered.
  const reading = new AbortController();
  const admitting = Promise.withResolvers<void>();
  const operations = serveOperations(
    {
      health: config.healthProbeBindAddress,
      metrics: config.metricsBindAddress,
      checks: {
        // Nothing that a restart would mend: whatever fails for good ends the process by itself.
        healthz: [],
        readyz: [
          cachesCheck(reflectors),
          ...(config.webhookPort === undefined || config.dryRun
            ? []
            : [onceCheck('admission', admitting.promise, 'a certificate that the API server knows')]),
          shutdownCheck(stop),
        ],
      },
      registry: metrics.registry,
      log,
    },
    reading.signal,
  );
  operations.catch(() => shutDown.abort());
  const reflecting = reflectors.map((reflector) => reflector.run(reading.signal));
  try {
    const synced = Promise.all(reflectors.map((reflector) => reflector.synced));
    await Promise.race([synced, aborted(stop)]);
    if (!stop.aborted) await work(parts, config, shutDown, surroundings, admitting.resolve);
  } finally {
    reading.abort();
    await Promise.all([...reflecting, events.flush()]);
    client.close();
  }
  await operations;
  log('info', 'stopped');
}

async function work(
  parts: Parts,
  config: Config,
  shutDown: AbortController,
  surroundings: Surroundings,
  onServed: () => void,
) {
  const { world, leadership, metrics } = parts;
  const { log, die } = surroundings;
  const stop = shutDown.signal;
  log('info', 'caches are complete', {
    objects: [...world.sources.values()].reduce((sum, { size }) => sum + size, 0),
  });
  const giveUp = () => die(`work in progress did not end within ${DRAIN_MS / 1000} s`);
  void aborted(stop).then(() => setTimeout(giveUp, config.shutdownDelayMs + DRAIN_MS).unref());
  // In this order when it stops: the leader's workers end, the lease is released, and admission goes on for its delay,
  // which nobody waits for to take over.
  const leading = leadership.run(stop, () => runAsLeader(parts, config, surroundings, stop));
  // Another may be at work: whatever is still under way must not go on, and there is no other way to be sure.
  leading.catch((error: unknown) => error instanceof LeadershipLost && die(error.message));
  await together(shutDown, [
    leading,
    serveAdmission(
      {
        ...parts,
        observer: parts.admissionObserver,
        onAnswer: (end) => metrics.onAdmission(end),
        onServed,
        log,
      },
      config,
      stop,
    ),
  ]);
}

async function runAsLeader(parts: Parts, { concurrency }: Config, { log }: Surroundings, stop: AbortSignal) {
  const { world, index, metrics, reconciler } = parts;
  const queues = makeQueues();
  metrics.observeQueue('source', queues.sources);
  metrics.observeQueue('workload', queues.workloads);
  metrics.observeQueue('snapshot', queues.snapshots);
  metrics.observeQueue('status', queues.statuses);
  connect(world, index, queues, (workload) => reconciler.forget(workload));
  await runControllers(
    { world, queues, reconciler },
    {
      concurrency,
      observe: (controller) => metrics.observeController(controller, concurrency),
      log,
      stop,
    },
  );
}

function describe({ namespaces, namespaceSelector, secrets, dryRun }: Config): string {
  const what = secrets ? 'ConfigMaps and Secrets' : 'ConfigMaps';
  const where = namespaces.length > 0 ? `namespaces ${namespaces.join(', ')}` : 'all namespaces';
  const which = namespaceSelector === undefined ? '' : ` with labels ${namespaceSelector}`;
  return `${what} of ${where}${which}${dryRun ? ' (dry run)' : ''}`;
}

// A process that does half of its work looks healthy: when one part fails, the others end too.
async function together(shutDown: AbortController, parts: readonly Promise<void>[]): Promise<void> {
  for (const part of parts) part.catch(() => shutDown.abort());
  const ends = await Promise.allSettled(parts);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
