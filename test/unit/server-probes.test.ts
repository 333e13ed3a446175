// Probes and metrics over real sockets: asked as kubelets and Prometheus ask, and as nobody should.

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cachesCheck, onceCheck, shutdownCheck } from '../../controller/server/checks.ts';
import { type Operations, serveOperations } from '../../controller/server/operations.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };
const wellKnown = { contentType: 'text/plain; version=0.0.4; charset=utf-8', metrics: async () => 'up 1\n' };

let stop: AbortController;
let problems: Record<string, string | undefined>;
let serving: Promise<void>;
let health: string;
let metrics: string;

/** Starts; resolves with the addresses, by what is served there, once all of them are. */
async function start(options: Partial<Operations> = {}, expected = 2) {
  const addresses: Record<string, string> = {};
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  const check = (name: string) => ({ name, check: () => problems[name] });
  const ended = serveOperations(
    {
      health: LOCAL,
      metrics: LOCAL,
      checks: { healthz: [check('workers')], readyz: [check('caches'), check('leader')] },
      registry: wellKnown,
      log: (_level, message, fields) => {
        addresses[message] = `http://${fields?.['address']}`;
        if (Object.keys(addresses).length === expected) resolve();
      },
      ...options,
    },
    stop.signal,
  );
  await Promise.race([listening, ended]);
  return { ended, addresses };
}

beforeEach(async () => {
  stop = new AbortController();
  problems = {};
  const { ended, addresses } = await start();
  serving = ended;
  health = addresses['health probes are served'] ?? '';
  metrics = addresses['metrics are served'] ?? '';
});
afterEach(async () => {
  stop.abort();
  await serving;
});

async function get(url: string, method = 'GET') {
  const response = await fetch(url, { method, headers: { connection: 'close' } });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
const answerOf = async (path: string) => {
  const { status, text } = await get(`${health}${path}`);
  return [status, text];
};

describe('a probe', () => {
  test.each(['/healthz', '/readyz'])('%s is ok when all checks are', async (path) => {
    expect(await answerOf(path)).toEqual([200, 'ok']);
  });

  test('fails with the list of its checks, and what is wrong', async () => {
    problems['caches'] = 'waiting for configmaps';
    expect(await answerOf('/readyz')).toEqual([
      503,
      '[+]ping ok\n[-]caches failed: waiting for configmaps\n[+]leader ok\nreadyz check failed\n',
    ]);
    expect(await answerOf('/healthz')).toEqual([200, 'ok']);
  });

  test('shows the list when asked to', async () => {
    expect(await answerOf('/readyz?verbose')).toEqual([
      200,
      '[+]ping ok\n[+]caches ok\n[+]leader ok\nreadyz check passed\n',
    ]);
    expect(await answerOf('/healthz?verbose=true')).toEqual([200, '[+]ping ok\n[+]workers ok\nhealthz check passed\n']);
  });

  test('can be asked for one check', async () => {
    problems['caches'] = 'incomplete';
    expect(await answerOf('/readyz/leader')).toEqual([200, 'ok']);
    expect(await answerOf('/readyz/ping')).toEqual([200, 'ok']);
    expect(await answerOf('/readyz/caches')).toEqual([503, '[-]caches failed: incomplete\nreadyz check failed\n']);
    expect((await get(`${health}/readyz/workers`)).status).toBe(404);
    expect((await get(`${health}/readyz/`)).status).toBe(404);
    expect((await get(`${health}/readyz/caches/more`)).status).toBe(404);
  });

  test('is asked anew each time', async () => {
    problems['leader'] = 'no';
    expect((await get(`${health}/readyz`)).status).toBe(503);
    problems['leader'] = undefined;
    expect((await get(`${health}/readyz`)).status).toBe(200);
  });

  test('takes a check that throws for one that fails', async () => {
    const broken = {
      name: 'broken',
      check: () => {
        throw new Error('out of order');
      },
    };
    const { addresses } = await start({ metrics: undefined, checks: { healthz: [broken], readyz: [] } }, 1);
    const { status, text } = await get(`${addresses['health probes are served']}/healthz`);
    expect([status, text]).toEqual([503, '[+]ping ok\n[-]broken failed: out of order\nhealthz check failed\n']);
  });
});

describe('the servers', () => {
  test('give metrics, in the type that Prometheus asks for', async () => {
    const { status, headers, text } = await get(`${metrics}/metrics`);
    expect([status, headers.get('content-type'), text]).toEqual([200, wellKnown.contentType, 'up 1\n']);
  });

  test('say what there is, to those who ask for something else', async () => {
    const [probes, numbers] = [await get(`${health}/metrics`), await get(`${metrics}/healthz`)];
    expect([probes.status, probes.text]).toEqual([404, 'there is nothing at /metrics; there is /healthz, /readyz\n']);
    expect([numbers.status, numbers.text]).toEqual([404, 'there is nothing at /healthz; there is /metrics\n']);
  });

  test.each(['constructor', '__proto__', '%2e%2e', ''])('have nothing at /%s', async (path) => {
    expect((await get(`${health}/${path}`)).status).toBe(404);
  });

  test('answer a HEAD without a body', async () => {
    const { status, headers, text } = await get(`${health}/healthz`, 'HEAD');
    expect([status, headers.get('content-length'), text]).toEqual([200, '2', '']);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('let nobody %s', async (method) => {
    const { status, headers } = await get(`${metrics}/metrics`, method);
    expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('answer what is no URL', async () => {
    const { port } = new URL(health);
    const socket = net.connect(Number(port), '127.0.0.1');
    socket.write('GET http:// HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    const [chunk] = await once(socket, 'data');
    expect(String(chunk)).toMatch(/^HTTP\/1.1 40[04] /);
    socket.destroy();
  });

  test('say so when metrics cannot be collected', async () => {
    const registry = { ...wellKnown, metrics: () => Promise.reject(new Error('no numbers')) };
    const { addresses } = await start({ health: undefined, registry }, 1);
    const { status, text } = await get(`${addresses['metrics are served']}/metrics`);
    expect([status, text]).toEqual([500, 'no numbers\n']);
  });

  test('end at once, whoever is still connected', async () => {
    // One that keeps its connection, one that has not asked to the end, and one whose answer never comes.
    const agent = new http.Agent({ keepAlive: true });
    const kept = http.get(`${health}/healthz`, { agent });
    kept.on('error', () => undefined);
    const [response] = await once(kept, 'response');
    response.resume();
    await once(response, 'end');
    const half = net.connect(Number(new URL(health).port), '127.0.0.1');
    half.on('error', () => undefined);
    half.write('GET /healthz HTTP/1.1\r\n');
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const stuck = {
      ...wellKnown,
      metrics: () => {
        resolve();
        return new Promise<string>(() => undefined);
      },
    };
    const { ended, addresses } = await start({ health: undefined, registry: stuck }, 1);
    const never = fetch(`${addresses['metrics are served']}/metrics`).then(
      () => 'answered',
      () => 'cut off',
    );
    await asked;
    const startedAt = performance.now();
    stop.abort();
    await Promise.all([serving, ended]);
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(await never).toBe('cut off');
    agent.destroy();
  });

  test('listen nowhere without an address, nor when it is over before it began', async () => {
    await serveOperations(
      { health: undefined, metrics: undefined, checks: { healthz: [], readyz: [] }, registry: wellKnown, log: fail },
      stop.signal,
    );
    stop.abort();
    await start({ log: fail });
  });
});

function fail(): never {
  throw new Error('nothing is to be served');
}

describe('an address that cannot be had', () => {
  const failureOf = (options: Partial<Operations>) =>
    start(options, 9).then(
      () => 'none',
      (error: Error) => error.message,
    );

  test('because it is taken, is named with its flag and the cause', async () => {
    const bind = { host: '127.0.0.1', port: Number(new URL(health).port) };
    expect(await failureOf({ metrics: bind, health: undefined })).toBe(
      `--metrics-bind-address: cannot listen on 127.0.0.1:${bind.port}: something else listens there (EADDRINUSE)`,
    );
    expect(await failureOf({ health: bind, metrics: undefined })).toContain(
      '--health-probe-bind-address: cannot listen',
    );
  });

  test('because the machine has it not, is named', async () => {
    const bind = { host: '192.0.2.1', port: 0 };
    expect(await failureOf({ health: bind, metrics: undefined })).toBe(
      '--health-probe-bind-address: cannot listen on 192.0.2.1:0: this machine has no such address (EADDRNOTAVAIL)',
    );
  });
});

describe('a check', () => {
  test('of caches names those that are not complete, each once', async () => {
    const first = Promise.withResolvers<void>();
    const second = Promise.withResolvers<void>();
    const { check } = cachesCheck([
      { name: 'configmaps', synced: first.promise },
      { name: 'configmaps', synced: second.promise },
      { name: 'deployments', synced: second.promise },
    ]);
    expect(check()).toBe('waiting for the first list of configmaps, deployments');
    first.resolve();
    await first.promise;
    expect(check()).toBe('waiting for the first list of configmaps, deployments');
    second.resolve();
    await second.promise;
    expect(check()).toBeUndefined();
  });

  test('of something that comes once passes from then on', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { name, check } = onceCheck('admission', promise, 'a certificate');
    expect([name, check()]).toEqual(['admission', 'waiting for a certificate']);
    resolve();
    await promise;
    expect(check()).toBeUndefined();
  });

  test('of the shutdown fails when it has begun', () => {
    const controller = new AbortController();
    const { check } = shutdownCheck(controller.signal);
    expect(check()).toBeUndefined();
    controller.abort();
    expect(check()).toBe('the process is shutting down');
  });
});
