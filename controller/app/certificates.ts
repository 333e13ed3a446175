// Keeps the webhook's certificates: looks every few seconds, plans, and carries the plan out. Any number of replicas do
// so at once, without a leader: writes are guarded by the version that was read, and whoever loses a race looks again.

import { type CertificateObservation, CONFIGURATION_NAME, validityOf, WEBHOOK_SECRET } from '../core/certificates.ts';
import { type CertificateAction, planCertificates } from '../core/plan-certificates.ts';
import type { WriteSecret } from '../core/plan-webhook-secret.ts';
import { display } from '../core/types.ts';
import { Backoff, sleep } from '../runtime/backoff.ts';
import { messageOf, retryAfterOf } from '../runtime/failure.ts';
import type { Log } from '../runtime/log.ts';
import type { CertificateMaterial, CertificatePort, KeyPair, X509 } from './certificate-ports.ts';
import { isFailure } from './errors.ts';
import { type CertificateLook, CertificateObserver, type Served } from './observe-certificates.ts';

export interface CertificateKeeperOptions {
  readonly port: CertificatePort;
  readonly x509: X509;
  /** `external`: somebody else, such as cert-manager, writes; the Secret is served, and nothing is written. */
  readonly mode: CertificateObservation['mode'];
  readonly log: Log;
  readonly now: () => number;
  /** Takes each new certificate, to answer with it from then on. */
  readonly onCertificate: (pair: KeyPair) => void;
  /** Between looks; default 10 s. */
  readonly intervalMs?: number;
  /** How long API servers may take to learn of a new caBundle, by watch; default 3 s. */
  readonly graceMs?: number;
}

const INTERVAL_MS = 10_000;
const GRACE_MS = 3000;
// After writes, too: somebody who undoes each of ours must not make us spin.
const RETRY = { minimumMs: 100, maximumMs: 60_000 };

export class CertificateKeeper {
  /** Resolves when what is served is trusted, for `graceMs`, by every webhook configuration that there is. */
  readonly ready: Promise<void>;
  readonly #options: CertificateKeeperOptions;
  readonly #observer: CertificateObserver;
  readonly #intervalMs: number;
  readonly #backoff = new Backoff(RETRY);
  readonly #resolveReady: () => void;
  readonly #failures = new Set<string>();
  #notes: readonly string[] = [];
  #served: Served | undefined;

  constructor(options: CertificateKeeperOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.#observer = new CertificateObserver({ ...options, graceMs: options.graceMs ?? GRACE_MS });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#resolveReady = resolve;
  }

  /** Runs until `signal` aborts. Never rejects: what fails is logged, once, and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await sleep(await this.look(signal), signal);
  }

  /** Looks once, and does what is to be done. Resolves with the time until the next look, in ms. Never rejects. */
  async look(signal?: AbortSignal): Promise<number> {
    try {
      const waitMs = await this.#lookAndAct(signal);
      if (this.#failures.size > 0) this.#options.log('info', 'the certificate of the webhook is kept again');
      this.#failures.clear();
      return waitMs;
    } catch (error) {
      if (signal?.aborted) return 0;
      const waitMs = Math.max(this.#backoff.next(), retryAfterOf(error) ?? 0);
      this.#report(error, waitMs);
      return waitMs;
    }
  }

  async #lookAndAct(signal: AbortSignal | undefined): Promise<number> {
    const look = await this.#observer.observe(this.#served, signal);
    const { actions, notes, isTrusted, requeueAfterMs = this.#intervalMs } = planCertificates(look.observation);
    for (const note of notes) if (!this.#notes.includes(note)) this.#options.log('warn', note);
    this.#notes = notes;
    // None needs another to succeed: a configuration that cannot be written must not let the certificate run out.
    const failures: unknown[] = [];
    for (const action of actions) await this.#carryOut(action, look, signal).catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    if (isTrusted) this.#resolveReady();
    if (actions.some(({ type }) => type !== 'Serve')) return this.#backoff.next();
    this.#backoff.reset();
    return Math.min(requeueAfterMs, this.#intervalMs);
  }

  async #carryOut(action: CertificateAction, look: CertificateLook, signal: AbortSignal | undefined): Promise<void> {
    const { port, log } = this.#options;
    switch (action.type) {
      case 'Serve':
        this.#serve(look);
        return;
      case 'PatchCaBundles': {
        const bundles = [...action.bundles].map(([index, bundle]) => [index, pemOf(look, bundle)] as const);
        await port.patchTrust(action, new Map(bundles), signal);
        const object = display({ kind: action.kind, name: CONFIGURATION_NAME });
        log('info', 'caBundle written', { object, reason: action.why });
        return;
      }
      case 'WriteSecret':
        await port.writeSecret(await this.#makeMaterial(action, look), look.secret, signal);
        log('info', 'certificate written', { object: `secret/${WEBHOOK_SECRET}`, reason: action.why });
        return;
      default:
        return action satisfies never;
    }
  }

  #serve({ observation, secret, authorities }: CertificateLook): void {
    const facts = observation.secret?.serving;
    if (facts === undefined || secret === undefined) return;
    const pair = pairOf(secret.material);
    this.#options.onCertificate(pair);
    this.#served = { facts, pair, authority: facts.issuer && authorities.get(facts.issuer) };
    const notAfter = new Date(facts.notAfter).toISOString();
    this.#options.log('info', 'serving a certificate', { hosts: facts.hosts.join(', '), notAfter });
  }

  async #makeMaterial(action: WriteSecret, look: CertificateLook): Promise<CertificateMaterial> {
    const { x509 } = this.#options;
    const { now, secret } = look.observation;
    const kept = look.secret?.material ?? NO_MATERIAL;
    const [active] = secret?.authorities ?? [];
    const isNew = action.authority === 'new' || active === undefined;
    const validity = isNew ? validityOf('authority', now) : active;
    const authority = isNew
      ? await x509.makeAuthority(validity)
      : { cert: pemOf(look, [active.fingerprint]), key: kept['ca.key'] };
    const makeServing = () => x509.makeServing(authority, action.hosts, validityOf('serving', now, validity));
    const carried = action.serving === 'served' ? this.#served?.pair : pairOf(kept);
    const serving = action.serving === 'new' || carried === undefined ? await makeServing() : carried;
    return {
      'ca.crt': authority.cert + pemOf(look, action.formers),
      'ca.key': authority.key,
      'tls.crt': serving.cert,
      'tls.key': serving.key,
    };
  }

  // A conflict is the normal end of a race.
  #report(error: unknown, retryInMs: number): void {
    const isRace = isFailure(error, 'Conflict') || isFailure(error, 'AlreadyExists');
    const message = messageOf(error);
    const isLoud = !isRace && !this.#failures.has(message);
    if (!isRace) this.#failures.add(message);
    const next = isFailure(error, 'Forbidden') ? '; grant what the rules of the manifests grant' : '';
    const text = `cannot keep the certificate of the webhook: ${message}${next}; retrying`;
    this.#options.log(isLoud ? 'error' : 'debug', text, { retryInMs: Math.round(retryInMs) });
  }
}

const NO_MATERIAL: CertificateMaterial = { 'ca.crt': '', 'ca.key': '', 'tls.crt': '', 'tls.key': '' };

function pairOf(material: CertificateMaterial): KeyPair {
  return { cert: material['tls.crt'], key: material['tls.key'] };
}

function pemOf({ authorities }: CertificateLook, fingerprints: readonly string[]): string {
  return fingerprints.map((fingerprint) => authorities.get(fingerprint) ?? '').join('');
}
