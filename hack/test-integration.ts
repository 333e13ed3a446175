// Runs the scenarios, and the faults. All of them: in three parts side by side, each on a cluster of its own, because most
// of their time is waiting. Chosen ones, by arguments of jest's, or on a cluster that
// TEST_CLUSTER_DATA names: one after the other.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { down, up } from './embedded/cluster.ts';

const PARTS = 3;
// Of the random histories the same ones each time: a red one is of what was changed, more often than not. `make test-faults`
// has new ones.
const HISTORIES = { SEED: '4711' };
const JEST = [
  '--experimental-vm-modules',
  '--no-warnings',
  'node_modules/jest/bin/jest.js',
  '--config',
  'jest.integration.config.json',
];

const running = new Set<ChildProcess>();
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopped.abort();
    for (const child of running) child.kill('SIGTERM');
  });
}

const args = process.argv.slice(2);
process.exitCode = args.length > 0 || process.env['TEST_CLUSTER_DATA'] ? await jest(args) : await parts();

async function parts(): Promise<number> {
  const folders = Array.from({ length: PARTS }, () => mkdtempSync(join(tmpdir(), 'config-rollout-test-')));
  try {
    // One after the other: the first may have to build Kubernetes, and the executables.
    for (const dataDir of folders) await up({ dataDir, log: (line) => console.log(line), signal: stopped.signal });
    await run(['hack/build.ts']);
    const runs = folders.map((dataDir, i) =>
      jest([`--shard=${i + 1}/${PARTS}`], { TEST_CLUSTER_DATA: dataDir, TEST_BUILT: 'yes', ...HISTORIES }),
    );
    const codes = await Promise.all(runs);
    const failed = codes.filter((code) => code !== 0).length;
    console.log(failed === 0 ? 'All parts of the scenarios passed.' : `${failed} of ${PARTS} parts failed; see above.`);
    return failed === 0 ? 0 : 1;
  } finally {
    for (const dataDir of folders) await down(dataDir);
  }
}

function jest(more: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<number> {
  return run([...JEST, ...more], variables);
}

/** Gives the exit code. Not on a terminal, jest prints the results of each file in one piece. */
function run(argv: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<number> {
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.stdout.pipe(process.stdout, { end: false });
  child.stderr.pipe(process.stderr, { end: false });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      running.delete(child);
      resolve(code ?? 1);
    });
  });
}
