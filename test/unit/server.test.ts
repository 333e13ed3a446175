// The admission server over real TLS, asked as the API server asks, and as nobody should.

import { once } from 'node:events';
import https from 'node:https';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { generate } from 'selfsigned';
import type { AdmissionRequest, Admit } from '../../controller/app/admission.ts';
import { AdmissionServer } from '../../controller/server/server.ts';

const MIB = 1024 * 1024;
const LIMIT = 16 * MIB;

interface Certificate {
  readonly key: string;
  readonly cert: string;
}
async function makeCertificate(name: string): Promise<Certificate> {
  const address = { name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] };
  const made = await generate([{ name: 'commonName', value: name }], { keyType: 'ec', extensions: [address] });
  return { key: made.private, cert: made.cert };
}

let first: Certificate;
let second: Certificate;
beforeAll(async () => {
  first = await makeCertificate('first');
  second = await makeCertificate('second');
});

/** Answers that wait for `release`. */
let release: () => void;
const seen: AdmissionRequest[] = [];
const handlers: Record<string, Admit> = {
  '/ok': async (request) => {
    seen.push(request);
    return { operations: [{ op: 'remove', path: '/x' }] };
  },
  '/refuses': async () => ({ refusal: 'no' }),
  '/rejects': async () => Promise.reject(new Error('out of order')),
  '/throws': () => {
    throw new Error('out of order');
  },
  '/slow': () =>
    new Promise((resolve) => {
      release = () => resolve({ warnings: ['at last'] });
    }),
};

let server: AdmissionServer;
let port: number;
let agent: https.Agent;
const sockets: net.Socket[] = [];
const logged: string[] = [];

beforeEach(async () => {
  seen.length = 0;
  logged.length = 0;
  server = new AdmissionServer({ handlers, log: (level, message) => logged.push(`${level} ${message}`) });
  server.useCertificate(first);
  port = await server.listen(0);
  // As API servers do.
  agent = new https.Agent({ keepAlive: true });
});
afterEach(async () => {
  agent.destroy();
  for (const socket of sockets.splice(0)) socket.destroy();
  release?.();
  await server.stop(0);
});

const aReview = (request: Record<string, unknown> = {}): string =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'u1', kind: { group: 'apps', kind: 'Deployment' }, namespace: 'shop', name: 'web', ...request },
  });

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}
interface Question {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly ca?: string;
  /** Without it, the body comes in chunks of unknown number. */
  readonly hasLength?: boolean;
  readonly agent?: https.Agent | false;
}

async function ask(path: string, question: Question = {}): Promise<Answer> {
  const { method = 'POST', body = aReview(), ca = first.cert, hasLength = true } = question;
  const headers = hasLength && method !== 'GET' ? { 'content-length': Buffer.byteLength(body) } : {};
  const options = { host: '127.0.0.1', port, path, method, headers, ca, agent: question.agent ?? agent };
  return new Promise((resolve, reject) => {
    const request = https.request(options, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({
        status: response.statusCode,
        headers: response.headers,
        text: Buffer.concat(chunks).toString(),
      });
    });
    request.on('error', reject);
    if (!hasLength) request.flushHeaders();
    request.end(method === 'GET' ? undefined : body);
  });
}
const responseOf = ({ text }: Answer) => JSON.parse(text).response;

/** What comes within the time, or 'too late'. */
const within = <T>(ms: number, promise: Promise<T>): Promise<T | 'too late'> =>
  Promise.race([promise, sleep(ms, 'too late' as const)]);

describe('a question', () => {
  test('is answered', async () => {
    const answer = await ask('/ok?timeout=2s');
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
    expect(responseOf(answer)).toMatchObject({ uid: 'u1', allowed: true, patchType: 'JSONPatch' });
    expect(seen).toMatchObject([{ uid: 'u1', kind: { group: 'apps', kind: 'Deployment' }, name: 'web' }]);
  });

  test('is refused by its handler', async () => {
    expect(responseOf(await ask('/refuses'))).toMatchObject({ allowed: false, status: { message: 'no' } });
  });

  test('may be as long as two objects and more', async () => {
    const body = aReview({ object: 'x'.repeat(LIMIT - 1000) });
    expect(await ask('/ok', { body })).toMatchObject({ status: 200 });
  });

  test.each<[what: string, path: string, question: Question, status: number]>([
    ['is no JSON', '/ok', { body: 'x' }, 400],
    ['has no body', '/ok', { body: '' }, 400],
    ['is of another version', '/ok', { body: aReview().replace('/v1"', '/v1beta1"') }, 400],
    ['goes nowhere', '/', {}, 404],
    ['goes to what objects have', '/constructor', {}, 404],
    ['goes to half a path', '/ok/', {}, 404],
    ['goes to no path at all', '//', {}, 404],
    ['is no POST', '/ok', { method: 'GET' }, 405],
    ['is put', '/ok', { method: 'PUT' }, 405],
  ])('that %s (%s) is answered with the status that says so', async (_, path, question, status) => {
    expect(await ask(path, question)).toMatchObject({ status });
    expect(seen).toEqual([]);
    // Nobody is hung up on.
    expect(await ask('/ok')).toMatchObject({ status: 200 });
  });

  test('says what may be done instead of what may not', async () => {
    expect(await ask('/ok', { method: 'DELETE' })).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });

  test.each([
    [LIMIT + 1, true],
    [LIMIT + 1, false],
    [4 * LIMIT, true],
    [4 * LIMIT, false],
  ])('of %d bytes (announced: %s) is told that it is too long, and not hung up on', async (length, hasLength) => {
    const answer = await ask('/ok', { body: Buffer.alloc(length, 'x'), hasLength });
    expect(answer).toMatchObject({ status: 413, text: `the body is longer than ${LIMIT} bytes` });
    expect(await ask('/ok')).toMatchObject({ status: 200 });
  });
});

describe('a handler', () => {
  test.each(['/rejects', '/throws'])('that fails (%s) keeps nobody from deploying, and is warned of', async (path) => {
    expect(responseOf(await ask(path))).toEqual({
      uid: 'u1',
      allowed: true,
      warnings: ['config-rollout failed, and let this through as it is; its controller mends it afterwards'],
    });
    expect(logged).toEqual(['error admission of Deployment/shop/web: out of order; let through as it was']);
  });

  test('that is slow does not keep anybody waiting for longer than the API server waits', async () => {
    const begin = performance.now();
    const answer = await ask('/slow?timeout=1s');
    expect(performance.now() - begin).toBeLessThan(1000);
    expect(responseOf(answer)).toMatchObject({ allowed: true, warnings: [expect.stringContaining('was busy')] });
    expect(logged).toEqual([expect.stringMatching(/^warn admission of Deployment\/shop\/web took longer/)]);
  });

  test('that is slow has all the time that the API server has', async () => {
    const answer = ask('/slow?timeout=1s');
    await sleep(400);
    release();
    expect(responseOf(await answer)).toMatchObject({ warnings: ['at last'] });
  });
});

describe('a server that stops', () => {
  test('gives the answer that is under way, on a connection that was meant to last, and takes no other', async () => {
    const answer = ask('/slow');
    await sleep(100);
    const stopped = server.stop(0);
    await sleep(100);
    await expect(ask('/ok', { agent: false })).rejects.toThrow('ECONNREFUSED');
    release();
    expect(responseOf(await answer)).toMatchObject({ warnings: ['at last'] });
    expect(await within(1000, stopped)).toBeUndefined();
  });

  test('answers for the time that others need to learn of it, and says so', async () => {
    expect(await ask('/readyz', { method: 'GET' })).toMatchObject({ status: 200, text: 'ok' });
    const stopped = server.stop(300);
    expect(await ask('/readyz', { method: 'GET' })).toMatchObject({ status: 503, text: 'stopping' });
    expect(await ask('/ok', { agent: false })).toMatchObject({ status: 200 });
    expect(await within(1000, stopped)).toBeUndefined();
  });

  test('does not wait for connections on which nothing is asked', async () => {
    await ask('/ok');
    expect(await within(1000, server.stop(0))).toBeUndefined();
  });

  test('does not wait for connections that nobody has used', async () => {
    const socket = tls.connect({ host: '127.0.0.1', port, ca: first.cert });
    sockets.push(socket.on('error', () => undefined));
    await once(socket, 'secureConnect');
    await sleep(600);
    expect(await within(1000, server.stop(0))).toBeUndefined();
  });

  test('does not wait for ever for who does not ask to the end', async () => {
    const keep = (socket: net.Socket) => sockets.push(socket.on('error', () => undefined));
    const bare = net.connect(port, '127.0.0.1');
    keep(bare);
    await once(bare, 'connect');
    const head = 'POST /ok HTTP/1.1\r\nhost: x\r\n';
    for (const text of ['', head, `${head}content-length: 9\r\n\r\n`, `${head}content-length: 9\r\n\r\n{`]) {
      const socket = tls.connect({ host: '127.0.0.1', port, ca: first.cert });
      keep(socket);
      await once(socket, 'secureConnect');
      socket.write(text);
    }
    await sleep(50);
    const stopped = server.stop(0, 300);
    expect(await within(200, stopped)).toBe('too late');
    expect(await within(1000, stopped)).toBeUndefined();
  });
});

describe('a new certificate', () => {
  test('is for new connections, without a restart; who is connected goes on', async () => {
    const lasting = new https.Agent({ keepAlive: true, maxSockets: 1 });
    expect(await ask('/ok', { agent: lasting })).toMatchObject({ status: 200 });
    server.useCertificate(second);
    expect(await ask('/ok', { agent: lasting })).toMatchObject({ status: 200 });
    await expect(ask('/ok', { agent: false })).rejects.toThrow('self-signed certificate');
    expect(await ask('/ok', { agent: false, ca: second.cert })).toMatchObject({ status: 200 });
    lasting.destroy();
  });

  test('is awaited: before the first, nobody is answered, and nothing breaks', async () => {
    const bare = new AdmissionServer({ handlers, log: () => undefined });
    const at = await bare.listen(0);
    const socket = tls.connect({ host: '127.0.0.1', port: at, rejectUnauthorized: false });
    await expect(once(socket, 'secureConnect')).rejects.toThrow();
    await bare.stop(0);
  });
});

test('a port that is taken is an error of who listens', async () => {
  const other = new AdmissionServer({ handlers, log: () => undefined });
  await expect(other.listen(port)).rejects.toThrow('EADDRINUSE');
});
