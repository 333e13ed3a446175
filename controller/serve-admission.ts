// Puts admission together: who answers, with which certificate, and for how long.

import { snapshotAdmission } from './app/admit-snapshot.ts';
import { workloadAdmission } from './app/admit-workload.ts';
import type { Apply } from './app/apply.ts';
import { CertificateKeeper } from './app/certificates.ts';
import type { AdmissionObserver } from './app/observe-admission.ts';
import type { World } from './app/world.ts';
import type { Config } from './config.ts';
import type { KubeClient } from './kube/client.ts';
import { WebhookTrust } from './kube/webhook-trust.ts';
import { aborted } from './runtime/abort.ts';
import type { Log } from './runtime/log.ts';
import { type AdmissionEnd, AdmissionServer } from './server/server.ts';
import { x509 } from './server/x509.ts';
import { WORKLOAD_KINDS } from './workloads/kinds.ts';

export interface Admission {
  readonly world: World;
  readonly observer: AdmissionObserver;
  readonly apply: Apply;
  readonly client: KubeClient;
  /** The controller's own. */
  readonly namespace: string;
  readonly onAnswer: (end: AdmissionEnd) => void;
  /** Called when API servers can ask. */
  readonly onServed: () => void;
  readonly log: Log;
}

/**
 * Serves until `stop` aborts and the last answer is given; nothing when there is no port, or nothing may be written.
 * Start it when the caches are complete. Rejects when the port cannot be had.
 */
export async function serveAdmission(
  { world, observer, apply, client, namespace, onAnswer, onServed, log }: Admission,
  { webhookPort, webhookCertificates, shutdownDelayMs, dryRun }: Config,
  stop: AbortSignal,
): Promise<void> {
  if (webhookPort === undefined || dryRun) return;
  const handlers = {
    '/mutate': workloadAdmission(observer, WORKLOAD_KINDS, apply, log),
    '/validate': snapshotAdmission(world, namespace),
  };
  const server = new AdmissionServer({ handlers, onAnswer, log });
  const port = new WebhookTrust(client, namespace);
  const { promise: certificate, resolve: hasCertificate } = Promise.withResolvers<void>();
  const onCertificate = (material: { readonly cert: string; readonly key: string }) => {
    server.useCertificate(material);
    hasCertificate();
  };
  const keeper = new CertificateKeeper({ port, x509, mode: webhookCertificates, log, now: Date.now, onCertificate });
  const keeping = keeper.run(stop);
  const stopped = aborted(stop);
  // Whoever cannot be trusted yet does not answer at all: that fails quicker.
  await Promise.race([certificate, stopped]);
  if (!stop.aborted) {
    await server.listen(webhookPort);
    void keeper.ready.then(() => {
      log('info', 'admission is served', { port: webhookPort });
      onServed();
    });
    await stopped;
    await server.stop(shutdownDelayMs);
  }
  await keeping;
}
