// What admission costs: unchanged manifests are applied at a steady rate, to Deployments that it is not asked about, and to
// those that it pins, beside a controller at its usual work.

import { setTimeout as sleep } from 'node:timers/promises';
import { loadKubeConfig } from '../../../controller/kube/kubeconfig.ts';
import { Problem } from '../../embedded/problem.ts';
import { AdmissionSite, FINE } from '../admission-site.ts';
import { cpuSecondsOf, openLoop, type Percentiles, percentilesOf, residentMiB, type Timed } from '../measure.ts';
import { MultiplexedClient } from '../multiplexed.ts';
import type { Bench, Candidate, Figure, Scenario } from '../scenario.ts';
import { percentilesBetween, webhookCounts, webhookItself } from '../webhook.ts';

/** The only one that has it. */
const TARGET = 'config-rollout';
const PATIENCE_MS = 120_000;
const sizeOf = ({ quick, seconds }: { readonly quick: boolean; readonly seconds: number }) => ({
  deployments: quick ? 20 : 100,
  /** Applies a second. */
  rate: quick ? 50 : 200,
  /** Of each phase. */
  seconds: Math.max(2, Math.ceil(seconds / 2)),
});

export const admission: Scenario = {
  name: 'admission',
  about: 'an unchanged manifest applied 200 times a second (--quick: 50), with admission and without',
  lasts: (plan) => plan.candidates.length * (10 + sizeOf(plan).seconds * 3.5),
  async run(bench) {
    const own = bench.candidates.filter(({ target }) => target.name === TARGET);
    const figures: Figure[] = [];
    for (const candidate of own) figures.push(...(await measure(bench, candidate)));
    return figures;
  },
};

async function measure(bench: Bench, candidate: Candidate): Promise<Figure[]> {
  const { client, webhookPort: port } = bench;
  const { deployments, rate, seconds } = sizeOf(bench);
  const { config } = loadKubeConfig({ kubeconfig: bench.cluster.kubeconfig, env: {} });
  const many = await MultiplexedClient.connect(config);
  const say = (what: string) => bench.progress(`admission: ${what}`);
  const site = new AdmissionSite(bench, many, candidate, await bench.namespace('admission'), deployments);
  const rests = async () => {
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await site.isAtRest())) {
      if (performance.now() > deadline) throw new Problem('Not all Deployments came to rest.');
      await sleep(200, undefined, { signal: bench.signal });
    }
  };
  const running = await candidate.start();
  try {
    say(`${deployments} Deployments are made, and as many that are not managed`);
    await site.create();
    await rests();
    const former = await site.revisions();

    say('warm-up, both sorts in turn');
    const warm = await openLoop(rate, Math.ceil(seconds / 3), (index) => site.apply(index % 2 === 0, index >> 1));
    say(`${rate} applies a second for ${seconds} s to those that are not managed`);
    const without = await openLoop(rate, seconds, (index) => site.apply(false, index));
    say('the same to those that are managed, while somebody edits a ConfigMap each second');
    const [before, cpu] = [await webhookCounts(client), cpuSecondsOf(running.pid)];
    const [pinned] = await Promise.all([
      openLoop(rate, seconds, (index) => site.apply(true, index)),
      openLoop(1, seconds, (index) => site.edit(index)),
    ]);
    const [after, cores] = [await webhookCounts(client), (cpuSecondsOf(running.pid) - cpu) / seconds];
    await rests();

    say('the webhook itself is asked the same, with no API server in between');
    const ask = await webhookItself(client, port);
    await site.refresh();
    const [asked] = await Promise.all([
      openLoop(rate, seconds, (index) => site.ask(ask, index)),
      openLoop(1, seconds, (index) => site.edit(index)),
      openLoop(1, seconds, () => site.refresh()),
    ]);
    await rests();

    const { calls: _, ...waited } = percentilesBetween(before, after);
    const bad = [...warm, ...without, ...pinned, ...asked].filter(({ result }) => result !== FINE);
    for (const [outcome, { length }] of Map.groupBy(bad, ({ result }) => result)) say(`${length} ${outcome}`);
    const { raw, odd } = await site.countRevisions(former);
    const named = { candidate: candidate.name };
    const floor = latencyOf(without);
    return [
      ...times(candidate, 'apply', latencyOf(pinned), floor),
      ...times(candidate, 'webhook, as the API server has it', waited),
      ...times(candidate, 'webhook, asked directly', latencyOf(asked)),
      { ...named, name: 'the benchmark itself was late, p99', value: latenessOf(pinned), unit: 'ms' },
      { ...named, name: 'CPU', value: cores, unit: 'cores' },
      { ...named, name: 'memory', value: residentMiB(running.pid), unit: 'MiB' },
      { ...named, name: 'rejected, or past admission', value: bad.length + raw, unit: '', atMost: 0, strict: true },
      { ...named, name: 'Deployments whose revisions are not their edits', value: odd, unit: '', atMost: 0 },
    ];
  } finally {
    many.close();
  }
}

function latencyOf(answers: readonly Timed<string>[]): Percentiles {
  return percentilesOf(answers.map(({ ms }) => ms));
}

function latenessOf(answers: readonly Timed<string>[]): number {
  return percentilesOf(answers.map(({ lateMs }) => lateMs)).p99;
}

function times({ name: candidate }: Candidate, what: string, own: Percentiles, floor?: Percentiles): Figure[] {
  return (['p50', 'p90', 'p99'] as const).map((name) => {
    const figure = { candidate, name: `${what}, ${name}`, value: own[name], unit: 'ms' };
    return floor === undefined ? figure : { ...figure, floor: floor[name] };
  });
}
