// What admission costs: unchanged manifests are applied at a steady rate, to Deployments that it is not asked about, and
// to those that it pins, beside a controller at its usual work. Compare the figures of one run with each other only.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { OWNERS_ANNOTATION } from '../controller/core/names.ts';
import { ApiError } from '../controller/kube/api-error.ts';
import { KubeClient } from '../controller/kube/client.ts';
import { loadKubeConfig } from '../controller/kube/kubeconfig.ts';
import { openLoop, type Percentiles, percentilesOf, useBetween, useOf, webhookCounts } from './bench/measure.ts';
import { type Cluster, down, up } from './embedded/cluster.ts';
import { installRules } from './embedded/install.ts';
import { kubectlPath } from './embedded/kubectl.ts';

const USAGE = `Measures what admission adds to an apply, on a cluster of its own.

  make bench-admission            with the defaults; or npm run -s bench:admission -- [options]

  --rate N          requests a second (default 200)
  --seconds N       length of each of the two phases (default 30); before them is a warm-up of a third of that
  --deployments N   Deployments of each sort, managed and not (default 100)

The exit code is 1 when a request was rejected, or went past admission; never because of a time.`;

const WEBHOOK = 'workloads.configrollout.dev';
const CONFIG_MAPS = '/api/v1/namespaces/bench/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/bench/deployments';
const REPLICA_SETS = '/apis/apps/v1/namespaces/bench/replicasets';
const SHARING = 5;
const PATIENCE_MS = 300_000;

interface Metadata {
  readonly name: string;
  readonly generation: number;
  readonly ownerReferences?: readonly { readonly name: string }[];
}
interface ConfigMap {
  readonly metadata: Metadata;
  readonly data: { readonly greeting: string };
}
interface Workload {
  readonly metadata: Metadata;
  readonly spec: { readonly template: { readonly spec: { readonly volumes: readonly Volume[] } } };
  readonly status: Readonly<Record<string, number | undefined>>;
}
interface Volume {
  readonly configMap: { readonly name: string };
}
interface Target {
  readonly name: string;
  readonly source: string;
}
type Outcome = { readonly mounts: string } | { readonly failure: string };

const options = readOptions();
const sources = Array.from({ length: Math.ceil(options.deployments / SHARING) }, (_, index) => `config-${index}`);
const managed = targets('managed');
const twins = targets('twin');
const dataDir = mkdtempSync(join(tmpdir(), 'config-rollout-bench-'));
const interrupted = new AbortController();
let controller: ChildProcess | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupted.abort(new Error(`interrupted by ${signal}`));
    cleanUp().finally(() => process.exit(130));
  });

console.log(
  `${availableParallelism()} cores, load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')} before.`,
);
try {
  const cluster = await up({ dataDir, log: (line) => console.log(`  ${line}`), signal: interrupted.signal });
  const pid = await startController(cluster);
  const config = loadKubeConfig({ kubeconfig: cluster.kubeconfig, env: {} }).config;
  const client = new KubeClient(config, { userAgent: 'bench' });
  process.exitCode = (await run(client, pid)) ? 0 : 1;
  client.close();
} finally {
  await cleanUp();
}

async function cleanUp(): Promise<void> {
  if (controller?.exitCode === null && controller.kill('SIGTERM')) await once(controller, 'exit');
  await down(dataDir);
}

/** Installs the rules, runs the controller beside the cluster, and gives its pid when it serves admission. */
async function startController({ kubeconfig: admin }: Cluster): Promise<number> {
  const { kubeconfig, webhookPort } = await installRules(await kubectlPath(), admin, dataDir);
  const path = join(dataDir, 'controller.log');
  const log = openSync(path, 'w');
  const flags = ['--kubeconfig', kubeconfig, '--webhook-port', String(webhookPort)];
  const child = spawn(process.execPath, ['dist/config-rollout-controller', ...flags], { stdio: ['ignore', log, log] });
  controller = child;
  await until(`"admission is served" in ${path}`, async () => {
    if (child.exitCode !== null) throw new Error(`the controller ended:\n${readFileSync(path, 'utf8')}`);
    return readFileSync(path, 'utf8').includes('admission is served');
  });
  return child.pid ?? 0;
}

/** True when nothing was rejected, and nothing went past admission. */
async function run(client: KubeClient, pid: number): Promise<boolean> {
  const { rate, seconds } = options;
  console.log(`\n${managed.length} Deployments share ${sources.length} ConfigMaps; as many twins are not managed.`);
  await createAll(client);
  await until('all are adopted and at rest', () => isAtRest(client));

  const warmUp = Math.ceil(seconds / 3);
  console.log(`\n(a) Warm-up: ${rate} applies a second for ${warmUp} s, to both sorts in turn.`);
  const both = managed.flatMap((target, index) => [twins[index] ?? target, target]);
  const a = await applyRaw(client, both, warmUp);

  console.log(`\n(b) ${rate} applies a second for ${seconds} s to the twins: admission is not asked.`);
  const b = await applyRaw(client, twins, seconds);

  console.log(`\n(c) The same to the managed ones, while somebody edits a ConfigMap each second.`);
  const old = new Set((await list<Workload>(client, REPLICA_SETS)).map(({ metadata }) => metadata.name));
  const [countsBefore, useBefore] = [await webhookCounts(client, WEBHOOK), useOf(pid)];
  const [c, edits] = await Promise.all([applyRaw(client, managed, seconds), editEachSecond(client, seconds)]);
  const [webhook, use] = [useBetween(countsBefore, await webhookCounts(client, WEBHOOK)), useOf(pid)];
  const ratios = { p50: 0, p90: 0, p99: 0, max: 0 };
  for (const name of Object.keys(ratios) as (keyof Percentiles)[])
    ratios[name] = c.percentiles[name] / b.percentiles[name];
  console.log(`  (c)/(b)  ${line(ratios, '×')}`);
  const { calls, rejected, failedOpen } = webhook;
  console.log(
    `  the API server waited for the webhook ${calls} times; rejected ${rejected}, failed open ${failedOpen}`,
  );
  console.log(`  webhook  ${line(webhook.percentiles, ' ms')}, between bounds of ${webhook.bounds.join(', ')} ms`);
  const cpu = use.cpuSeconds - useBefore.cpuSeconds;
  const share = Math.round((100 * cpu) / seconds);
  console.log(
    `  controller: ${cpu.toFixed(1)} s of CPU (${share} % of a core), ${Math.round(use.residentMiB)} MiB resident`,
  );

  console.log('\nAfterwards:');
  await until('all run with the newest content', () => isAtRest(client));
  const rawRevisions = await countRevisions(client, old, edits);
  const bad = a.rejected + a.past + b.rejected + c.rejected + c.past + rawRevisions;
  console.log(bad === 0 ? '\nNothing was rejected, and nothing went past admission.' : '\nSee above what went wrong.');
  return bad === 0;
}

interface Phase {
  readonly rejected: number;
  readonly past: number;
  readonly percentiles: Percentiles;
}

/** As an apply of an unchanged manifest does, writes the ConfigMap's own name into the templates, one after the other. */
async function applyRaw(client: KubeClient, among: readonly Target[], seconds: number): Promise<Phase> {
  const at = (index: number) => among[index % among.length] as Target;
  const answers = await openLoop(options.rate, seconds, async (index): Promise<Outcome> => {
    const { name, source } = at(index);
    try {
      const answer = await client.request<Workload>('PATCH', `${DEPLOYMENTS}/${name}`, {
        // Without a name of its own it would look like an undo.
        query: { fieldManager: 'bench' },
        contentType: 'application/json-patch+json',
        body: [{ op: 'replace', path: '/spec/template/spec/volumes/0/configMap/name', value: source }],
      });
      return { mounts: mounted(answer) };
    } catch (error) {
      return {
        failure: error instanceof ApiError ? `${error.status} ${error.reason}: ${error.message}` : String(error),
      };
    }
  });
  const failures = answers.flatMap(({ result }) => ('failure' in result ? [result.failure] : []));
  const past = answers.filter(({ result }, index) => {
    const { name, source } = at(index);
    return 'mounts' in result && result.mounts === source && name.startsWith('managed');
  }).length;
  const rejected = failures.length;
  const percentiles = percentilesOf(answers.map(({ ms }) => ms));
  const late = percentilesOf(answers.map(({ lateMs }) => lateMs)).p99;
  const counts = `sent ${answers.length}, answered 2xx ${answers.length - rejected}, rejected ${rejected}`;
  console.log(`  ${counts}, past admission ${past}`);
  for (const [text, group] of Map.groupBy(failures, String)) console.log(`    ${group.length} times ${text}`);
  console.log(`  latency  ${line(percentiles, ' ms')}; of that, the generator's own at p99: ${late.toFixed(1)} ms`);
  return { rejected, past, percentiles };
}

/** Gives the number of edits of each source. */
async function editEachSecond(client: KubeClient, seconds: number): Promise<ReadonlyMap<string, number>> {
  const edits = await openLoop(1, seconds, async (index) => {
    const source = sources[index % sources.length] ?? '';
    await client.request('PATCH', `${CONFIG_MAPS}/${source}`, { body: { data: { greeting: `edit ${index}` } } });
    return source;
  });
  const grouped = Map.groupBy(edits, ({ result }) => result);
  return new Map([...grouped].map(([source, group]) => [source, group.length]));
}

/** Says whether each edit made one revision of each Deployment that uses it; gives the number of raw ones. */
async function countRevisions(client: KubeClient, old: ReadonlySet<string>, edits: ReadonlyMap<string, number>) {
  const made = (await list<Workload>(client, REPLICA_SETS)).filter(({ metadata }) => !old.has(metadata.name));
  const byOwner = Map.groupBy(made, ({ metadata }) => metadata.ownerReferences?.[0]?.name ?? '');
  const raw = made.filter((revision) => sources.includes(mounted(revision))).length;
  const wrong = managed.filter(({ name, source }) => (byOwner.get(name)?.length ?? 0) !== (edits.get(source) ?? 0));
  const edited = [...edits.values()].reduce((total, count) => total + count, 0);
  console.log(`  ${edited} edits made ${made.length} new revisions of ${byOwner.size} Deployments; raw ones: ${raw}`);
  console.log(`  Deployments with another number of new revisions than edits: ${wrong.length}`);
  for (const { name, source } of wrong.slice(0, 5))
    console.log(`    ${name}: ${byOwner.get(name)?.length ?? 0} revisions, ${edits.get(source) ?? 0} edits`);
  return raw;
}

/** Every Deployment is complete, and every managed one mounts a copy of what its source holds now. */
async function isAtRest(client: KubeClient): Promise<boolean> {
  const contents = (await list<ConfigMap>(client, CONFIG_MAPS)).map(
    ({ metadata, data }) => [metadata.name, data?.greeting] as const,
  );
  const content = new Map(contents);
  const workloads = new Map((await list<Workload>(client, DEPLOYMENTS)).map((each) => [each.metadata.name, each]));
  return [...managed, ...twins].every(({ name, source }) => {
    const workload = workloads.get(name);
    if (workload === undefined) return false;
    const { metadata, status } = workload;
    const counts = [status['replicas'], status['updatedReplicas'], status['availableReplicas']];
    const complete = status['observedGeneration'] === metadata.generation && counts.every((count) => count === 1);
    const mounts = mounted(workload);
    return complete && (name.startsWith('twin') || (mounts !== source && content.get(mounts) === content.get(source)));
  });
}

async function createAll(client: KubeClient): Promise<void> {
  await client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'bench' } } });
  const post = (path: string, bodies: readonly object[]) =>
    Promise.all(bodies.map((body) => client.request('POST', path, { body })));
  await post(CONFIG_MAPS, sources.map(configMap));
  await post(DEPLOYMENTS, [...managed, ...twins].map(deployment));
}

function targets(sort: 'managed' | 'twin'): readonly Target[] {
  return Array.from({ length: options.deployments }, (_, index) => ({
    name: `${sort}-${index}`,
    source: sources[index % sources.length] ?? '',
  }));
}

function configMap(name: string): object {
  const owners = managed.filter(({ source }) => source === name).map((target) => `deployment/${target.name}`);
  return { metadata: { name, annotations: { [OWNERS_ANNOTATION]: owners.join(', ') } }, data: { greeting: 'Hello' } };
}

function deployment({ name, source }: Target): object {
  const labels = { app: name };
  const containers = [{ name: 'main', image: 'app:1', volumeMounts: [{ name: 'config', mountPath: '/etc/app' }] }];
  const volumes = [{ name: 'config', configMap: { name: source } }];
  const template = { metadata: { labels }, spec: { containers, volumes } };
  // All revisions are kept, to be counted.
  return { metadata: { name }, spec: { revisionHistoryLimit: 1000, selector: { matchLabels: labels }, template } };
}

async function list<T>(client: KubeClient, path: string): Promise<readonly T[]> {
  return (await client.request<{ items: readonly T[] }>('GET', path)).items;
}

function mounted({ spec }: Workload): string {
  return spec.template.spec.volumes[0]?.configMap.name ?? '';
}

function line(values: Percentiles, unit: string): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value.toFixed(1)}${unit}`)
    .join('  ');
}

/** Says what it waits for, and how long that took. */
async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > PATIENCE_MS) throw new Error(`waited in vain until ${what}`);
    await sleep(500, undefined, { signal: interrupted.signal });
  }
  console.log(`  ${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

function readOptions() {
  const number = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { rate: number, seconds: number, deployments: number, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const read = (name: 'rate' | 'seconds' | 'deployments', fallback: number) => {
    const value = Number(values[name] ?? fallback);
    if (Number.isInteger(value) && value > 0) return value;
    console.error(`error: --${name}: "${values[name]}" is not a whole number above 0; see --help`);
    process.exit(1);
  };
  return { rate: read('rate', 200), seconds: read('seconds', 30), deployments: read('deployments', 100) };
}
