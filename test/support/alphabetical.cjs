// Runs test files in the order of their names: z-rights.test.ts looks at what the others did.

const { default: Sequencer } = require('@jest/test-sequencer');

module.exports = class extends Sequencer {
  sort(tests) {
    return [...tests].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  // In turns: a file that is run a second time, with admission, comes right after the first, and takes as long.
  shard(tests, { shardIndex, shardCount }) {
    return this.sort(tests).filter((_, i) => i % shardCount === shardIndex - 1);
  }
};
