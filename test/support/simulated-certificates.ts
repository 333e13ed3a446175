// A Secret and two webhook configurations in memory, replicas that keep certificates there, and a clock. Nothing happens
// by itself: each request of a replica waits twice, on its way there and back, until a test lets it go on.

import { setImmediate as turn } from 'node:timers/promises';
import type {
  Certificate,
  CertificateMaterial,
  CertificatePort,
  SecretRead,
  TrustRead,
  X509,
} from '../../controller/app/certificate-ports.ts';
import { CertificateKeeper } from '../../controller/app/certificates.ts';
import { ClusterError } from '../../controller/app/errors.ts';
import {
  CONFIGURATION_KINDS,
  type ConfigurationKind,
  isValid,
  type ServingFacts,
} from '../../controller/core/certificates.ts';

export const GRACE_MS = 3000;
export const HOUR_MS = 3_600_000;
const SLOWEST_REQUEST_MS = 20_000;
const MOST_ROUNDS = 400;

/** Stands for X.509: a certificate is a line of JSON, its key the word of it. */
export function fakeX509(): X509 {
  let made = 0;
  const lines = (pem: string): FakeCertificate[] =>
    pem.split('\n').flatMap((line) => (line.startsWith('{"fingerprint"') ? [JSON.parse(line)] : []));
  const keyOf = ({ fingerprint }: { fingerprint: string }) => `the key of ${fingerprint}`;
  const toCertificate = ({ fingerprint, notBefore, notAfter }: FakeCertificate): Certificate => ({
    fingerprint,
    notBefore,
    notAfter,
    pem: `${JSON.stringify({ fingerprint, notBefore, notAfter })}\n`,
  });
  const pair = (fake: FakeCertificate) => ({ cert: `${JSON.stringify(fake)}\n`, key: keyOf(fake) });
  return {
    readBundle: (pem) => lines(pem).map(toCertificate),
    readSecret: (material) => {
      const authorities = lines(material['ca.crt']);
      const [active] = authorities;
      const [leaf] = lines(material['tls.crt']);
      return {
        authorities: authorities.map(toCertificate),
        canSign: active !== undefined && material['ca.key'] === keyOf(active),
        serving: leaf && {
          ...leaf,
          hosts: leaf.hosts ?? [],
          issuer: authorities.find(({ fingerprint }) => fingerprint === leaf.issuer)?.fingerprint,
          hasKey: material['tls.key'] === keyOf(leaf),
        },
      };
    },
    makeAuthority: async (validity) => pair({ fingerprint: `ca${++made}`, ...validity }),
    makeServing: async (authority, hosts, validity) => {
      const issuer = lines(authority.cert)[0]?.fingerprint ?? '?';
      return pair({ fingerprint: `${issuer}-leaf${++made}`, ...validity, issuer, hosts });
    },
  };
}

interface FakeCertificate {
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer?: string;
  readonly hosts?: readonly string[];
}

interface Configuration {
  readonly resourceVersion: string;
  readonly webhooks: readonly { readonly host: string; readonly caBundle: string }[];
}

interface Version {
  readonly at: number;
  readonly kind: ConfigurationKind;
  readonly configuration: Configuration | undefined;
}

interface Replica {
  readonly name: string;
  keeper: CertificateKeeper;
  /** The one whose requests go on; those of a process that was killed do not. */
  port: object;
  isReady: boolean;
  served: ServingFacts | undefined;
  dueAt: number;
  isLooking: boolean;
  hasFailed: boolean;
  lookedAt: number;
}

interface Waiting {
  readonly since: number;
  readonly port: object;
  readonly goOn: () => void;
}

export class SimulatedCertificates {
  now = Date.parse('2026-07-01T12:00:00Z');
  secret: { resourceVersion: number; material: CertificateMaterial } | undefined;
  readonly secrets: CertificateMaterial[] = [];
  readonly configurations = new Map<ConfigurationKind, Configuration>();
  readonly x509 = fakeX509();
  readonly replicas: Replica[];
  readonly writes: string[] = [];
  /** Warnings and errors. */
  readonly logged: string[] = [];
  /** All that is logged, with its fields. */
  readonly said: string[] = [];
  /** Promises that writes broke. */
  readonly broken: string[] = [];
  /** Thrown by the next requests whose name begins with it. */
  failing: { readonly request: string; readonly error: ClusterError } | undefined;
  readonly #mode: 'managed' | 'external';
  #waiting: Waiting[] = [];
  readonly #versions: Version[] = [];
  // When somebody took certificates out of a configuration by hand, and when every replica has mended it since.
  #spoiltAt = 0;
  #mendedAt = Number.POSITIVE_INFINITY;
  // Then it may hold what nobody has seen coming.
  #isSecretByHand = false;
  #counter = 0;

  constructor(replicas: number, mode: 'managed' | 'external' = 'managed') {
    this.#mode = mode;
    for (const kind of CONFIGURATION_KINDS) this.configure(kind, [{ host: 'hook.ours.svc', caBundle: '' }]);
    this.replicas = Array.from({ length: replicas }, (_, index) => this.#start(`replica-${index}`));
  }

  /** By hand, or by an apply: undefined deletes it. */
  configure(kind: ConfigurationKind, webhooks: Configuration['webhooks'] | undefined): void {
    this.#spoiltAt = this.now + 1;
    this.#mendedAt = Number.POSITIVE_INFINITY;
    this.#setConfiguration(kind, webhooks);
  }

  /** By hand. */
  putSecret(material: CertificateMaterial | undefined): void {
    this.#isSecretByHand = true;
    this.secret = material && { resourceVersion: ++this.#counter, material };
  }

  /** Kills the process, whatever it was doing, and starts another. */
  restart(index: number): void {
    const old = this.replicas[index];
    if (old === undefined) return;
    this.#waiting = this.#waiting.filter(({ port }) => port !== old.port);
    this.replicas[index] = this.#start(old.name);
  }

  /** Lets time pass, and those look whose time has come. */
  async wait(ms: number): Promise<void> {
    for (const late of this.#waiting.filter(({ since }) => this.now - since >= SLOWEST_REQUEST_MS))
      await this.#goOn(late);
    this.now += ms;
    for (const replica of this.replicas) if (!replica.isLooking && replica.dueAt <= this.now) this.#look(replica);
    await turn();
  }

  /** Lets one of the requests under way go on. */
  async release(which: number): Promise<void> {
    const chosen = this.#waiting[which % Math.max(1, this.#waiting.length)];
    if (chosen) await this.#goOn(chosen);
  }

  /** Lets all requests under way come to their ends. */
  async drain(onMoment: () => void = () => undefined): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.release(0);
      onMoment();
    }
  }

  /** Until everybody serves the same, what they look at is right, and nobody writes any more. */
  async settle(onMoment: () => void = () => undefined): Promise<void> {
    let quiet = 0;
    for (let round = 0; quiet < 3 * this.replicas.length + 3; round++) {
      if (round > MOST_ROUNDS) throw new Error(`no rest after ${round} rounds: ${this.writes.slice(-20).join('; ')}`);
      const writes = this.writes.length;
      await this.wait(Math.max(0, Math.min(...this.replicas.map(({ dueAt }) => dueAt)) - this.now));
      await this.drain(onMoment);
      quiet = this.writes.length === writes ? quiet + 1 : 0;
    }
  }

  /** What is wrong at this moment for API servers that learn of each change within the time that they are given. */
  troubles(): string[] {
    const refused = this.replicas.flatMap(({ name, isReady, served }) => {
      if (!isReady) return [];
      if (served === undefined || !isValid(served, this.now)) return [`${name} has nothing valid to serve`];
      return this.#refusals(served).map((refusal) => `${name} serves ${refusal}`);
    });
    return [...refused, ...this.broken];
  }

  #refusals(served: ServingFacts): string[] {
    const from = Math.max(this.now - GRACE_MS, this.#mendedAt);
    const inEffect = CONFIGURATION_KINDS.flatMap((kind) => {
      const versions = this.#versions.filter((version) => version.kind === kind);
      return versions.filter((_, index) => from <= this.now && (versions[index + 1]?.at ?? this.now + 1) > from);
    });
    return inEffect
      .filter(({ configuration }) => !this.#trusts(configuration, served))
      .map(({ kind, at }) => `${served.fingerprint}, untrusted by the ${kind} of ${at - this.now} ms`);
  }

  authorities(): readonly string[] {
    return this.#names(this.secret?.material['ca.crt'] ?? '');
  }

  serving(): ServingFacts | undefined {
    return this.secret && this.x509.readSecret(this.secret.material).serving;
  }

  bundles(): readonly (readonly string[])[] {
    return [...this.configurations.values()].flatMap(({ webhooks }) =>
      webhooks.map(({ caBundle }) => this.#names(caBundle)),
    );
  }

  #trusts(configuration: Configuration | undefined, { issuer }: ServingFacts): boolean {
    return (configuration?.webhooks ?? []).every(({ caBundle }) =>
      this.x509.readBundle(caBundle).some(({ fingerprint }) => fingerprint === issuer),
    );
  }

  #setConfiguration(kind: ConfigurationKind, webhooks: Configuration['webhooks'] | undefined): void {
    const configuration = webhooks && { resourceVersion: `${++this.#counter}`, webhooks };
    if (configuration) this.configurations.set(kind, configuration);
    else this.configurations.delete(kind);
    this.#versions.push({ at: this.now, kind, configuration });
  }

  #start(name: string): Replica {
    const port = this.#port();
    const replica: Replica = {
      name,
      port,
      isReady: false,
      served: undefined,
      dueAt: this.now,
      isLooking: false,
      hasFailed: false,
      lookedAt: 0,
      keeper: new CertificateKeeper({
        port,
        x509: this.x509,
        mode: this.#mode,
        log: (level, message, fields) => {
          this.said.push(`${level}: ${message} ${JSON.stringify(fields)}`);
          if (message.startsWith('cannot')) replica.hasFailed = true;
          if (level === 'warn' || level === 'error') this.logged.push(`${level}: ${message}`);
        },
        now: () => this.now,
        graceMs: GRACE_MS,
        onCertificate: ({ cert, key }) => {
          // As the server would refuse it.
          const material = { 'ca.crt': this.everyAuthority(), 'ca.key': '', 'tls.crt': cert, 'tls.key': key };
          const { serving } = this.x509.readSecret(material);
          if (serving?.hasKey !== true) throw new Error('that is no certificate with its key');
          replica.served = serving;
        },
      }),
    };
    void replica.keeper.ready.then(() => {
      replica.isReady = true;
    });
    return replica;
  }

  everyAuthority(): string {
    return [...this.secrets.map((material) => material['ca.crt']), this.secret?.material['ca.crt'] ?? ''].join('\n');
  }

  #look(replica: Replica): void {
    const startedAt = this.now;
    replica.isLooking = true;
    replica.hasFailed = false;
    void replica.keeper.look().then((waitMs) => {
      replica.isLooking = false;
      replica.dueAt = this.now + waitMs;
      if (!replica.hasFailed) replica.lookedAt = startedAt;
      const isMended = this.replicas.every(({ lookedAt }) => lookedAt >= this.#spoiltAt);
      if (isMended) this.#mendedAt = Math.min(this.#mendedAt, this.now);
    });
  }

  async #goOn(waiting: Waiting): Promise<void> {
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
    waiting.goOn();
    await turn();
  }

  #port(): CertificatePort {
    const request = async <T>(name: string, perform: () => T): Promise<T> => {
      await this.#delay(port);
      const failure = this.failing && name.startsWith(this.failing.request) ? this.failing.error : undefined;
      const outcome = failure ? { error: failure } : attempt(perform);
      await this.#delay(port);
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    };
    const port: CertificatePort = {
      readSecret: () => request('read secret', () => this.#readSecret()),
      writeSecret: (material, replaced) => request('write secret', () => this.#writeSecret(port, material, replaced)),
      readTrust: () =>
        request('read trust', () =>
          [...this.configurations].map(([kind, configuration]): TrustRead => ({ kind, ...configuration })),
        ),
      patchTrust: ({ kind, resourceVersion }, bundles) =>
        request('patch trust', () => this.#patchTrust(kind, resourceVersion, bundles)),
    };
    return port;
  }

  #delay(port: object): Promise<void> {
    return new Promise((goOn) => this.#waiting.push({ since: this.now, port, goOn }));
  }

  #readSecret(): SecretRead | undefined {
    const raw = this.secret;
    return raw && { resourceVersion: `${raw.resourceVersion}`, material: raw.material, raw };
  }

  #writeSecret(port: object, material: CertificateMaterial, replaced: SecretRead | undefined): void {
    if (replaced === undefined && this.secret !== undefined) throw new ClusterError('AlreadyExists', 'it is there');
    const read = replaced?.raw as { resourceVersion: number } | undefined;
    if (read?.resourceVersion !== this.secret?.resourceVersion) throw new ClusterError('Conflict', 'it has changed');
    this.secret = { resourceVersion: ++this.#counter, material };
    this.#isSecretByHand = false;
    this.secrets.push(material);
    this.writes.push(`secret: ${this.authorities().join(' ')}, serving ${this.serving()?.fingerprint}`);
    // Whoever starts now serves that. One who serves something can tell whether it is trusted.
    const isKnowing = this.replicas.some((replica) => replica.port === port && replica.isReady);
    const serving = this.serving();
    if (isKnowing && serving)
      this.broken.push(...this.#refusals(serving).map((refusal) => `the Secret has ${refusal}`));
  }

  #patchTrust(kind: ConfigurationKind, resourceVersion: string, bundles: ReadonlyMap<number, string>): void {
    const configuration = this.configurations.get(kind);
    if (configuration?.resourceVersion !== resourceVersion) throw new ClusterError('Conflict', 'it has changed');
    const webhooks = configuration.webhooks.map(({ host, caBundle }, index) => {
      const written = bundles.get(index) ?? caBundle;
      const kept = this.#names(written);
      const lost = this.#names(caBundle).filter((name) => this.authorities().includes(name) && !kept.includes(name));
      if (lost.length > 0 && !this.#isSecretByHand)
        this.broken.push(`the ${kind} lost ${lost.join(', ')}, which the Secret has`);
      return { host, caBundle: written };
    });
    this.#setConfiguration(kind, webhooks);
    const names = [...bundles.values()].map((pem) => this.#names(pem).join(' '));
    this.writes.push(`${kind.slice(0, 3).toLowerCase()}: ${names.join(' | ')}`);
  }

  #names(pem: string): string[] {
    return this.x509.readBundle(pem).map(({ fingerprint }) => fingerprint);
  }
}

function attempt<T>(perform: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: perform() };
  } catch (error) {
    return { error };
  }
}
