// One look at the Secret and the webhook configurations, as the plan wants to see them; and what only one who has looked
// before can tell: since when they are as they are.

import type { CertificateObservation, ServingFacts } from '../core/certificates.ts';
import type { CertificatePort, KeyPair, SecretRead, X509 } from './certificate-ports.ts';

/** What this replica serves. Kept in memory, so that it survives the Secret. */
export interface Served {
  readonly facts: ServingFacts;
  readonly pair: KeyPair;
  /** The CA that signed it, PEM. */
  readonly authority: string | undefined;
}

export interface CertificateLook {
  readonly observation: CertificateObservation;
  readonly secret: SecretRead | undefined;
  /** Fingerprint → PEM of every CA in sight. */
  readonly authorities: ReadonlyMap<string, string>;
}

export interface CertificateObserverOptions {
  readonly port: CertificatePort;
  readonly x509: X509;
  readonly mode: CertificateObservation['mode'];
  readonly graceMs: number;
  readonly now: () => number;
}

export class CertificateObserver {
  readonly #options: CertificateObserverOptions;
  #versions: string | undefined;
  #unchangedSince = 0;

  constructor(options: CertificateObserverOptions) {
    this.#options = options;
  }

  async observe(served: Served | undefined, signal?: AbortSignal): Promise<CertificateLook> {
    const { port, x509, mode, graceMs, now: clock } = this.#options;
    // In this order: a CA is in the Secret before it is in a configuration, so what only the latter has is a former one.
    const trustRead = mode === 'managed' ? await port.readTrust(signal) : [];
    const now = clock();
    const secretRead = await port.readSecret(signal);
    const secret = secretRead && x509.readSecret(secretRead.material);
    const trust = trustRead.map(({ webhooks, ...rest }) => ({
      ...rest,
      webhooks: webhooks.map(({ host, caBundle }) => ({ host, trusts: x509.readBundle(caBundle) })),
    }));
    const unchangedSince = this.#noteVersions([...trustRead, secretRead], now);
    const observation = { mode, secret, trust, served: served?.facts, unchangedSince, graceMs, now };
    const trusted = trust.flatMap(({ webhooks }) => webhooks.flatMap(({ trusts }) => trusts));
    const authorities = new Map(
      [...trusted, ...(secret?.authorities ?? [])].map(({ fingerprint, pem }) => [fingerprint, pem]),
    );
    const issuer = served?.facts.issuer;
    if (issuer !== undefined && served?.authority !== undefined) authorities.set(issuer, served.authority);
    return { observation, secret: secretRead, authorities };
  }

  // By version, not by content: what was there between two looks may still be on its way to an API server.
  #noteVersions(read: readonly ({ readonly resourceVersion: string } | undefined)[], now: number): number {
    const versions = read.map((each) => each?.resourceVersion).join();
    // A clock that was set back says nothing of how long it is: that counts anew.
    if (versions !== this.#versions || now < this.#unchangedSince) this.#unchangedSince = now;
    this.#versions = versions;
    return this.#unchangedSince;
  }
}
