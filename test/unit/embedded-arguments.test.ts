import { describe, expect, test } from '@jest/globals';
import { parseArguments } from '../../hack/embedded/arguments.ts';

describe('the command line of hack/cluster', () => {
  const cases: readonly [words: string, expected: object][] = [
    ['', { command: 'help', dataDir: undefined }],
    ['--help', { command: 'help', dataDir: undefined }],
    ['up --help', { command: 'help', dataDir: undefined }],
    ['up', { command: 'up', dataDir: undefined, node: false }],
    ['up --node --data /tmp/a', { command: 'up', dataDir: '/tmp/a', node: true }],
    ['--data=/tmp/a down', { command: 'down', dataDir: '/tmp/a' }],
    ['load a.tar b.tar --data /tmp/a', { command: 'load', dataDir: '/tmp/a', archives: ['a.tar', 'b.tar'] }],
    ['status --data b', { command: 'status', dataDir: 'b' }],
    ['kubeconfig --path', { command: 'kubeconfig', dataDir: undefined, path: true }],
    ['kubectl get pods --help', { command: 'kubectl', dataDir: undefined, args: ['get', 'pods', '--help'] }],
    ['--data /tmp/a kubectl --data x', { command: 'kubectl', dataDir: '/tmp/a', args: ['--data', 'x'] }],
  ];

  test.each(cases)('%j', (words, expected) => {
    expect(parseArguments(words.split(' ').filter((word) => word !== ''))).toEqual(expected);
  });

  const refused: readonly [words: string, sentence: RegExp][] = [
    ['start', /no command start/],
    ['up --nodes', /does not know --nodes/],
    ['down --node', /does not know --node/],
    ['load', /needs the archive/],
    ['load --force a.tar', /does not know --force/],
    ['up --data', /--data needs a folder/],
    ['--data= status', /--data needs a folder/],
  ];

  test.each(refused)('%j is refused', (words, sentence) => {
    expect(() => parseArguments(words.split(' '))).toThrow(sentence);
  });
});
