// One change at a time, while nothing else goes on: from the write of the ConfigMap until the new template is to be seen.

import { setTimeout as sleep } from 'node:timers/promises';
import { pairs } from '../casts.ts';
import { contest, costs, type Score, take } from '../contest.ts';
import { quantileOf } from '../measure.ts';
import type { Bench, Figure, Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import type { Templates } from '../templates.ts';

/** A controller may slow down a workload that rolls too often: config-rollout after five times. */
const PER_WORKLOAD = 3;
/** What comes after a change, of pods and statuses, is over by then. */
const PAUSE_MS = 100;
const PATIENCE_MS = 30_000;
const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;
const AT_MOST: Readonly<Record<string, number>> = { p50: 1.5, p95: 1.5 };

const sizeOf = ({ quick }: { quick: boolean }) =>
  quick ? { rounds: 2, workloads: 4, waiting: 3 } : { rounds: 6, workloads: 20, waiting: 20 };

export const latency: Scenario = {
  name: 'latency',
  about: 'one change at a time, from the write of the ConfigMap to the patched template; requests per rollout',
  lasts: (plan) => {
    const { rounds, workloads, waiting } = sizeOf(plan);
    const turns = rounds * (2 + workloads * PER_WORKLOAD * 0.15) + 4;
    return (plan.candidates.length + 1) * turns + plan.candidates.length * (waiting * 1.2 + 3);
  },
  async run(bench) {
    const { rounds, workloads, waiting } = sizeOf(bench);
    const turn = (stage: Stage, templates: Templates) => oneByOne(bench, stage, templates, workloads * PER_WORKLOAD);
    const cast = (namespace: string) => pairs(namespace, { count: workloads, replicas: 1 });
    const scores = await contest(bench, { name: 'latency', rounds, cast, turn });
    const floor = scores.floor.samples.flat();
    const figures = scores.candidates.flatMap((score) => percentiles(score, 'change → template', floor));
    for (const { stage } of scores.candidates) {
      const settings = stage.candidate.target.waiting;
      if (settings === undefined) continue;
      bench.progress(`latency: ${stage.candidate.name} once more, as it waits by default`);
      const patient: Score = { stage, samples: [], requests: new Map(), cpuMs: 0 };
      await take(patient, (_, templates) => oneByOne(bench, stage, templates, waiting), settings);
      const named = Object.entries(settings).map(([flag, value]) => `--${flag} ${value}`);
      figures.push(...percentiles(patient, `with its default ${named.join(' ')}`));
    }
    return [...figures, ...costs(scores)];
  },
};

/** Takes one source after the other, round and round. */
async function oneByOne(
  { signal }: Bench,
  stage: Stage,
  templates: Templates,
  changes: number,
): Promise<readonly number[]> {
  const samples: number[] = [];
  for (const source of stage.inTurn(changes)) {
    const [user = ''] = stage.usersOf(source);
    const rolled = templates.next(user, PATIENCE_MS, signal);
    const changedAt = performance.now();
    await stage.change(source);
    samples.push((await rolled) - changedAt);
    await sleep(PAUSE_MS);
  }
  return samples;
}

function percentiles({ stage, samples }: Score, what: string, floor?: readonly number[]): Figure[] {
  const all = samples.flat();
  return Object.entries(QUANTILES).map(([name, quantile]) => ({
    candidate: stage.candidate.name,
    name: `${what}, ${name}`,
    value: quantileOf(all, quantile),
    unit: 'ms',
    ...(floor === undefined ? {} : { floor: quantileOf(floor, quantile) }),
    ...(floor === undefined || AT_MOST[name] === undefined ? {} : { ratioAtMost: AT_MOST[name] }),
  }));
}
