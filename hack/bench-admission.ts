// What admission costs: unchanged manifests are applied at a steady rate, to Deployments that it is not asked about, and
// to those that it pins, beside a controller at its usual work. Compare the figures of one run with each other only.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { OWNERS_ANNOTATION } from '../controller/core/names.ts';
import { KubeClient } from '../controller/kube/client.ts';
import { loadKubeConfig } from '../controller/kube/kubeconfig.ts';
import * as measure from './bench/measure.ts';
import { MultiplexedClient } from './bench/multiplexed.ts';
import { type Ask, percentilesBetween, webhookCounts, webhookItself } from './bench/webhook.ts';
import { type Cluster, down, up } from './embedded/cluster.ts';
import { installRules } from './embedded/install.ts';
import { kubectlPath } from './embedded/kubectl.ts';
import { layout } from './embedded/paths.ts';
import { messageOf } from './embedded/problem.ts';
import { readState } from './embedded/state.ts';

const USAGE = `Measures what admission adds to an apply, on a cluster of its own.

  make bench-admission            with the defaults; ARGS='--rate 50' changes them

  --rate N          applies a second (default 200)
  --seconds N       length of each measured phase (default 30); a warm-up of a third of that comes first
  --deployments N   Deployments that are managed; as many are not (default 100)

The exit code is 1 when an apply was rejected, or went past admission; never because of a time.`;

const CONFIG_MAPS = '/api/v1/namespaces/bench/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/bench/deployments';
const REPLICA_SETS = '/apis/apps/v1/namespaces/bench/replicasets';
const NAME_POINTER = '/spec/template/spec/volumes/0/configMap/name';
const FINE = 'as they should be';
const PAST = 'PAST ADMISSION';
const SHARING = 5;
const PATIENCE_MS = 300_000;

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

interface Target {
  readonly name: string;
  readonly source: string;
  readonly isManaged: boolean;
}

const { rate, seconds, deployments } = readOptions();
const sources = Array.from({ length: Math.ceil(deployments / SHARING) }, (_, index) => `config-${index}`);
const edits = new Map<string, number>();
const warmUp = Math.ceil(seconds / 3);
const [managed, twins] = [targets('managed'), targets('twin')];
const dataDir = mkdtempSync(join(tmpdir(), 'config-rollout-bench-'));
const interrupted = new AbortController();
let controller: ChildProcess | undefined;
let cleaning: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupted.abort();
    cleanUp().finally(() => process.exit(130));
  });
try {
  const cluster = await up({ dataDir, log: (line) => console.log(`  ${line}`), signal: interrupted.signal });
  const running = await startController(cluster);
  const { config } = loadKubeConfig({ kubeconfig: cluster.kubeconfig, env: {} });
  const client = new KubeClient(config, { userAgent: 'bench' });
  const many = await MultiplexedClient.connect(config);
  process.exitCode = (await run(client, many, running)) ? 0 : 1;
  client.close();
  many.close();
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
} finally {
  await cleanUp();
}

function cleanUp(): Promise<void> {
  cleaning ??= (async () => {
    if (controller?.exitCode === null && controller.kill('SIGTERM')) await once(controller, 'exit');
    await down(dataDir);
    // Where no cluster was begun yet, it is still there.
    rmSync(dataDir, { recursive: true, force: true });
  })();
  return cleaning;
}

interface Running {
  /** Of the webhook. */
  readonly port: number;
  /** Of all that takes part. */
  readonly pids: ReadonlyMap<string, number>;
}

/** Installs the rules, and runs the controller beside the cluster. */
async function startController({ kubeconfig: admin }: Cluster): Promise<Running> {
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
  const parts = (readState(layout(dataDir))?.components ?? []).map((part) => [part.name, part.process.pid] as const);
  return {
    port: webhookPort,
    pids: new Map([['controller', child.pid ?? 0], ...parts, ['this benchmark', process.pid]]),
  };
}

/** True when nothing was rejected, and nothing went past admission. */
async function run(client: KubeClient, many: MultiplexedClient, { port, pids }: Running): Promise<boolean> {
  console.log(`\n${deployments} Deployments share ${sources.length} ConfigMaps; as many twins are not managed.`);
  await client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'bench' } } });
  const post = (path: string, bodies: readonly object[]) =>
    Promise.all(bodies.map((body) => client.request('POST', path, { body })));
  await post(CONFIG_MAPS, sources.map(configMap));
  await post(DEPLOYMENTS, [...managed, ...twins].map(deployment));
  await until('all are adopted and at rest', () => isAtRest(client));
  const former = new Set((await list(client, REPLICA_SETS)).map(({ metadata }) => metadata.name));
  const both = managed.flatMap((target, index) => [target, twins[index] ?? target]);
  const patch = (target: Target) => applyRaw(many, target);

  console.log(`\n(a) Warm-up: ${rate} applies a second for ${warmUp} s, to both sorts in turn.`);
  const a = await load(both, warmUp, pids, patch);
  console.log(`\n(b) ${rate} applies a second for ${seconds} s to the twins: admission is not asked.`);
  const b = await load(twins, seconds, pids, patch);
  console.log('\n(c) The same to those that are managed, while somebody edits a ConfigMap each second.');
  const before = await webhookCounts(client);
  const [c] = await Promise.all([load(managed, seconds, pids, patch), editEachSecond(client)]);
  const after = await webhookCounts(client);
  console.log(`  (c)/(b)   ${measure.textOf(measure.ratiosOf(c.latency, b.latency))}`);
  const { calls, ...waits } = percentilesBetween(before, after);
  const bounds = [...after.buckets.keys()].filter(Number.isFinite).sort((x, y) => x - y);
  console.log(`  webhook   ${measure.textOf(waits)} ms, by the API server's histogram (bounds ${bounds.join(', ')})`);
  const [rejected, failedOpen] = [after.rejected - before.rejected, after.failedOpen - before.failedOpen];
  console.log(
    `            called ${calls} times; rejected ${rejected}, failed open ${failedOpen} (counted from 1.24 on)`,
  );
  await until('all run with the newest content', () => isAtRest(client));

  console.log(
    `\n(d) The webhook itself is asked ${rate} times a second, with the same edits: no API server in between.`,
  );
  const ask = await webhookItself(client, port);
  const live = new Map<string, Json>();
  const refresh = async () => {
    for (const each of await list(client, DEPLOYMENTS)) live.set(each.metadata.name, each);
  };
  await refresh();
  const review = ({ name, source }: Target) => askRaw(ask, live.get(name), source);
  const watching = measure.openLoop(1, seconds, refresh);
  const [d] = await Promise.all([load(managed, seconds, pids, review), editEachSecond(client), watching]);
  console.log(`  (d)/(b)   ${measure.textOf(measure.ratiosOf(d.latency, b.latency))}`);
  await until('all run with the newest content', () => isAtRest(client));

  console.log('\nAfterwards:');
  const bad = a.bad + b.bad + c.bad + d.bad + (await countRevisions(client, former));
  console.log(bad === 0 ? '\nNothing was rejected, and nothing went past admission.' : '\nSee above what went wrong.');
  return bad === 0;
}

interface Load {
  readonly bad: number;
  readonly latency: measure.Percentiles;
}

/** Sends to one target after the other, and prints what came of it. */
async function load(
  among: readonly Target[],
  forSeconds: number,
  pids: Running['pids'],
  send: (target: Target) => Promise<string>,
): Promise<Load> {
  const [start, before] = [performance.now(), measure.cpuSeconds(pids)];
  const answers = await measure.openLoop(rate, forSeconds, (index) => send(among[index % among.length] as Target));
  const [elapsed, after] = [(performance.now() - start) / 1000, measure.cpuSeconds(pids)];
  const cores = [...after].map(
    ([name, spent]) => `${name} ${((spent - (before.get(name) ?? 0)) / elapsed).toFixed(2)}`,
  );
  const outcomes = Map.groupBy(answers, ({ result }) => result);
  const counts = [...outcomes].map(([outcome, { length }]) => `${length} ${outcome}`);
  const latency = measure.percentilesOf(answers.map(({ ms }) => ms));
  const late = measure.percentilesOf(answers.map(({ lateMs }) => lateMs)).p99;
  console.log(`  answers   ${answers.length} in ${elapsed.toFixed(1)} s: ${counts.join(', ')}`);
  console.log(
    `  latency   ${measure.textOf(latency)} ms (the benchmark itself was late by ${late.toFixed(1)} ms at p99)`,
  );
  const memory = measure.residentMiB(pids.get('controller') ?? 0).toFixed(0);
  console.log(`  cores     ${cores.join(', ')} of ${availableParallelism()}; the controller has ${memory} MiB`);
  return { bad: answers.length - (outcomes.get(FINE)?.length ?? 0), latency };
}

/** As an apply of the unchanged manifest does, writes the ConfigMap's own name into the template. */
async function applyRaw(client: MultiplexedClient, { name, source, isManaged }: Target): Promise<string> {
  // Without a name of its own it would look like an undo.
  const path = `${DEPLOYMENTS}/${name}?fieldManager=bench`;
  const body = [{ op: 'replace', path: NAME_POINTER, value: source }];
  try {
    const { status, text } = await client.patch(path, 'application/json-patch+json', body);
    if (status !== 200) return `REJECTED with ${status}`;
    return isManaged && mounted(JSON.parse(text)) === source ? PAST : FINE;
  } catch (error) {
    return `WITHOUT AN ANSWER: ${messageOf(error)}`;
  }
}

async function askRaw(ask: Ask, live: Json, source: string): Promise<string> {
  const object = structuredClone(live);
  object.spec.template.spec.volumes[0].configMap.name = source;
  try {
    return (await ask(live, object)).some(({ path }) => path === NAME_POINTER) ? FINE : PAST;
  } catch (error) {
    return `REJECTED: ${messageOf(error)}`;
  }
}

/** Counts them, by source, in `edits`. */
async function editEachSecond(client: KubeClient): Promise<void> {
  await measure.openLoop(1, seconds, async (index) => {
    const source = sources[index % sources.length] ?? '';
    await client.request('PATCH', `${CONFIG_MAPS}/${source}`, { body: { data: { greeting: `at ${Date.now()}` } } });
    edits.set(source, (edits.get(source) ?? 0) + 1);
  });
}

/** Says whether each edit made one revision of each Deployment that uses it; gives the number of raw ones. */
async function countRevisions(client: KubeClient, former: ReadonlySet<string>) {
  const made = (await list(client, REPLICA_SETS)).filter(({ metadata }) => !former.has(metadata.name));
  const raw = made.filter((revision) => sources.includes(mounted(revision)));
  const byOwner = Map.groupBy(made, ({ metadata }) => metadata.ownerReferences[0].name);
  const odd = managed.flatMap(({ name, source }) => {
    const [count, expected] = [byOwner.get(name)?.length ?? 0, edits.get(source) ?? 0];
    return count === expected ? [] : [`${name}: ${count} for ${expected}`];
  });
  const all = [...edits.values()].reduce((a, b) => a + b, 0);
  console.log(`  ${all} edits made ${made.length} revisions, ${raw.length} of them raw`);
  console.log(`  Deployments with more or fewer revisions than edits of their ConfigMap: ${odd.length}`);
  for (const line of odd.slice(0, 5)) console.log(`    ${line}`);
  return raw.length;
}

/** Every Deployment is complete, and every managed one mounts a copy of what its source holds now. */
async function isAtRest(client: KubeClient): Promise<boolean> {
  const contents = new Map(
    (await list(client, CONFIG_MAPS)).map(({ metadata, data }) => [metadata.name, data?.greeting]),
  );
  const workloads = new Map((await list(client, DEPLOYMENTS)).map((workload) => [workload.metadata.name, workload]));
  return [...managed, ...twins].every(({ name, source, isManaged }) => {
    const workload = workloads.get(name);
    const { observedGeneration, replicas, updatedReplicas, availableReplicas } = workload.status;
    if (observedGeneration !== workload.metadata.generation) return false;
    if ([replicas, updatedReplicas, availableReplicas].some((count) => count !== 1)) return false;
    const mounts = mounted(workload);
    return !isManaged || (mounts !== source && contents.get(mounts) === contents.get(source));
  });
}

function targets(sort: 'managed' | 'twin'): readonly Target[] {
  return Array.from({ length: deployments }, (_, index) => {
    return { name: `${sort}-${index}`, source: sources[index % sources.length] ?? '', isManaged: sort === 'managed' };
  });
}

function configMap(name: string): object {
  const owners = managed.filter(({ source }) => source === name).map((target) => `deployment/${target.name}`);
  return { metadata: { name, annotations: { [OWNERS_ANNOTATION]: owners.join(', ') } }, data: { greeting: 'Hello' } };
}

function deployment({ name, source }: Target): object {
  const labels = { app: name };
  const volumes = [{ name: 'config', configMap: { name: source } }];
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'app:1' }], volumes } };
  // All revisions are kept, to be counted.
  return { metadata: { name }, spec: { revisionHistoryLimit: 1000, selector: { matchLabels: labels }, template } };
}

async function list(client: KubeClient, path: string): Promise<readonly Json[]> {
  return (await client.request<Json>('GET', path)).items;
}

function mounted({ spec }: Json): string {
  return spec.template.spec.volumes[0].configMap.name;
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > PATIENCE_MS) throw new Error(`waited in vain until ${what}`);
    await sleep(500);
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
