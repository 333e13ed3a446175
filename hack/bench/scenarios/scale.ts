// A large cluster at rest: what does a controller take to start there, what does it hold, and what does one change cost? None
// of it should follow the size of the data, nor the cost of a change the size of the cluster.

import { totalsOf } from '../audit.ts';
import { cpuSecondsOf, median } from '../measure.ts';
import { CONFIG_MAPS, collectionPath, DEPLOYMENTS } from '../objects.ts';
import { rest, type Start, startMeasured, worldRest } from '../scale-start.ts';
import { buildWorld, namespaces, pairOf, type WorldSize } from '../scale-world.ts';
import type { Bench, Candidate, Figure, Plan, Running, Scenario } from '../scenario.ts';
import { keyOf, Templates } from '../templates.ts';

const FULL = { configMaps: 10_000, deployments: 2000, revisions: 5, kibibytes: [1, 20, 100], starts: 3, restMs: 5000 };
const QUICK = { configMaps: 300, deployments: 60, revisions: 3, kibibytes: [1, 100], starts: 1, restMs: 1500 };
/** In which one change should cost the same; each of another workload, as in the large one. */
const SMALL = { configMaps: 50, deployments: 25 };
const CHANGES = { full: 20, quick: 5 };
/** Not counted: code that runs for the first time takes several times as long, in a world of any size. */
const FIRST_CHANGES = 5;
const CHANGE_REST_MS = 1500;
const WORLD_REST_MS = 2000;
const PATIENCE_MS = 30_000;

const planOf = ({ quick }: Pick<Plan, 'quick'>) => (quick ? QUICK : FULL);

interface Change {
  readonly ms: number;
  readonly cpuMs: number;
  readonly requests: number;
}

interface Found {
  readonly kibibytes: number;
  readonly starts: readonly Start[];
  /** In the small world, and in the large one; where they were made. */
  readonly changes?: readonly [small: Change, large: Change];
}

export const scale: Scenario = {
  name: 'scale',
  about: `${FULL.configMaps} ConfigMaps of 1, 20, 100 KiB, ${FULL.deployments} Deployments × ${FULL.revisions}: memory, start, one change`,
  lasts: (plan) => plan.candidates.length * (plan.quick ? 60 : 1000),
  async run(bench) {
    const figures: Figure[] = [];
    for (const [index, { name }] of bench.candidates.entries()) {
      const found: Found[] = [];
      for (const kibibytes of planOf(bench).kibibytes) {
        bench.progress(`scale: ${name}, ConfigMaps of ${kibibytes} KiB, on a cluster of their own`);
        // What one leaves behind would burden the next, and to delete it takes longer than to begin anew.
        found.push(await bench.apart((apart) => measure(apart, index, kibibytes, found.length === 0)));
      }
      figures.push(...figuresOf(name, found, bench.quick));
    }
    return figures;
  },
};

async function measure(bench: Bench, index: number, kibibytes: number, withChanges: boolean): Promise<Found> {
  const { client, signal } = bench;
  const candidate = bench.candidates[index];
  if (candidate === undefined) throw new Error('the other cluster has other candidates');
  const { starts: count, restMs, ...plan } = planOf(bench);
  const size: WorldSize = { ...plan, kibibytes };
  const builder = { client, target: candidate.target, signal };
  let small: Change | undefined;
  if (withChanges) {
    await buildWorld(builder, { ...size, ...SMALL });
    const running = await settled(bench, candidate, restMs);
    small = await changesIn(bench, running, SMALL.deployments);
    // It would have a hand in what follows.
    await running.stop();
  }
  bench.progress(`scale: builds ${size.configMaps} ConfigMaps, ${size.deployments} Deployments with their revisions`);
  await buildWorld(builder, size, withChanges ? SMALL : undefined);
  await (await settled(bench, candidate, restMs)).stop();
  const starts: Start[] = [];
  let large: Change | undefined;
  while (starts.length < count) {
    const { running, start } = await startMeasured(bench, candidate, restMs);
    starts.push(start);
    bench.progress(
      `scale: started, ${[...start.requests].map(([request, times]) => `${request} ×${times}`).join(', ')}`,
    );
    if (withChanges && starts.length === count) large = await changesIn(bench, running, size.deployments);
    await running.stop();
  }
  return { kibibytes, starts, ...(small && large && { changes: [small, large] }) };
}

/** Runs until there is nothing left that it wants to write. */
async function settled(bench: Bench, candidate: Candidate, restMs: number): Promise<Running> {
  await worldRest(bench, WORLD_REST_MS);
  const running = await candidate.start();
  await rest(running, restMs, bench.signal);
  await worldRest(bench, WORLD_REST_MS);
  return running;
}

/** Changes some sources, one after the other, and gives what one of them cost, once the first are done. */
async function changesIn({ client, signal, quick }: Bench, running: Running, deployments: number): Promise<Change> {
  const templates = await Templates.watch(client, namespaces);
  const count = quick ? CHANGES.quick : CHANGES.full;
  const change = async (at: number) => {
    const { namespace, app, source } = pairOf(Math.floor((at * deployments) / (FIRST_CHANGES + count)));
    const rolled = templates.next(keyOf(DEPLOYMENTS, namespace, app), PATIENCE_MS, signal);
    const changedAt = performance.now();
    await client.request('PATCH', `${collectionPath(CONFIG_MAPS, namespace)}/${source}`, {
      body: { data: { changed: `${deployments} ${at}` } },
      signal,
    });
    const ms = (await rolled) - changedAt;
    const { reads, writes, events } = totalsOf(await rest(running, CHANGE_REST_MS, signal));
    return { ms, requests: reads + writes + events };
  };
  for (let at = 0; at < FIRST_CHANGES; at += 1) await change(at);
  const cpuSeconds = cpuSecondsOf(running.pid);
  const changes: Awaited<ReturnType<typeof change>>[] = [];
  for (let at = 0; at < count; at += 1) changes.push(await change(FIRST_CHANGES + at));
  const cpuMs = ((cpuSecondsOf(running.pid) - cpuSeconds) * 1000) / count;
  await templates.close();
  const requests = changes.reduce((sum, each) => sum + each.requests, 0);
  return { ms: median(changes.map(({ ms }) => ms)), cpuMs, requests: requests / count };
}

function figuresOf(candidate: string, found: readonly Found[], quick: boolean): Figure[] {
  const [least] = found;
  if (least === undefined) return [];
  const of = ({ starts }: Found, value: (start: Start) => number) => median(starts.map(value));
  const figure = (name: string, value: number, unit: string, rest: Partial<Figure> = {}): Figure => ({
    candidate,
    name,
    value,
    unit,
    ...rest,
  });
  const perSize = found.flatMap((each) => {
    const at = (name: string) => `${each.kibibytes} KiB: ${name}`;
    const memory = (name: string, value: (start: Start) => number) =>
      figure(at(name), of(each, value), 'MiB', each === least ? {} : { floor: of(least, value), ratioAtMost: 1.05 });
    return [
      memory('memory at rest', ({ restMiB }) => restMiB),
      memory('memory at most', ({ peakMiB }) => peakMiB),
      // In a small world it is the start of the process that takes the time.
      figure(
        at('ready'),
        of(each, ({ readyMs }) => readyMs),
        'ms',
        {
          floor: of(each, ({ bareMs }) => bareMs),
          ...(!quick && { ratioAtMost: 1.5 }),
        },
      ),
      figure(
        at('reads to start'),
        of(each, ({ requests }) => totalsOf(requests).reads),
        '',
      ),
      figure(
        at('writes to start'),
        of(each, ({ requests }) => totalsOf(requests).writes),
        '',
        { atMost: 0, strict: true },
      ),
    ];
  });
  const [small, large] = least.changes ?? [];
  if (small === undefined || large === undefined) return perSize;
  const change = (name: string, key: keyof Change, unit: string, ratioAtMost: number) =>
    figure(`a change, beside one in a small world: ${name}`, large[key], unit, { floor: small[key], ratioAtMost });
  return [
    ...perSize,
    change('to the template', 'ms', 'ms', 1.25),
    change('requests', 'requests', '', 1),
    change('CPU', 'cpuMs', 'ms', 1.25),
  ];
}
