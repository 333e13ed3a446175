// What an operator's machines ask of the process: is it alive, is it ready, what has it done. Two addresses, because they
// are for different people: probes for the kubelet, metrics for Prometheus.

import type { Log } from '../runtime/log.ts';
import { type Bind, PlainHttpServer, type Route } from './plain-http.ts';
import { PROBE_PATHS, type ProbeChecks, probeRoute } from './probes.ts';

/** What a Registry of prom-client has. */
export interface MetricsText {
  readonly contentType: string;
  metrics(): Promise<string>;
}

export interface Operations {
  /** Undefined: no probes. */
  readonly health: Bind | undefined;
  /** Undefined: no metrics. */
  readonly metrics: Bind | undefined;
  readonly checks: ProbeChecks;
  readonly registry: MetricsText;
  readonly log: Log;
}

/**
 * Serves until `stop` aborts: not at the first wish to end, but when the work is over, so that its end is seen. Start it
 * first, so that its beginning is. Rejects when an address cannot be had.
 */
export async function serveOperations(
  { health, metrics, checks, registry, log }: Operations,
  stop: AbortSignal,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener('abort', () => resolve(), { once: true });
  });
  const serve = async (what: string, bind: Bind | undefined, flag: string, paths: readonly string[], route: Route) => {
    if (bind === undefined || stop.aborted) return;
    const server = new PlainHttpServer({ bind, flag, route, paths, log });
    log('info', `${what} are served`, { address: await server.listen() });
    await stopped;
    await server.stop();
  };
  await Promise.all([
    serve('health probes', health, '--health-probe-bind-address', PROBE_PATHS, probeRoute(checks)),
    serve('metrics', metrics, '--metrics-bind-address', ['/metrics'], metricsRoute(registry)),
  ]);
}

function metricsRoute(registry: MetricsText): Route {
  return ({ pathname }) => (pathname === '/metrics' ? scrape(registry) : undefined);
}

async function scrape(registry: MetricsText) {
  return { status: 200, text: await registry.metrics(), contentType: registry.contentType };
}
