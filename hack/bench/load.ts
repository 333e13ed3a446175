// A load: sources change at a steady rate, whether or not the controller keeps up, and its rollouts are counted beside.

import { setTimeout as sleep } from 'node:timers/promises';
import { openLoop, quantileOf } from './measure.ts';
import type { SourceSpec } from './objects.ts';
import type { Bench, Candidate, Figure, Running, Scenario, Settings } from './scenario.ts';
import { type Cast, Stage } from './stage.ts';
import { type Tallied, Tally } from './tally.ts';

export interface Load {
  readonly name: string;
  readonly about: string;
  /** How many namespaces it is spread over. */
  readonly namespaces?: number;
  readonly cast: (namespaces: readonly string[], bench: Bench) => Cast;
  /** From one beat to the next. */
  readonly everyMs: number;
  readonly settings?: Settings;
  /** Default: the next source is changed. */
  readonly beat?: (scene: Scene, index: number) => Promise<void>;
  /** What happens once, when a third of the time is over. */
  readonly incident?: (scene: Scene) => Promise<void>;
  /** Deployments that mount ConfigMaps, and no more changes than can be kept up with: what the bare loop can carry. */
  readonly isPlain: boolean;
}

/** A load that is going on. */
export class Scene {
  readonly bench: Bench;
  readonly stage: Stage;
  readonly tally = new Tally();
  readonly settings: Settings;
  /** Another one after a crash. */
  running: Running;

  constructor(bench: Bench, stage: Stage, settings: Settings, running: Running) {
    this.bench = bench;
    this.stage = stage;
    this.settings = settings;
    this.running = running;
  }

  /** Noted before it is sent: its rollout may be seen before its answer. */
  async change(source: SourceSpec): Promise<void> {
    const at = performance.now();
    for (const user of this.stage.usersOf(source)) this.tally.changed(user, at);
    await this.stage.change(source);
  }

  /** The nth source, round and round. */
  source(index: number): SourceSpec {
    const { sources } = this.stage.cast;
    return sources[index % sources.length] as SourceSpec;
  }
}

// At least so many, be the time as short as it may.
const FEWEST_BEATS = 4;
/** config-rollout lets a workload that rolls too often wait for half a minute. */
const PATIENCE_MS = 45_000;
const REST_MS = 500;
const TELL_EVERY_MS = 15_000;
const QUANTILES = [0.5, 0.95, 0.99];

export function loadScenario(load: Load): Scenario {
  const { name, about } = load;
  const hasFloor = (quick: boolean) => load.isPlain && !quick;
  return {
    name,
    about,
    lasts: ({ quick, seconds, candidates }) => {
      const settingUp = quick ? 2.5 : 12;
      // What has rolled too often takes half a minute to be even.
      const evening = seconds > 10 ? 20 : 1;
      return (candidates.length + Number(hasFloor(quick))) * (seconds + settingUp + evening);
    },
    async run(bench) {
      const tallies: { readonly name: string; readonly own: Tallied }[] = [];
      for (const candidate of bench.candidates)
        tallies.push({ name: candidate.name, own: await play(bench, load, candidate) });
      const floor = hasFloor(bench.quick) ? await play(bench, load, bench.floor) : undefined;
      return tallies.flatMap(({ name, own }) => figuresOf(name, own, floor));
    },
  };
}

async function play(bench: Bench, load: Load, candidate: Candidate): Promise<Tallied> {
  const { signal } = bench;
  const { name, beat = (scene, index) => scene.change(scene.source(index)), settings = {} } = load;
  const namespaces: string[] = [];
  while (namespaces.length < (load.namespaces ?? 1)) namespaces.push(await bench.namespace(name.toLowerCase()));
  bench.progress(`${name}: setting the stage for ${candidate.name}`);
  const stage = await Stage.set(bench, candidate, load.cast(namespaces, bench));
  const scene = new Scene(bench, stage, settings, await candidate.start(settings));
  await stage.handOver(scene.running);
  const templates = await stage.watch();
  const users = new Set(stage.cast.sources.flatMap((source) => stage.usersOf(source)));
  templates.onRoll((key, at) => {
    if (users.has(key)) scene.tally.rolled(key, at);
  });
  const ticker = setInterval(() => bench.progress(textOf(name, candidate, scene.tally)), TELL_EVERY_MS);
  try {
    const rate = 1000 / Math.min(load.everyMs, (bench.seconds * 1000) / FEWEST_BEATS);
    const incident = async () => {
      await sleep((bench.seconds * 1000) / 3, undefined, { signal });
      await load.incident?.(scene);
    };
    await Promise.all([openLoop(rate, bench.seconds, (index) => beat(scene, index)), incident()]);
    const isOver = () => scene.tally.isEven() && templates.restsSince > REST_MS;
    await templates.until(isOver, PATIENCE_MS, signal);
    return scene.tally.result();
  } finally {
    clearInterval(ticker);
    await scene.running.stop();
    await templates.close();
  }
}

function textOf(name: string, candidate: Candidate, tally: Tally): string {
  const { expected, seen } = tally.result();
  return `${name}: ${candidate.name}, ${expected} rollouts expected so far, ${seen} seen`;
}

function figuresOf(candidate: string, own: Tallied, floor: Tallied | undefined): Figure[] {
  const figure = (name: string, unit: string, of: (tallied: Tallied) => number, more: Partial<Figure> = {}): Figure => {
    return { candidate, name, value: of(own), unit, ...(floor === undefined ? {} : { floor: of(floor) }), ...more };
  };
  const times = (name: string, of: (tallied: Tallied) => readonly number[]) =>
    QUANTILES.map((share) => figure(`${name}, p${share * 100}`, 'ms', (each) => quantileOf(of(each), share)));
  return [
    figure('rollouts expected', '', ({ expected }) => expected),
    figure('rollouts seen', '', ({ seen }) => seen),
    figure('workloads whose last change was missed', '', ({ missed }) => missed, { atMost: 0 }),
    figure('rollouts for no change', '', ({ surplus }) => surplus, { atMost: 0 }),
    ...(own.latencies.length === 0 ? [] : times("a workload's first changes → template", ({ early }) => early)),
    ...(own.latencies.length === own.early.length ? [] : times('all changes → template', ({ latencies }) => latencies)),
  ];
}
