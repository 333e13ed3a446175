// Bad flags of the controller and of each plugin command: each ends in a clear error, none in a write. What else can be bad
// is in bad-input.test.ts.

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readConfig } from '../../controller/config.ts';
import { Exit } from '../../controller/config-flags.ts';
import { configMap, deployment, MemoryCluster, run } from '../support/cli.ts';
import { CONTROLLER_FLAGS, CONTROLLER_VARIABLES, PLUGIN_LINES } from './bad-input/flags.ts';

/** What of our insides nobody should read: traces, and values that were not there. */
const NOT_FOR_PEOPLE = /\n\s+at |TypeError|RangeError|undefined|\[object/;
const LONGEST_ERROR = 1500;

function expectClear(error: string, mentions: string): void {
  expect(error).toMatch(/^(error:|Error from server) \S/m);
  expect(error).toContain(mentions);
  expect(error).not.toMatch(NOT_FOR_PEOPLE);
  expect(error.length).toBeLessThan(LONGEST_ERROR);
}

describe('the controller is not started', () => {
  function refusal(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Exit {
    try {
      readConfig(argv, env, '1.2.3');
    } catch (error) {
      if (error instanceof Exit) return error;
      throw error;
    }
    throw new Error('it would run');
  }

  test.each(CONTROLLER_FLAGS)('with %j', (argv, mentions) => {
    const { code, text } = refusal(argv);
    expect(code).toBe(1);
    expectClear(text, mentions);
  });

  test.each(CONTROLLER_VARIABLES)('with %s=%s', (variable, value, mentions) => {
    const { code, text } = refusal([], { [variable]: value });
    expect(code).toBe(1);
    expectClear(text, mentions);
  });
});

test('whatever the controller is started with, it runs, or says what is wrong', () => {
  const flag = fc.constantFrom(...CONTROLLER_FLAGS.map(([[name = '']]) => name.split('=')[0] ?? ''));
  const value = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.integer().map(String), fc.json());
  const argv = fc.array(
    fc.oneof(
      flag,
      value,
      fc.tuple(flag, value).map((pair) => pair.join('=')),
    ),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(argv, (words) => {
      try {
        readConfig(words, {}, '1.2.3');
      } catch (error) {
        if (!(error instanceof Exit)) throw error;
        expect(error.text).not.toBe('');
      }
    }),
    { numRuns: 2000 },
  );
});

describe('the plugin writes nothing', () => {
  test.each(PLUGIN_LINES)('when asked: %s', async (line, mentions) => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar'));
    const { code, err, out } = await run(cluster, line);
    expect(code).toBeGreaterThan(0);
    expectClear(err, mentions);
    expect(out).toBe('');
    expect(cluster.writes).toEqual([]);
  });
});
