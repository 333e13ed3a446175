// What happens to everybody at once while histories run: two controllers, of which one leads, that die, hand over, stand
// still, and read another time from their clocks; a control plane that restarts, and an etcd that forgets.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { compactEtcd, killComponent } from '../../hack/embedded/disturbance.ts';
import { repositoryRoot } from '../../hack/embedded/paths.ts';
import { type Controller, startController } from './controller.ts';
import { admin } from './scenario.ts';

/** What happens to config-rollout alone. */
export const OF_CONTROLLERS = ['crash', 'failover', 'handover', 'freeze', 'clock'] as const;
/** What happens to Kubernetes, too. */
export const OF_THE_CLUSTER = [...OF_CONTROLLERS, 'restartControlPlane', 'compact'] as const;
export type DisturbanceKind = (typeof OF_THE_CLUSTER)[number];
interface Disturbance {
  readonly do: DisturbanceKind;
  /** How long all has been well before it, in ms. */
  readonly after: number;
  /** By how much clocks are off, in ms; for a few seconds. */
  readonly offset: number;
}

const HOUR = 3_600_000;
const MOST = 6;

function scheduleOf(kinds: readonly DisturbanceKind[], seed: number): readonly Disturbance[] {
  const disturbance = fc.record({
    do: fc.constantFrom(...kinds),
    after: fc.integer({ min: 2000, max: 8000 }),
    offset: fc.constantFrom(-HOUR, -30_000, 30_000, HOUR),
  });
  return fc.sample(disturbance, { seed, numRuns: MOST });
}

const LEASE_MS = 6000;
const FLAGS = [
  // By default, and long enough for what is changed together while fifty histories share a busy machine.
  ...['--settle', '1s'],
  '--secrets',
  '--leader-elect',
  ...['--leader-elect-lease-duration', `${LEASE_MS}ms`],
  ...['--leader-elect-renew-deadline', '5s'],
  ...['--leader-elect-retry-period', '500ms'],
  ...['--log-level', 'info'],
];

/** Two replicas, each of which is started again when it ends, as Kubernetes does it. */
export class Replicas {
  readonly #folder = mkdtempSync(join(tmpdir(), 'config-rollout-clock-'));
  readonly #offset = join(this.#folder, 'offset');
  readonly #running: (Controller | undefined)[] = [undefined, undefined];
  /** Those that are on their way. */
  readonly #starting = new Set<Promise<void>>();
  readonly #webhookPort: number | undefined;
  #isEnding = false;
  /** Watches that could not go on where they were. */
  #expired = 0;
  #restarts = 0;

  /** @param webhookPort where the first of them serves admission; undefined: none does. */
  constructor(webhookPort?: number) {
    this.#webhookPort = webhookPort;
    this.setClock(0);
  }

  async start(): Promise<void> {
    for (const seat of this.#running.keys()) await this.#fill(seat);
  }

  setClock(offset: number): void {
    writeFileSync(this.#offset, `${offset}`);
  }

  get figures(): { readonly starts: number; readonly expiredWatches: number } {
    for (const controller of this.#running) this.#count(controller);
    return { starts: this.#restarts, expiredWatches: this.#expired };
  }

  /** The last lines of both. */
  logs(): string[] {
    return this.#running.flatMap((each, i) =>
      (each?.log ?? []).slice(-40).map((line) => `${i}: ${JSON.stringify(line)}`),
    );
  }

  leader(): Controller | undefined {
    const since = (each: Controller | undefined) =>
      `${each?.log.findLast(({ message }) => /^leads since/.test(String(message)))?.['timestamp'] ?? ''}`;
    return this.#running.toSorted((a, b) => (since(a) < since(b) ? 1 : -1)).find((each) => since(each) !== '');
  }

  async kill(which: 'both' | 'leader'): Promise<void> {
    const dying = which === 'both' ? [...this.#running] : [this.leader()];
    await Promise.all(dying.map((each) => each?.kill()));
  }

  async stop(): Promise<void> {
    this.#isEnding = true;
    await Promise.all([...this.#running.map((each) => each?.kill()), ...this.#starting]);
    rmSync(this.#folder, { recursive: true });
  }

  async #fill(seat: number): Promise<void> {
    const starting = this.#startAt(seat);
    this.#starting.add(starting);
    await starting.finally(() => this.#starting.delete(starting));
  }

  async #startAt(seat: number): Promise<void> {
    const preload = `${repositoryRoot}/test/support/shifted-clock.ts?offset=${encodeURIComponent(this.#offset)}`;
    const admission = seat === 0 && this.#webhookPort !== undefined ? this.#webhookPort : false;
    for (;;) {
      try {
        const controller = await startController({ args: FLAGS, admission, preload: `file://${preload}` });
        this.#running[seat] = controller;
        this.#restarts += 1;
        void controller.exited.then(() => this.#refill(seat, controller));
        if (this.#isEnding) await controller.kill();
        return;
      } catch (error) {
        // The API server is being restarted.
        if (this.#isEnding) return;
        await sleep(300);
        if (this.#restarts === 0) throw error;
      }
    }
  }

  async #refill(seat: number, ended: Controller): Promise<void> {
    this.#count(ended);
    this.#running[seat] = undefined;
    if (!this.#isEnding) await this.#fill(seat);
  }

  readonly #counted = new Map<Controller, number>();
  #count(controller: Controller | undefined): void {
    if (controller === undefined) return;
    const found = controller.log.filter(({ message }) => /expired|too old/i.test(String(message))).length;
    this.#expired += found - (this.#counted.get(controller) ?? 0);
    this.#counted.set(controller, found);
  }
}

/** Carries out disturbances of some kinds one after the other, until told to stop. */
export class Troublemaker {
  readonly #replicas: Replicas;
  readonly #dataDir: string;
  readonly #kinds: readonly DisturbanceKind[];
  readonly counts: Partial<Record<DisturbanceKind, number>> = {};
  /** When each happened, for people. */
  readonly journal: string[] = [];
  /** Counts up at each beginning and each end. */
  marks = 0;

  constructor(replicas: Replicas, dataDir: string, kinds: readonly DisturbanceKind[]) {
    this.#replicas = replicas;
    this.#dataDir = dataDir;
    this.#kinds = kinds;
  }

  /** The same ones for the same seed, and as often. */
  async trouble(seed: number, stop: AbortSignal): Promise<void> {
    for (const next of scheduleOf(this.#kinds, seed)) {
      await sleep(next.after, undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) return;
      this.counts[next.do] = (this.counts[next.do] ?? 0) + 1;
      this.journal.push(`${new Date().toISOString()} ${next.do}${next.do === 'clock' ? ` ${next.offset}` : ''}`);
      this.marks += 1;
      await this.#carryOut(next);
      while (!stop.aborted && this.#replicas.leader() === undefined) await sleep(100);
      this.marks += 1;
    }
  }

  async #carryOut({ do: what, offset }: Disturbance): Promise<void> {
    switch (what) {
      case 'crash':
        return this.#replicas.kill('both');
      case 'failover':
        return this.#replicas.kill('leader');
      case 'handover':
        await this.#replicas.leader()?.stop();
        return;
      case 'freeze': {
        const leader = this.#replicas.leader();
        leader?.freeze();
        await sleep(LEASE_MS + 1000);
        leader?.thaw();
        return;
      }
      case 'clock':
        this.#replicas.setClock(offset);
        await sleep(3000);
        this.#replicas.setClock(0);
        return;
      case 'compact':
        await compactEtcd(this.#dataDir);
        return this.#restartControlPlane();
      case 'restartControlPlane':
        return this.#restartControlPlane();
      default:
        return what satisfies never;
    }
  }

  // As when its machine is started anew. Kubernetes' own controllers begin with what is there then: those that live on have
  // reflectors that back off by 30 to 60 s, and do for so long what was right before.
  async #restartControlPlane(): Promise<void> {
    const startControllers = await killComponent(this.#dataDir, 'kube-controller-manager');
    const startServer = await killComponent(this.#dataDir, 'kube-apiserver');
    await startServer();
    for (;;) {
      const isReady = await admin()
        .request('GET', '/readyz', { timeoutMs: 2000 })
        .then(() => true)
        .catch(() => false);
      if (isReady) break;
      await sleep(100);
    }
    await startControllers();
  }
}
