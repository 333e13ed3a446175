// Many changes as fast as they go: each ConfigMap is changed again as soon as its Deployment has rolled.

import { Problem } from '../../embedded/problem.ts';
import { pairs } from '../casts.ts';
import { contest, costs, rolloutsOf, type Score } from '../contest.ts';
import { forEach } from '../objects.ts';
import type { Bench, Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import type { Templates } from '../templates.ts';

/** More than a controller has workers. */
const IN_FLIGHT = 32;
const PATIENCE_MS = 300_000;
/** A controller may slow down a workload that rolls too often: config-rollout after five times. */
const PER_WORKLOAD = 2;

const sizeOf = ({ quick }: { readonly quick: boolean }) =>
  quick ? { rounds: 1, pairs: 50 } : { rounds: 2, pairs: 500 };

export const throughput: Scenario = {
  name: 'throughput',
  about:
    '2,000 changes (--quick: 100) as fast as they go, over many ConfigMaps: rollouts a second; requests per rollout',
  lasts: (plan) => {
    const size = sizeOf(plan);
    return (plan.candidates.length + 1) * (4 + size.pairs / 25 + size.rounds * (3 + (size.pairs * PER_WORKLOAD) / 100));
  },
  async run(bench) {
    const size = sizeOf(bench);
    const elapsed = new Map<string, number>();
    const scores = await contest(bench, {
      name: 'throughput',
      rounds: size.rounds,
      cast: (namespace) => pairs(namespace, { count: size.pairs, replicas: 0 }),
      turn: async (stage, templates) => {
        const start = performance.now();
        const samples = await race(bench, stage, templates);
        elapsed.set(stage.candidate.name, (elapsed.get(stage.candidate.name) ?? 0) + performance.now() - start);
        return samples;
      },
    });
    const rate = (score: Score) => (rolloutsOf(score) / (elapsed.get(score.stage.candidate.name) ?? 0)) * 1000;
    const floor = rate(scores.floor);
    const figures = scores.candidates.map((score) => {
      const candidate = score.stage.candidate.name;
      return { candidate, name: 'rollouts', value: rate(score), unit: 'a second', floor };
    });
    return [...figures, ...costs(scores)];
  },
};

/** Gives the time of each rollout, from its change on. */
async function race({ signal }: Bench, stage: Stage, templates: Templates): Promise<readonly number[]> {
  const samples: number[] = [];
  const rolling = new Map<string, PromiseWithResolvers<number>>();
  templates.onRoll((key, at) => rolling.get(key)?.resolve(at));
  const end = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  await forEach(stage.inTurn(stage.cast.sources.length * PER_WORKLOAD), IN_FLIGHT, async (source) => {
    const [user = ''] = stage.usersOf(source);
    // It may be its turn again before it has rolled, where all others were quicker.
    await rolling.get(user)?.promise;
    const rolled = Promise.withResolvers<number>();
    rolling.set(user, rolled);
    const giveUp = () => rolled.reject(signal.aborted ? signal.reason : new Problem(`${user} did not roll.`));
    end.addEventListener('abort', giveUp, { once: true });
    const changedAt = performance.now();
    await stage.change(source);
    samples.push((await rolled.promise) - changedAt);
  });
  return samples;
}
