// One ConfigMap that many Deployments mount is changed once: when do the first and the last of them have the new template?

import { Problem } from '../../embedded/problem.ts';
import { fan } from '../casts.ts';
import { contest, costs } from '../contest.ts';
import { median } from '../measure.ts';
import type { Bench, Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import type { Templates } from '../templates.ts';

const DEPLOYMENTS = 200;
const PATIENCE_MS = 120_000;
const roundsOf = ({ quick }: { readonly quick: boolean }) => (quick ? 1 : 5);

export const fanout: Scenario = {
  name: 'fanout',
  about: `one ConfigMap → ${DEPLOYMENTS} Deployments: the first, the last; requests per rollout`,
  lasts: (plan) => (plan.candidates.length + 1) * (5 + roundsOf(plan) * 4),
  async run(bench) {
    const scores = await contest(bench, {
      name: 'fanout',
      rounds: roundsOf(bench),
      cast: (namespace) => fan(namespace, { count: DEPLOYMENTS, replicas: 0 }),
      turn: (stage, templates) => changeOnce(bench, stage, templates),
    });
    const [first, last] = [medianOf(Math.min), medianOf(Math.max)];
    const bare = scores.floor.samples;
    const figures = scores.candidates.flatMap(({ stage, samples }) => {
      const [candidate, unit] = [stage.candidate.name, 'ms'];
      return [
        { candidate, unit, name: 'change → first template', value: first(samples), floor: first(bare) },
        { candidate, unit, name: 'change → last template', value: last(samples), floor: last(bare), ratioAtMost: 1.25 },
      ];
    });
    return [...figures, ...costs(scores)];
  },
};

/** The median of all turns, of one value of each. */
function medianOf(which: (...samples: readonly number[]) => number) {
  return (turns: readonly (readonly number[])[]) => median(turns.map((samples) => which(...samples)));
}

/** Gives the time of each Deployment, from the change on. */
async function changeOnce(bench: Bench, stage: Stage, templates: Templates): Promise<readonly number[]> {
  const [source] = stage.cast.sources;
  if (source === undefined) return [];
  const rolled = new Map<string, number>();
  templates.onRoll((key, at) => rolled.set(key, at));
  const changedAt = performance.now();
  await stage.change(source);
  const all = () => rolled.size === source.users.length;
  if (!(await templates.until(all, PATIENCE_MS, bench.signal)))
    throw new Problem(`${stage.candidate.name} rolled ${rolled.size} of ${source.users.length} Deployments.`);
  return [...rolled.values()].map((at) => at - changedAt);
}
