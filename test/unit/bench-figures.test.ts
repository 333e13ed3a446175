// The arithmetic of the benchmark: what is counted as what, and what a table says of it.

import { describe, expect, test } from '@jest/globals';
import { difference, parseEntry, totalsOf } from '../../hack/bench/audit.ts';
import { quantileOf } from '../../hack/bench/measure.ts';
import { asJson, asTable, isMet, isWrong } from '../../hack/bench/report.ts';
import type { Figure } from '../../hack/bench/scenario.ts';
import { Tally } from '../../hack/bench/tally.ts';

function line(verb: string, resource: string, more: object = {}): string {
  const stage = verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete';
  return JSON.stringify({ stage, verb, user: { username: 'u' }, objectRef: { resource }, ...more });
}

describe('an audit line', () => {
  test.each([
    ['a write', line('create', 'configmaps'), 'create configmaps'],
    [
      'a subresource',
      line('patch', '', { objectRef: { resource: 'deployments', subresource: 'status' } }),
      'patch deployments/status',
    ],
    ['a watch that begins', line('watch', 'configmaps'), 'watch configmaps'],
    ['a watch that ends', line('watch', 'configmaps', { stage: 'ResponseComplete' }), undefined],
    ['a heartbeat', line('update', 'leases'), undefined],
    [
      'a look at its own certificate',
      line('get', '', { objectRef: { resource: 'secrets', name: 'config-rollout-webhook-tls' } }),
      undefined,
    ],
    ['a Secret that is a source', line('get', '', { objectRef: { resource: 'secrets', name: 'foo' } }), 'get secrets'],
    ['no resource', line('get', '', { objectRef: undefined }), undefined],
  ])('%s', (_, text, expected) => {
    const entry = parseEntry(text);
    expect(entry && `${entry.verb} ${entry.resource}`).toBe(expected);
  });

  test('is a read, a write or an Event; statuses are writes, watches are nothing', () => {
    const requests = new Map([
      ['get configmaps', 1],
      ['list pods', 2],
      ['watch pods', 4],
      ['patch deployments', 8],
      ['patch configrollouts/status', 16],
      ['create events', 32],
    ]);
    expect(totalsOf(requests)).toEqual({ reads: 3, writes: 24, statusWrites: 16, events: 32 });
  });

  test('counts from a mark on', () => {
    const before = new Map([
      ['get pods', 1],
      ['list pods', 2],
    ]);
    expect(
      difference(
        before,
        new Map([
          ['get pods', 3],
          ['list pods', 2],
          ['get nodes', 1],
        ]),
      ),
    ).toEqual(
      new Map([
        ['get pods', 2],
        ['get nodes', 1],
      ]),
    );
  });
});

test.each([
  [0.5, 2],
  [0.51, 3],
  [0.99, 4],
  [1, 4],
])('quantile %d of 1, 2, 3, 4 is %d', (quantile, expected) => {
  expect(quantileOf([4, 2, 3, 1], quantile)).toBe(expected);
});

describe('a tally', () => {
  test('takes a rollout for all changes of its workload that wait for one', () => {
    const tally = new Tally();
    tally.changed('a', 0);
    tally.changed('a', 10);
    tally.changed('b', 10);
    tally.rolled('a', 30);
    expect(tally.isEven()).toBe(false);
    expect(tally.result()).toEqual({
      expected: 3,
      seen: 1,
      missed: 1,
      surplus: 0,
      latencies: [30, 20],
      early: [30, 20],
    });
  });

  test('calls a rollout surplus that no change was followed by', () => {
    const tally = new Tally();
    tally.changed('a', 0);
    tally.rolled('a', 1);
    tally.rolled('a', 2);
    tally.rolled('b', 3);
    expect(tally.isEven()).toBe(true);
    expect(tally.result()).toMatchObject({ seen: 3, missed: 0, surplus: 2, latencies: [1] });
  });

  test('keeps the first three changes of a workload apart', () => {
    const tally = new Tally();
    for (const at of [1, 2, 3, 4]) {
      tally.changed('a', at * 10);
      tally.rolled('a', at * 10 + at);
    }
    expect(tally.result()).toMatchObject({ latencies: [1, 2, 3, 4], early: [1, 2, 3] });
  });
});

describe('a figure', () => {
  const figure: Figure = { candidate: 'it', name: 'f', value: 3, unit: 'ms', floor: 2 };
  const outcomes = (...figures: Figure[]) => ({ outcomes: [{ scenario: 's', figures }] });
  const report = {
    machine: { cpus: 1, model: '', memoryGiB: 1, kernel: '', node: '', kubernetes: '', commit: undefined },
  };
  const options = { candidates: [], quick: true, admission: true, seconds: 1 };

  test('aims at a value, at a ratio, or at nothing', () => {
    expect(isMet({ ...figure, atMost: 3 })).toBe(true);
    expect(isMet({ ...figure, atMost: 2 })).toBe(false);
    expect(isMet({ ...figure, ratioAtMost: 1.5 })).toBe(true);
    expect(isMet({ ...figure, ratioAtMost: 1.4 })).toBe(false);
    expect(isMet(figure)).toBeUndefined();
    expect(isMet({ ...figure, value: Number.NaN, atMost: 3 })).toBe(false);
  });

  test('is wrong only where it is strict; no figures are wrong, too', () => {
    expect(isWrong({ ...report, options, ...outcomes({ ...figure, atMost: 2 }) })).toBe(false);
    expect(isWrong({ ...report, options, ...outcomes({ ...figure, atMost: 2, strict: true }) })).toBe(true);
    expect(isWrong({ ...report, options, outcomes: [{ scenario: 's', figures: [], failure: 'x' }] })).toBe(true);
  });

  test('is told to people and to machines', () => {
    const table = asTable({ scenario: 's', figures: [{ ...figure, ratioAtMost: 1.4 }] });
    expect(table.split('\n')[1]?.split(/ {2,}/)).toEqual(['', 'f', '3', 'ms', '2', '1.50', '≤ 1.4 × floor', 'MISSED']);
    const json = JSON.parse(asJson({ ...report, options, ...outcomes({ ...figure, ratioAtMost: 1.4 }) }));
    expect(json.figures).toEqual([{ scenario: 's', ...figure, ratioAtMost: 1.4, ratio: 1.5, met: false }]);
  });
});
