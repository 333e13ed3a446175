// The soak itself, for `make soak` and for the tests: the real executable behind a proxy that fails it again and again, a
// stream of changes, and a look at the process every other second.

import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Controller, startController } from '../../test/support/controller.ts';
import { type FaultProxy, startProxy } from '../../test/support/proxy.ts';
import { freePorts } from '../embedded/ports.ts';
import { type Change, changeSomething, create, type Place, wrongContents } from './changes.ts';
import { makeFaults } from './faults.ts';
import { fleetOf } from './fleet.ts';
import { Ledger } from './ledger.ts';
import { seeded } from './random.ts';
import { type Row, rowsOf } from './report.ts';
import { type Sample, sample } from './samples.ts';
import { watchTemplates } from './watch.ts';

export interface SoakOptions extends Place {
  /** Of the controller's ServiceAccount; a copy that leads through the proxy is written beside it. */
  readonly controllerKubeconfig: string;
  /** Where the API server expects admission. */
  readonly webhookPort: number;
  readonly minutes: number;
  readonly workloads: number;
  /** The same changes and faults again, though not at the same moments of the controller. */
  readonly seed: number;
  /** Ends it early. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (line: string) => void;
}

export interface SoakResult {
  readonly rows: readonly Row[];
  readonly samples: readonly Sample[];
  readonly changes: readonly Change[];
  /** By name, how often. */
  readonly faults: Readonly<Record<string, number>>;
  /** In words: each change that did not arrive, or did not stay, and whatever else is not as it should be at the end. */
  readonly wrong: readonly string[];
}

const CHANGE_EVERY_MS = 1_000;
const SAMPLE_EVERY_MS = 2_000;
const PROGRESS_EVERY_MS = 60_000;
/** A workload that is throttled waits half a minute, and a reflector that failed often as long again. */
const PATIENCE_MS = 120_000;

interface Running {
  readonly controller: Controller;
  readonly proxy: FaultProxy;
  readonly metricsPort: number;
}

/** Runs a soak in a namespace that is there already. Throws when it cannot even begin. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { namespace, controllerKubeconfig, webhookPort } = options;
  const proxy = await startProxy(controllerKubeconfig, (path, text) => writeFileSync(path, text, { mode: 0o600 }));
  try {
    const { metrics: metricsPort } = await freePorts('metrics');
    const args = ['--namespaces', namespace, '--metrics-bind-address', `127.0.0.1:${metricsPort}`];
    const { kubeconfig } = proxy;
    const controller = await startController({ kubeconfig, args, admission: webhookPort });
    try {
      return await run(options, { controller, proxy, metricsPort });
    } finally {
      await controller.stop();
    }
  } finally {
    await proxy.close();
  }
}

async function run(options: SoakOptions, { controller, proxy, metricsPort }: Running): Promise<SoakResult> {
  const { minutes, workloads, seed, onProgress = () => undefined } = options;
  const ended = new AbortController();
  void controller.exited.then(() => ended.abort());
  const targets = fleetOf(workloads);
  const ledger = new Ledger(targets);
  const watching = new AbortController();
  try {
    for (const change of await create(options, targets)) ledger.add(change);
    await watchTemplates(options, targets, (name, mounted) => ledger.see(name, mounted), watching.signal);
    const early = await ledger.settle(PATIENCE_MS);
    if (early.length > 0) throw new Error(`before there was any fault: ${early.join('; ')}`);
    onProgress(
      `${workloads} workloads run with their first configuration; now ${minutes} minutes of changes and faults.`,
    );

    const from = performance.now();
    const reasons = [AbortSignal.timeout(minutes * 60_000), ended.signal, ...(options.signal ? [options.signal] : [])];
    const time = AbortSignal.any(reasons);
    const [changing, failing] = [seeded(seed), seeded(seed + 1)];
    const samples: Sample[] = [];
    const faults = new Map<string, number>();
    await Promise.all([
      every(CHANGE_EVERY_MS, time, async () => {
        const change = await changeSomething(options, targets, changing);
        if (change !== undefined) ledger.add(change);
      }),
      every(SAMPLE_EVERY_MS, time, async () => {
        const seen = await sample(controller.pid, metricsPort);
        if (seen !== undefined) samples.push(seen);
      }),
      every(PROGRESS_EVERY_MS, time, async () => onProgress(progressOf(performance.now() - from, ledger, samples))),
      makeFaults(proxy, failing, (name) => faults.set(name, (faults.get(name) ?? 0) + 1), time),
    ]);
    const to = performance.now();
    const changes = ledger.changes.slice(workloads);
    const wrong = [...(await ledger.settle(PATIENCE_MS)), ...(await wrongContents(options, targets))];
    const code = await controller.stop();
    return {
      rows: rowsOf(samples, changes, from, to),
      samples,
      changes,
      faults: Object.fromEntries(faults),
      wrong: code === 0 ? wrong : [...wrong, `the controller ended with ${code}`],
    };
  } finally {
    watching.abort();
  }
}

/** One after the other, each when it is due, until the signal aborts. */
async function every(ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  for (let due = performance.now() + ms; ; due = Math.max(due + ms, performance.now())) {
    await sleep(Math.max(0, due - performance.now()), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await work();
  }
}

function progressOf(ms: number, { changes, waiting }: Ledger, samples: readonly Sample[]): string {
  const { rssMiB = 0, descriptors = 0, queued = 0 } = samples.at(-1) ?? {};
  const process = `${rssMiB.toFixed(0)} MiB, ${descriptors} descriptors, ${queued} keys in queues`;
  return `${Math.round(ms / 60_000)} min: ${changes.length} changes, ${waiting} on their way; ${process}`;
}
