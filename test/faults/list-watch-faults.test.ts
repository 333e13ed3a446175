// The lists and watches of the caches go wrong in every way: at the start, page by page, in the middle of a watch, and when
// one is resumed. The controller sees every change all the same.

import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from '@jest/globals';
import { KubeClient } from '../../controller/kube/client.ts';
import { loadKubeConfig } from '../../controller/kube/kubeconfig.ts';
import { Reflector } from '../../controller/runtime/reflector.ts';
import { Store, type Stored } from '../../controller/runtime/store.ts';
import { env } from '../support/controller.ts';
import { describeFault, type Fault, type FaultRule, REFUSED } from '../support/fault-rules.ts';
import { type Phase, Story } from '../support/fault-story.ts';
import { type FaultProxy, startProxy } from '../support/proxy.ts';
import { admin, Scenario, until } from '../support/scenario.ts';
import { DAEMON_SET, DEPLOYMENT, STATEFUL_SET } from '../support/workload-kinds.ts';

const TIMEOUT_MS = 180_000;
const PHASES: readonly Phase[] = ['adoption', 'change', 'undo'];
/** What the controller watches, but for Secrets, which are off, and Rollouts, which this server does not have. */
const WATCHED = [
  'configmaps',
  'deployments',
  'statefulsets',
  'daemonsets',
  'replicasets',
  'controllerrevisions',
  'configrollouts',
] as const;
const KINDS = { kinds: [DEPLOYMENT, STATEFUL_SET, DAEMON_SET] };

const LATE: Fault = { delayMs: 500 };
const LIST_FAULTS: readonly Fault[] = [
  ...REFUSED,
  'lost answer',
  'truncated body',
  'halved body',
  'malformed body',
  'wrong content type',
  'empty body',
  LATE,
];
const MIDWAY: readonly Fault[] = [
  'cut',
  'reset',
  'empty body',
  'truncated body',
  'malformed body',
  'wrong content type',
  { status: 410 },
  { status: 500 },
  LATE,
];
/** What the next watch meets, where one ended. */
const RESUMED: readonly Fault[] = [
  { status: 410 },
  { status: 429, retryAfter: 1 },
  { status: 500 },
  'reset',
  'wrong content type',
  'empty body',
  { status: 503 },
];

const take = <T>(list: readonly T[], from: number, count = 1): T[] =>
  Array.from({ length: count }, (_, i) => list[(from + i) % list.length]).filter((each) => each !== undefined);
const loud = (story: Story) => story.logs.flat().filter(({ level }) => level === 'warn' || level === 'error');

describe('the controller', () => {
  const AT_ONCE = 3;
  const starts = Array.from({ length: LIST_FAULTS.length / AT_ONCE }, (_, at) => ({ at }));

  test.concurrent.each(starts)(
    'starts although each list fails in three ways: $at',
    async ({ at }) => {
      const story = await Story.begin(`lists-${at}`, KINDS);
      const { proxy } = story;
      // Each resource with other faults: after all of these tests, each of them with each.
      proxy.rules.set(
        WATCHED.flatMap((resource, i) =>
          take(LIST_FAULTS, AT_ONCE * (at + i), AT_ONCE)
            .sort((a, b) => Number(a === LATE) - Number(b === LATE))
            .map((fault): FaultRule => ({ verb: 'list', resource, fault, times: 1 })),
        ),
      );
      const working = story.work();
      await until('it says what it waits for', async () =>
        /^503.*waiting for the first list of .*configmaps/s.test(await story.ready()),
      );
      await working;
      expect(proxy.rules.unused).toEqual([]);
      expect(await story.ready()).toMatch(/^200 /);
      for (const resource of WATCHED)
        expect(proxy.requests.filter((each) => each.verb === 'list' && each.resource === resource).length).toBeLessThan(
          6,
        );
      expect(loud(story).length).toBeLessThanOrEqual(AT_ONCE * WATCHED.length);
      await story.act('adoption');
      await story.rest();
      await story.end();
    },
    TIMEOUT_MS,
  );

  test.concurrent.each([{ at: 0 }, { at: 1 }, { at: 2 }])(
    'sees all changes although each watch breaks, and its next as well: $at',
    async ({ at }) => {
      const story = await Story.begin(`watches-${at}`, KINDS);
      const { rules } = story.proxy;
      await story.work();
      for (const [i, phase] of PHASES.entries()) {
        rules.set(
          WATCHED.flatMap((resource, n): FaultRule[] => [
            ...take(MIDWAY, 3 * at + i + n).map(
              (fault) => ({ verb: 'watch', resource, fault, times: 1, midway: true }) as const,
            ),
            ...take(RESUMED, 3 * at + i + n).map((fault) => ({ verb: 'watch', resource, fault, times: 1 }) as const),
          ]),
        );
        await story.act(phase);
        await story.rest();
        // A watch that was still broken from before may have missed its events: the list showed them.
        expect(rules.unused.filter(({ midway }) => midway).length).toBeLessThanOrEqual(2);
        expect(await story.ready()).toMatch(/^200 /);
      }
      await story.end();
      expect(loud(story).length).toBeLessThanOrEqual(rules.strikes.length);
      const asked = story.proxy.requests.filter(({ verb }) => verb === 'list' || verb === 'watch').length;
      // The first of each, and those after a fault.
      expect(asked).toBeLessThanOrEqual(2 * WATCHED.length + 2 * rules.strikes.length + 20);
    },
    TIMEOUT_MS,
  );
});

// With timings of its own, and one page for two objects.
describe('a reflector', () => {
  const TIMINGS = {
    pageSize: 2,
    backoff: { minimumMs: 20, maximumMs: 80 },
    healthyAfterMs: 100,
    minimumWatchSeconds: 2,
    maximumWatchSeconds: 2,
    watchdogGraceMs: 300,
  };
  const OBJECTS = 5;
  // Each namespace has one that is Kubernetes' own.
  const MINE = { of: 'test' };
  const ends: (() => Promise<unknown>)[] = [];
  afterAll(() => Promise.all(ends.map((end) => end())));

  const create = ({ namespace }: Scenario, name: string) =>
    admin().request('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
      body: { metadata: { name, labels: MINE } },
    });

  /** Of the ConfigMaps of a namespace, behind a proxy with these rules. */
  async function reflect(rules: readonly FaultRule[]) {
    const scenario = await Scenario.start('reflector');
    for (let i = 0; i < OBJECTS; i += 1) await create(scenario, `object-${i}`);
    const proxy = await startProxy(env('TEST_CONTROLLER_KUBECONFIG'), (path, content) =>
      writeFileSync(path, content, { mode: 0o600 }),
    );
    proxy.rules.set(rules);
    const client = new KubeClient(loadKubeConfig({ kubeconfig: proxy.kubeconfig, env: {} }).config, {
      userAgent: 'test',
    });
    const store = new Store<Stored>({});
    const said: string[] = [];
    const reflector = new Reflector<Stored>({
      name: 'configmaps',
      scope: scenario.namespace,
      listWatch: client.listWatch(`/api/v1/namespaces/${scenario.namespace}/configmaps`, {
        query: { labelSelector: 'of=test' },
      }),
      project: (raw) => (raw as { metadata: Stored }).metadata,
      store,
      log: (level, message, fields) => level !== 'debug' && said.push(`${message}: ${fields?.['error']}`),
      timings: TIMINGS,
    });
    const stop = new AbortController();
    const running = reflector.run(stop.signal);
    ends.push(async () => {
      stop.abort();
      await running;
      client.close();
      await proxy.close();
    });
    const sees = (name: string) => until(name, async () => store.get(`${scenario.namespace}/${name}`) !== undefined);
    return { scenario, proxy, store, said, reflector, sees };
  }

  /** Only a version that has expired is a reason to list anew. */
  function expectLists(fault: Fault, { requests }: FaultProxy): void {
    const lists = requests.filter(({ verb, continued }) => verb === 'list' && !continued).length;
    const hasExpired = typeof fault === 'object' && 'status' in fault && fault.status === 410;
    expect(lists > 1).toBe(hasExpired);
  }

  const list = (fault: Fault, more: Partial<FaultRule> = {}): FaultRule => ({
    verb: 'list',
    resource: 'configmaps',
    fault,
    times: 1,
    ...more,
  });
  const watch = (fault: Fault, more: Partial<FaultRule> = {}): FaultRule => ({ ...list(fault, more), verb: 'watch' });
  const named = (faults: readonly Fault[]) => faults.map((fault) => ({ fault, said: describeFault(fault) }));

  test.concurrent.each(named(LIST_FAULTS))(
    'reads all pages, although one of them fails: $said',
    async ({ fault }) => {
      const { proxy, reflector, store } = await reflect([list(fault, { continued: true })]);
      await reflector.synced;
      expect(store.size).toBe(OBJECTS);
      expect(proxy.rules.strikes).toHaveLength(1);
    },
    TIMEOUT_MS,
  );

  test('asks for all in one piece when pages expire again and again', async () => {
    const { proxy, reflector, store, said } = await reflect([list({ status: 410 }, { continued: true, times: 3 })]);
    await reflector.synced;
    expect(store.size).toBe(OBJECTS);
    const limits = proxy.requests.flatMap(({ verb, path }) =>
      verb === 'list' ? (new URL(path, 'http://api').searchParams.get('limit') ?? '') : [],
    );
    expect(limits).toEqual(['2', '2', '2', '2', '2', '2', '0']);
    expect(said).toHaveLength(3);
  });

  test.concurrent.each(named([...MIDWAY, 'black hole']))(
    'sees what is created while a watch breaks: $said',
    async ({ fault }) => {
      const { proxy, reflector, store, scenario, sees } = await reflect([watch(fault, { midway: true })]);
      await reflector.synced;
      await until('it watches', async () =>
        proxy.requests.some(({ verb, status }) => verb === 'watch' && status === 200),
      );
      await create(scenario, 'new');
      await sees('new');
      expect(proxy.rules.strikes).toHaveLength(1);
      await create(scenario, 'newer');
      await sees('newer');
      expectLists(fault, proxy);
      expect(store.size).toBe(OBJECTS + 2);
    },
    TIMEOUT_MS,
  );

  test.concurrent.each(named([...RESUMED, 'black hole', 'cut', 'malformed body']))(
    'sees what was created while a watch could not be resumed: $said',
    async ({ fault }) => {
      const broken = watch('cut', { midway: true });
      const { proxy, reflector, store, scenario, sees } = await reflect([broken]);
      await reflector.synced;
      await until('it watches', async () =>
        proxy.requests.some(({ verb, status }) => verb === 'watch' && status === 200),
      );
      proxy.rules.set([broken, watch(fault, { times: 2 })]);
      await create(scenario, 'new');
      await create(scenario, 'newer');
      await sees('newer');
      // A fresh list, where the version has expired, shows it at once.
      expect(proxy.rules.strikes.length).toBeGreaterThanOrEqual(2);
      await sees('new');
      expectLists(fault, proxy);
      expect(store.size).toBe(OBJECTS + 2);
    },
    TIMEOUT_MS,
  );

  test('says that a watch was silent for too long', async () => {
    const { said, reflector, scenario, sees } = await reflect([watch('black hole', { midway: true })]);
    await reflector.synced;
    await create(scenario, 'new');
    await sees('new');
    expect(said.join()).toContain('the watch was silent for too long; reconnecting');
  });
});
