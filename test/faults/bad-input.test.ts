// Bad objects and bodies, for the real executable: each ends in a clear error or an Event, and none in a crash, a hot loop,
// or a write.

import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ApiError } from '../../controller/kube/api-error.ts';
import { freePorts } from '../../hack/embedded/ports.ts';
import { type Controller, env, startController } from '../support/controller.ts';
import { installRolloutCrd, removeRolloutCrd } from '../support/rollout-crd.ts';
import { admin, mountedBy, Scenario, sleep, until } from '../support/scenario.ts';
import { LET_THROUGH, PLAIN, type Question, REFUSED, review } from './bad-input/bodies.ts';
import { CONTROLLER_FLAGS, CONTROLLER_VARIABLES, PLUGIN_LINES } from './bad-input/flags.ts';
import { BAD_OBJECTS, type BadObject } from './bad-input/objects.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

const RESOURCES: Readonly<Record<string, string>> = {
  ConfigMap: '/api/v1/namespaces/NS/configmaps',
  Deployment: '/apis/apps/v1/namespaces/NS/deployments',
  Rollout: '/apis/argoproj.io/v1alpha1/namespaces/NS/rollouts',
  ConfigRollout: '/apis/configrollout.dev/v1alpha1/namespaces/NS/configrollouts',
};

let controller: Controller;
let scenario: Scenario;
let ports: Record<'health' | 'metrics', number>;
beforeAll(async () => {
  await installRolloutCrd();
  scenario = await Scenario.start('bad');
  ports = await freePorts('health', 'metrics');
  const addresses = [
    `--health-probe-bind-address=127.0.0.1:${ports.health}`,
    `--metrics-bind-address=127.0.0.1:${ports.metrics}`,
  ];
  controller = await startController({ args: [...addresses, '--namespaces', scenario.namespace], admission: true });
});
afterAll(async () => {
  expect(await controller.stop()).toBe(0);
  await scenario.end();
  await removeRolloutCrd();
});

/** Few enough requests, and lines of the log, that there is no loop. */
async function expectNoHotLoop(ms: number): Promise<void> {
  await scenario.quiet();
  const seen = () => [scenario.audited(({ verb }) => verb !== 'watch').length, controller.log.length] as const;
  const [requests, lines] = seen();
  await sleep(ms);
  const [laterRequests, laterLines] = seen();
  expect(laterRequests - requests).toBeLessThanOrEqual(5);
  expect(laterLines - lines).toBeLessThanOrEqual(20);
}

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
}

function ask(
  port: number,
  isSecure: boolean,
  { method = 'POST', path = '/', headers = {}, body }: Question,
): Promise<Answer> {
  const options = { host: '127.0.0.1', port, method, path, headers, agent: false as const, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    const request = (isSecure ? https : http).request(options, (response) => {
      text(response).then((answer) => resolve({ status: response.statusCode, text: answer }), reject);
    });
    request.setTimeout(15_000, () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.end(body);
  });
}

const askWebhook = (question: Question) =>
  ask(Number(env('TEST_WEBHOOK_PORT')), true, { path: '/mutate', ...question });

/** The response of a review. */
async function admitted(body: string, path = '/mutate'): Promise<Json> {
  const answer = await askWebhook({ path, body });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.text).response;
}

describe('a body', () => {
  test.each(REFUSED)('%s: answered with an error in words', async (_, question, status, says) => {
    const answer = await askWebhook(question);
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(says);
    expect(answer.text.length).toBeLessThan(500);
  });

  test.each(LET_THROUGH)('%s: let through as it is, by both webhooks', async (_, body) => {
    for (const path of ['/mutate', '/validate'])
      expect(await admitted(body, path)).toMatchObject({ uid: 'u1', allowed: true });
  });

  test('of chance: each is answered, as an error or let through', async () => {
    const bodies = fc.oneof(
      fc.json({ maxDepth: 6 }),
      fc.jsonValue().map((object) => review({ object })),
      fc.jsonValue().map((template) =>
        review({
          object: { metadata: { name: 'x', labels: { 'configrollout.dev/managed': 'all' } }, spec: { template } },
        }),
      ),
      fc.dictionary(fc.string(), fc.jsonValue()).map((request) => review({ ...request, uid: 'u1' })),
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        const { status, text } = await askWebhook({ body });
        expect([200, 400]).toContain(status);
        if (status === 200) expect(JSON.parse(text).response.allowed).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the probes and the metrics', () => {
  test.each(PLAIN)('%s: answered with an error', async (_, question, status) => {
    for (const port of [ports.health, ports.metrics]) {
      const answer = await ask(port, false, { method: 'GET', ...question });
      expect(answer.status).toBe(status);
    }
  });
});

describe('an object', () => {
  const named = BAD_OBJECTS.map((bad, i) => ({ ...bad, n: `bad-${i}x` }));
  const refusals = new Map<string, string>();

  beforeAll(async () => {
    for (const bad of named) refusals.set(bad.n, await put(bad));
    // Longer than a new source may wait for its owner, and an unused copy for its end.
    await scenario.quiet(6_000);
  });

  /** Gives the words in which the API server refused, if it did. */
  async function put({ make, n }: BadObject & { readonly n: string }): Promise<string> {
    for (const body of make(n)) {
      const path = RESOURCES[body.kind]?.replace('NS', scenario.namespace) ?? '';
      try {
        await admin().request('POST', path, { body });
        // Of two watches either may be ahead.
        if (body.kind === 'Deployment')
          await until('it is seen', async () => isSeen(await scenario.deployment(body.metadata.name)));
      } catch (error) {
        if (error instanceof ApiError && error.status >= 400 && error.status < 500) return error.message;
        throw error;
      }
    }
    return '';
  }

  const isSeen = ({ status }: Json): boolean => status?.observedGeneration !== undefined;
  const writes = (n: string) =>
    scenario.changes().filter(({ objectRef }) => objectRef.name === n || objectRef.name?.startsWith(`${n}-`));
  const eventsAbout = async (n: string) =>
    (await scenario.list('/apis/events.k8s.io/v1/namespaces/NS/events')).filter(
      ({ regarding, reason }) => regarding.name === n && reason.startsWith('Config'),
    );

  test.each(named)('$what: $end', async ({ n, end }) => {
    if (end === 'refused') {
      expect(refusals.get(n)).not.toBe('');
      expect(writes(n)).toEqual([]);
      return;
    }
    expect(refusals.get(n)).toBe('');
    if (end === 'rolls') return rolls(n);
    const events = await eventsAbout(n);
    expect(events.map(({ reason }) => reason)).toEqual(end === 'ignored' ? [] : [end]);
    expect(writes(n)).toEqual([]);
  });

  async function rolls(n: string): Promise<void> {
    const mount = await until('it is pinned', async () => {
      const name = mountedBy(await scenario.deployment(n));
      return name !== n && name;
    });
    const { data, binaryData } = await scenario.configMap(n);
    const copy = await scenario.configMap(mount);
    expect([copy.data, copy.binaryData, copy.immutable]).toEqual([data, binaryData, true]);
  }

  test('with opt-ins of chance: refused, or said, or ignored', async () => {
    const words = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('deployment/', 'all', 'none', 'excluded', '{}', '-1'),
    );
    const keys = fc.constantFrom(
      'owners',
      'managed',
      'source',
      'content-hash',
      'source-name',
      'source-uid',
      'after-revision',
      'failed-rollout',
    );
    const marks = fc.dictionary(
      keys.map((key) => `configrollout.dev/${key}`),
      words,
    );
    const before = scenario.changes().length;
    let count = 0;
    await fc.assert(
      fc.asyncProperty(marks, marks, async (labels, annotations) => {
        const metadata = { name: `chance-${count++}`, labels, annotations };
        await put({
          what: '',
          end: 'ignored',
          n: '',
          make: () => [{ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'x' } }],
        });
      }),
      { numRuns: 100 },
    );
    await scenario.quiet();
    expect(count).toBeGreaterThanOrEqual(100);
    expect(
      scenario
        .changes()
        .slice(before)
        .filter(({ verb }) => verb !== 'delete'),
    ).toEqual([]);
  });

  test('that names a thousand owners wrongly is told of in a few Events', async () => {
    const entries = Array.from({ length: 1000 }, (_, i) => `nobody-${i}!`);
    const metadata = { name: 'many', annotations: { 'configrollout.dev/owners': entries.join(',') } };
    await put({
      what: '',
      end: 'ignored',
      n: '',
      make: () => [{ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: {} }],
    });
    await scenario.event('ConfigOwnersInvalid', 'many');
    await scenario.quiet();
    expect((await eventsAbout('many')).length).toBeLessThanOrEqual(10);
  });
});

test('after all of that it is at rest, ready, and has said nothing of insides', async () => {
  await expectNoHotLoop(5_000);
  expect((await ask(ports.health, false, { method: 'GET', path: '/readyz' })).status).toBe(200);
  const lines = controller.log.map((line) => JSON.stringify(line));
  expect(lines.filter((line) => line.includes('cannot be projected'))).toEqual([]);
  expect(lines.filter((line) => /event not sent/.test(line))).toEqual([]);
  expect(
    lines.filter((line) => /"level":"error"/.test(line) && /TypeError|is not a function|Cannot read/.test(line)),
  ).toEqual([]);
});

test('there were more than a hundred', () => {
  const counts = {
    objects: BAD_OBJECTS.length,
    bodies: REFUSED.length + LET_THROUGH.length,
    requests: PLAIN.length,
    flags: CONTROLLER_FLAGS.length + CONTROLLER_VARIABLES.length + PLUGIN_LINES.length,
  };
  const count = Object.values(counts).reduce((sum, each) => sum + each, 0);
  console.log(`${count} by hand, besides those of chance: ${JSON.stringify(counts)}`);
  expect(count).toBeGreaterThanOrEqual(100);
});
