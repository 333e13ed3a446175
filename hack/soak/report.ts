// Whether a process stays as it was: what it weighed in each third of the time, and the last third against the middle. The
// first holds the warm-up, and judges nothing.

import { percentilesOf } from '../bench/measure.ts';
import type { Change } from './changes.ts';
import type { Sample } from './samples.ts';

export interface Row {
  readonly name: string;
  /** A figure for each third; NaN where there was nothing to measure. */
  readonly thirds: readonly number[];
  /** Undefined: shown, and not judged, because it shows the faults. */
  readonly isFlat: boolean | undefined;
}

/** More than this in the last third for 1 in the middle is growth… */
const GROWTH = 1.1;
/** A garbage collection is in each window of this length, so that its lowest heap is what is really in use. */
const GC_WINDOW_MS = 30_000;

/** Of samples in a third, one figure. */
type Figure = (samples: readonly Sample[]) => number;

const median = (values: readonly number[]): number => percentilesOf(values).p50;
const medianOf =
  (read: (sample: Sample) => number): Figure =>
  (samples) =>
    median(samples.map(read));

/** … unless it is less than `noise`, in the row's own unit. */
const WEIGHED: readonly (readonly [name: string, noise: number, figure: Figure])[] = [
  ['RSS, MiB', 8, medianOf(({ rssMiB }) => rssMiB)],
  ['heap after GC, MiB', 4, heapAfterGc],
  ['descriptors', 4, medianOf(({ descriptors }) => descriptors)],
  ['sockets', 4, medianOf(({ sockets }) => sockets)],
  ['handles', 4, medianOf(({ handles }) => handles)],
  ['keys in queues', 4, medianOf(({ queued }) => queued)],
];

const LOOP_NOISE_MS = 10;
const LAG_NOISE_MS = 100;

/** @param from @param to when it was measured, in ms of performance.now(). */
export function rowsOf(
  samples: readonly Sample[],
  changes: readonly Change[],
  from: number,
  to: number,
): readonly Row[] {
  const third = (at: number) => Math.min(2, Math.floor(((at - from) / (to - from)) * 3));
  const bySample = Map.groupBy(samples, ({ at }) => third(at));
  const byChange = Map.groupBy(changes, ({ at }) => third(at));
  const each = <T>(groups: ReadonlyMap<number, readonly T[]>, figure: (of: readonly T[]) => number) =>
    [0, 1, 2].map((i) => figure(groups.get(i) ?? []));
  const lags = (of: readonly Change[]) => percentilesOf(of.flatMap(({ lagMs }) => lagMs ?? []));
  const own = each(
    bySample,
    medianOf(({ ownLagMs }) => ownLagMs),
  );
  const weighed = WEIGHED.map(([name, noise, figure]) => judged(name, each(bySample, figure), noise));
  return [
    ...weighed,
    judged(
      'event loop lag p99, ms',
      each(
        bySample,
        medianOf(({ loopLagMs }) => loopLagMs),
      ),
      LOOP_NOISE_MS,
      own,
    ),
    judged(
      'rollout lag p50, ms',
      each(byChange, (of) => lags(of).p50),
      LAG_NOISE_MS,
      own,
    ),
    { name: 'rollout lag p99, ms', thirds: each(byChange, (of) => lags(of).p99), isFlat: undefined },
    { name: "this program's lag, ms", thirds: own, isFlat: undefined },
    { name: 'changes', thirds: each(byChange, (of) => of.length), isFlat: undefined },
  ];
}

/** @param machine what the same machine did to another process: where that grew, as much is allowed. */
function judged(name: string, thirds: readonly number[], noise: number, machine: readonly number[] = []): Row {
  const [, middle = Number.NaN, last = Number.NaN] = thirds;
  const [, before = 1, after = 1] = machine;
  const allowed = Math.max(middle * GROWTH, middle + noise) * Math.max(1, after / before);
  return { name, thirds, isFlat: last <= allowed };
}

function heapAfterGc(samples: readonly Sample[]): number {
  const windows = Map.groupBy(samples, ({ at }) => Math.floor(at / GC_WINDOW_MS));
  return median([...windows.values()].map((of) => Math.min(...of.map(({ heapMiB }) => heapMiB))));
}

/** For people. */
export function tableOf(rows: readonly Row[]): string {
  const cell = (value: number) => (Number.isNaN(value) ? '-' : value.toFixed(value < 10 ? 1 : 0)).padStart(10);
  const lines = rows.map(({ name, thirds, isFlat }) => {
    const verdict = isFlat === undefined ? '' : isFlat ? 'flat' : 'GROWS';
    const [, middle = Number.NaN, last = Number.NaN] = thirds;
    const ratio = isFlat === undefined || middle === 0 ? '' : (last / middle).toFixed(2);
    return `  ${name.padEnd(24)}${thirds.map(cell).join('')}${ratio.padStart(10)}  ${verdict}`.trimEnd();
  });
  return [`  ${''.padEnd(24)}     first    middle      last  last/mid.`, ...lines].join('\n');
}
