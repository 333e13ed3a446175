// What to do about the certificates of the admission webhook. On all replicas and at every moment, whoever asks has to
// trust the CA of what answers. So a new CA is first made known, and signs afterwards; another certificate is served only
// once its CA has been trusted for a while; and a CA that nothing needs is forgotten last.

import {
  type CertificateFacts,
  CONFIGURATION_KINDS,
  CONFIGURATION_NAME,
  type ConfigurationKind,
  isDue,
  isValid,
  type SecretFacts,
  type ServingFacts,
  type TrustFacts,
  WEBHOOK_SECRET,
} from './certificates.ts';
import { display } from './types.ts';

export interface CertificateObservation {
  /** `external`: somebody else, such as cert-manager, writes the Secret and the configurations. */
  readonly mode: 'managed' | 'external';
  readonly secret: SecretFacts | undefined;
  /** Of the configurations that exist. Read before the Secret: what they trust, the Secret knew before. */
  readonly trust: readonly TrustFacts[];
  /** What this replica serves. */
  readonly served: ServingFacts | undefined;
  /** Since when this replica has seen the Secret and the configurations as they are. */
  readonly unchangedSince: number;
  /** How long API servers may take to learn whom to trust. */
  readonly graceMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type CertificateAction =
  /** Serve what the Secret holds. */
  | { readonly type: 'Serve' }
  | {
      readonly type: 'PatchCaBundles';
      readonly kind: ConfigurationKind;
      /** Refuse the write when the object is no longer at this version. */
      readonly resourceVersion: string;
      /** Index of the webhook → fingerprints. */
      readonly bundles: ReadonlyMap<number, readonly string[]>;
      readonly why: string;
    }
  | {
      readonly type: 'WriteSecret';
      readonly authority: 'new' | 'kept';
      /** Fingerprints of the CAs that stay in ca.crt, after the active one. */
      readonly formers: readonly string[];
      /** `served`: what this replica serves goes into the Secret. */
      readonly serving: 'new' | 'kept' | 'served';
      /** What a new serving certificate is for. */
      readonly hosts: readonly string[];
      readonly why: string;
    };

export interface CertificatePlan {
  readonly actions: readonly CertificateAction[];
  /** What this replica serves, once the plan is carried out, is trusted wherever it has to be. */
  readonly isTrusted: boolean;
  /** Look again after this many milliseconds, even when nothing changes. */
  readonly requeueAfterMs?: number;
  /** What only a person can mend. */
  readonly notes: readonly string[];
}

type WriteSecret = Extract<CertificateAction, { type: 'WriteSecret' }>;

// Every replica looks every few seconds: when nothing has changed for so long, all serve what the Secret holds.
const FORGET_MS = 3_600_000;
// Somebody who deletes the Secret over and over must not fill the configurations.
const MOST_FORMERS = 8;
const UNNEEDED = 'nothing needs a former CA any more';

/** What to do now. Carrying out the plan leads to a world where the plan, in the end, is empty. */
export function planCertificates(observed: CertificateObservation): CertificatePlan {
  const { mode, secret, served, unchangedSince, graceMs, now } = observed;
  const candidate = nextServed(observed);
  const serve: CertificateAction[] = candidate ? [{ type: 'Serve' }] : [];
  const inUse = candidate ?? served;
  if (mode === 'external') return { actions: serve, isTrusted: inUse !== undefined, notes: externalNotes(secret, now) };
  const write = secretWrite(observed);
  const graceLeft = unchangedSince + graceMs - now;
  return {
    actions: [...serve, ...bundlePatches(observed), ...(write ? [write] : [])],
    isTrusted: isTrusted(observed, inUse?.issuer),
    ...(graceLeft > 0 && { requeueAfterMs: graceLeft }),
    notes: CONFIGURATION_KINDS.filter((kind) => !observed.trust.some((each) => each.kind === kind)).map(
      (kind) =>
        `${display({ kind, name: CONFIGURATION_NAME })} does not exist, so the API server does not ask for admission there; apply the manifests to have it again`,
    ),
  };
}

// What the Secret holds, when it should be served and is not.
function nextServed(observed: CertificateObservation): ServingFacts | undefined {
  const { mode, secret, served, now } = observed;
  const candidate = secret?.serving;
  if (candidate === undefined || candidate.fingerprint === served?.fingerprint) return undefined;
  if (mode === 'external') return candidate.hasKey && isValid(candidate, now) ? candidate : undefined;
  if (!isUsable(candidate, now)) return undefined;
  const isNothingLost = served === undefined || !isValid(served, now);
  return isNothingLost || isTrusted(observed, candidate.issuer) ? candidate : undefined;
}

function isUsable({ hasKey, issuer, ...validity }: ServingFacts, now: number): boolean {
  return hasKey && issuer !== undefined && isValid(validity, now);
}

// By every webhook, and for long enough that every API server knows. The time counts from the last change of any kind:
// what happened between two looks, nobody knows.
function isTrusted(
  { trust, unchangedSince, graceMs, now }: CertificateObservation,
  issuer: string | undefined,
): boolean {
  if (issuer === undefined || now - unchangedSince < graceMs) return false;
  return trust.every(({ webhooks }) => webhooks.every(({ trusts }) => trusts.map(fingerprintOf).includes(issuer)));
}

function secretWrite(observed: CertificateObservation): WriteSecret | undefined {
  const { secret, served, now } = observed;
  const [active, ...formers] = secret?.authorities ?? [];
  const authorityWhy = authorityReason(secret, now);
  const why = authorityWhy ?? servingReason(observed, active?.fingerprint);
  if (why === undefined) return forgetFormers(observed, formers);
  // Until the active CA is trusted, something else is served on: a replica that starts finds nothing but the Secret.
  const carried =
    authorityWhy === undefined && isTrusted(observed, active?.fingerprint)
      ? undefined
      : [served, secret?.serving].find((each) => each !== undefined && isUsable(each, now));
  if (authorityWhy === undefined && carried && secret?.serving && isUsable(secret.serving, now)) return undefined;
  const kept = authorityWhy === undefined ? formers : (secret?.authorities ?? []);
  const valid = kept.filter((each) => isValid(each, now)).map(fingerprintOf);
  const all = unique([carried?.issuer, ...valid]).slice(0, MOST_FORMERS);
  return {
    type: 'WriteSecret',
    authority: authorityWhy === undefined ? 'kept' : 'new',
    formers: authorityWhy === undefined ? all.filter((each) => each !== active?.fingerprint) : all,
    serving: carried === undefined ? 'new' : carried === served ? 'served' : 'kept',
    hosts: hostsOf(observed),
    why,
  };
}

function forgetFormers(
  observed: CertificateObservation,
  formers: readonly CertificateFacts[],
): WriteSecret | undefined {
  const needed = [observed.secret?.serving?.issuer, observed.served?.issuer];
  const kept = formers.filter((each) => needed.includes(each.fingerprint) || isRemembered(observed, each));
  if (kept.length === formers.length) return undefined;
  const why = UNNEEDED;
  return { type: 'WriteSecret', authority: 'kept', formers: kept.map(fingerprintOf), serving: 'kept', hosts: [], why };
}

function authorityReason(secret: SecretFacts | undefined, now: number): string | undefined {
  if (secret === undefined) return 'there was none';
  const [active] = secret.authorities;
  if (active === undefined) return 'ca.crt held no certificate that can be read';
  if (!secret.canSign) return 'ca.key was not the key of the first certificate in ca.crt';
  return isDue(active, now) ? `the CA ${ends(active)}` : undefined;
}

function servingReason(observed: CertificateObservation, active: string | undefined): string | undefined {
  const { secret, now } = observed;
  const serving = secret?.serving;
  if (serving === undefined) return 'tls.crt held no certificate that can be read';
  if (!serving.hasKey) return 'tls.key was not the key of tls.crt';
  if (serving.issuer === undefined) return 'tls.crt was signed by no CA in ca.crt';
  if (!isValid(serving, now)) return `the certificate ${ends(serving)}`;
  if (serving.issuer !== active) return isTrusted(observed, active) ? 'the new CA is trusted by now' : undefined;
  const missing = hostsOf(observed).filter((host) => !serving.hosts.includes(host));
  if (missing.length > 0) return `the certificate was not for ${missing.join(', ')}`;
  return isDue(serving, now) ? `the certificate ${ends(serving)}` : undefined;
}

// What is in ca.crt, and what this replica serves under, whoever wrote another Secret; the rest stays until all replicas
// have had the time to need it no more.
function bundlePatches(observed: CertificateObservation): CertificateAction[] {
  const { secret, served, trust, now } = observed;
  const ours = served && isValid(served, now) ? served.issuer : undefined;
  const wanted = unique([...(secret?.authorities ?? []).map(fingerprintOf), ours]);
  return trust.flatMap(({ kind, resourceVersion, webhooks }) => {
    const bundles = new Map<number, readonly string[]>();
    let isMissing = false;
    webhooks.forEach(({ trusts }, index) => {
      const others = trusts.filter(({ fingerprint }) => !wanted.includes(fingerprint));
      const kept = others
        .filter((each) => isRemembered(observed, each))
        .sort((one, other) => other.notBefore - one.notBefore)
        .slice(0, MOST_FORMERS)
        .map(fingerprintOf);
      const present = trusts.map(fingerprintOf);
      const misses = wanted.some((each) => !present.includes(each));
      if (!misses && kept.length === others.length) return;
      isMissing ||= misses;
      bundles.set(index, [...wanted, ...kept]);
    });
    const why = isMissing ? 'it did not trust all that may answer' : UNNEEDED;
    return bundles.size === 0 ? [] : [{ type: 'PatchCaBundles' as const, kind, resourceVersion, bundles, why }];
  });
}

// Whether a former CA stays. Without a Secret nobody knows what is needed.
function isRemembered({ secret, unchangedSince, now }: CertificateObservation, former: CertificateFacts): boolean {
  if (!isValid(former, now)) return false;
  return secret?.authorities[0] === undefined || now - unchangedSince < FORGET_MS;
}

function hostsOf({ trust, secret, served }: CertificateObservation): readonly string[] {
  const asked = trust.flatMap(({ webhooks }) => webhooks.map(({ host }) => host)).filter((host) => host !== '');
  // Admission was removed: what there was goes on.
  return asked.length > 0 ? unique(asked).sort() : (secret?.serving?.hosts ?? served?.hosts ?? []);
}

function externalNotes(secret: SecretFacts | undefined, now: number): readonly string[] {
  const name = display({ kind: 'Secret', name: WEBHOOK_SECRET });
  const serving = secret?.serving;
  const next = 'see why whoever writes it, such as cert-manager, does not';
  if (secret === undefined) return [`${name} does not exist; ${next}`];
  if (serving === undefined) return [`${name}: tls.crt holds no certificate that can be read; ${next}`];
  if (!serving.hasKey) return [`${name}: tls.key is not the key of tls.crt; ${next}`];
  return isValid(serving, now) ? [] : [`${name}: the certificate ${ends(serving)}; ${next}`];
}

function ends({ notBefore, notAfter }: CertificateFacts): string {
  return `is valid from ${new Date(notBefore).toISOString()} to ${new Date(notAfter).toISOString()}`;
}

function fingerprintOf({ fingerprint }: CertificateFacts): string {
  return fingerprint;
}

function unique(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values)].filter((value) => value !== undefined);
}
