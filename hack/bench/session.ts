// One run: a cluster of its own, the controllers to measure, each under an identity of its own, and what scenarios need.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeClient } from '../../controller/kube/client.ts';
import { loadKubeConfig } from '../../controller/kube/kubeconfig.ts';
import { aborted } from '../../controller/runtime/abort.ts';
import { type Cluster, down, up } from '../embedded/cluster.ts';
import type { CandidateProcess } from './candidate.ts';
import { deleteNamespace } from './objects.ts';
import type { Options } from './options.ts';
import { Rig } from './rig.ts';
import type { Bench, Figure, Scenario } from './scenario.ts';
import { FLOOR, REVIEWED_FLOOR, TARGETS, withoutAdmission } from './targets.ts';

const USER_AGENT = 'bench';
const BARE_LOOP = 'node --no-warnings hack/bench/bare-loop.ts';

export class Session implements Bench {
  readonly cluster: Cluster;
  readonly webhookPort: number;
  readonly client: KubeClient;
  readonly candidates: readonly CandidateProcess[];
  readonly floor: CandidateProcess;
  readonly quick: boolean;
  readonly seconds: number;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
  readonly #options: Options;
  readonly #namespaces: string[] = [];
  #count = 0;
  #apart: Promise<void> = Promise.resolve();

  private constructor(rig: Rig, options: Options, progress: (line: string) => void, signal: AbortSignal) {
    this.cluster = rig.cluster;
    this.webhookPort = rig.installed.webhookPort;
    this.#options = options;
    const targetOf = (name: keyof typeof TARGETS) =>
      options.admission ? TARGETS[name] : withoutAdmission(TARGETS[name]);
    this.candidates = options.candidates.map(({ name, target, command }) =>
      rig.candidate(name, targetOf(target), command),
    );
    // The same requests of the API server, as far as it does the same for them. Beside those that nobody asks about, the least.
    const isReviewed = this.candidates.every(({ target }) => target.servingText !== undefined);
    this.floor = rig.candidate(FLOOR.name, isReviewed ? REVIEWED_FLOOR : FLOOR, BARE_LOOP);
    this.quick = options.quick;
    this.seconds = options.seconds;
    this.progress = progress;
    this.signal = signal;
    const { config } = loadKubeConfig({ kubeconfig: rig.cluster.kubeconfig, env: {} });
    this.client = new KubeClient(config, { userAgent: USER_AGENT });
  }

  /** Brings up the cluster; `work` is done on it, and then nothing is left. */
  static async with<T>(
    options: Options,
    progress: (line: string) => void,
    signal: AbortSignal,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const dataDir = mkdtempSync(join(tmpdir(), 'config-rollout-bench-'));
    let session: Session | undefined;
    try {
      const cluster = await up({ dataDir, log: progress, signal });
      session = new Session(await Rig.on(cluster), options, progress, signal);
      return await Promise.race([work(session), interruption(signal)]);
    } finally {
      await session?.close();
      await down(dataDir);
      // Where no cluster was begun yet, it is still there.
      rmSync(dataDir, { recursive: true, force: true });
    }
  }

  async run(scenario: Scenario): Promise<readonly Figure[]> {
    try {
      return await scenario.run(this);
    } finally {
      await this.#stopAll();
      const namespaces = this.#namespaces.splice(0);
      // The cluster has not long to live.
      if (!this.quick) for (const name of namespaces) await deleteNamespace(this.client, name, this.signal);
    }
  }

  async serverVersion(): Promise<string> {
    return (await this.client.request<{ readonly gitVersion: string }>('GET', '/version')).gitVersion;
  }

  async close(): Promise<void> {
    // Of an interruption both hear at once; the other cluster has to be gone, too, before the process ends.
    await this.#apart;
    await this.#stopAll();
    this.client.close();
  }

  async namespace(hint: string): Promise<string> {
    this.#count += 1;
    const name = `bench-${hint.replace(/[^a-z0-9]+/g, '-')}-${this.#count}`;
    await this.client.request('POST', '/api/v1/namespaces', { body: { metadata: { name } } });
    this.#namespaces.push(name);
    return name;
  }

  apart<T>(work: (bench: Bench) => Promise<T>): Promise<T> {
    const session = Session.with(this.#options, this.progress, this.signal, work);
    this.#apart = session.then(
      () => undefined,
      () => undefined,
    );
    return session;
  }

  async #stopAll(): Promise<void> {
    for (const candidate of [...this.candidates, this.floor]) await candidate.stop();
  }
}

/** Loads go on for a minute: nobody waits for them to notice. */
async function interruption(signal: AbortSignal): Promise<never> {
  await aborted(signal);
  throw signal.reason;
}
