// Real X.509: certificates as made, read back, and used between a real server and a client that is as strict as Go's.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { CertificateMaterial, KeyPair } from '../../controller/app/certificate-ports.ts';
import { validityOf } from '../../controller/core/certificates.ts';
import { x509 } from '../../controller/server/x509.ts';

const NOW = Math.floor(Date.now() / 1000) * 1000;
const DAY = 24 * 3_600_000;
const HOSTS = ['127.0.0.1', '::1', 'hook.config-rollout.svc'];

let authority: KeyPair;
let serving: KeyPair;
let other: KeyPair;

const materialOf = (changes: Partial<CertificateMaterial> = {}): CertificateMaterial => ({
  'ca.crt': authority.cert,
  'ca.key': authority.key,
  'tls.crt': serving.cert,
  'tls.key': serving.key,
  ...changes,
});
const read = (changes: Partial<CertificateMaterial> = {}) => x509.readSecret(materialOf(changes));
const fingerprintOf = (pem: string) => new X509Certificate(pem).fingerprint256;

beforeAll(async () => {
  const validity = validityOf('authority', NOW);
  authority = await x509.makeAuthority(validity);
  other = await x509.makeAuthority(validityOf('authority', NOW));
  serving = await x509.makeServing(authority, HOSTS, validityOf('serving', NOW, validity));
});

describe('what is made', () => {
  test('reads back as what was asked for', () => {
    expect(read()).toEqual({
      authorities: [
        {
          fingerprint: fingerprintOf(authority.cert),
          notBefore: NOW - 300_000,
          notAfter: NOW + 365 * DAY,
          pem: authority.cert,
        },
      ],
      canSign: true,
      serving: {
        fingerprint: fingerprintOf(serving.cert),
        notBefore: NOW - 300_000,
        notAfter: NOW + 90 * DAY,
        hosts: HOSTS,
        issuer: fingerprintOf(authority.cert),
        hasKey: true,
      },
    });
  });

  test('is a CA that signs no other CA, and a certificate of the same curve for servers only', () => {
    const [ca, leaf] = [new X509Certificate(authority.cert), new X509Certificate(serving.cert)];
    expect([ca.ca, leaf.ca]).toEqual([true, false]);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.issuer).toBe(ca.subject);
    expect(BigInt(`0x${leaf.serialNumber}`)).toBeGreaterThan(2n ** 64n);
    for (const { key } of [authority, serving]) {
      expect(createPrivateKey(key).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    }
  });

  test('does not outlive its CA, and is for nobody when nobody asks', async () => {
    const issuer = { notBefore: NOW, notAfter: NOW + DAY };
    const { cert, key } = await x509.makeServing(authority, [], validityOf('serving', NOW, issuer));
    expect(read({ 'tls.crt': cert, 'tls.key': key }).serving).toMatchObject({ hosts: [], notAfter: NOW + DAY });
  });
});

describe('what is read', () => {
  test('tells whose key it is', () => {
    expect(read({ 'ca.key': other.key }).canSign).toBe(false);
    expect(read({ 'ca.crt': other.cert + authority.cert }).canSign).toBe(false);
    expect(read({ 'tls.key': other.key }).serving).toMatchObject({ hasKey: false });
  });

  test('tells by whom it was signed, wherever that one stands; and not by whose name it bears', () => {
    const issuer = fingerprintOf(authority.cert);
    expect(read({ 'ca.crt': other.cert + authority.cert }).serving).toMatchObject({ issuer });
    expect(read({ 'ca.crt': other.cert }).serving).toMatchObject({ issuer: undefined });
  });

  test.each(['', 'garbage', '-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n'])(
    'is nothing, and throws nothing, from %j',
    (text) => {
      const nothing = { authorities: [], canSign: false, serving: undefined };
      expect(x509.readSecret({ 'ca.crt': text, 'ca.key': text, 'tls.crt': text, 'tls.key': text })).toEqual(nothing);
      expect(x509.readBundle(text)).toEqual([]);
      const [first, ...rest] = x509.readBundle(`a comment\n${text}${authority.cert}${text}`);
      expect([first?.pem, rest]).toEqual([authority.cert, []]);
    },
  );

  test('takes no certificate of a server for a CA', () => {
    expect(read({ 'ca.crt': serving.cert }).authorities).toEqual([]);
  });
});

describe('a server with it', () => {
  /** Who answers a client that trusts `ca` alone and asks for `servername`, or why not. */
  async function ask(pair: KeyPair, ca: string, servername: string, host = '127.0.0.1'): Promise<string> {
    const server = https.createServer({}, (_, response) => response.end('hello'));
    server.setSecureContext(pair);
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
    try {
      return await new Promise<string>((resolve) => {
        // Without a name of its own, it asks for the IP address.
        const name = servername === host ? {} : { servername };
        const request = https.get({ host, port, ca, agent: false, ...name }, (response) => {
          response.setEncoding('utf8').on('data', resolve);
        });
        request.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message));
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test.each(['hook.config-rollout.svc', '127.0.0.1'])('answers one who trusts the CA and asks for %s', async (name) => {
    expect(await ask(serving, authority.cert, name)).toBe('hello');
  });

  test('answers one who trusts former CAs besides, in any order', async () => {
    expect(await ask(serving, other.cert + authority.cert, '127.0.0.1')).toBe('hello');
    expect(await ask(serving, authority.cert + other.cert, '127.0.0.1')).toBe('hello');
  });

  test('is refused for another name, and by one who trusts another CA', async () => {
    expect(await ask(serving, authority.cert, 'hook.elsewhere.svc')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await ask(serving, other.cert, '127.0.0.1')).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  test('serves what a CA of another maker signed, that names its key in its own way', async () => {
    const { generate } = await import('selfsigned');
    const made = await generate([{ name: 'commonName', value: 'their CA' }], {
      keyType: 'ec',
      curve: 'P-256',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, critical: true },
      ],
    });
    const theirs = { cert: made.cert, key: made.private };
    const pair = await x509.makeServing(theirs, HOSTS, validityOf('serving', NOW));
    const material = { 'ca.crt': theirs.cert, 'ca.key': theirs.key, 'tls.crt': pair.cert, 'tls.key': pair.key };
    expect(x509.readSecret(material)).toMatchObject({ canSign: true, serving: { hasKey: true } });
    expect(await ask(pair, theirs.cert, '127.0.0.1')).toBe('hello');
  });
});
