// All who are measured take turns, A B A B, the bare loop among them: whatever else the machine does falls on each alike,
// and figures of one run are compared with each other only.

import { type Requests, totalsOf } from './audit.ts';
import { cpuSecondsOf } from './measure.ts';
import type { Bench, Candidate, Figure, Settings } from './scenario.ts';
import { type Cast, Stage } from './stage.ts';
import type { Templates } from './templates.ts';

export interface Contest {
  readonly name: string;
  readonly rounds: number;
  /** For a namespace of each participant's own. */
  readonly cast: (namespace: string) => Cast;
  /** One turn; gives its samples, one for each rollout. */
  readonly turn: (stage: Stage, templates: Templates) => Promise<readonly number[]>;
}

/** What a participant has come to, in all its turns. */
export interface Score {
  readonly stage: Stage;
  /** Of each turn. */
  readonly samples: (readonly number[])[];
  readonly requests: Map<string, number>;
  cpuMs: number;
}

export interface Scores {
  readonly candidates: readonly Score[];
  readonly floor: Score;
}

const ENTER_MS = 300;

export async function contest(bench: Bench, { name, rounds, cast, turn }: Contest): Promise<Scores> {
  const enter = async (candidate: Candidate): Promise<Score> => {
    bench.progress(`${name}: setting the stage for ${candidate.name}`);
    const stage = await Stage.set(bench, candidate, cast(await bench.namespace(name)));
    // Taking over counts as a rollout, for a controller that counts them.
    const running = await candidate.start();
    await stage.handOver(running);
    await running.stop();
    return { stage, samples: [], requests: new Map(), cpuMs: 0 };
  };
  const candidates: Score[] = [];
  for (const candidate of bench.candidates) candidates.push(await enter(candidate));
  // After those whose certificate it may need.
  const floor = await enter(bench.floor);
  for (let round = 1; round <= rounds; round += 1) {
    for (const score of [...candidates, floor]) {
      bench.progress(`${name}: round ${round} of ${rounds}, ${score.stage.candidate.name}`);
      await take(score, turn);
    }
  }
  return { candidates, floor };
}

/** One turn of one participant, that runs for it alone. */
export async function take(score: Score, turn: Contest['turn'], settings?: Settings): Promise<void> {
  const running = await score.stage.candidate.start(settings);
  const cpu = () => cpuSecondsOf(running.pid) * 1000;
  await running.quiet(ENTER_MS);
  await running.requests();
  const before = cpu();
  const templates = await score.stage.watch();
  score.samples.push(await turn(score.stage, templates));
  // Some of what a rollout asks for comes when its pods are there.
  await running.quiet();
  score.cpuMs += cpu() - before;
  for (const [key, count] of await running.requests()) {
    score.requests.set(key, (score.requests.get(key) ?? 0) + count);
  }
  await running.stop();
  await templates.close();
}

export function rolloutsOf({ samples }: Score): number {
  return samples.reduce((sum, { length }) => sum + length, 0);
}

/** What a rollout costs: requests, and the CPU time of who makes them. */
export function costs({ candidates, floor }: Scores): Figure[] {
  const bare = costOf(floor);
  return candidates.flatMap((score) => {
    const candidate = score.stage.candidate.name;
    const own = costOf(score);
    const figure = (name: string, of: (cost: Cost) => number, more: Partial<Figure> = {}): Figure => {
      return { candidate, name, value: of(own), unit: 'per rollout', floor: of(bare), ...more };
    };
    return [
      figure('reads', ({ reads }) => reads, { atMost: 1 }),
      figure('writes', ({ writes }) => writes, { atMost: 4 }),
      figure('  of these, of ConfigRollouts', ({ statusWrites }) => statusWrites),
      figure('Events', ({ events }) => events, { atMost: 1 }),
      ...[...own.requests.keys()].sort().map((key) => figure(`  ${key}`, ({ requests }) => requests.get(key) ?? 0)),
      figure('CPU time', ({ cpuMs }) => cpuMs, { unit: 'ms per rollout' }),
    ];
  });
}

type Cost = ReturnType<typeof costOf>;

function costOf(score: Score) {
  const rollouts = rolloutsOf(score);
  const requests: Requests = new Map([...score.requests].map(([key, count]) => [key, count / rollouts]));
  return { requests, ...totalsOf(requests), cpuMs: score.cpuMs / rollouts };
}
