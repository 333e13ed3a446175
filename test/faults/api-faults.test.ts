// Every kind of request that the controller makes goes wrong in every way, a few times, while a workload is adopted, changed
// and undone: it converges, with one revision for the change, says what was wrong, and leaves the API server in peace.

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { installComponent } from '../support/components.ts';
import { describeFault, type Fault, type FaultRule, REFUSED, type Verb } from '../support/fault-rules.ts';
import { type Phase, Story, type StoryOptions } from '../support/fault-story.ts';
import { admin, sleep, until } from '../support/scenario.ts';
import { DAEMON_SET, DEPLOYMENT, STATEFUL_SET } from '../support/workload-kinds.ts';

const TIMEOUT_MS = 300_000;
/** Of a fault that stays for a while. */
const SECONDS_MS = 4000;

const LATE: Fault = { delayMs: 1000 };
/** The API server has acted, and the controller cannot know, or learns of it late. */
const UNCERTAIN: readonly Fault[] = [
  LATE,
  'lost answer',
  'wrong content type',
  'empty body',
  'truncated body',
  'halved body',
  'malformed body',
];

interface Row {
  readonly verb: Verb;
  readonly resource: string;
  readonly story: StoryOptions;
  /** Those of the story, in order, and in which of them there is such a request. */
  readonly phases: Readonly<Partial<Record<Phase, boolean>>>;
}

const DEPLOYED: StoryOptions = { kinds: [DEPLOYMENT] };
const SECRET: StoryOptions = { kinds: [DEPLOYMENT], sourceKind: 'Secret' };
const STATEFUL: StoryOptions = { kinds: [STATEFUL_SET] };
const ALWAYS = { adoption: true, change: true, undo: true };
const ROLLS = { adoption: true, change: true, undo: false };
const ONCE = { adoption: true };
const SWEEPS = { adoption: false, change: false, regret: true };

const row = (request: string, story: StoryOptions, phases: Row['phases']): Row => {
  const [verb, resource = ''] = request.split(' ');
  return { verb: verb as Verb, resource, story, phases };
};
const ROWS: readonly Row[] = [
  row('get configmaps', DEPLOYED, ROLLS),
  row('create configmaps', DEPLOYED, ROLLS),
  row('patch configmaps', DEPLOYED, ALWAYS),
  row('delete configmaps', DEPLOYED, SWEEPS),
  row('list pods', DEPLOYED, SWEEPS),
  row('get secrets', SECRET, ROLLS),
  row('create secrets', SECRET, ROLLS),
  row('patch secrets', SECRET, ALWAYS),
  row('patch deployments', DEPLOYED, ROLLS),
  row('delete replicasets', DEPLOYED, ONCE),
  row('patch statefulsets', STATEFUL, ROLLS),
  row('patch daemonsets', { kinds: [DAEMON_SET] }, ROLLS),
  row('delete controllerrevisions', STATEFUL, ONCE),
  row('patch controllerrevisions', STATEFUL, { adoption: false, change: false, back: true }),
  row('create configrollouts', DEPLOYED, ONCE),
  row('patch configrollouts/status', DEPLOYED, ALWAYS),
  row('create events', DEPLOYED, ROLLS),
  row('get events', { ...DEPLOYED, owners: ['deployment/nobody'] }, ONCE),
];

interface Case {
  readonly request: string;
  readonly row: Row;
  readonly faults: Readonly<Partial<Record<Phase, readonly Fault[]>>>;
  readonly said: string;
}

/** What is read can be asked for again, and what is written is written. An Event that is refused is not sent again. */
const STORIES = { read: 1, write: 2, event: 4 };

/**
 * Deals the faults to the phases of a row's stories. After an uncertain one there may be nothing left to ask for: each phase
 * of a story of writes ends with one of them, and each row begins with another.
 */
function deal(row: Row, at: number): Case[] {
  const phases = Object.entries(row.phases).flatMap(([phase, has]) => (has ? [phase as Phase] : []));
  const kind = isOfEvents(row) ? 'event' : isRead(row) ? 'read' : 'write';
  const rotated = UNCERTAIN.map((_, i) => UNCERTAIN[(i + at) % UNCERTAIN.length]).filter(
    (fault) => fault !== undefined,
  );
  const parts = phases.length * STORIES[kind];
  return Array.from({ length: STORIES[kind] }, (_, story) => {
    const faults = phases.map((phase, i) => {
      const isMine = (_fault: Fault, n: number) => n % parts === story * phases.length + i;
      // An answer that comes late is one, after all: the last.
      const uncertain = rotated.filter(isMine).sort((a, b) => Number(a === LATE) - Number(b === LATE));
      return [phase, [...REFUSED.filter(isMine), ...(kind === 'read' ? uncertain : uncertain.slice(0, 1))]] as const;
    });
    const said = faults.map(([phase, list]) => `${phase}: ${list.map(describeFault).join(', ')}`).join('; ');
    return { request: nameOf(row), row, faults: Object.fromEntries(faults), said };
  });
}

const isRead = ({ verb }: Row) => verb === 'get' || verb === 'list';
const isOfEvents = ({ resource }: Row) => resource === 'events';
const nameOf = ({ verb, resource }: Pick<FaultRule, 'verb' | 'resource'>) => `${verb} ${resource}`;
const begin = ({ story, ...row }: Row) => open(nameOf(row).replaceAll(/[ /]/g, '-'), story);
const stories: Story[] = [];
async function open(name: string, options: StoryOptions): Promise<Story> {
  const story = await Story.begin(name, options);
  stories.push(story);
  return story;
}
const loud = (story: Story) => story.logs.flat().filter(({ level }) => level === 'warn' || level === 'error');

let uninstallSecrets: () => Promise<void>;
beforeAll(async () => {
  uninstallSecrets = await installComponent('secrets');
});
afterAll(() => uninstallSecrets());

/** What was wrong is said, each time once; what another writer may have caused, is no news. */
function expectSaid(story: Story): void {
  const { strikes } = story.proxy.rules;
  const lines = loud(story).map(({ message, error }) => `${message} ${error}`);
  // And a Warning to people.
  expect(lines.length).toBeLessThanOrEqual(strikes.length + 1);
  for (const { fault } of strikes.map(({ rule }) => rule)) {
    if (typeof fault === 'object' && 'status' in fault && ![409, 422].includes(fault.status))
      expect(lines).toContainEqual(expect.stringContaining(`the proxy of this test answers ${fault.status}`));
  }
}

async function live(
  story: Story,
  phases: readonly Phase[],
  rules: (phase: Phase) => readonly FaultRule[],
): Promise<void> {
  for (const phase of phases) {
    story.proxy.rules.set(rules(phase));
    await story.act(phase);
    await story.rest();
  }
}

describe('no answer for half a minute', () => {
  const requests = [
    'get configmaps',
    'create configmaps',
    'patch configmaps',
    'patch deployments',
    'create configrollouts',
  ];
  const rows = ROWS.filter((each) => [...requests, 'create events'].includes(nameOf(each)));

  test.concurrent.each(rows.map((each) => ({ request: nameOf(each), row: each })))(
    '$request',
    async ({ row }) => {
      const story = await begin(row);
      await story.work();
      await live(story, ['adoption'], () => [{ ...row, fault: 'black hole', times: 1 }]);
      const said = () => loud(story).some(({ message }) => /no complete answer within 30 s/.test(`${message}`));
      await until('it is said', async () => said());
      await live(story, ['change'], () => []);
      await story.end();
    },
    TIMEOUT_MS,
  );
});

describe('goes wrong a few times', () => {
  test.concurrent.each(ROWS.flatMap(deal))(
    '$request: $said',
    async ({ row, faults }) => {
      const story = await begin(row);
      const { rules } = story.proxy;
      await story.work();
      for (const phase of Object.keys(row.phases) as Phase[]) {
        const dealt = faults[phase] ?? [];
        const { length } = rules.strikes;
        await live(story, [phase], () => dealt.map((fault) => ({ ...row, fault, times: 1 })));
        // What an apply of its manifest may mend, is said after some seconds only, and once: the first of the faults strikes.
        if (isOfEvents(row)) await until('it goes wrong', async () => !dealt.length || rules.strikes.length > length);
        const left = rules.unused.map(({ fault }) => `${phase}: ${describeFault(fault)}`);
        expect(isOfEvents(row) ? [] : left).toEqual([]);
      }
      await story.end();
      expectSaid(story);
    },
    TIMEOUT_MS,
  );
});

describe('goes wrong for seconds', () => {
  // In `ms`; events of the workload, which wake it before its time, are few.
  const FEW = 8;
  // The back-off begins with 5 ms, and doubles.
  const most500 = (ms: number) => Math.log2(ms / 5) + FEW;
  const most429 = (ms: number) => ms / 1000 + FEW;
  const RETRY_AFTER = { status: 429, retryAfter: 1 };
  const EVENT = 'create events';
  const cases = ROWS.filter((each) => each.phases.adoption && (!isOfEvents(each) || nameOf(each) === EVENT)).flatMap(
    (row) => [
      { request: nameOf(row), row, fault: { status: 500 }, said: '500', most: most500 },
      { request: nameOf(row), row, fault: RETRY_AFTER, said: '429 with Retry-After: 1', most: most429 },
      // Somebody else made it: that is no failure, but for that it is not there.
      ...(nameOf(row) === 'create configrollouts'
        ? [{ request: nameOf(row), row, fault: { status: 409 }, said: '409', most: most429 }]
        : []),
    ],
  );

  test.concurrent.each(cases)(
    '$request: $said, and the API server is left in peace',
    async ({ row, fault, most }) => {
      const story = await begin(row);
      const { rules } = story.proxy;
      await story.work();
      rules.set([{ ...row, fault }]);
      await story.act('adoption');
      await until('it goes wrong', async () => rules.strikes.length > 0);
      await sleep(SECONDS_MS);
      const [first] = rules.strikes;
      expect(rules.strikes.length).toBeLessThanOrEqual(most(performance.now() - (first?.at ?? 0)));
      expect(await story.ready()).toMatch(/^200 /);
      rules.set([]);
      await story.rest();
      if (nameOf(row) === EVENT) await story.scenario.event('ConfigRolledOut');
      await story.end();
      expectSaid(story);
    },
    TIMEOUT_MS,
  );
});

describe('goes wrong for good', () => {
  const all = (resources: readonly string[], verbs: readonly Verb[], status: number): readonly FaultRule[] =>
    resources.flatMap((resource) => verbs.map((verb) => ({ verb, resource, fault: { status } })));
  const shown = ['configrollouts', 'configrollouts/status'];
  const broken = all(shown, ['list', 'watch', 'create', 'patch'], 500);

  test.concurrent.each([
    { what: 'Events: 403', rules: all(['events'], ['get', 'create'], 403) },
    { what: 'Events: 500', rules: all(['events'], ['get', 'create'], 500) },
    { what: 'ConfigRollouts: 404', rules: all(shown, ['list', 'watch', 'create', 'patch'], 404) },
    { what: 'ConfigRollouts: 403', rules: all(shown, ['list', 'watch', 'create', 'patch'], 403) },
    { what: 'ConfigRollouts, once it has begun: 500', rules: broken, begunBefore: true },
  ])(
    '$what; rollouts go on',
    async ({ what, rules, begunBefore }) => {
      const name = what.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
      const story = await open(name, { ...DEPLOYED, configRollouts: what.startsWith('Events') });
      story.proxy.rules.set(begunBefore ? [] : rules);
      await story.work();
      const cut = { verb: 'watch', resource: 'configrollouts', fault: 'cut', midway: true, times: 1 } as const;
      await live(story, ['adoption', 'change', 'undo'], () => (begunBefore ? [cut, ...rules] : rules));
      expect(await story.ready()).toMatch(/^200 /);
      await story.end();
      expect(loud(story).length).toBeLessThanOrEqual(40);
    },
    TIMEOUT_MS,
  );
});

// There is one, by a name that RBAC knows: nothing runs beside this.
describe('the lease', () => {
  const LEASE = '/apis/coordination.k8s.io/v1/namespaces/config-rollout/leases/config-rollout';
  const ELECT = [
    '--leader-elect',
    '--leader-elect-lease-duration=30s',
    '--leader-elect-renew-deadline=20s',
    '--leader-elect-retry-period=500ms',
  ];
  const lease = (verb: Verb, faults: readonly Fault[]) =>
    faults.map((fault): FaultRule => ({ verb, resource: 'leases', fault, times: 1 }));

  const forget = () =>
    admin()
      .request('DELETE', LEASE, { body: {} })
      .catch(() => undefined);
  beforeAll(forget);
  afterAll(forget);

  test(
    'is got, made and kept, although each of these goes wrong; who has it goes on',
    async () => {
      const story = await open('leases', { ...DEPLOYED, args: ELECT });
      const { rules } = story.proxy;
      rules.set([...lease('get', [...REFUSED, ...UNCERTAIN]), ...lease('create', [...REFUSED, 'empty body'])]);
      await story.work();
      await story.act('adoption');
      await story.rest();
      expect(rules.unused).toEqual([]);
      const faults = [...REFUSED, ...UNCERTAIN];
      // So many in a row that the lease is renewed in time all the same.
      for (let i = 0; i < faults.length; i += 4) {
        rules.set(lease('update', faults.slice(i, i + 4)));
        await until('all of them', async () => rules.unused.length === 0);
        await story.act(i === 0 ? 'change' : 'undo');
        await story.rest();
      }
      await story.end();
      const leads = story.logs.flat().filter(({ message }) => /^leads since/.test(`${message}`));
      expect(leads).toHaveLength(1);
    },
    TIMEOUT_MS,
  );
});

test('nothing else is asked for, but for the lists and watches of the caches', () => {
  const asked = new Set(stories.flatMap(({ proxy }) => proxy.requests.map(nameOf)));
  // Their faults are in list-watch-faults.test.ts.
  const watched = [...asked].flatMap((name) => name.match(/^watch (.+)/)?.[1] ?? []);
  const expected = new Set([...ROWS.map(nameOf), ...watched.flatMap((name) => [`list ${name}`, `watch ${name}`])]);
  // There is no such kind on this server: it is asked for, and never watched.
  expected.add('list rollouts');
  for (const verb of ['get', 'create', 'update']) expected.add(`${verb} leases`);
  expect([...asked].filter((name) => !expected.has(name))).toEqual([]);
});
