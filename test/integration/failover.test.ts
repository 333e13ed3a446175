// Two replicas, of which one works: it is stopped, killed, frozen, and cut off while its writes are on their way. Whatever
// happens, one change is one revision.

import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type Controller, type ControllerOptions, env, startController } from '../support/controller.ts';
import { type FaultProxy, startProxy } from '../support/proxy.ts';
import {
  admin,
  adopted,
  auditEntries,
  deploymentManifest,
  isController,
  isWrite,
  revisionOf,
  type Scenario,
  sleep,
  until,
  V1,
  V2,
} from '../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

const LEASE = '/apis/coordination.k8s.io/v1/namespaces/config-rollout/leases/config-rollout';
const ELECT = ['--leader-elect'];
// The proportions of the defaults, so that nobody has to wait for long.
const LEASE_MS = 6000;
const RETRY_MS = 800;
const QUICK = [
  ...ELECT,
  ...['--leader-elect-lease-duration', '6s'],
  ...['--leader-elect-renew-deadline', '4s'],
  ...['--leader-elect-retry-period', '800ms'],
];
/** For two processes on a busy machine to do what takes them no time. */
const SLACK_MS = 700;

let proxy: FaultProxy;
beforeAll(async () => {
  proxy = await startProxy(env('TEST_CONTROLLER_KUBECONFIG'), (path, content) =>
    writeFileSync(path, content, { mode: 0o600 }),
  );
});
afterAll(() => proxy.close());

const running: Controller[] = [];
afterEach(async () => {
  proxy.heal();
  for (const controller of running.splice(0)) {
    controller.thaw();
    await controller.kill();
  }
  await admin()
    .request('DELETE', LEASE, { body: {} })
    .catch(() => undefined);
});

async function start(options: ControllerOptions): Promise<Controller> {
  const controller = await startController({ admission: false, ...options });
  running.push(controller);
  return controller;
}

const line = ({ log }: Controller, text: RegExp) => log.find(({ message }) => text.test(String(message)));

/** When it leads: the name that it has in the lease. */
function leads(controller: Controller, timeoutMs?: number): Promise<string> {
  return until('it leads', async () => line(controller, /^leads since/)?.['identity'] as string, timeoutMs);
}

function follows(controller: Controller): Promise<unknown> {
  return until('it follows', async () =>
    line(controller, /^waits for the lease config-rollout\/config-rollout, held by/),
  );
}

/** A leader, and one that stands by. */
async function pair(args: readonly string[], leader: ControllerOptions = {}, follower: ControllerOptions = {}) {
  const first = await start({ args, ...leader });
  await leads(first);
  const second = await start({ args, ...follower });
  await follows(second);
  return [first, second] as const;
}

async function lease(): Promise<Json> {
  return (await admin().request<Json>('GET', LEASE)).spec;
}

/** Since `start`, in ms, when the lease is the replica's. */
async function takenAfter(start: number, controller: Controller): Promise<number> {
  await until(
    'it holds the lease',
    async () => (await lease()).holderIdentity === line(controller, /^leads since/)?.['identity'],
    2 * LEASE_MS,
  );
  return performance.now() - start;
}

/** Counts every write to the Deployment's spec and annotations. */
async function generationOf(scenario: Scenario): Promise<number> {
  return (await scenario.deployment()).metadata.generation;
}

async function expectRevisions(scenario: Scenario, count: number): Promise<void> {
  await scenario.quiet();
  expect(await scenario.revisions()).toHaveLength(count);
}

describe('a leader that is stopped', () => {
  test('hands over within two seconds, goes on with admission, and the change of that moment rolls out once', async () => {
    const [first, second] = await pair(ELECT, { args: [...ELECT, '--shutdown-delay', '4s'], admission: true });
    const scenario = await adopted('handover');
    const before = revisionOf(await scenario.deployment());
    const start = performance.now();
    const stopped = first.stop();
    const editing = scenario.edit(V2);
    expect(await takenAfter(start, second)).toBeLessThan(2000);
    expect(line(first, /^released the lease/)).toBeDefined();
    expect(await stopped).toBe(0);
    expect(performance.now() - start).toBeGreaterThan(4000);
    await editing;
    await scenario.runsWith(V2);
    await expectRevisions(scenario, 2);
    expect(revisionOf(await scenario.deployment())).toBe(before + 1);
    expect(await lease()).toMatchObject({ leaseDurationSeconds: 15, leaseTransitions: 1 });
    await second.stop();
    expect(await lease()).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
  });

  test('has been helped by the other all the time: who stands by serves admission, too', async () => {
    await pair(ELECT, {}, { admission: true });
    const scenario = await adopted('standby');
    const generation = await generationOf(scenario);
    for (let i = 0; i < 3; i += 1) await scenario.apply(deploymentManifest());
    await scenario.quiet();
    expect(await generationOf(scenario)).toBe(generation);
  });
});

describe('a leader that is killed', () => {
  test('is replaced when the lease has run out, and what it has begun is finished', async () => {
    const [first, second] = await pair(QUICK);
    const scenario = await adopted('failover');
    await scenario.edit(V2);
    await until('it has begun', async () => (await scenario.snapshots()).length === 2);
    const start = performance.now();
    await first.kill();
    expect(await takenAfter(start, second)).toBeLessThan(LEASE_MS + RETRY_MS + SLACK_MS);
    await scenario.runsWith(V2);
    await expectRevisions(scenario, 2);
  });

  test('and had nothing to do: its successor writes the lease, and nothing else', async () => {
    const [first, second] = await pair(QUICK);
    const scenario = await adopted('idle');
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await scenario.quiet(4000);
    const { length } = auditEntries();
    await first.kill();
    await leads(second);
    await scenario.quiet(4000);
    // What other tests left behind in their namespaces may give a successor work: a patch that the API server rejects each time.
    const namespaces = [scenario.namespace, 'config-rollout'];
    const written = auditEntries()
      .slice(length)
      .filter((entry) => isController(entry) && isWrite(entry) && namespaces.includes(entry.objectRef.namespace))
      .map(({ objectRef }) => objectRef.resource);
    expect(new Set(written)).toEqual(new Set(['leases']));
  });
});

describe('a leader that comes back too late', () => {
  // Of a change: the snapshot, and the template.
  test.each([1, 2])('cut off with write %i on its way: that write does not land', async (held) => {
    const [first, second] = await pair(QUICK, { kubeconfig: proxy.kubeconfig });
    const scenario = await adopted(`partition-${held}`);
    let late: string | undefined;
    proxy.judge = ({ number, method, path }) => {
      if (number === held) {
        late = `${method} ${path}`;
        proxy.cut();
      }
      return 'pass';
    };
    await scenario.edit(V2);
    await leads(second, LEASE_MS + RETRY_MS + 3000);
    await scenario.runsWith(V2);
    await expectRevisions(scenario, 2);
    expect(await first.exited).toBe(1);
    expect(line(first, /^leader election lost: the lease .* was not renewed for 4 s: /)).toBeDefined();
    const generation = await generationOf(scenario);
    const landed = proxy.answered.length;
    proxy.heal();
    const arrived = () => proxy.answered.slice(landed);
    await until('it has arrived', async () => arrived().some(({ method, path }) => `${method} ${path}` === late));
    await expectRevisions(scenario, 2);
    expect(await generationOf(scenario)).toBe(generation);
    for (const { status } of arrived()) expect(status).toBeGreaterThanOrEqual(400);
  });

  test('frozen: it ends before it writes anything', async () => {
    const [first, second] = await pair(QUICK);
    const scenario = await adopted('frozen');
    // With work in its hands.
    await scenario.edit(V2);
    first.freeze();
    await leads(second, LEASE_MS + RETRY_MS + 3000);
    await scenario.runsWith(V2);
    const { holderIdentity } = await lease();
    first.thaw();
    expect(await first.exited).toBe(1);
    expect(line(first, /^leader election lost/)).toBeDefined();
    await expectRevisions(scenario, 2);
    expect((await lease()).holderIdentity).toBe(holderIdentity);
    await scenario.edit(V1);
    await scenario.runsWith(V1);
    expect(await second.stop()).toBe(0);
  });
});

describe('a lease', () => {
  test('that is deleted by hand is made anew by the leader, and nothing else happens', async () => {
    const [first, second] = await pair(QUICK);
    await admin().request('DELETE', LEASE, { body: {} });
    const identity = await leads(first);
    await until('it is there again', async () => (await lease()).holderIdentity === identity);
    await sleep(LEASE_MS);
    expect((await lease()).holderIdentity).toBe(identity);
    expect(line(second, /^leads since/)).toBeUndefined();
  });
});

describe('two controllers without a lease', () => {
  test('make one revision of each change', async () => {
    const [one, other] = [await start({}), await start({})];
    const scenario = await adopted('no-lease');
    for (let i = 2; i <= 5; i += 1) {
      const data = { 'config.yml': `v${i}` };
      await scenario.edit(data);
      await scenario.runsWith(data);
      await expectRevisions(scenario, i);
    }
    expect([await one.stop(), await other.stop()]).toEqual([0, 0]);
  });
});
