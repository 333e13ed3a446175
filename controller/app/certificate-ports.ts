// What keeping certificates needs of a cluster and of X.509, and nothing more. kube/ and server/ implement it.

import type { CertificateFacts, ConfigurationKind, SecretFacts, TrustFacts, Validity } from '../core/certificates.ts';

/** The keys of the Secret → PEM; empty when there is none. Not for logs. */
export type CertificateMaterial = Readonly<Record<'ca.crt' | 'ca.key' | 'tls.crt' | 'tls.key', string>>;

/** PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface Certificate extends CertificateFacts {
  readonly pem: string;
}

export interface SecretContent extends SecretFacts {
  readonly authorities: readonly Certificate[];
}

export interface SecretRead {
  readonly resourceVersion: string;
  readonly material: CertificateMaterial;
  /** The whole object, for the writer: what else is in it stays. */
  readonly raw: unknown;
}

export interface TrustRead extends Omit<TrustFacts, 'webhooks'> {
  readonly webhooks: readonly {
    readonly host: string;
    /** PEM; empty when there is none. */
    readonly caBundle: string;
  }[];
}

/** All methods throw ClusterError, or the signal's reason, and nothing else. */
export interface CertificatePort {
  /** Undefined when there is none. */
  readSecret(signal?: AbortSignal): Promise<SecretRead | undefined>;
  /** Creates it (throws AlreadyExists), or replaces exactly the version that was read (throws Conflict). */
  writeSecret(material: CertificateMaterial, replaced: SecretRead | undefined, signal?: AbortSignal): Promise<void>;
  /** The webhook configurations that exist. */
  readTrust(signal?: AbortSignal): Promise<readonly TrustRead[]>;
  /** Writes PEM bundles by the webhook's index. Throws Conflict when the object is at another version. */
  patchTrust(
    target: { readonly kind: ConfigurationKind; readonly resourceVersion: string },
    bundles: ReadonlyMap<number, string>,
    signal?: AbortSignal,
  ): Promise<void>;
}

export interface X509 {
  /** The certificates of a PEM bundle, in order; what cannot be read is left out. */
  readBundle(pem: string): readonly Certificate[];
  readSecret(material: CertificateMaterial): SecretContent;
  makeAuthority(validity: Validity): Promise<KeyPair>;
  makeServing(authority: KeyPair, hosts: readonly string[], validity: Validity): Promise<KeyPair>;
}
