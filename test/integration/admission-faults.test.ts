// Admission when things break: the webhook is killed, its certificate expires or is deleted, and what reaches it is no question.

import https from 'node:https';
import { afterEach, describe, expect, test } from '@jest/globals';
import { x509 } from '../../controller/server/x509.ts';
import { type Controller, env, startController } from '../support/controller.ts';
import {
  admin,
  adopted,
  deploymentManifest,
  mountedBy,
  revisionOf,
  type Scenario,
  sleep,
  until,
  V1,
  V2,
} from '../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

const running: Controller[] = [];
async function start(): Promise<Controller> {
  const controller = await startController({ admission: true });
  running.push(controller);
  return controller;
}
afterEach(async () => {
  for (const controller of running.splice(0)) await controller.stop();
});

const RAW = deploymentManifest();
const NAME_POINTER = '/spec/template/spec/volumes/0/configMap/name';
const SECRET = '/api/v1/namespaces/config-rollout/secrets/config-rollout-webhook-tls';

/** What an unchanged raw apply asks for, at a steady pace; gives how many went through, and how many of them raw. */
function applyRawAllTheTime({ namespace }: Scenario, perSecond = 20) {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/bar`;
  const body = [{ op: 'replace', path: NAME_POINTER, value: 'foo' }];
  const contentType = 'application/json-patch+json';
  const seen = { sent: 0, raw: 0, failed: [] as string[] };
  let isOver = false;
  const done = (async () => {
    while (!isOver) {
      seen.sent += 1;
      const answer = admin().request<Json>('PATCH', path, { body, contentType });
      await answer.then(
        (stored) => {
          if (mountedBy(stored) === 'foo') seen.raw += 1;
        },
        (error: Error) => seen.failed.push(error.message),
      );
      await sleep(1000 / perSecond);
    }
  })();
  return async () => {
    isOver = true;
    await done;
    return seen;
  };
}

describe('the webhook', () => {
  test('that is killed leaves everybody at work; the controller mends what went past it, and an undo goes where it should', async () => {
    const killed = await start();
    const scenario = await adopted('killed');
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet();
    await killed.kill();
    await scenario.apply(RAW);
    expect(mountedBy(await scenario.deployment())).toBe('foo');
    await until('the raw revision', async () => (await scenario.revisions()).map(mountedBy).includes('foo'));
    await start();
    await scenario.runsWith(V2);
    await until('the raw revision is gone', async () => !(await scenario.revisions()).map(mountedBy).includes('foo'));
    const { generation } = (await scenario.deployment()).metadata;
    for (let i = 0; i < 3; i += 1) await scenario.apply(RAW);
    await scenario.quiet();
    expect((await scenario.deployment()).metadata.generation).toBe(generation);
    await scenario.kubectl('rollout', 'undo', 'deployment/bar');
    await scenario.runsWith(V1);
  });

  test('that is stopped answers what has reached it, and no request fails', async () => {
    const stopped = await start();
    const scenario = await adopted('stopped');
    const end = applyRawAllTheTime(scenario);
    await sleep(2000);
    expect(await stopped.stop()).toBe(0);
    await sleep(1000);
    const { failed, sent } = await end();
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(20);
    await start();
    await scenario.runsWith(V1);
  });
});

describe('the certificate', () => {
  async function secret(): Promise<Json> {
    return admin().request<Json>('GET', SECRET);
  }
  const pem = (object: Json, key: string): string => Buffer.from(object.data[key], 'base64').toString();
  const fingerprint = (object: Json) => x509.readBundle(pem(object, 'tls.crt'))[0]?.fingerprint;
  const patchSecret = (data: Record<string, string>) => {
    const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
    return admin().request('PATCH', SECRET, { body: { data: Object.fromEntries(encoded) } });
  };
  /** Signed by the CA that is in the Secret, or by another. */
  async function expired(authority: { cert: string; key: string }) {
    const now = Date.now();
    const hosts = ['config-rollout-webhook.config-rollout.svc'];
    return x509.makeServing(authority, hosts, { notBefore: now - 3_600_000, notAfter: now - 60_000 });
  }

  test('that expired while nobody was there is replaced before anything is served', async () => {
    const first = await start();
    await first.stop();
    const before = await secret();
    const { cert, key } = await expired({ cert: pem(before, 'ca.crt'), key: pem(before, 'ca.key') });
    await patchSecret({ 'tls.crt': cert, 'tls.key': key });
    await start();
    const scenario = await adopted('expired');
    await scenario.apply(RAW);
    expect(mountedBy(await scenario.deployment())).not.toBe('foo');
    const [serving] = x509.readBundle(pem(await secret(), 'tls.crt'));
    expect(serving?.notAfter).toBeGreaterThan(Date.now());
  });

  test('is replaced under load: expired, deleted with its CA, overwritten; and nothing goes past it', async () => {
    await start();
    const scenario = await adopted('rotated');
    const { generation } = (await scenario.deployment()).metadata;
    const end = applyRawAllTheTime(scenario);
    const replaced = async (what: string, by: () => Promise<unknown>) => {
      const before = fingerprint(await secret());
      await by();
      await until(`another certificate, for one that was ${what}`, async () => fingerprint(await secret()) !== before);
    };
    await replaced('expired', async () => {
      const now = await secret();
      const { cert, key } = await expired({ cert: pem(now, 'ca.crt'), key: pem(now, 'ca.key') });
      await patchSecret({ 'tls.crt': cert, 'tls.key': key });
      await until('it is replaced', async () => pem(await secret(), 'tls.crt') !== cert);
    });
    await replaced('deleted', () => admin().request('DELETE', SECRET, { body: {} }));
    await replaced('overwritten', () => patchSecret({ 'tls.key': 'no key' }));
    // The switch to a certificate of the new CA comes after the API server has had the time to learn of it.
    await sleep(15_000);
    const { sent, raw, failed } = await end();
    expect({ raw, failed }).toEqual({ raw: 0, failed: [] });
    expect(sent).toBeGreaterThan(200);
    expect((await scenario.deployment()).metadata.generation).toBe(generation);
    const logged = running.flatMap(({ log }) => log.map((line) => JSON.stringify(line))).join('\n');
    expect(logged).not.toContain('PRIVATE KEY');
  });

  test('is known again after a caBundle was taken away', async () => {
    await start();
    const scenario = await adopted('untrusted');
    const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/config-rollout';
    const body = [{ op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }];
    await admin().request('PATCH', path, { body, contentType: 'application/json-patch+json' });
    await until('it is back', async () => (await admin().request<Json>('GET', path)).webhooks[0].clientConfig.caBundle);
    await until('it is trusted', async () => {
      await scenario.apply(RAW);
      return mountedBy(await scenario.deployment()) !== 'foo';
    });
    await scenario.runsWith(V1);
  });
});

describe('two replicas', () => {
  test('both answer, and one change is one revision', async () => {
    await start();
    // The same Service, another port: the controller that the API server does not know of yet.
    const second = await startController({ admission: Number(env('TEST_WEBHOOK_PORT')) + 1 });
    running.push(second);
    const path = '/api/v1/namespaces/config-rollout/endpoints/config-rollout-webhook';
    const { subsets } = await admin().request<Json>('GET', path);
    const [{ addresses, ports }] = subsets;
    const another = { addresses, ports: ports.map((port: Json) => ({ ...port, port: port.port + 1 })) };
    await admin().request('PATCH', path, { body: { subsets: [subsets[0], another] } });
    try {
      const scenario = await adopted('replicas');
      const { revision } = { revision: revisionOf(await scenario.deployment()) };
      const end = applyRawAllTheTime(scenario);
      await scenario.edit(V2);
      await scenario.runsWith(V2);
      await sleep(3000);
      const { raw, failed } = await end();
      expect({ raw, failed }).toEqual({ raw: 0, failed: [] });
      expect(revisionOf(await scenario.deployment())).toBe(revision + 1);
      expect(mountedBy((await scenario.revisions()).at(-1))).toMatch(/^foo-/);
    } finally {
      await admin().request('PATCH', path, { body: { subsets } });
    }
  });
});

describe('what is no question', () => {
  function post(body: string | Buffer, path = '/mutate'): Promise<number> {
    const options = {
      method: 'POST',
      host: '127.0.0.1',
      port: env('TEST_WEBHOOK_PORT'),
      path,
      rejectUnauthorized: false,
    };
    return new Promise((resolve, reject) => {
      const request = https.request(options, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      request.on('error', reject);
      request.end(body);
    });
  }
  const review = (request: unknown) =>
    JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });

  test('gets an answer of its own, and the next question is answered', async () => {
    const controller = await start();
    const garbage = Buffer.alloc(100_000, 0xff);
    for (const path of ['/mutate', '/validate']) {
      expect(await post('', path)).toBe(400);
      expect(await post('no json', path)).toBe(400);
      expect(await post(garbage, path)).toBe(400);
      expect(await post('['.repeat(200_000), path)).toBe(400);
      expect(await post(review(undefined), path)).toBe(400);
      expect(await post(review({ uid: '1' }).replace('/v1', '/v1beta1'), path)).toBe(400);
      expect(await post(Buffer.alloc(17 * 1024 * 1024, 0x20), path)).toBe(413);
      expect(await post(review({ uid: '1' }), path)).toBe(200);
      const odd = { kind: { group: 'apps', kind: 'Deployment' }, object: { metadata: 1, spec: [{ template: null }] } };
      expect(await post(review({ uid: '1', ...odd }), path)).toBe(200);
    }
    expect(await post('{}', '/elsewhere')).toBe(404);
    const scenario = await adopted('garbage');
    await scenario.apply(RAW);
    expect(mountedBy(await scenario.deployment())).not.toBe('foo');
    expect(controller.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
