// One ConfigMap that something changes 50 times a second, for a minute: its workload keeps a history worth having, and the
// others notice nothing.

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { REFILL_MS } from '../../controller/core/pacing.ts';
import { cpuSecondsOf, openLoop, percentilesOf } from '../../hack/bench/measure.ts';
import { type Change, create, edit, type Place } from '../../hack/soak/changes.ts';
import { DEPLOYMENT, fleetOf, type Target } from '../../hack/soak/fleet.ts';
import { Ledger } from '../../hack/soak/ledger.ts';
import { watchTemplates } from '../../hack/soak/watch.ts';
import { type Controller, env, startController } from '../support/controller.ts';
import { admin, mountedBy, revisionOf, Scenario, sleep, until } from '../support/scenario.ts';

const SECONDS = 60;
const RATE = 50;
// One that waits for each answer would be slower than that where the machine has other work.
const WRITERS = 4;
/** What core/pacing.ts lets through at once. */
const BURST = 5;
const SETTLE_MS = 100;
/** A snapshot may be made at each write until the rollout has waited for SETTLE_MS, and a few more while it goes ahead. */
const SNAPSHOTS_A_ROLLOUT = (RATE * SETTLE_MS) / 1000 + 5;
/** It is made and swept: seven lists say that nobody needs it. A rollout has a few more, which are within this. */
const REQUESTS_A_SNAPSHOT = 10;
/** Of the others, each is changed so often, before and during. */
const EDITS = { before: 2, during: 3 };
/** The last that waits for its turn, and some time to get it done. */
const PATIENCE_MS = REFILL_MS + 15_000;
// All revisions are kept, to be counted.
const KEPT = { ...DEPLOYMENT, spec: { replicas: 1, revisionHistoryLimit: 100 } };

type Asked = ReturnType<Scenario['audited']>;

const [writer, ...others] = fleetOf(9, [KEPT]) as [Target, ...Target[]];
const ledger = new Ledger([writer, ...others]);
const watching = new AbortController();
const lags: { before: number[]; during: number[] } = { before: [], during: [] };
let controller: Controller;
let scenario: Scenario;
let place: Place;
/** Most snapshots of the writer's that there were at one time. */
let mostSnapshots = 0;
let rollingMs = 0;
let writes = 0;
let asked: Asked = [];
let cpuSeconds = 0;

beforeAll(
  async () => {
    scenario = await Scenario.start('runaway');
    const { namespace } = scenario;
    controller = await startController({ args: ['--settle', `${SETTLE_MS}ms`, '--namespaces', namespace] });
    place = { client: admin(), namespace, kubectl: env('TEST_KUBECTL'), kubeconfig: env('TEST_KUBECONFIG') };
    for (const change of await create(place, [writer, ...others])) ledger.add(change);
    await watchTemplates(place, [writer, ...others], (name, mounted) => ledger.see(name, mounted), watching.signal);
    expect(await ledger.settle(PATIENCE_MS)).toEqual([]);

    lags.before = await lagsOf(EDITS.before, 10);
    const [since, cpu] = [performance.now(), cpuSecondsOf(controller.pid)];
    const { length: before } = askedFor(writer);
    const [during, , counts] = await Promise.all([
      lagsOf(EDITS.during, SECONDS),
      writeWithoutRest(),
      openLoop(2, SECONDS, async () => (await scenario.snapshots(writer.name)).length),
    ]);
    lags.during = during;
    cpuSeconds = cpuSecondsOf(controller.pid) - cpu;
    asked = askedFor(writer).slice(before);
    mostSnapshots = Math.max(...counts.map(({ result }) => result));
    await until('the last content is rolled out', async () => writer.isSettled, PATIENCE_MS);
    rollingMs = performance.now() - since;
  },
  (SECONDS + 90) * 1000 + PATIENCE_MS,
);
afterAll(async () => {
  watching.abort();
  expect(await controller.stop()).toBe(0);
  await scenario.end();
});

/** As many writes as the API server takes of these writers, and RATE a second at most; the last content is that of the last. */
async function writeWithoutRest(): Promise<void> {
  const start = performance.now();
  let begun = 0;
  const write = async () => {
    while (performance.now() - start < SECONDS * 1000) {
      await sleep(Math.max(0, start + (begun++ * 1000) / RATE - performance.now()));
      await edit(place, writer);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
  await edit(place, writer);
  writes = begun;
}

/** What the controller has asked about it, its snapshots and its workload; lists, which name nobody, are for its sweeps. */
function askedFor({ name }: Target): Asked {
  return scenario.audited(({ verb, objectRef }) => verb !== 'watch' && (objectRef.name ?? name).includes(name));
}

/** Changes each of the others so often, spread over so many seconds; gives how long each change took to the template. */
async function lagsOf(times: number, seconds: number): Promise<number[]> {
  const rate = (others.length * times) / seconds;
  const made: Change[] = [];
  await openLoop(rate, seconds, async (index) => {
    const target = others[index % others.length] ?? writer;
    // Two changes at once would be rolled out as one.
    await until(`${target.name} is at rest`, async () => target.isSettled);
    const change = await edit(place, target);
    ledger.add(change);
    made.push(change);
  });
  await until('all changes are rolled out', async () => made.every(({ lagMs }) => lagMs !== undefined));
  expect(made).toHaveLength(others.length * times);
  return made.flatMap(({ lagMs }) => lagMs ?? []);
}

test('it was changed again and again', () => {
  console.log(`${writes} writes in ${SECONDS} s`);
  expect(writes).toBeGreaterThan((RATE * SECONDS) / 3);
});

test('the last content wins', async () => {
  expect(await ledger.settle(0)).toEqual([]);
  const { data } = await scenario.configMap(writer.name);
  expect((await scenario.configMap(writer.mounted)).data).toEqual(data);
  await scenario.quiet();
  expect(mountedBy(await scenario.deployment(writer.name))).toBe(writer.mounted);
});

test('there are as many revisions as the throttle lets through, and they count on', async () => {
  const revisions = await scenario.revisions(writer.name);
  const most = 1 + BURST + Math.ceil(rollingMs / REFILL_MS);
  console.log(`${revisions.length} revisions of ${most} that could be; ${mostSnapshots} snapshots at most at one time`);
  expect(revisions.length).toBeGreaterThan(BURST);
  expect(revisions.length).toBeLessThanOrEqual(most);
  // The first may be that of the raw template, which is litter.
  const [first = 0] = revisions.map(revisionOf);
  expect(revisions.map(revisionOf)).toEqual(revisions.map((_, i) => first + i));
});

test('snapshots that became no revision do not pile up, and are swept', async () => {
  const revisions = await scenario.revisions(writer.name);
  expect(mostSnapshots).toBeGreaterThan(0);
  expect(mostSnapshots).toBeLessThanOrEqual(revisions.length * SNAPSHOTS_A_ROLLOUT);
  const mounted = revisions.map(mountedBy).sort();
  await until('only those that are mounted are left', async () => {
    const names = (await scenario.snapshots(writer.name)).map(({ metadata }) => metadata.name).sort();
    return names.join() === mounted.join();
  });
});

test('one Event says that rollouts are slowed, and what to do', async () => {
  const [event, ...more] = await scenario.events('ConfigRolloutsSlowed');
  expect(more).toEqual([]);
  expect(event).toMatchObject({ type: 'Warning', regarding: { kind: 'Deployment', name: writer.name } });
  expect(event.note).toMatch(new RegExp(`^configmap/${writer.name} changes too often: .*; find out what writes it$`));
  expect(event.series?.count ?? 1).toBe(1);
});

// How long something takes depends on what else the machine does, which is why the limit is far from what people read here. A
// queue, or a worker, that waits for the writer would make seconds of it.
const mostLag = (before: number): number => 5 * before + 500;

test('it takes little of what the others need', async () => {
  const [before, during] = [percentilesOf(lags.before), percentilesOf(lags.during)];
  console.log(`ms from the change to the template: before ${JSON.stringify(before)}, during ${JSON.stringify(during)}`);
  expect(during.p50).toBeLessThanOrEqual(mostLag(before.p50));
  const { length } = await scenario.revisions(writer.name);
  const reads = asked.filter(({ verb, objectRef }) => verb === 'get' && objectRef.name === writer.name).length;
  const rest = asked.length - reads;
  console.log(`${reads} reads of it, ${rest} other requests for it; ${cpuSeconds} s of CPU for all`);
  expect(reads).toBeLessThanOrEqual(writes);
  expect(rest).toBeGreaterThan(length);
  expect(rest).toBeLessThanOrEqual(length * SNAPSHOTS_A_ROLLOUT * REQUESTS_A_SNAPSHOT);
  expect(cpuSeconds).toBeLessThanOrEqual(SECONDS / 2);
});

test('and all is quiet afterwards', async () => {
  await scenario.quiet();
  const before = scenario.writes().length;
  await sleep(5_000);
  expect(scenario.writes()).toHaveLength(before);
});
