// The certificates of the admission webhook as facts: what the plan sees of the Secret, of the configurations that say
// whom API servers trust, and of what this replica serves; and what follows from these. No PEM here, and no key.

import { MANAGER } from './names.ts';

/** In the controller's own namespace; the layout is cert-manager's, and ca.key besides. */
export const WEBHOOK_SECRET = `${MANAGER}-webhook-tls`;
export const CONFIGURATION_KINDS = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const;
export type ConfigurationKind = (typeof CONFIGURATION_KINDS)[number];
/** Of both. */
export const CONFIGURATION_NAME = MANAGER;

export interface Validity {
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface CertificateFacts extends Validity {
  /** Tells certificates apart. */
  readonly fingerprint: string;
}

export interface ServingFacts extends CertificateFacts {
  /** DNS names and IP addresses that it is for. */
  readonly hosts: readonly string[];
  /** The fingerprint of the CA that signed it; undefined when that one is not at hand. */
  readonly issuer: string | undefined;
  readonly hasKey: boolean;
}

export interface SecretFacts {
  /** Of ca.crt, as far as they can be read: the active one, then former ones that are trusted still. */
  readonly authorities: readonly CertificateFacts[];
  /** ca.key is the key of the first, and of a kind that we sign with. */
  readonly canSign: boolean;
  readonly serving: ServingFacts | undefined;
}

/** A webhook configuration: where API servers call, and whom they trust there. */
export interface TrustFacts {
  readonly kind: ConfigurationKind;
  readonly resourceVersion: string;
  readonly webhooks: readonly { readonly host: string; readonly trusts: readonly CertificateFacts[] }[];
}

const DAY_MS = 24 * 3_600_000;

/**
 * How long certificates last; each is replaced when a third of that is left. The CA's key lies beside the other, so a
 * long life would protect nothing: a year means that a stolen one is worth no more, and that its rotation, three times in
 * two years, is nothing rare. A former CA has four months left, more than any certificate that it signed.
 */
export const LIFETIME_MS = { authority: 365 * DAY_MS, serving: 90 * DAY_MS } as const;

// For API servers whose clock is behind ours.
const SET_BACK_MS = 5 * 60_000;

/** The dates of a certificate that is made `now`. It does not outlive its `issuer`. */
export function validityOf(kind: keyof typeof LIFETIME_MS, now: number, issuer?: Validity): Validity {
  const notAfter = now + LIFETIME_MS[kind];
  return { notBefore: now - SET_BACK_MS, notAfter: Math.min(notAfter, issuer?.notAfter ?? notAfter) };
}

/** Valid at this moment. */
export function isValid({ notBefore, notAfter }: Validity, now: number): boolean {
  return notBefore <= now && now < notAfter;
}

/** Time to replace it: a third of its life is left, or it is not valid even now. */
export function isDue(validity: Validity, now: number): boolean {
  const { notBefore, notAfter } = validity;
  return !isValid(validity, now) || notAfter - now <= (notAfter - notBefore) / 3;
}

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

// Every replica looks every few seconds: when nothing has changed for so long, all serve what the Secret holds.
const FORGET_MS = 3_600_000;

/** A certificate that can be served: its key is there, and the CA that API servers have to trust. */
export function isUsable({ hasKey, issuer, ...validity }: ServingFacts, now: number): boolean {
  return hasKey && issuer !== undefined && isValid(validity, now);
}

/**
 * Every webhook has API servers trust that CA, for long enough that all of them know. The time counts from the last
 * change of any kind: what happened between two looks, nobody knows.
 */
export function isTrusted(
  { trust, unchangedSince, graceMs, now }: CertificateObservation,
  authority: string | undefined,
): boolean {
  if (authority === undefined || now - unchangedSince < graceMs) return false;
  return trust.every(({ webhooks }) => webhooks.every(({ trusts }) => trusts.map(fingerprintOf).includes(authority)));
}

/** What that CA signs can be served: it is trusted, or at least no less than what this replica serves under. */
export function isSafe(observed: CertificateObservation, authority: string | undefined): boolean {
  const { served, now } = observed;
  return (
    isTrusted(observed, authority) || (served !== undefined && served.issuer === authority && isUsable(served, now))
  );
}

/** Some replica may serve under that former CA still. Without a Secret nobody knows. */
export function isRemembered(
  { secret, unchangedSince, now }: CertificateObservation,
  former: CertificateFacts,
): boolean {
  if (!isValid(former, now)) return false;
  return secret?.authorities[0] === undefined || now - unchangedSince < FORGET_MS;
}

/** For maps and lists. */
export function fingerprintOf({ fingerprint }: CertificateFacts): string {
  return fingerprint;
}

/** For texts. */
export function describeValidity({ notBefore, notAfter }: Validity): string {
  return `is valid from ${new Date(notBefore).toISOString()} to ${new Date(notAfter).toISOString()}`;
}

/** Each once, in order. */
export function unique(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values)].filter((value) => value !== undefined);
}
