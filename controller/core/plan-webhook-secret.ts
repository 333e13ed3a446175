// What to write into the Secret with the webhook's certificates. Whatever replica starts at whatever moment has nothing
// to serve but what it finds there. So a new CA enters it beside the certificate in use, and signs when it is trusted.

import {
  type CertificateObservation,
  describeValidity,
  fingerprintOf,
  isDue,
  isRemembered,
  isSafe,
  isUsable,
  isValid,
  unique,
} from './certificates.ts';

export interface WriteSecret {
  readonly type: 'WriteSecret';
  readonly authority: 'new' | 'kept';
  /** Fingerprints of the CAs that stay in ca.crt, after the active one. */
  readonly formers: readonly string[];
  /** `served`: what this replica serves goes into the Secret. */
  readonly serving: 'new' | 'kept' | 'served';
  /** What a new serving certificate is for. */
  readonly hosts: readonly string[];
  readonly why: string;
}

/** Why a former CA is dropped. */
export const UNNEEDED = 'nothing needs a former CA any more';
// Somebody who deletes the Secret over and over must not fill the configurations.
export const MOST_FORMERS = 8;

/** What the Secret lacks, one step at a time. */
export function planSecret(observed: CertificateObservation): WriteSecret | undefined {
  const authorityWhy = authorityReason(observed);
  if (authorityWhy !== undefined) return newAuthority(observed, authorityWhy);
  const servingWhy = servingReason(observed);
  return servingWhy === undefined ? forgetFormers(observed) : newServing(observed, servingWhy);
}

function authorityReason({ secret, now }: CertificateObservation): string | undefined {
  if (secret === undefined) return 'there was none';
  const [active] = secret.authorities;
  if (active === undefined) return 'ca.crt held no certificate that can be read';
  if (!secret.canSign) return 'ca.key was not the key of the first certificate in ca.crt';
  return isDue(active, now) ? `the CA ${describeValidity(active)}` : undefined;
}

function servingReason(observed: CertificateObservation): string | undefined {
  const { secret, now } = observed;
  const serving = secret?.serving;
  if (serving === undefined) return 'tls.crt held no certificate that can be read';
  if (!serving.hasKey) return 'tls.key was not the key of tls.crt';
  if (serving.issuer === undefined) return 'tls.crt was signed by no CA in ca.crt';
  if (serving.issuer !== secret?.authorities[0]?.fingerprint) return 'the CA is another by now';
  const missing = hostsOf(observed).filter((host) => !serving.hosts.includes(host));
  if (missing.length > 0) return `the certificate was not for ${missing.join(', ')}`;
  return isDue(serving, now) ? `the certificate ${describeValidity(serving)}` : undefined;
}

function newAuthority(observed: CertificateObservation, why: string): WriteSecret {
  const { secret, served, now } = observed;
  const carried = [served, secret?.serving].find((each) => each !== undefined && isUsable(each, now));
  const valid = (secret?.authorities ?? []).filter((each) => isValid(each, now));
  return {
    type: 'WriteSecret',
    authority: 'new',
    formers: unique([carried?.issuer, ...valid.map(fingerprintOf)]).slice(0, MOST_FORMERS),
    serving: carried === undefined ? 'new' : carried === served ? 'served' : 'kept',
    hosts: hostsOf(observed),
    why,
  };
}

function newServing(observed: CertificateObservation, why: string): WriteSecret | undefined {
  const { secret, served, now } = observed;
  const [active, ...formers] = (secret?.authorities ?? []).map(fingerprintOf);
  const write = { type: 'WriteSecret', authority: 'kept', formers, hosts: hostsOf(observed), why } as const;
  if (isSafe(observed, active)) return { ...write, serving: 'new' };
  // What is in use goes on until then.
  if (secret?.serving && isUsable(secret.serving, now)) return undefined;
  if (served === undefined || !isUsable(served, now)) return { ...write, serving: 'new' };
  const others = unique([served.issuer, ...formers]).filter((each) => each !== active);
  return { ...write, formers: others, serving: 'served' };
}

function forgetFormers(observed: CertificateObservation): WriteSecret | undefined {
  const { secret, served } = observed;
  const formers = (secret?.authorities ?? []).slice(1);
  const kept = formers.filter((each) => each.fingerprint === served?.issuer || isRemembered(observed, each));
  if (kept.length === formers.length) return undefined;
  const write = { type: 'WriteSecret', authority: 'kept', serving: 'kept', hosts: [] } as const;
  return { ...write, formers: kept.map(fingerprintOf), why: UNNEEDED };
}

function hostsOf({ trust, secret, served }: CertificateObservation): readonly string[] {
  const asked = trust.flatMap(({ webhooks }) => webhooks.map(({ host }) => host)).filter((host) => host !== '');
  // When admission was removed: as before.
  return asked.length > 0 ? unique(asked).sort() : (secret?.serving?.hosts ?? served?.hosts ?? []);
}
