// Runs test files in the order of their names: z-rights.test.ts looks at what the others did.

const { relative } = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

// Seconds, roughly; all others take half a minute. What is wrong here makes a run longer, and nothing else.
const LONG = {
  560: ['faults/histories'],
  200: [
    'integration/admission',
    'integration/admission-people',
    'integration/bad-input',
    'integration/history',
    'integration/history-with-admission',
    'integration/kinds',
    'integration/kinds-with-admission',
  ],
  150: [
    'faults/api-faults',
    'faults/crash-matrix',
    'faults/soak',
    'integration/admission-faults',
    'integration/cli-status',
    'integration/failover',
    'integration/rollout',
    'integration/rollout-with-admission',
  ],
  90: [
    'faults/runaway',
    'integration/manifests',
    'integration/opt-ins',
    'integration/policies',
    'integration/references',
    'integration/retarget',
    'integration/secrets',
    'integration/z-rights',
  ],
};
const SECONDS = new Map(Object.entries(LONG).flatMap(([seconds, names]) => names.map((name) => [name, +seconds])));

module.exports = class extends Sequencer {
  sort(tests) {
    return [...tests].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  // The longest first, each to the part that has least to do.
  shard(tests, { shardIndex, shardCount }) {
    const parts = Array.from({ length: shardCount }, () => ({ seconds: 0, tests: [] }));
    const longestFirst = this.sort(tests).sort((a, b) => secondsOf(b) - secondsOf(a));
    for (const test of longestFirst) {
      const part = parts.reduce((least, each) => (each.seconds < least.seconds ? each : least));
      part.tests.push(test);
      part.seconds += secondsOf(test);
    }
    return parts[shardIndex - 1].tests;
  }
};

function secondsOf({ path, context }) {
  const name = relative(`${context.config.rootDir}/test`, path).replace('.test.ts', '');
  return SECONDS.get(name) ?? 30;
}
