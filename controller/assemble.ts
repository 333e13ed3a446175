// Puts the controller together, from the configuration; nothing runs yet.

import { type Apply, applyTo, dryRun } from './app/apply.ts';
import { ContentIndex } from './app/content-index.ts';
import { fenced } from './app/fenced-cluster.ts';
import { Observer } from './app/observe.ts';
import { AdmissionObserver } from './app/observe-admission.ts';
import type { ClusterPort } from './app/ports.ts';
import { Reconciler } from './app/reconcile.ts';
import { NamespaceScope } from './app/scope.ts';
import { World } from './app/world.ts';
import type { Config } from './config.ts';
import { matchesLabels } from './core/label-selector.ts';
import { SOURCE_KINDS } from './core/names.ts';
import { KubeClient } from './kube/client.ts';
import { KubeCluster } from './kube/cluster.ts';
import { EventRecorder } from './kube/events.ts';
import { loadKubeConfig } from './kube/kubeconfig.ts';
import { type RunnableReflector, reflectorsOf } from './kube/reflectors.ts';
import { type Leadership, leadershipOf } from './leadership.ts';
import type { Log } from './runtime/log.ts';
import { censusOf } from './server/census.ts';
import { Metrics } from './server/metrics.ts';
import { WORKLOAD_KINDS } from './workloads/kinds.ts';
import { type ProjectSource, projectSource } from './workloads/raw.ts';

/** What the controller knows of the process that it runs in. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly version: string;
  /** On stdout. */
  readonly print: (line: string) => void;
  /** Ends the process at once, as a failure. */
  readonly die: (message: string) => never;
  readonly log: Log;
}

export interface Parts {
  readonly client: KubeClient;
  readonly metrics: Metrics;
  /** The controller's own. */
  readonly namespace: string;
  readonly events: EventRecorder;
  readonly world: World;
  readonly index: ContentIndex;
  readonly reflectors: readonly RunnableReflector[];
  readonly leadership: Leadership;
  readonly reconciler: Reconciler;
  readonly admissionObserver: AdmissionObserver;
  /** For admission, which every replica serves. */
  readonly apply: Apply;
}

/** Throws when there is no cluster to talk to. */
export function assemble(config: Config, { env, hostname, version, print, log }: Surroundings): Parts {
  const { kubeconfig, context } = config;
  const loaded = loadKubeConfig({ env, ...(kubeconfig && { kubeconfig }), ...(context && { context }) });
  const { namespace } = loaded;
  const world = makeWorld(config, log);
  const metrics = new Metrics({
    version,
    workloadKinds: world.kinds.map(({ kind }) => kind),
    sourceKinds: [...world.sources.keys()],
    census: censusOf(world),
  });
  const { onRequest } = metrics;
  const client = new KubeClient(loaded.config, { userAgent: `config-rollout-controller/${version}`, onRequest });
  const leadership = leadershipOf(config.leaderElection, { client, namespace, hostname, log });

  if (config.leaderElection) metrics.observeLeadership(config.leaderElection.resourceName, () => leadership.isLeading);

  const events = new EventRecorder(client, hostname, log, (event) => metrics.onEventSent(event));
  const { namespaces, namespaceSelector, resourceLabelSelector: selector } = config;
  const project: ProjectSource = (kind, raw) =>
    projectSource(kind, raw, (labels) => selector === undefined || matchesLabels(selector, labels));
  const cluster = new KubeCluster(client, WORKLOAD_KINDS, project, (event) => {
    if (!config.dryRun) events.emit(event);
  });

  const index = new ContentIndex();
  // Where nobody works, admission learns contents all the same.
  for (const store of world.sources.values())
    store.subscribe(({ before, after }) => before && !after && index.forget(before.uid));
  const printed = config.dryRun ? dryRun(print) : undefined;
  const applyBy = (port: ClusterPort): Apply =>
    printed ?? applyTo(port, world, index, Date.now, log, (action) => metrics.onAction(action));

  const own = fenced(cluster, () => leadership.isLeading);
  const observer = new Observer(world, index, own, Date.now, config.dryRun);
  return {
    client,
    metrics,
    namespace,
    events,
    world,
    index,
    reflectors: reflectorsOf(client, world, { namespaces, namespaceSelector, projectSource: project }, log),
    leadership,
    reconciler: new Reconciler(observer, applyBy(own), own, { ...config, admission: config.webhookPort !== undefined }),
    admissionObserver: new AdmissionObserver(world, index, cluster, Date.now, log),
    apply: applyBy(cluster),
  };
}

function makeWorld({ secrets, namespaces, namespaceSelector, reloaderAnnotations }: Config, log: Log): World {
  const options = {
    kinds: WORKLOAD_KINDS,
    sourceKinds: SOURCE_KINDS.filter((kind) => kind !== 'Secret' || secrets),
    scope: new NamespaceScope(namespaces, namespaceSelector !== undefined),
    reloader: reloaderAnnotations,
  };
  return new World(options, log);
}
