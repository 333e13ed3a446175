// An hour of changes and faults, on a cluster of its own: does the controller lose anything, and does it grow?

import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KubeClient } from '../controller/kube/client.ts';
import { loadKubeConfig } from '../controller/kube/kubeconfig.ts';
import { percentilesOf } from './bench/measure.ts';
import { down, up } from './embedded/cluster.ts';
import { installRules } from './embedded/install.ts';
import { kubectlPath } from './embedded/kubectl.ts';
import { tableOf } from './soak/report.ts';
import { type SoakResult, soak } from './soak/run.ts';

const USAGE = `Runs the controller for an hour through changes and faults, and says whether it stays as it is.

  make soak                       with the defaults; ARGS='--minutes 10' changes them

  --minutes N       (default 60)
  --workloads N     of all kinds, each with a ConfigMap; one thing a second is done to one of them (default 40)
  --seed N          repeats the changes and faults of a run that printed it (default: by chance)
  --output json     the figures for machines, on standard output

The exit code is 1 when a change was lost, or when the last third of the time weighs more than the middle one.`;

const options = readOptions();
const isJson = options.output === 'json';
const say = (line: string): void => (isJson ? console.error(line) : console.log(line));
const dataDir = mkdtempSync(join(tmpdir(), 'config-rollout-soak-'));
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
try {
  const result = await run();
  process.exitCode = tell(result) ? 0 : 1;
} finally {
  await down(dataDir);
  // Where no cluster was begun yet, it is still there.
  rmSync(dataDir, { recursive: true, force: true });
}

async function run(): Promise<SoakResult> {
  const { signal } = interrupted;
  const { kubeconfig } = await up({ dataDir, log: (line) => say(`  ${line}`), signal });
  const kubectl = await kubectlPath();
  const { kubeconfig: controllerKubeconfig, webhookPort } = await installRules(kubectl, kubeconfig, dataDir);
  const client = new KubeClient(loadKubeConfig({ kubeconfig, env: {} }).config, { userAgent: 'soak' });
  const namespace = 'soak';
  await client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  const { minutes, workloads, seed } = options;
  const start = performance.now();
  const onProgress = (line: string) =>
    say(`  ${((performance.now() - start) / 1000).toFixed(0).padStart(5)} s  ${line}`);
  say(`Seed ${seed}: --seed ${seed} repeats the changes and the faults.`);
  const place = { client, namespace, kubectl, kubeconfig };
  try {
    return await soak({ ...place, controllerKubeconfig, webhookPort, minutes, workloads, seed, signal, onProgress });
  } finally {
    client.close();
  }
}

/** True when nothing was lost, and nothing grew. */
function tell({ rows, samples, changes, faults, wrong }: SoakResult): boolean {
  const isFlat = rows.every((row) => row.isFlat !== false);
  const { p50, p99 } = percentilesOf(changes.flatMap(({ lagMs }) => lagMs ?? []));
  const machine = {
    node: process.version,
    cpus: cpus().length,
    cpu: cpus()[0]?.model,
    memoryGiB: totalmem() / 2 ** 30,
  };
  if (isJson) {
    const figures = { changes: changes.length, p50, p99, faults, wrong, rows, isFlat, samples };
    console.log(JSON.stringify({ ...options, machine, ...figures }, undefined, 2));
  } else {
    const made = Object.entries(faults).map(([name, count]) => `${count} × ${name}`);
    say(`\n${changes.length} changes to be rolled out, all the while with faults: ${made.join(', ')}.`);
    say(`${machine.cpus} × ${machine.cpu}, ${machine.memoryGiB.toFixed(0)} GiB, Node ${machine.node}.\n`);
    say(tableOf(rows));
    say('');
  }
  for (const line of wrong) say(`WRONG: ${line}`);
  say(wrong.length === 0 ? 'Nothing was lost.' : `${wrong.length} things are wrong; see above.`);
  say(isFlat ? 'Verdict: flat.' : 'Verdict: not flat; see above what grows.');
  return isFlat && wrong.length === 0;
}

function readOptions() {
  const number = (value: number) => ({ type: 'string', default: String(value) }) as const;
  const { help, output, ...values } = parseArgs({
    options: {
      minutes: number(60),
      workloads: number(40),
      seed: number(Math.floor(Math.random() * 1e6) + 1),
      output: { type: 'string', default: 'text' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;
  const wrong = Object.entries(values).find(([, value]) => !/^[1-9]\d{0,5}$/.test(value));
  if (help) console.log(USAGE);
  else if (wrong !== undefined) console.error(`error: --${wrong[0]}: "${wrong[1]}" is no number from 1; see --help`);
  else if (!['text', 'json'].includes(output)) console.error(`error: --output: "${output}" is not text or json`);
  else {
    const { minutes, workloads, seed } = values;
    return { minutes: Number(minutes), workloads: Number(workloads), seed: Number(seed), output };
  }
  process.exit(help ? 0 : 1);
}
