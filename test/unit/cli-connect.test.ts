import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CONNECTION_FLAGS } from '../../controller/cli/common-flags.ts';
import { connect } from '../../controller/cli/connect.ts';
import { renderError, ServerError } from '../../controller/cli/errors.ts';
import { parseFlags } from '../../controller/cli/flags.ts';
import { CONFIG_MAPS, SOURCES } from '../../controller/cli/resources.ts';

const seen: { request: IncomingMessage; body: string }[] = [];
let answer: { status: number; body: object | string; warning?: string[] } = { status: 200, body: {} };
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => {
    seen.push({ request, body });
    if (answer.warning !== undefined) response.setHeader('warning', answer.warning);
    response
      .writeHead(answer.status, { 'content-type': 'application/json' })
      .end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  });
});

let url = '';
let dir = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  dir = mkdtempSync(join(tmpdir(), 'cli-connect-'));
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'u', user: { token: 'from-file' } }],
    contexts: [{ name: 'ctx', context: { cluster: 'c', user: 'u', namespace: 'team' } }],
    'current-context': 'ctx',
  };
  writeFileSync(join(dir, 'config'), JSON.stringify(config));
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  seen.length = 0;
  answer = { status: 200, body: {} };
});

const traced: string[] = [];
const warned: string[] = [];
const open = (line = '', env: Record<string, string> = { KUBECONFIG: join(dir, 'config') }) => {
  const { flags } = parseFlags(line.split(' ').filter(Boolean), CONNECTION_FLAGS);
  return connect(flags, {
    env,
    userAgent: 'test',
    trace: (text) => traced.push(text),
    warn: (text) => warned.push(text),
  });
};
const last = () => seen.at(-1);

describe('connecting', () => {
  test.each([
    ['', 'team'],
    ['-n prod', 'prod'],
    ['--namespace=', 'team'],
  ])('"%s" works in namespace %s', async (flags, namespace) => {
    const cluster = open(flags);
    await cluster.get(CONFIG_MAPS, 'foo');
    expect(cluster.namespace).toBe(namespace);
    expect(last()?.request.url).toBe(`/api/v1/namespaces/${namespace}/configmaps/foo`);
    expect(last()?.request.headers).toMatchObject({ authorization: 'Bearer from-file', 'user-agent': 'test' });
  });

  test('impersonates, with a header for each group', async () => {
    await open('--as bob --as-group a --as-group b --as-uid 7').get(CONFIG_MAPS, 'foo');
    expect(last()?.request.headersDistinct).toMatchObject({
      'impersonate-user': ['bob'],
      'impersonate-group': ['a', 'b'],
      'impersonate-uid': ['7'],
    });
    expect(() => open('--as-group a')).toThrow('without impersonating a user');
  });

  test('lets flags stand in for the kubeconfig', async () => {
    await open(`--token mine`).get(CONFIG_MAPS, 'foo');
    expect(last()?.request.headers['authorization']).toBe('Bearer mine');
    await open(`-s ${url}/behind/a/proxy`).get(CONFIG_MAPS, 'foo');
    expect(last()?.request.url).toBe('/behind/a/proxy/api/v1/namespaces/team/configmaps/foo');
  });

  test('needs no kubeconfig when the server is named', async () => {
    await open(`--server ${url} --token mine`, {}).get(CONFIG_MAPS, 'foo');
    expect(last()?.request.url).toBe('/api/v1/namespaces/default/configmaps/foo');
    expect(() => open('', {})).toThrow('no kubeconfig found');
    expect(() => open('--context nope')).toThrow('context "nope" does not exist');
  });

  test('tells of requests from -v=6 on', async () => {
    traced.length = 0;
    await open('-v=5').get(CONFIG_MAPS, 'foo');
    expect(traced).toEqual([]);
    await open('-v=6').get(CONFIG_MAPS, 'foo');
    expect(traced.join()).toMatch(/^GET \/api\/v1\/namespaces\/team\/configmaps\/foo OK in \d+ ms$/);
  });
});

describe('what the server warns of', () => {
  test('is told once a run, also when the request failed', async () => {
    warned.length = 0;
    const cluster = open();
    answer = { status: 200, body: {}, warning: ['299 - "v0 is deprecated"', '299 - "mind the gap"'] };
    await cluster.get(CONFIG_MAPS, 'foo');
    answer = { status: 404, body: {}, warning: ['299 - "mind the gap", 299 - "not here"'] };
    await expect(cluster.get(CONFIG_MAPS, 'bar')).rejects.toBeInstanceOf(ServerError);
    expect(warned).toEqual(['v0 is deprecated', 'mind the gap', 'not here']);
    await expect(open().get(CONFIG_MAPS, 'bar')).rejects.toBeInstanceOf(ServerError);
    expect(warned.slice(3)).toEqual(['mind the gap', 'not here']);
  });
});

describe('requests', () => {
  const write = { fieldManager: 'me', dryRun: false };

  test('say who writes, and whether to store it', async () => {
    await open().create(CONFIG_MAPS, { kind: 'ConfigMap' }, write);
    expect([last()?.request.method, last()?.request.url]).toEqual([
      'POST',
      '/api/v1/namespaces/team/configmaps?fieldManager=me',
    ]);
    await open().patch(CONFIG_MAPS, 'foo', { type: 'merge', body: { a: 1 } }, { ...write, dryRun: true });
    expect(last()?.request.url).toBe('/api/v1/namespaces/team/configmaps/foo?fieldManager=me&dryRun=All');
    expect(last()?.request.headers['content-type']).toBe('application/merge-patch+json');
    const operations = [{ op: 'test', path: '/a', value: 1 }] as const;
    await open().patch(CONFIG_MAPS, 'foo', { type: 'json', operations }, write);
    expect(last()?.request.headers['content-type']).toBe('application/json-patch+json');
    expect(JSON.parse(last()?.body ?? '')).toEqual(operations);
  });

  test('ask for metadata alone', async () => {
    await open().getMetadata(CONFIG_MAPS, 'foo');
    expect(last()?.request.headers.accept).toMatch(/^application\/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1/);
  });

  test('that change metadata may ask for nothing else', async () => {
    const patch = { type: 'merge', body: { metadata: {} } } as const;
    await open().patch(SOURCES.Secret, 'foo', patch, { ...write, metadataOnly: true });
    expect(last()?.request.headers.accept).toBe('application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1');
    await open().patch(SOURCES.Secret, 'foo', patch, write);
    expect(last()?.request.headers.accept).toBe('application/json');
  });

  test('for the next page are made when it is wanted', async () => {
    const asked = seen.length;
    const cluster = open();
    const found: unknown[] = [];
    answer = { status: 200, body: { metadata: { continue: 'more' }, items: [1, 2] } };
    for await (const item of cluster.list(CONFIG_MAPS, { labelSelector: 'a=b,c' })) {
      found.push(item);
      answer = { status: 200, body: { metadata: {}, items: [3] } };
    }
    expect(found).toEqual([1, 2, 3]);
    expect(seen.slice(asked).map(({ request }) => request.url)).toEqual([
      '/api/v1/namespaces/team/configmaps?limit=500&labelSelector=a%3Db%2Cc',
      '/api/v1/namespaces/team/configmaps?limit=500&continue=more&labelSelector=a%3Db%2Cc',
    ]);
  });

  test('may be about every namespace, or another one', async () => {
    answer = { status: 200, body: { metadata: {}, items: null } };
    const list = open().list(SOURCES.Secret, {
      allNamespaces: true,
      fieldSelector: 'metadata.name=foo',
      metadataOnly: true,
    });
    expect((await list[Symbol.asyncIterator]().next()).done).toBe(true);
    expect(last()?.request.url).toBe('/api/v1/secrets?limit=500&fieldSelector=metadata.name%3Dfoo');
    // Nothing else is accepted: a server that cannot do it must not send contents.
    expect(last()?.request.headers.accept).toBe('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1');
    await open().inNamespace('other').getMetadata(SOURCES.Secret, 'foo');
    expect(last()?.request.url).toBe('/api/v1/namespaces/other/secrets/foo');
    expect(last()?.request.headers.accept).toBe('application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1');
  });

  test('find out what the server knows', async () => {
    const rollouts = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', resource: 'rollouts' };
    answer = { status: 200, body: { resources: [{ name: 'rollouts' }, { name: 'rollouts/status' }] } };
    expect(await open().serves(rollouts)).toBe(true);
    expect(last()?.request.url).toBe('/apis/argoproj.io/v1alpha1');
    expect(await open().serves({ ...rollouts, resource: 'analysisruns' })).toBe(false);
    answer = { status: 404, body: {} };
    expect(await open().serves(rollouts)).toBe(false);
    answer = { status: 500, body: {} };
    await expect(open().serves(rollouts)).rejects.toBeInstanceOf(ServerError);
  });

  test('leave the namespace out for what is in none', async () => {
    const webhooks = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'X', resource: 'webhooks' };
    await open().getClusterScopedMetadata(webhooks, 'foo');
    expect(last()?.request.url).toBe('/apis/admissionregistration.k8s.io/v1/webhooks/foo');
    expect(last()?.request.headers.accept).toMatch(/^application\/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1/);
  });

  test.each([
    [404, 'NotFound', undefined, 'NotFound'],
    [409, 'Conflict', undefined, 'Conflict'],
    [409, 'AlreadyExists', undefined, 'AlreadyExists'],
    [403, 'Forbidden', undefined, 'Forbidden'],
    // A failed test of a JSON Patch names no field.
    [422, 'Invalid', {}, 'Conflict'],
    [422, 'Invalid', { causes: [{ field: 'a' }] }, 'Rejected'],
  ])('answered %i %s %j throw it', async (status, reason, details, kind) => {
    answer = { status, body: { kind: 'Status', message: 'said the server', reason, details } };
    const error: unknown = await open()
      .get(CONFIG_MAPS, 'foo')
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServerError);
    expect(error).toMatchObject({ kind, fields: { status, reason, message: 'said the server' } });
  });

  test('for a kind that is not installed throw what kubectl says of it', async () => {
    const rollouts = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', resource: 'rollouts' };
    answer = { status: 404, body: '404 page not found\n' };
    const cluster = open();
    const requests: readonly Promise<unknown>[] = [
      cluster.get(rollouts, 'bar'),
      cluster.inNamespace('prod').patch(rollouts, 'bar', { type: 'merge', body: {} }, write),
      cluster.list(rollouts, { allNamespaces: true })[Symbol.asyncIterator]().next(),
    ];
    for (const request of requests) {
      const error: unknown = await request.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ kind: 'NotFound', fields: { status: 404 } });
      expect(renderError(error, 'kubectl x')).toBe(`error: the server doesn't have a resource type "rollouts"\n`);
    }
    // What a proxy answers is no word of the API server.
    answer = { status: 404, body: '<h1>No such site</h1>' };
    const error: unknown = await cluster.get(rollouts, 'bar').catch((thrown: unknown) => thrown);
    expect(renderError(error, 'kubectl x')).toContain('the server answered 404: <h1>No such site</h1>');
  });

  test('that nobody answers throw too', async () => {
    const error: unknown = await open('-s 127.0.0.1:1')
      .get(CONFIG_MAPS, 'foo')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      fields: { status: 0, message: 'cannot reach the API server at https://127.0.0.1:1: connection refused' },
    });
  });
});
