// The composition root of the controller: the only file that touches the process.

import { hostname } from 'node:os';
import packageJson from '../package.json' with { type: 'json' };
import { applyTo, dryRun } from './app/apply.ts';
import { ContentIndex } from './app/content-index.ts';
import { runControllers } from './app/controllers.ts';
import { Observer } from './app/observe.ts';
import { AdmissionObserver } from './app/observe-admission.ts';
import { Reconciler } from './app/reconcile.ts';
import { NamespaceScope } from './app/scope.ts';
import { connect, makeQueues } from './app/triggers.ts';
import { World } from './app/world.ts';
import { type Config, Exit, readConfig } from './config.ts';
import { matchesLabels } from './core/label-selector.ts';
import { SOURCE_KINDS } from './core/names.ts';
import { KubeClient } from './kube/client.ts';
import { KubeCluster } from './kube/cluster.ts';
import { EventRecorder } from './kube/events.ts';
import { loadKubeConfig } from './kube/kubeconfig.ts';
import { reflectorsOf } from './kube/reflectors.ts';
import { makeLog } from './logger.ts';
import { messageOf } from './runtime/failure.ts';
import { serveAdmission } from './serve-admission.ts';
import { WORKLOAD_KINDS } from './workloads/kinds.ts';
import { type ProjectSource, projectSource } from './workloads/raw.ts';

// With the shutdown delay of the manifests less than a pod's default grace period of 30 s, so that an unclean end is ours
// to report.
const DRAIN_MS = 20_000;

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env, packageJson.version);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  await run(config, stop);
}

async function run(config: Config, shutDown: AbortController): Promise<void> {
  const stop = shutDown.signal;
  const log = makeLog(config);
  const { kubeconfig, context } = config;
  const loaded = loadKubeConfig({ env: process.env, ...(kubeconfig && { kubeconfig }), ...(context && { context }) });
  const client = new KubeClient(loaded.config, { userAgent: `config-rollout-controller/${packageJson.version}` });
  const events = new EventRecorder(client, hostname(), log);
  const { namespaces, namespaceSelector, resourceLabelSelector: selector } = config;
  const isSelected = (labels: Readonly<Record<string, string>>) =>
    selector === undefined || matchesLabels(selector, labels);
  const project: ProjectSource = (kind, raw) => projectSource(kind, raw, isSelected);
  const cluster = new KubeCluster(client, WORKLOAD_KINDS, project, (event) => {
    if (!config.dryRun) events.emit(event);
  });

  const world = new World(
    {
      kinds: WORKLOAD_KINDS,
      sourceKinds: SOURCE_KINDS.filter((kind) => kind !== 'Secret' || config.secrets),
      scope: new NamespaceScope(namespaces, namespaceSelector !== undefined),
      reloader: config.reloaderAnnotations,
    },
    log,
  );
  const index = new ContentIndex();
  const queues = makeQueues();
  const observer = new Observer(world, index, cluster, Date.now, config.dryRun);
  const apply = config.dryRun
    ? dryRun((line) => process.stdout.write(`${line}\n`))
    : applyTo(cluster, world, index, Date.now, log);
  const reconciler = new Reconciler(observer, apply, cluster, config);
  connect(world, index, queues, (workload) => reconciler.forget(workload));

  log('info', `config-rollout ${packageJson.version} starts on ${describe(config)}`);
  const watching = { namespaces, namespaceSelector, projectSource: project };
  const reflectors = reflectorsOf(client, world, watching, log);
  // Read on until the last request is answered.
  const reading = new AbortController();
  const reflecting = reflectors.map((reflector) => reflector.run(reading.signal));
  const stopped = new Promise<'stopped'>((resolve) =>
    stop.addEventListener('abort', () => resolve('stopped'), { once: true }),
  );
  const state = await Promise.race([
    Promise.all(reflectors.map(({ synced }) => synced)).then(() => 'synced' as const),
    stopped,
  ]);
  try {
    if (state === 'synced') {
      log('info', 'caches are complete; working', {
        objects: [...world.sources.values()].reduce((sum, { size }) => sum + size, 0),
      });
      stop.addEventListener('abort', () => setTimeout(giveUp, config.shutdownDelayMs + DRAIN_MS, log).unref(), {
        once: true,
      });
      const admissionObserver = new AdmissionObserver(world, index, cluster, Date.now, log);
      const { namespace } = loaded;
      await together(shutDown, [
        runControllers({ world, queues, reconciler }, { concurrency: config.concurrency, log, stop }),
        serveAdmission({ world, observer: admissionObserver, apply, client, namespace, log }, config, stop),
      ]);
    }
  } finally {
    reading.abort();
    await Promise.all([...reflecting, events.flush()]);
    client.close();
  }
  log('info', 'stopped');
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

function giveUp(log: ReturnType<typeof makeLog>): void {
  log('error', `work in progress did not end within ${DRAIN_MS / 1000} s`);
  process.exit(1);
}

main().catch((error: unknown) => {
  if (error instanceof Exit) {
    (error.code === 0 ? process.stdout : process.stderr).write(error.text);
    process.exitCode = error.code;
    return;
  }
  process.stderr.write(`error: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
