// What admission costs: unchanged manifests are applied at a steady rate, to Deployments that it is not asked about, and
// to those that it pins, beside a controller at its usual work. Compare the figures of one run with each other only.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ApiError } from '../controller/kube/api-error.ts';
import { KubeClient } from '../controller/kube/client.ts';
import { loadKubeConfig } from '../controller/kube/kubeconfig.ts';
import * as measure from './bench/measure.ts';
import { Shop, type Target } from './bench/shop.ts';
import { type Cluster, down, up } from './embedded/cluster.ts';
import { installRules } from './embedded/install.ts';
import { kubectlPath } from './embedded/kubectl.ts';
import { layout } from './embedded/paths.ts';
import { readState } from './embedded/state.ts';

const USAGE = `Measures what admission adds to an apply, on a cluster of its own.

  make bench-admission            or, with options: npm run -s bench:admission -- --rate 50

  --rate N          applies a second (default 200)
  --seconds N       length of both measured phases (default 30); a warm-up of a third of that comes first
  --deployments N   Deployments that are managed; as many are not (default 100)

The exit code is 1 when an apply was rejected, or went past admission; never because of a time.`;

const WEBHOOK = 'workloads.configrollout.dev';
const CONTROLLER = 'controller';
const FINE = 'as they should be';
const PATIENCE_MS = 300_000;

const { rate, seconds, deployments } = readOptions();
const dataDir = mkdtempSync(join(tmpdir(), 'config-rollout-bench-'));
const interrupted = new AbortController();
let controller: ChildProcess | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupted.abort(new Error(`interrupted by ${signal}`));
    cleanUp().finally(() => process.exit(130));
  });
try {
  const cluster = await up({ dataDir, log: (line) => console.log(`  ${line}`), signal: interrupted.signal });
  const pids = await startController(cluster);
  const config = loadKubeConfig({ kubeconfig: cluster.kubeconfig, env: {} }).config;
  const client = new KubeClient(config, { userAgent: 'bench' });
  process.exitCode = (await run(client, pids)) ? 0 : 1;
  client.close();
} finally {
  await cleanUp();
}

async function cleanUp(): Promise<void> {
  if (controller?.exitCode === null && controller.kill('SIGTERM')) await once(controller, 'exit');
  await down(dataDir);
}

/** Installs the rules, and runs the controller beside the cluster; gives the pids of all that takes part. */
async function startController({ kubeconfig: admin }: Cluster): Promise<ReadonlyMap<string, number>> {
  const { kubeconfig, webhookPort } = await installRules(await kubectlPath(), admin, dataDir);
  const path = join(dataDir, 'controller.log');
  const log = openSync(path, 'w');
  const flags = ['--kubeconfig', kubeconfig, '--webhook-port', String(webhookPort)];
  const child = spawn(process.execPath, ['dist/config-rollout-controller', ...flags], { stdio: ['ignore', log, log] });
  controller = child;
  await until('the controller serves admission', async () => {
    if (child.exitCode !== null) throw new Error(`the controller ended:\n${readFileSync(path, 'utf8')}`);
    return readFileSync(path, 'utf8').includes('admission is served');
  });
  const parts = readState(layout(dataDir))?.components ?? [];
  return new Map([
    [CONTROLLER, child.pid ?? 0],
    ...parts.map(({ name, process: { pid } }) => [name, pid] as const),
    ['this benchmark', process.pid],
  ]);
}

/** True when nothing was rejected, and nothing went past admission. */
async function run(client: KubeClient, pids: ReadonlyMap<string, number>): Promise<boolean> {
  const shop = new Shop(client, deployments);
  console.log(`\n${deployments} Deployments share ${shop.sources.length} ConfigMaps; as many twins are not managed.`);
  await shop.create();
  await until('all are adopted and at rest', () => shop.isAtRest());
  const both = shop.managed.flatMap((target, index) => [target, shop.twins[index] ?? target]);
  const warmUp = Math.ceil(seconds / 3);

  console.log(`\n(a) Warm-up: ${rate} applies a second for ${warmUp} s, to both sorts in turn.`);
  const a = await load(shop, both, warmUp, pids);
  console.log(`\n(b) ${rate} applies a second for ${seconds} s to the twins: admission is not asked.`);
  const b = await load(shop, shop.twins, seconds, pids);
  console.log('\n(c) The same to those that are managed, while somebody edits a ConfigMap each second.');
  const before = await measure.webhookCounts(client, WEBHOOK);
  const [edits, c] = await Promise.all([shop.editEachSecond(seconds), load(shop, shop.managed, seconds, pids)]);
  const after = await measure.webhookCounts(client, WEBHOOK);

  const ratio = (key: keyof measure.Percentiles) => c.latency[key] / b.latency[key];
  const ratios = { p50: ratio('p50'), p90: ratio('p90'), p99: ratio('p99'), max: ratio('max') };
  console.log(`  (c)/(b)   ${measure.textOf(ratios, '')}`);
  const { calls, ...waits } = measure.percentilesBetween(before, after);
  const bounds = [...after.buckets.keys()].filter(Number.isFinite).sort((x, y) => x - y);
  console.log(
    `  webhook   ${measure.textOf(waits, ' ms')}, by the API server's histogram (bounds ${bounds.join(', ')})`,
  );
  const [rejected, failedOpen] = [after.rejected - before.rejected, after.failedOpen - before.failedOpen];
  console.log(`            it was called ${calls} times; rejected ${rejected}, failed open ${failedOpen}`);
  console.log(`  memory    of the controller: ${measure.residentMiB(pids.get(CONTROLLER) ?? 0).toFixed(0)} MiB`);

  console.log('\nAfterwards:');
  await until('all run with the newest content', () => shop.isAtRest());
  const { made, raw, odd } = await shop.revisions();
  console.log(`  ${edits} edits made ${made} revisions, ${raw} of them raw`);
  console.log(`  Deployments with another number of new revisions than edits: ${odd.length}`);
  for (const line of odd.slice(0, 5)) console.log(`    ${line}`);
  const bad = a.bad + b.bad + c.bad + raw;
  console.log(bad === 0 ? '\nNothing was rejected, and nothing went past admission.' : '\nSee above what went wrong.');
  return bad === 0;
}

interface Load {
  readonly bad: number;
  readonly latency: measure.Percentiles;
}

/** Applies to one after the other, and prints what came of it. */
async function load(
  shop: Shop,
  targets: readonly Target[],
  forSeconds: number,
  pids: ReadonlyMap<string, number>,
): Promise<Load> {
  const started = performance.now();
  const before = measure.cpuSeconds(pids);
  const answers = await measure.openLoop(rate, forSeconds, (index) => attempt(shop, targets[index % targets.length]));
  const elapsed = (performance.now() - started) / 1000;
  const shares = [...measure.cpuSeconds(pids)].map(
    ([name, spent]) => `${name} ${((spent - (before.get(name) ?? 0)) / elapsed).toFixed(2)}`,
  );
  const outcomes = Map.groupBy(answers, ({ result }) => result);
  const latency = measure.percentilesOf(answers.map(({ ms }) => ms));
  const late = measure.percentilesOf(answers.map(({ lateMs }) => lateMs)).p99;
  const counts = [...outcomes].map(([outcome, { length }]) => `${length} ${outcome}`);
  console.log(`  answers   ${answers.length} sent in ${elapsed.toFixed(1)} s: ${counts.join(', ')}`);
  console.log(`  latency   ${measure.textOf(latency, ' ms')}; the benchmark's own part at p99: ${late.toFixed(1)} ms`);
  console.log(`  cores     ${shares.join(', ')} of ${availableParallelism()}`);
  return { bad: answers.length - (outcomes.get(FINE)?.length ?? 0), latency };
}

async function attempt(shop: Shop, target: Target | undefined): Promise<string> {
  if (target === undefined) return 'without a target';
  try {
    const isRaw = await shop.applyRaw(target);
    return isRaw === target.isManaged ? 'PAST ADMISSION' : FINE;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return `REJECTED with ${error.status} ${error.reason}`;
  }
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > PATIENCE_MS) throw new Error(`waited in vain until ${what}`);
    await sleep(500, undefined, { signal: interrupted.signal });
  }
  console.log(`  ${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

function readOptions(): { readonly rate: number; readonly seconds: number; readonly deployments: number } {
  const number = (value: number) => ({ type: 'string', default: String(value) }) as const;
  const { help, ...values } = parseArgs({
    options: {
      rate: number(200),
      seconds: number(30),
      deployments: number(100),
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;
  const wrong = Object.entries(values).find(([, value]) => !/^[1-9]\d{0,5}$/.test(value));
  if (help) console.log(USAGE);
  else if (wrong !== undefined) console.error(`error: --${wrong[0]}: "${wrong[1]}" is no number from 1; see --help`);
  if (help || wrong !== undefined) process.exit(help ? 0 : 1);
  return { rate: Number(values.rate), seconds: Number(values.seconds), deployments: Number(values.deployments) };
}
