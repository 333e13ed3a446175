// The Secret and the webhook configurations as requests.

import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../controller/kube/api-error.ts';
import type { KubeClient } from '../../controller/kube/client.ts';
import { WebhookTrust } from '../../controller/kube/webhook-trust.ts';

type Request = Parameters<KubeClient['request']>;

const SECRET = '/api/v1/namespaces/ours/secrets/config-rollout-webhook-tls';
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1';
const MUTATING = `${CONFIGURATIONS}/mutatingwebhookconfigurations/config-rollout`;
const VALIDATING = `${CONFIGURATIONS}/validatingwebhookconfigurations/config-rollout`;
const base64 = (text: string) => Buffer.from(text).toString('base64');
const material = { 'ca.crt': 'CA', 'ca.key': 'CA key', 'tls.crt': 'leaf', 'tls.key': 'leaf key' };
const encoded = Object.fromEntries(Object.entries(material).map(([key, text]) => [key, base64(text)]));

/** Over a client that finds what `objects` has, and keeps what it is asked. */
function trustOver(objects: Readonly<Record<string, unknown>>) {
  const asked: Request[] = [];
  const client = {
    async request(...request: Request) {
      asked.push(request);
      const [method, path] = request;
      const found = objects[path];
      if (method === 'GET' && found === undefined) {
        throw new ApiError({ status: 404, reason: 'NotFound', message: `${path} not found`, method, path });
      }
      return found;
    },
  };
  return { port: new WebhookTrust(client as unknown as KubeClient, 'ours'), asked };
}

describe('the Secret', () => {
  const raw = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      name: 'config-rollout-webhook-tls',
      namespace: 'ours',
      uid: 'u',
      resourceVersion: '5',
      labels: { a: 'b' },
    },
    data: { 'tls.crt': base64('old'), other: base64('kept') },
  };

  test('is read with what it has, and its version', async () => {
    const { port } = trustOver({ [SECRET]: raw });
    const old = { 'ca.crt': '', 'ca.key': '', 'tls.crt': 'old', 'tls.key': '' };
    expect(await port.readSecret()).toEqual({ resourceVersion: '5', material: old, raw });
    expect(await trustOver({}).port.readSecret()).toBeUndefined();
  });

  test('is created as what it is, under our label', async () => {
    const { port, asked } = trustOver({});
    await port.writeSecret(material, undefined);
    expect(asked).toEqual([
      [
        'POST',
        '/api/v1/namespaces/ours/secrets',
        {
          query: { fieldManager: 'config-rollout' },
          body: {
            apiVersion: 'v1',
            kind: 'Secret',
            type: 'kubernetes.io/tls',
            metadata: {
              name: 'config-rollout-webhook-tls',
              namespace: 'ours',
              labels: { 'app.kubernetes.io/managed-by': 'config-rollout' },
            },
            data: encoded,
          },
        },
      ],
    ]);
  });

  test('is replaced at the version that was read, and keeps its type, its labels, and whatever else is in it', async () => {
    const { port, asked } = trustOver({ [SECRET]: raw });
    await port.writeSecret(material, await port.readSecret());
    const body = { ...raw, data: { ...encoded, other: base64('kept') } };
    expect(asked[1]).toEqual(['PUT', SECRET, { query: { fieldManager: 'config-rollout' }, body }]);
  });
});

describe('the configurations', () => {
  const configuration = (...clientConfigs: unknown[]) => ({
    metadata: { name: 'config-rollout', resourceVersion: '9' },
    webhooks: clientConfigs.map((clientConfig) => ({ name: 'x', clientConfig })),
  });

  test('are read: whom API servers call, and whom they trust', async () => {
    const service = { name: 'hook', namespace: 'ours', path: '/mutate' };
    const { port } = trustOver({
      [MUTATING]: configuration({ service, caBundle: base64('PEM') }, { url: 'https://Hook.Example.org:8443/x' }),
      [VALIDATING]: configuration({ url: 'https://127.0.0.1:1/x' }, { url: 'https://[0::1]/x' }),
    });
    expect(await port.readTrust()).toEqual([
      {
        kind: 'MutatingWebhookConfiguration',
        resourceVersion: '9',
        webhooks: [
          { host: 'hook.ours.svc', caBundle: 'PEM' },
          { host: 'hook.example.org', caBundle: '' },
        ],
      },
      {
        kind: 'ValidatingWebhookConfiguration',
        resourceVersion: '9',
        webhooks: [
          { host: '127.0.0.1', caBundle: '' },
          { host: '::1', caBundle: '' },
        ],
      },
    ]);
  });

  test('are left out when they do not exist, or have no webhooks', async () => {
    const { port } = trustOver({ [VALIDATING]: { metadata: { resourceVersion: '9' } } });
    expect(await port.readTrust()).toEqual([
      { kind: 'ValidatingWebhookConfiguration', resourceVersion: '9', webhooks: [] },
    ]);
  });

  test('are patched at the version that was read, in the bundles alone', async () => {
    const { port, asked } = trustOver({});
    const bundles = new Map([
      [0, 'PEM'],
      [2, 'MEP'],
    ]);
    await port.patchTrust({ kind: 'ValidatingWebhookConfiguration', resourceVersion: '9' }, bundles);
    const body = [
      { op: 'test', path: '/metadata/resourceVersion', value: '9' },
      { op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: base64('PEM') },
      { op: 'add', path: '/webhooks/2/clientConfig/caBundle', value: base64('MEP') },
    ];
    const contentType = 'application/json-patch+json';
    expect(asked).toEqual([['PATCH', VALIDATING, { query: { fieldManager: 'config-rollout' }, body, contentType }]]);
  });

  test('and a refusal is an error in the words of the application', async () => {
    const client = {
      async request(method: string, path: string) {
        throw new ApiError({ status: 403, reason: 'Forbidden', message: 'no', method, path });
      },
    };
    const port = new WebhookTrust(client as unknown as KubeClient, 'ours');
    await expect(port.readTrust()).rejects.toMatchObject({ name: 'ClusterError', kind: 'Forbidden' });
    await expect(port.writeSecret(material, undefined)).rejects.toMatchObject({ kind: 'Forbidden' });
  });
});
