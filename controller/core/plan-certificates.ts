// What to do about the certificates of the admission webhook. On all replicas and at every moment, whoever asks has to
// trust the CA of what answers. So a new CA is first made known, and signs afterwards; another certificate is served only
// once its CA has been trusted for a while; and a CA that nothing needs is forgotten last.

import {
  type CertificateObservation,
  CONFIGURATION_KINDS,
  CONFIGURATION_NAME,
  type ConfigurationKind,
  describeValidity,
  fingerprintOf,
  isRemembered,
  isSafe,
  isTrusted,
  isUsable,
  isValid,
  type SecretFacts,
  type ServingFacts,
  unique,
  WEBHOOK_SECRET,
} from './certificates.ts';
import { MOST_FORMERS, planSecret, UNNEEDED, type WriteSecret } from './plan-webhook-secret.ts';
import { display } from './types.ts';

export interface PatchCaBundles {
  readonly type: 'PatchCaBundles';
  readonly kind: ConfigurationKind;
  /** Refuse the write when the object is no longer at this version. */
  readonly resourceVersion: string;
  /** Index of the webhook → fingerprints. */
  readonly bundles: ReadonlyMap<number, readonly string[]>;
  readonly why: string;
}

/** Serve: what the Secret holds, from now on. */
export type CertificateAction = { readonly type: 'Serve' } | PatchCaBundles | WriteSecret;

export interface CertificatePlan {
  readonly actions: readonly CertificateAction[];
  /** What this replica serves, once the plan is carried out, is trusted wherever it has to be. */
  readonly isTrusted: boolean;
  /** Look again after this many milliseconds, even when nothing changes. */
  readonly requeueAfterMs?: number;
  /** What only a person can mend. */
  readonly notes: readonly string[];
}

/** What to do now. Carrying out the plan leads to a world where the plan, in the end, is empty. */
export function planCertificates(observed: CertificateObservation): CertificatePlan {
  const { mode, secret, served, unchangedSince, graceMs, now } = observed;
  const candidate = nextServed(observed);
  const serve: CertificateAction[] = candidate ? [{ type: 'Serve' }] : [];
  const inUse = candidate ?? served;
  if (mode === 'external') return { actions: serve, isTrusted: inUse !== undefined, notes: externalNotes(secret, now) };
  const write = planSecret(observed);
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
  return isNothingLost || isSafe(observed, candidate.issuer) ? candidate : undefined;
}

// What is in ca.crt, and what this replica serves under, whoever wrote another Secret; the rest stays until all replicas
// have had the time to need it no more.
function bundlePatches(observed: CertificateObservation): PatchCaBundles[] {
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
    return bundles.size === 0 ? [] : [{ type: 'PatchCaBundles', kind, resourceVersion, bundles, why }];
  });
}

function externalNotes(secret: SecretFacts | undefined, now: number): readonly string[] {
  const name = display({ kind: 'Secret', name: WEBHOOK_SECRET });
  const serving = secret?.serving;
  const next = 'see why whoever writes it, such as cert-manager, does not';
  if (secret === undefined) return [`${name} does not exist; ${next}`];
  if (serving === undefined) return [`${name}: tls.crt holds no certificate that can be read; ${next}`];
  if (!serving.hasKey) return [`${name}: tls.key is not the key of tls.crt; ${next}`];
  return isValid(serving, now) ? [] : [`${name}: the certificate ${describeValidity(serving)}; ${next}`];
}
