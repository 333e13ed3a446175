// The command line of the benchmark.

import { describe, expect, test } from '@jest/globals';
import { parseOptions, usage } from '../../hack/bench/options.ts';
import { Problem } from '../../hack/embedded/problem.ts';

const parse = (...args: string[]) => parseOptions(args, ['latency', 'S1', 'S2'], ['latency', 'S1']);

describe('the benchmark', () => {
  test('measures our own controller, with everything', () => {
    expect(parse()).toMatchObject({
      candidates: [{ name: 'config-rollout', target: 'config-rollout', command: 'dist/config-rollout-controller' }],
      scenarios: ['latency', 'S1', 'S2'],
      seconds: 60,
      output: 'table',
    });
  });

  test('takes shorter loads when it is to be quick, and what it is told before both', () => {
    expect(parse('--quick').seconds).toBeLessThan(60);
    expect(parse('--quick', '--seconds', '7').seconds).toBe(7);
  });

  test('has one command for each target, and numbers targets of the same name', () => {
    const { candidates } = parse(
      '--target',
      'reloader',
      '--command',
      './a',
      '--target',
      'reloader',
      '--command',
      './b',
    );
    expect(candidates).toEqual([
      { name: 'reloader', target: 'reloader', command: './a' },
      { name: 'reloader 2', target: 'reloader', command: './b' },
    ]);
  });

  test('gives a command to the target before it', () => {
    const { candidates } = parse('--target', 'config-rollout', '--target', 'reloader', '--command', './a');
    expect(candidates.map(({ command }) => command)).toEqual(['dist/config-rollout-controller', './a']);
  });

  test('leaves out what takes long when it is to be quick, unless it is told', () => {
    expect(parse('--quick').scenarios).toEqual(['latency', 'S1']);
    expect(parse('--quick', '--scenario', 'S2').scenarios).toEqual(['S2']);
  });

  test('measures as it is installed, or without admission and what is measured of that', () => {
    const all = ['latency', 'admission'];
    expect(parseOptions([], all, [])).toMatchObject({ admission: true, scenarios: all });
    expect(parseOptions(['--no-admission'], all, [])).toMatchObject({ admission: false, scenarios: ['latency'] });
    expect(() => parseOptions(['--no-admission', '--scenario', 'admission'], all, [])).toThrow(Problem);
  });

  test('keeps its own order of scenarios', () => {
    expect(parse('--scenario', 'S2', '--scenario', 'latency').scenarios).toEqual(['latency', 'S2']);
  });

  test.each([
    [['--scenario', 'S3'], 'S3'],
    [['--target', 'other'], 'other'],
    [['--target', 'wave'], '--command'],
    [['--command', './a'], '--target'],
    [['--target', 'wave', '--command', './a', '--command', './b'], '--target'],
    [['--seconds', '0'], '"0"'],
    [['--output', 'yaml'], 'yaml'],
    [['--fast'], '--fast'],
  ])('says what is wrong with %j', (args, hint) => {
    expect(() => parse(...args)).toThrow(Problem);
    expect(() => parse(...args)).toThrow(hint);
  });

  test('explains each scenario', () => {
    expect(usage([{ name: 'S1', about: 'a burst' }], ['S1'])).toContain('S1          a burst');
  });
});
