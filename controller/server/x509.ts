// X.509 for the webhook: reads certificates as facts, and makes them. Reading is Node's own. The library that makes them
// is loaded when one has to be made, every two months: it would double the time that each start takes.

import { createPrivateKey, KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Certificate, CertificateMaterial, KeyPair, SecretContent, X509 } from '../app/certificate-ports.ts';
import type { ServingFacts, Validity } from '../core/certificates.ts';

// What every TLS client takes, and the smallest that they do: caBundles are part of each configuration that is watched.
const KEY = { name: 'ECDSA', namedCurve: 'P-256' };
const OPENSSL_CURVE = 'prime256v1';
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export const x509: X509 = { readBundle, readSecret, makeAuthority, makeServing };

function readBundle(pem: string): readonly Certificate[] {
  return parseAll(pem).map(toCertificate);
}

function readSecret(material: CertificateMaterial): SecretContent {
  const authorities = parseAll(material['ca.crt']).filter(({ ca }) => ca);
  const [active] = authorities;
  const key = parseKey(material['ca.key']);
  const isOfOurKind = key?.asymmetricKeyDetails?.namedCurve === OPENSSL_CURVE;
  return {
    authorities: authorities.map(toCertificate),
    canSign: key !== undefined && isOfOurKind && active?.checkPrivateKey(key) === true,
    serving: readServing(material, authorities),
  };
}

function readServing(material: CertificateMaterial, authorities: readonly X509Certificate[]): ServingFacts | undefined {
  // Intermediate CAs may follow it.
  const [leaf] = parseAll(material['tls.crt']);
  if (leaf === undefined) return undefined;
  const key = parseKey(material['tls.key']);
  const issuer = authorities.find((authority) => leaf.checkIssued(authority) && leaf.verify(authority.publicKey));
  return {
    fingerprint: leaf.fingerprint256,
    ...validityOf(leaf),
    hosts: hostsOf(leaf),
    issuer: issuer?.fingerprint256,
    hasKey: key !== undefined && leaf.checkPrivateKey(key),
  };
}

async function makeAuthority(validity: Validity): Promise<KeyPair> {
  const library = await loadLibrary();
  const { privateKey, publicKey } = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
  // A name of its own for each, so that nothing takes one for another.
  const name = `CN=config-rollout webhook CA ${new Date(validity.notBefore).toISOString()}`;
  const usages = library.KeyUsageFlags.keyCertSign | library.KeyUsageFlags.cRLSign;
  const certificate = await library.X509CertificateGenerator.create(
    {
      ...signedBy(privateKey, validity),
      subject: name,
      issuer: name,
      publicKey,
      extensions: [
        new library.BasicConstraintsExtension(true, 0, true),
        new library.KeyUsagesExtension(usages, true),
        await library.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return toPair(certificate.rawData, privateKey);
}

async function makeServing(authority: KeyPair, hosts: readonly string[], validity: Validity): Promise<KeyPair> {
  const library = await loadLibrary();
  const { privateKey, publicKey } = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
  const issuer = new library.X509Certificate(authority.cert);
  const issuerKey = createPrivateKey(authority.key).toCryptoKey(KEY, false, ['sign']);
  // Not computed anew from the key: a CA that somebody else made may have another one, and OpenSSL compares them.
  const keyId = issuer.getExtension(library.SubjectKeyIdentifierExtension)?.keyId;
  const names = hosts.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value }));
  const certificate = await library.X509CertificateGenerator.create(
    {
      ...signedBy(issuerKey, validity),
      subject: 'CN=config-rollout webhook',
      issuer: issuer.subjectName,
      publicKey,
      extensions: [
        new library.BasicConstraintsExtension(false, undefined, true),
        new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
        new library.ExtendedKeyUsageExtension([library.ExtendedKeyUsage.serverAuth]),
        ...(names.length > 0 ? [new library.SubjectAlternativeNameExtension(names)] : []),
        ...(keyId === undefined ? [] : [new library.AuthorityKeyIdentifierExtension(keyId)]),
        await library.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return toPair(certificate.rawData, privateKey);
}

async function loadLibrary() {
  // Asked for by what the library resolves its algorithms with.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

function signedBy(signingKey: webcrypto.CryptoKey, { notBefore, notAfter }: Validity) {
  return {
    signingKey,
    signingAlgorithm: { name: KEY.name, hash: 'SHA-256' },
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
  };
}

function toPair(certificate: ArrayBuffer, key: webcrypto.CryptoKey): KeyPair {
  return {
    cert: new X509Certificate(Buffer.from(certificate)).toString(),
    key: KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function toCertificate(certificate: X509Certificate): Certificate {
  return { fingerprint: certificate.fingerprint256, ...validityOf(certificate), pem: certificate.toString() };
}

function validityOf({ validFromDate, validToDate }: X509Certificate): Validity {
  return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
}

/** In the form in which URLs write them. */
function hostsOf({ subjectAltName = '' }: X509Certificate): readonly string[] {
  return subjectAltName.split(', ').flatMap((name) => {
    const [, kind, value = ''] = /^(DNS|IP Address):(.+)$/.exec(name) ?? [];
    if (kind === undefined) return [];
    return [isIP(value) === 6 ? new URL(`https://[${value}]`).hostname.slice(1, -1) : value.toLowerCase()];
  });
}

function parseAll(pem: string): readonly X509Certificate[] {
  return (pem.match(CERTIFICATE) ?? []).flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
