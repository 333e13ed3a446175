// What a server, or something on the way to it, says without meaning it: an answer that is none is no proof of absence.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { KubeClient } from '../../controller/kube/client.ts';
import { KubeCluster } from '../../controller/kube/cluster.ts';
import { WORKLOAD_KINDS } from '../../controller/workloads/kinds.ts';
import { projectSource } from '../../controller/workloads/raw.ts';

const FOO = { kind: 'ConfigMap', namespace: 'ns', name: 'foo' } as const;

let body = '';
let contentType = 'application/json';
const server = http.createServer((_, response) => {
  response.writeHead(200, { 'content-type': contentType }).end(body);
});
let client: KubeClient;
let cluster: KubeCluster;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const config = new KubeConfig();
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  config.loadFromClusterAndUser({ name: 'test', server: url, skipTLSVerify: true }, { name: 'test' });
  client = new KubeClient(config, { userAgent: 'test' });
  cluster = new KubeCluster(
    client,
    WORKLOAD_KINDS,
    (kind, raw) => projectSource(kind, raw, () => true),
    () => undefined,
  );
});
afterAll(async () => {
  client.close();
  await new Promise((resolve) => server.close(resolve));
});

test.each([
  ['an empty answer', 'application/json', '', 'is empty'],
  ['a page to sign in', 'text/html', '<html></html>', 'is no list'],
  ['an object that is no list', 'application/json', '{"kind":"Status","status":"Success"}', 'is no list'],
])('%s does not say that nothing mounts a snapshot', async (_, type, text, said) => {
  [contentType, body] = [type, text];
  await expect(cluster.isMounted(FOO)).rejects.toMatchObject({
    kind: 'Unavailable',
    message: expect.stringContaining(said),
  });
});

test('an empty answer does not say that there is no source', async () => {
  [contentType, body] = ['application/json', ''];
  await expect(cluster.readSource(FOO)).rejects.toMatchObject({ kind: 'Unavailable' });
  await expect(cluster.readMetadata(FOO)).rejects.toMatchObject({ kind: 'Unavailable' });
});

test('an empty list does say that nothing mounts it', async () => {
  [contentType, body] = ['application/json', '{"kind":"List","metadata":{"resourceVersion":"1"},"items":null}'];
  expect(await cluster.isMounted(FOO)).toBe(false);
});
