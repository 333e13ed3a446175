// The app layer over a simulated cluster, driven by hand: tests say who looks at what, and when.

import type { Admit } from '../../controller/app/admission.ts';
import { workloadAdmission } from '../../controller/app/admit-workload.ts';
import { applyTo } from '../../controller/app/apply.ts';
import { ContentIndex } from '../../controller/app/content-index.ts';
import { runControllers } from '../../controller/app/controllers.ts';
import { isFailure } from '../../controller/app/errors.ts';
import { Observer } from '../../controller/app/observe.ts';
import { AdmissionObserver } from '../../controller/app/observe-admission.ts';
import { Reconciler, type Settings } from '../../controller/app/reconcile.ts';
import { connect, makeQueues } from '../../controller/app/triggers.ts';
import { isSnapshot, World } from '../../controller/app/world.ts';
import { objectKey } from '../../controller/core/types.ts';
import { KINDS, WORLD } from './builders.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';

const MOST_ROUNDS = 30;
/** A token comes back in one round, its rollout asks for a snapshot in the next, and gets it in the one after. */
const QUIET_ROUNDS = 3;
/** Longer than it takes to throttle, to settle, or to grace. */
const ROUND_MS = 31_000;

export const SETTINGS = { settleMs: 1000, sweepGraceMs: 20_000 };

export class SimulatedController {
  readonly world: World;
  readonly index = new ContentIndex({ digests: 200, verdicts: 200 });
  readonly reconciler: Reconciler;
  /** What its webhook answers. */
  readonly admit: Admit;
  readonly #cluster: SimulatedCluster;
  readonly #queues = makeQueues();
  readonly failures: string[] = [];
  conflicts = 0;

  /** A controller that has just started: its caches are complete. `isBeside`: another one goes on. */
  constructor(cluster: SimulatedCluster, isBeside = false) {
    this.#cluster = cluster;
    const now = () => cluster.now;
    this.world = new World(WORLD, (level, message, fields) => {
      if (level === 'error') throw new Error(`${message} ${JSON.stringify(fields)}`);
    });
    const observer = new Observer(this.world, this.index, cluster, now);
    const apply = applyTo(cluster, this.world, this.index, now, () => undefined);
    const settings: Settings = {
      ...SETTINGS,
      get admission() {
        return cluster.admission !== undefined;
      },
    };
    this.reconciler = new Reconciler(observer, apply, cluster, settings);
    const admissionObserver = new AdmissionObserver(this.world, this.index, cluster, now, () => undefined);
    this.admit = workloadAdmission(admissionObserver, KINDS, apply, () => undefined);
    connect(this.world, this.index, this.#queues, (workload) => this.reconciler.forget(workload));
    cluster.watch(this.world, isBeside);
  }

  /** Sets the real controllers to work, with their queues; gives the function that ends them. */
  start(): () => Promise<void> {
    const stop = new AbortController();
    const { world, reconciler } = this;
    const log = (level: string, message: string) => {
      if (level === 'error') this.failures.push(message);
    };
    const running = runControllers(
      { world, queues: this.#queues, reconciler },
      { concurrency: 2, log, stop: stop.signal },
    );
    return () => {
      stop.abort();
      return running;
    };
  }

  #objects() {
    return [...this.world.sources.values()].flatMap((store) => [...store.all()]);
  }

  async lookAtSources(): Promise<void> {
    const sources = this.#objects().filter((object) => !isSnapshot(object));
    for (const source of sources) await this.#tolerant(() => this.reconciler.source(objectKey(source)));
  }

  async lookAtWorkloads(): Promise<void> {
    for (const { kind, object } of this.#cluster.workloads()) {
      await this.#tolerant(() => this.reconciler.workload(objectKey({ ...object.metadata, kind })));
    }
  }

  async lookAtSnapshots(): Promise<void> {
    const snapshots = this.#objects().filter(isSnapshot);
    for (const snapshot of snapshots) await this.#tolerant(() => this.reconciler.snapshot(objectKey(snapshot)));
  }

  async look(): Promise<void> {
    await this.lookAtSources();
    await this.lookAtWorkloads();
    await this.lookAtSnapshots();
  }

  /** Lets the controller and Kubernetes work, with half a minute a round, until nobody writes. Gives the rounds it took. */
  async untilQuiet(): Promise<number> {
    const cluster = this.#cluster;
    let quiet = 0;
    for (let round = 1; round <= MOST_ROUNDS; round += 1) {
      const before = cluster.version;
      cluster.deliver();
      await this.look();
      cluster.runWorkloadControllers();
      cluster.collectGarbage();
      cluster.deliver();
      cluster.now += ROUND_MS;
      quiet = cluster.version === before ? quiet + 1 : 0;
      if (quiet === QUIET_ROUNDS) return round - QUIET_ROUNDS;
    }
    throw new Error(`not quiet after ${MOST_ROUNDS} rounds; last writes: ${cluster.writes.slice(-10).join(' | ')}`);
  }

  // A lost race is the worker loop's to try again; here, the next look is.
  async #tolerant(run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!isFailure(error, 'Conflict') && !isFailure(error, 'NotFound')) throw error;
      this.conflicts += 1;
    }
  }
}
