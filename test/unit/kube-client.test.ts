// The REST layer against real sockets: connections, errors and streams as they come over the wire.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { generate } from 'selfsigned';
import { ApiError, parseRetryAfter } from '../../controller/kube/api-error.ts';
import { KubeClient, type KubeClientOptions } from '../../controller/kube/client.ts';
import { AgentPool } from '../../controller/runtime/agent-pool.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly socket: Socket;
}

type Handler = (response: http.ServerResponse, seen: Seen) => void;

type User = Parameters<KubeConfig['loadFromClusterAndUser']>[1];

let server: http.Server;
let connections: number;
let seen: Seen[];
let handler: Handler;
let clients: KubeClient[];

const ok: Handler = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"kind":"Thing"}');
};

async function serve(created: http.Server): Promise<http.Server> {
  created.on('request', async (request: http.IncomingMessage, response: http.ServerResponse) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url = '', headers, socket } = request;
    const entry = { method, url, headers, body, socket };
    seen.push(entry);
    handler(response, entry);
  });
  await new Promise<void>((resolve) => created.listen(0, '127.0.0.1', resolve));
  return created;
}

const portOf = (listening: http.Server): number => (listening.address() as AddressInfo).port;

function connect(options: Partial<KubeClientOptions> = {}, user: User = { name: 'test' }, path = ''): KubeClient {
  const config = new KubeConfig();
  const address = `http://127.0.0.1:${portOf(server)}${path}`;
  config.loadFromClusterAndUser({ name: 'test', server: address, skipTLSVerify: true }, user);
  const client = new KubeClient(config, { userAgent: 'config-rollout/test', ...options });
  clients.push(client);
  return client;
}

async function failureOf(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ApiError)) throw new Error(`expected an ApiError, got ${String(error)}`);
  return error;
}

async function collect(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of stream) values.push(value);
  return values;
}

beforeEach(async () => {
  seen = [];
  clients = [];
  handler = ok;
  connections = 0;
  server = await serve(http.createServer());
  server.on('connection', () => {
    connections += 1;
  });
});

afterEach(async () => {
  for (const client of clients) client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('a request', () => {
  test('carries query, headers and body, and brings back the raw JSON', async () => {
    const client = connect(
      { headers: { 'impersonate-group': 'devs' } },
      { name: 'test', token: 'secret' },
      '/k8s/c-1/',
    );
    const answer = await client.request<{ kind: string }>('PATCH', '/api/v1/x', {
      query: { fieldManager: 'me', force: true, limit: 5, absent: undefined },
      body: { text: 'größe' },
    });
    expect(answer).toEqual({ kind: 'Thing' });
    expect(seen[0]).toMatchObject({
      method: 'PATCH',
      url: '/k8s/c-1/api/v1/x?fieldManager=me&force=true&limit=5',
      body: '{"text":"größe"}',
      headers: {
        accept: 'application/json',
        authorization: 'Bearer secret',
        'content-type': 'application/merge-patch+json',
        'impersonate-group': 'devs',
        'user-agent': 'config-rollout/test',
      },
    });
  });

  test('takes the content type and accept it is given', async () => {
    const options = { body: [], contentType: 'application/json-patch+json', accept: 'application/json;as=Table' };
    await connect().request('PATCH', '/x', options);
    expect(seen[0]?.headers).toMatchObject({ 'content-type': options.contentType, accept: options.accept });
  });

  test('decodes gzip, keeps text that is no JSON, and knows an empty answer', async () => {
    const client = connect();
    handler = (response) => {
      const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
      response.writeHead(200, headers).end(gzipSync('{"zipped":true}'));
    };
    expect(await client.request('GET', '/x')).toEqual({ zipped: true });
    expect(seen[0]?.headers['accept-encoding']).toBe('gzip');
    handler = (response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    expect(await client.request('GET', '/readyz')).toBe('ok');
    handler = (response) => void response.writeHead(204).end();
    expect(await client.request('DELETE', '/x')).toBeUndefined();
  });

  test('hands on the items of a list as they come, zipped or not, and fails on half of one', async () => {
    const text = JSON.stringify({ kind: 'ThingList', items: Array.from({ length: 5000 }, (_, id) => ({ id })) });
    const answers = [Buffer.from(text), gzipSync(text), Buffer.from(text.slice(0, -1)), gzipSync(text).subarray(0, -9)];
    handler = (response) => {
      const answer = answers.shift();
      const encoding = answer?.[0] === 0x1f ? { 'content-encoding': 'gzip' } : {};
      response.writeHead(200, { 'content-type': 'application/json', ...encoding }).end(answer);
    };
    const list = async () => {
      const ids: unknown[] = [];
      const takeItem = (item: unknown) => ids.push(Reflect.get(Object(item), 'id'));
      const around = await connect().request('GET', '/x', { takeItem });
      return { around, count: new Set(ids).size, last: ids.at(-1) };
    };
    const whole = { around: { kind: 'ThingList', items: [] }, count: 5000, last: 4999 };
    expect(await list()).toEqual(whole);
    expect(await list()).toEqual(whole);
    expect(await failureOf(list())).toMatchObject({ reason: 'MalformedResponse' });
    await expect(list()).rejects.toThrow(ApiError);
  });

  test('shares one connection with two hundred others', async () => {
    const client = connect();
    for (let i = 0; i < 200; i++) await client.request('GET', `/${i}`);
    expect(connections).toBe(1);
  });

  test('is aborted at once, with the reason of the signal', async () => {
    const closed = new Promise((resolve) => {
      handler = (_response, { socket }) => void socket.once('close', resolve);
    });
    const abort = new AbortController();
    const asking = connect().request('GET', '/x', { signal: abort.signal });
    await wait(20);
    abort.abort(new Error('shutting down'));
    await expect(asking).rejects.toThrow('shutting down');
    await closed;
  });

  test('does not begin when its signal is aborted already', async () => {
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(connect().request('GET', '/x', { signal })).rejects.toThrow('too late');
    expect(seen).toEqual([]);
  });

  test('does not pile up listeners on a signal that lives long', async () => {
    const abort = new AbortController();
    const counts = { added: 0, removed: 0 };
    const { signal } = abort;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      counts.added += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      counts.removed += 1;
      remove(...args);
    };
    const client = connect();
    for (let i = 0; i < 5; i++) await client.request('GET', '/x', { signal });
    expect(counts.added).toBeGreaterThanOrEqual(5);
    expect(counts.removed).toBe(counts.added);
  });

  test('trims the token of a file that ends in a newline', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kube-client-'));
    try {
      const tokenFile = join(directory, 'token');
      writeFileSync(tokenFile, 'first\n');
      const user = { name: 'test', authProvider: { name: 'tokenFile', config: { tokenFile } } };
      await connect({}, user).request('GET', '/x');
      expect(seen[0]?.headers.authorization).toBe('Bearer first');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('shares credentials that were just read, and reads them again after they were refused', async () => {
    let reads = 0;
    class CountingConfig extends KubeConfig {
      override async applyToHTTPSOptions(options: https.RequestOptions): Promise<void> {
        reads += 1;
        await super.applyToHTTPSOptions(options);
      }
    }
    const config = new CountingConfig();
    const address = `http://127.0.0.1:${portOf(server)}`;
    config.loadFromClusterAndUser({ name: 'test', server: address, skipTLSVerify: true }, { name: 'test' });
    const client = new KubeClient(config, { userAgent: 'test' });
    clients.push(client);
    await Promise.all([client.request('GET', '/a'), client.request('GET', '/b')]);
    expect(reads).toBe(1);
    handler = (response) => void response.writeHead(401).end();
    expect((await failureOf(client.request('GET', '/x'))).status).toBe(401);
    await failureOf(client.request('GET', '/x'));
    expect(reads).toBe(2);
  });

  test('says when there are no credentials to be had', async () => {
    const user = { name: 'test', authProvider: { name: 'tokenFile', config: { tokenFile: '/no/such/token' } } };
    const error = await failureOf(connect({}, user).request('GET', '/x'));
    expect(error).toMatchObject({ status: 0, reason: 'CredentialsError' });
    expect(error.message).toContain('/no/such/token');
  });
});

describe('a connection that died while idle', () => {
  /** Answers once, then cuts the same connection as soon as it is used again. */
  function cutReused(): void {
    const used = new Set<Socket>();
    handler = (response, entry) => {
      if (used.has(entry.socket)) {
        entry.socket.resetAndDestroy();
        return;
      }
      used.add(entry.socket);
      ok(response, entry);
    };
  }

  test('costs a read one retry', async () => {
    cutReused();
    const client = connect();
    await client.request('GET', '/first');
    expect(await client.request('GET', '/second')).toEqual({ kind: 'Thing' });
    expect(seen.map(({ url }) => url)).toEqual(['/first', '/second', '/second']);
  });

  test('fails a write, which may have been carried out', async () => {
    cutReused();
    const client = connect();
    await client.request('GET', '/first');
    const error = await failureOf(client.request('POST', '/second', { body: {} }));
    expect(error).toMatchObject({ status: 0, reason: 'NetworkError', method: 'POST', path: '/second' });
    expect(seen.map(({ url }) => url)).toEqual(['/first', '/second']);
  });

  test('is no excuse for a second try on a fresh one', async () => {
    handler = (_response, { socket }) => void socket.resetAndDestroy();
    expect(await failureOf(connect().request('GET', '/x'))).toMatchObject({ status: 0, reason: 'NetworkError' });
    expect(seen).toHaveLength(1);
  });
});

describe('an error', () => {
  const answering = (status: number, body: string, headers: http.OutgoingHttpHeaders = {}): void => {
    handler = (response) => void response.writeHead(status, headers).end(body);
  };

  test('is what the Status says', async () => {
    const details = { name: 'x', kind: 'things', causes: [{ field: 'spec' }] };
    answering(409, JSON.stringify({ kind: 'Status', reason: 'Conflict', message: 'it was modified', details }));
    const error = await failureOf(connect().request('PUT', '/api/x', { query: { q: 1 }, body: { data: 'secret' } }));
    expect(error).toMatchObject({ status: 409, reason: 'Conflict', message: 'it was modified', method: 'PUT' });
    expect(error.path).toBe('/api/x');
    expect(error.details).toEqual(details);
    expect(error.retryAfterMs).toBeUndefined();
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  test('quotes no more than 200 characters of what is no Status', async () => {
    answering(502, `<html>\n${'x'.repeat(1_000)}`);
    const { message, reason } = await failureOf(connect().request('GET', '/x'));
    expect(message).toMatch(/^GET \/x: the server answered 502: <html> x+…$/);
    expect(message.length).toBeLessThan(240);
    expect(reason).toBe('');
  });

  test.each([
    ['seconds', { 'retry-after': '7' }, '', 7_000],
    ['the body', {}, '{"kind":"Status","details":{"retryAfterSeconds":3}}', 3_000],
    [
      'the header before the body',
      { 'retry-after': '7' },
      '{"kind":"Status","details":{"retryAfterSeconds":3}}',
      7_000,
    ],
  ])('carries Retry-After from %s', async (_, headers, body, expected) => {
    answering(429, body, headers);
    expect((await failureOf(connect().request('GET', '/x'))).retryAfterMs).toBe(expected);
  });

  test('reads Retry-After as a date too', () => {
    const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
    expect(parseRetryAfter('Wed, 21 Oct 2026 07:28:30 GMT', now)).toBe(30_000);
    expect(parseRetryAfter('Wed, 21 Oct 2026 07:27:30 GMT', now)).toBeUndefined();
    expect(parseRetryAfter('soon', now)).toBeUndefined();
  });

  test('says plainly that nobody answers', async () => {
    const config = new KubeConfig();
    const gone = await serve(http.createServer());
    const address = `http://localhost:${portOf(gone)}`;
    await new Promise((resolve) => gone.close(resolve));
    config.loadFromClusterAndUser({ name: 'test', server: address, skipTLSVerify: true }, { name: 'test' });
    const error = await failureOf(new KubeClient(config, { userAgent: 'test' }).request('GET', '/x'));
    expect(error).toMatchObject({ status: 0, reason: 'NetworkError' });
    expect(error.message).toBe(`cannot reach the API server at ${address}: connection refused`);
  });

  test('tells how long it waited', async () => {
    handler = () => undefined;
    const error = await failureOf(connect().request('GET', '/x', { timeoutMs: 50 }));
    expect(error).toMatchObject({ status: 0, reason: 'Timeout', message: 'GET /x: no complete answer within 0.05 s' });
  });

  test('covers a body that never ends and one that is no JSON', async () => {
    const client = connect();
    handler = (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"a":');
    };
    expect((await failureOf(client.request('GET', '/x', { timeoutMs: 50 }))).reason).toBe('Timeout');
    handler = (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"secret":');
    const error = await failureOf(client.request('GET', '/x'));
    expect(error).toMatchObject({ status: 0, reason: 'MalformedResponse' });
    expect(error.message).not.toContain('secret');
  });
});

describe('warnings', () => {
  let warned: string[];
  const warning = (status: number, ...values: string[]): void => {
    // As the API server does, bytes of UTF-8; Node's server writes a character a byte.
    const bytes = values.map((value) => Buffer.from(value).toString('latin1'));
    handler = (response) => void response.setHeader('warning', bytes).writeHead(status).end('{}');
  };
  const listening = (): KubeClient => connect({ onWarning: (text) => warned.push(text) });
  beforeEach(() => {
    warned = [];
  });

  test.each<[string, string[], string[]]>([
    ['several headers', ['299 - "one"', '299 - "two"'], ['one', 'two']],
    ['several in one header', ['299 - "one, two",299 agent:1 "three"  , 299 - "four"'], ['one, two', 'three', 'four']],
    ['dates', ['299 - "one" "Sat, 25 Aug 2012 23:34:45 GMT", 299 - "two"'], ['one', 'two']],
    ['escapes', [String.raw`299 - "say \"hi\" to C:\\x\n"`], [String.raw`say "hi" to C:\xn`]],
    ['text beyond ASCII', ['299 - "größe 😀"'], ['größe 😀']],
    ['encoded words', ['299 - "=?UTF-8?q?gr=C3=B6_?= =?utf-8?b?w58=?= =?x?q?y?="'], ['grö ß=?x?q?y?=']],
    ['the same text twice', ['299 - "one"', '299 - "one"'], ['one', 'one']],
    ['other codes', ['199 - "one", 299 - "two"'], ['two']],
    ['control characters', ['299 - "\u009b31mred\tink =?utf-8?q?=1B[2J?="'], ['31mredink [2J']],
    ['empty texts', ['299 - "", 299 - "two"'], ['two']],
    ['nothing after a malformed one', ['299 - "one", 299 "two", 299 - "three"', '299 - "four"'], ['one', 'four']],
    ['no end of a quote', ['299 - "one'], []],
    ['no quotes', ['299 - one'], []],
  ])('are heard with %s', async (_, values, texts) => {
    warning(200, ...values);
    await listening().request('GET', '/x');
    expect(warned).toEqual(texts);
  });

  test('leave out bytes that are no text', async () => {
    handler = (response) => void response.writeHead(200, { warning: '299 - "\xff", 299 - "two"' }).end();
    await listening().request('GET', '/x');
    expect(warned).toEqual(['two']);
  });

  test('are heard of refused requests and of streams too', async () => {
    const client = listening();
    warning(422, '299 - "refused"');
    expect((await failureOf(client.request('POST', '/x', { body: {} }))).status).toBe(422);
    warning(200, '299 - "streamed"');
    await collect(client.stream('/x'));
    expect(warned).toEqual(['refused', 'streamed']);
  });

  test('trouble nobody who does not listen', async () => {
    warning(200, '299 - "one"');
    expect(await connect().request('GET', '/x')).toBe('{}');
  });
});

describe('a stream', () => {
  test('puts lines together however they are cut, also within a character', async () => {
    const values = [{ text: 'größe 😀' }, { long: 'ü'.repeat(2_000_000) }, [1, 2]];
    const bytes = Buffer.from(`\n${values.map((value) => JSON.stringify(value)).join('\n\n')}`);
    handler = async (response) => {
      response.writeHead(200);
      for (let at = 0; at < 40; at++) {
        response.write(bytes.subarray(at, at + 1));
        await wait(0);
      }
      response.write(bytes.subarray(40, 1_000_001));
      await wait(2);
      response.end(bytes.subarray(1_000_001));
    };
    expect(await collect(connect().stream('/x'))).toEqual(values);
  });

  test.each([
    ['cut short', '{"a":1}\n{"b":', /ended within a line/],
    ['malformed', '{"a":1}\n{"b":}\n{"c":1}\n', /is no JSON/],
  ])('fails on a line that is %s, after the good ones', async (_, text, message) => {
    handler = (response) => void response.writeHead(200).end(text);
    const got: unknown[] = [];
    const reading = (async () => {
      for await (const value of connect().stream('/x')) got.push(value);
    })();
    const error = await failureOf(reading);
    expect(error).toMatchObject({ status: 0, reason: 'MalformedResponse' });
    expect(error.message).toMatch(message);
    expect(got).toEqual([{ a: 1 }]);
  });

  test('fails on a connection that breaks between lines', async () => {
    handler = (response) => {
      response.writeHead(200).write('{"a":1}\n');
      setTimeout(() => response.destroy(), 5);
    };
    expect((await failureOf(collect(connect().stream('/x')))).reason).toBe('NetworkError');
  });

  test('may outlive its timeout once the headers have come', async () => {
    handler = async (response) => {
      response.writeHead(200).flushHeaders();
      await wait(600);
      response.end('{"a":1}\n');
    };
    expect(await collect(connect().stream('/x', { timeoutMs: 500 }))).toEqual([{ a: 1 }]);
  });

  test('closes its connection when the reader leaves, and when it is aborted', async () => {
    const client = connect();
    const abort = new AbortController();
    const closed: string[] = [];
    handler = (response, { socket, url }) => {
      socket.once('close', () => closed.push(url));
      response.writeHead(200).write('{"a":1}\n');
    };
    for await (const _ of client.stream('/left')) break;
    const reading = collect(client.stream('/aborted', { signal: abort.signal }));
    await wait(20);
    abort.abort(new Error('shutting down'));
    await expect(reading).rejects.toThrow('shutting down');
    await wait(10);
    expect(closed).toEqual(['/left', '/aborted']);
  });

  test('that is refused gives the error of the Status', async () => {
    handler = (response) =>
      void response.writeHead(410).end('{"kind":"Status","reason":"Expired","message":"too old"}');
    expect(await failureOf(collect(connect().stream('/x')))).toMatchObject({ status: 410, reason: 'Expired' });
  });
});

describe('metadata only', () => {
  const signal = new AbortController().signal;
  const form = (kind: string): string => `application/json;as=${kind};g=meta.k8s.io;v=v1`;
  const metadata = { name: 'a', resourceVersion: '5' };

  test('asks for the list in the list form and for the watch in the object form', async () => {
    const port = connect().listWatch('/api/v1/secrets', { metadataOnly: true, query: { labelSelector: 'a=b' } });
    handler = (response, { url }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const listed = { kind: 'PartialObjectMetadataList', metadata, items: [] };
      const event = { type: 'ADDED', object: { kind: 'PartialObjectMetadata', metadata } };
      response.end(`${JSON.stringify(url.includes('watch') ? event : listed)}\n`);
    };
    expect((await port.list({ limit: 500, signal, take: () => undefined })).resourceVersion).toBe('5');
    expect(await collect(port.watch({ resourceVersion: '5', timeoutSeconds: 300, signal }))).toHaveLength(1);
    expect(seen.map(({ headers }) => headers.accept)).toEqual([
      form('PartialObjectMetadataList'),
      form('PartialObjectMetadata'),
    ]);
    expect(seen.map(({ url }) => url)).toEqual([
      '/api/v1/secrets?labelSelector=a%3Db&limit=500',
      '/api/v1/secrets?labelSelector=a%3Db&resourceVersion=5&timeoutSeconds=300&watch=true&allowWatchBookmarks=true',
    ]);
  });

  test('takes no full objects', async () => {
    const port = connect().listWatch('/api/v1/secrets', { metadataOnly: true });
    handler = (response, { url }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const full = { kind: 'Secret', metadata, data: { password: 'hunter2' } };
      const listed = { kind: 'SecretList', metadata, items: [full] };
      response.end(`${JSON.stringify(url.includes('watch') ? { type: 'ADDED', object: full } : listed)}\n`);
    };
    await expect(port.list({ limit: 500, signal, take: () => undefined })).rejects.toThrow(
      'asked for PartialObjectMetadataList, got SecretList',
    );
    const watching = collect(port.watch({ resourceVersion: '5', timeoutSeconds: 300, signal }));
    await expect(watching).rejects.toThrow('asked for PartialObjectMetadata, got Secret');
  });
});

async function makeCertificate(name: string): Promise<{ key: string; cert: string }> {
  const address = { name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] };
  const made = await generate([{ name: 'commonName', value: name }], { keyType: 'ec', extensions: [address] });
  return { key: made.private, cert: made.cert };
}

describe('TLS', () => {
  let certificate: Awaited<ReturnType<typeof makeCertificate>>;
  let other: typeof certificate;
  beforeAll(async () => {
    certificate = await makeCertificate('api');
    other = await makeCertificate('other');
  });

  let secure: https.Server;
  let handshakes: number;

  beforeEach(async () => {
    handshakes = 0;
    secure = https.createServer(certificate);
    secure.on('secureConnection', () => {
      handshakes += 1;
    });
    await serve(secure);
  });

  afterEach(async () => {
    secure.closeAllConnections();
    await new Promise((resolve) => secure.close(resolve));
  });

  function connectSecurely(ca: string): KubeClient {
    const config = new KubeConfig();
    const caData = Buffer.from(ca).toString('base64');
    const address = `https://127.0.0.1:${portOf(secure)}`;
    config.loadFromClusterAndUser({ name: 'test', server: address, caData, skipTLSVerify: false }, { name: 'test' });
    const client = new KubeClient(config, { userAgent: 'test' });
    clients.push(client);
    return client;
  }

  test('takes one handshake for two hundred calls', async () => {
    const client = connectSecurely(certificate.cert);
    for (let i = 0; i < 200; i++) await client.request('GET', `/${i}`);
    expect(handshakes).toBe(1);
  });

  test('keeps its connections while the material is the same, and takes new ones when it changed', () => {
    const pool = new AgentPool();
    const first = pool.agentFor('https:', { ca: Buffer.from('one') });
    expect(pool.agentFor('https:', { ca: Buffer.from('one') })).toBe(first);
    expect(pool.agentFor('https:', { ca: Buffer.from('two') })).not.toBe(first);
    pool.close();
  });

  test('refuses a server whose certificate the CA did not sign', async () => {
    const error = await failureOf(connectSecurely(other.cert).request('GET', '/x'));
    expect(error).toMatchObject({ status: 0, reason: 'NetworkError' });
    expect(error.message).toMatch(/certificate/);
    expect(seen).toEqual([]);
  });
});
