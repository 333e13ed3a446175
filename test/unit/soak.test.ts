// What the soak says of its figures: it has to see what grows, and what is lost.

import { describe, expect, test } from '@jest/globals';
import { DEPLOYMENT, fleetOf } from '../../hack/soak/fleet.ts';
import { Ledger } from '../../hack/soak/ledger.ts';
import { seeded } from '../../hack/soak/random.ts';
import { rowsOf, tableOf } from '../../hack/soak/report.ts';
import type { Sample } from '../../hack/soak/samples.ts';

const MINUTE = 60_000;
const STEADY = {
  rssMiB: 120,
  heapMiB: 30,
  descriptors: 40,
  sockets: 20,
  handles: 20,
  loopLagMs: 20,
  ownLagMs: 12,
  queued: 0,
};

/** An hour of samples, of a process that is like this at a share of the time. */
function samples(of: (share: number) => Partial<Sample>): Sample[] {
  return Array.from({ length: 360 }, (_, i) => ({ ...STEADY, ...of(i / 360), at: (i * MINUTE) / 6 }));
}
const rows = (of: (share: number) => Partial<Sample>) => rowsOf(samples(of), [], 0, 60 * MINUTE);
const growing = (of: (share: number) => Partial<Sample>) =>
  rows(of).flatMap(({ name, isFlat }) => (isFlat === false && !name.startsWith('rollout') ? [name] : []));

describe('a process', () => {
  test('that stays as it is is flat', () => {
    expect(growing(() => ({}))).toEqual([]);
  });

  test('that warms up in the first third is flat', () => {
    expect(growing((share) => ({ rssMiB: 60 + 60 * Math.min(1, share * 3) }))).toEqual([]);
  });

  test('that leaks memory grows', () => {
    expect(growing((share) => ({ rssMiB: 100 + 100 * share, heapMiB: 30 + 60 * share }))).toEqual([
      'RSS, MiB',
      'heap after GC, MiB',
    ]);
  });

  test('that leaves a descriptor open each minute grows', () => {
    expect(growing((share) => ({ descriptors: 40 + Math.floor(share * 60) }))).toEqual(['descriptors']);
  });

  test('whose garbage grows between two collections, but nothing else, is flat', () => {
    expect(growing((share) => ({ heapMiB: 30 + 20 * ((share * 360) % 3) }))).toEqual([]);
  });

  test('that is late grows, unless all others on the machine are late, too', () => {
    const late = (share: number) => ({ loopLagMs: share < 0.67 ? 40 : 80 });
    expect(growing(late)).toEqual(['event loop lag p99, ms']);
    expect(growing((share) => ({ ...late(share), ownLagMs: share < 0.67 ? 12 : 24 }))).toEqual([]);
  });

  test('that was high once is flat', () => {
    expect(growing((share) => ({ queued: share > 0.9 && share < 0.95 ? 500 : 0 }))).toEqual([]);
  });

  test('is shown with its verdict', () => {
    const table = tableOf(rows((share) => ({ rssMiB: 100 + 100 * share })));
    expect(table).toMatch(/RSS, MiB +116 +150 +183 +1\.22 {2}GROWS/);
    expect(table).toMatch(/descriptors +40 +40 +40 +1\.00 {2}flat/);
  });
});

describe('a change', () => {
  const [target] = fleetOf(1, [DEPLOYMENT]);
  if (target === undefined) throw new Error('no fleet');
  const ledger = new Ledger([target]);

  test('that never arrives is lost', async () => {
    target.change();
    ledger.add({ target, pin: target.expected, at: performance.now(), lagMs: undefined });
    expect(await ledger.settle(0)).toEqual([
      `the change of deployment-0 to ${target.expected} never arrived`,
      `deployment-0 names , and should name ${target.expected}`,
    ]);
  });

  test('that arrives is not, until it is taken back', async () => {
    ledger.see('deployment-0', target.expected);
    expect(await ledger.settle(0)).toEqual([]);
    expect(ledger.changes[0]?.lagMs).toBeGreaterThanOrEqual(0);
    ledger.see('deployment-0', 'deployment-0');
    expect(await ledger.settle(0)).toEqual([`deployment-0 names deployment-0, and should name ${target.expected}`]);
  });
});

test('a change that is slow is not taken for lost, however many others are made meanwhile', async () => {
  const [slow, quick] = fleetOf(2, [DEPLOYMENT]);
  if (slow === undefined || quick === undefined) throw new Error('no fleet');
  const ledger = new Ledger([slow, quick]);
  for (const target of [slow, ...Array(20).fill(quick)]) {
    target.change();
    ledger.add({ target, pin: target.expected, at: performance.now(), lagMs: undefined });
    if (target === quick) ledger.see(quick.name, quick.expected);
  }
  expect(ledger.waiting).toBe(1);
  ledger.see(slow.name, slow.expected);
  expect(await ledger.settle(0)).toEqual([]);
});

test('chance can be repeated', () => {
  const draw = (seed: number) => Array.from({ length: 5 }, seeded(seed));
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  for (const number of draw(9)) expect(number >= 0 && number < 1).toBe(true);
});
