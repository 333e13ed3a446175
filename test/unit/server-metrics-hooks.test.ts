// The places that numbers come from, with real sockets: the client of the API server, and the admission server.

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { generate } from 'selfsigned';
import type { Admit } from '../../controller/app/admission.ts';
import { KubeClient } from '../../controller/kube/client.ts';
import type { RequestEnd } from '../../controller/runtime/request-end.ts';
import { type AdmissionEnd, AdmissionServer } from '../../controller/server/server.ts';

const log = (): void => undefined;

describe('the client tells of a request', () => {
  let handler: http.RequestListener;
  let server: http.Server;
  let client: KubeClient;
  let ends: RequestEnd[];
  let host: string;
  beforeEach(async () => {
    ends = [];
    server = http.createServer((request, response) => handler(request, response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: 'c', server: `http://${host}/k8s`, skipTLSVerify: true }, { name: 'u' });
    client = new KubeClient(config, { userAgent: 'test', onRequest: (end) => ends.push(end) });
  });
  afterEach(async () => {
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const answering =
    (status: number, body = '{}'): http.RequestListener =>
    (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    };
  const ended = (method: string, status: number) => ({ method, host, status, seconds: expect.any(Number) });

  test('that was answered, with its method and status, and neither path nor query', async () => {
    handler = answering(201);
    await client.request('POST', '/api/v1/namespaces/shop/configmaps', { query: { fieldManager: 'me' }, body: {} });
    expect(ends).toEqual([ended('POST', 201)]);
  });

  test('that was refused', async () => {
    handler = answering(409);
    await client.request('PATCH', '/x').catch(() => undefined);
    expect(ends).toEqual([ended('PATCH', 409)]);
  });

  test('that had no answer, or none that can be read, as 0', async () => {
    handler = (request) => request.socket.destroy();
    await client.request('DELETE', '/x').catch(() => undefined);
    handler = answering(200, '{"half":');
    await client.request('GET', '/x').catch(() => undefined);
    expect(ends).toEqual([ended('DELETE', 0), ended('GET', 0)]);
  });

  test('that took too long, with the time that it took', async () => {
    handler = () => undefined;
    await client.request('GET', '/x', { timeoutMs: 50 }).catch(() => undefined);
    expect(ends).toEqual([ended('GET', 0)]);
    expect(ends[0]?.seconds).toBeGreaterThanOrEqual(0.045);
  });

  test('that is a watch when its headers come, and no more', async () => {
    let write: (line: string) => void = log;
    handler = (request, response) => {
      response.writeHead(200).flushHeaders();
      response.write('{"n":1}\n');
      write = (line) => {
        response.write(line);
        request.socket.destroySoon();
      };
    };
    const stream = client.stream('/x');
    expect(await stream.next()).toEqual({ done: false, value: { n: 1 } });
    expect(ends).toEqual([ended('GET', 200)]);
    write('{"cut":');
    await expect(stream.next()).rejects.toThrow();
    expect(ends).toHaveLength(1);
  });

  test('that is a watch that was refused', async () => {
    handler = answering(410);
    await expect(client.stream('/x').next()).rejects.toThrow();
    expect(ends).toEqual([ended('GET', 410)]);
  });
});

describe('the admission server tells of an answer', () => {
  const handlers: Record<string, Admit> = {
    '/allows': async () => ({ warnings: ['mind'] }),
    '/patches': async () => ({ operations: [{ op: 'remove', path: '/x' }] }),
    '/patches-nothing': async () => ({ operations: [] }),
    '/denies': async () => ({ refusal: 'no', operations: [] }),
    '/fails': async () => Promise.reject(new Error('out of order')),
    '/sleeps': () => new Promise(() => undefined),
  };
  let ends: AdmissionEnd[];
  let server: AdmissionServer;
  let port: number;
  beforeEach(async () => {
    ends = [];
    server = new AdmissionServer({ handlers, onAnswer: (end) => ends.push(end), log });
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'x' }], { keyType: 'ec' });
    server.useCertificate({ key, cert });
    port = await server.listen(0);
  });
  afterEach(() => server.stop(0));

  async function ask(path: string, body = '{"request":{"uid":"u"}}'): Promise<number | undefined> {
    const review = body.replace('{', '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",');
    const request = https.request({ port, path, method: 'POST', rejectUnauthorized: false, agent: false });
    request.end(review);
    const [response] = await once(request, 'response');
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  }

  test.each([
    ['/allows', 'allowed'],
    ['/patches', 'patched'],
    ['/patches-nothing', 'allowed'],
    ['/denies', 'denied'],
    ['/fails', 'error'],
  ])('%s: %s', async (path, result) => {
    expect(await ask(path)).toBe(200);
    expect(ends).toEqual([{ path, result, seconds: expect.any(Number) }]);
  });

  test('/sleeps: late', async () => {
    expect(await ask('/sleeps?timeout=1s')).toBe(200);
    expect(ends).toEqual([{ path: '/sleeps', result: 'late', seconds: expect.any(Number) }]);
    expect(ends[0]?.seconds).toBeGreaterThan(0.7);
  });

  test('but not of what is no question, nor of paths that there are not', async () => {
    expect(await ask('/planted')).toBe(404);
    expect(await ask('/allows', '{}')).toBe(400);
    expect(ends).toEqual([]);
  });
});
