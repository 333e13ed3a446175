// The controller is killed before and after every write that it makes for an adoption, a change and an undo, of each kind,
// and another one takes over: it converges, with one revision for the change, no snapshot lost and none leaked.

import { afterAll, expect, test } from '@jest/globals';
import { installComponent } from '../support/components.ts';
import { type Phase, Story, type StoryOptions } from '../support/fault-story.ts';
import type { RequestSeen } from '../support/proxy.ts';
import { installRolloutCrd, removeRolloutCrd } from '../support/rollout-crd.ts';
import { until } from '../support/scenario.ts';
import { startRolloutsStandIn } from '../support/stand-in-rollouts.ts';
import { DAEMON_SET, DEPLOYMENT, ROLLOUT, STATEFUL_SET } from '../support/workload-kinds.ts';

const PHASES = ['adoption', 'change', 'undo'] as const satisfies readonly Phase[];

/** Of a case, which may have to wait for the one before it. */
const TIMEOUT_MS = 180_000;

const STORIES: Readonly<Record<string, StoryOptions>> = {
  Deployment: { kinds: [DEPLOYMENT] },
  StatefulSet: { kinds: [STATEFUL_SET] },
  DaemonSet: { kinds: [DAEMON_SET] },
  Rollout: { kinds: [ROLLOUT] },
  'Deployment with a Secret': { kinds: [DEPLOYMENT], sourceKind: 'Secret' },
};

type CrashPhase = (typeof PHASES)[number];

/** `patch configmaps`, and which of those in its phase. */
interface Write {
  readonly what: string;
  readonly nth: number;
}

interface Case extends Write {
  readonly phase: CrashPhase;
  readonly of: string;
  readonly when: 'before' | 'after';
  /** For people: `patch configmaps (2)`. */
  readonly write: string;
  readonly chain: Chain;
  /** Of its chain. */
  readonly isLast: boolean;
}

const label = ({ verb, resource }: RequestSeen) => `${verb} ${resource}`;
const begin = (name: string, of: string, options: StoryOptions) =>
  Story.begin(`${name}-${of.toLowerCase().replaceAll(' ', '-')}`, options);

/** How many of which writes there are in each phase, by a story in which nothing goes wrong. */
async function record(of: string, options: StoryOptions): Promise<Map<string, number>> {
  const story = await begin('record', of, options);
  await story.work();
  const counts = new Map<string, number>();
  for (const phase of PHASES) {
    const { length } = story.proxy.answered;
    await story.act(phase);
    await story.rest();
    for (const write of story.proxy.answered.slice(length).filter(({ status }) => status < 300)) {
      const key = `${phase} ${label(write)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  await story.end();
  return counts;
}

/** Where two writes may become one, the lower number counts. */
async function writesOf(of: string, options: StoryOptions): Promise<Record<CrashPhase, Write[]>> {
  const [one, other] = await Promise.all([record(of, options), record(of, options)]);
  const inPhase = (phase: CrashPhase) =>
    [...one].flatMap(([key, count]) => {
      if (!key.startsWith(`${phase} `)) return [];
      const length = Math.min(count, other.get(key) ?? 0);
      return Array.from({ length }, (_, i) => ({ what: key.slice(phase.length + 1), nth: i + 1 }));
    });
  return { adoption: inPhase('adoption'), change: inPhase('change'), undo: inPhase('undo') };
}

/** One story, with a crash in each of its phases: the state in which one leaves it is where the next begins. */
class Chain {
  readonly #of: string;
  readonly #options: StoryOptions;
  #story: Promise<Story> | undefined;
  #before: Promise<unknown> = Promise.resolve();

  constructor(of: string, options: StoryOptions) {
    this.#of = of;
    this.#options = options;
  }

  /** Lives through the phase, after those before it. False when the write that was to be the last did not come. */
  crash(at: Case): Promise<boolean> {
    const done = this.#before.then(async () => {
      const isReached = await crash(await this.#begin(at.phase), at);
      if (at.isLast) await this.end();
      return isReached;
    });
    this.#before = done;
    return done;
  }

  /** Where the last of its phases was not asked for; else it has ended already. */
  async end(): Promise<void> {
    const story = this.#story;
    this.#story = undefined;
    await (await story)?.end();
  }

  /** Phases before the first that is asked for go without a crash. */
  #begin(first: CrashPhase): Promise<Story> {
    this.#story ??= begin('crash', this.#of, this.#options).then(async (story) => {
      await story.work();
      for (const phase of PHASES.slice(0, PHASES.indexOf(first))) {
        await story.act(phase);
        await story.rest();
      }
      return story;
    });
    return this.#story;
  }
}

async function crash(story: Story, { phase, what, nth, when }: Case): Promise<boolean> {
  const { proxy } = story;
  let count = 0;
  let last: RequestSeen | undefined;
  proxy.judge = (write) => {
    if (label(write) !== what || ++count !== nth) return 'pass';
    last = write;
    return when === 'before' ? 'drop' : 'lose';
  };
  await story.act(phase);
  const isReached = () => last !== undefined && (when === 'before' || last.status !== undefined);
  // Where two writes became one, it is killed when it has nothing more to do.
  const stop = new AbortController();
  let rests = false;
  const resting = story.rest({ signal: stop.signal }).then(() => {
    rests = true;
  });
  await until('the write, or a rest', async () => isReached() || rests, TIMEOUT_MS);
  stop.abort();
  await story.controller?.kill();
  await resting;
  proxy.judge = () => 'pass';
  await story.work();
  await story.rest();
  return isReached();
}

await installRolloutCrd();
const argo = startRolloutsStandIn();
const uninstallSecrets = await installComponent('secrets');
const chains: Chain[] = [];
afterAll(async () => {
  await argo.stop();
  await uninstallSecrets();
  await removeRolloutCrd();
});

const recorded = await Promise.all(
  Object.entries(STORIES).map(async ([of, options]) => ({ of, options, writes: await writesOf(of, options) })),
);

const CASES = recorded.flatMap(({ of, options, writes }) => {
  const length = Math.max(...PHASES.map((phase) => writes[phase].length));
  return (['before', 'after'] as const).flatMap((when) =>
    Array.from({ length }, (_, i) => {
      const chain = new Chain(of, options);
      chains.push(chain);
      const last = PHASES.findLast((phase) => writes[phase][i] !== undefined);
      return PHASES.flatMap((phase): Case[] => {
        const write = writes[phase][i];
        if (write === undefined) return [];
        const said = write.nth > 1 ? `${write.what} (${write.nth})` : write.what;
        return [{ ...write, phase, of, when, write: said, chain, isLast: phase === last }];
      });
    }).flat(),
  );
});

const missed: string[] = [];

test.concurrent.each(CASES)(
  '$of, $phase: killed $when $write',
  async (at) => {
    if (!(await at.chain.crash(at))) missed.push(`${at.phase} of ${at.of}: ${at.write}`);
  },
  TIMEOUT_MS,
);

test('each write came, but for some that became one with another', () => {
  expect(CASES.length).toBeGreaterThan(100);
  expect(missed.length > CASES.length / 10 ? missed : []).toEqual([]);
});

test('whoever took over ends well', async () => {
  await Promise.all(chains.map((chain) => chain.end()));
});
