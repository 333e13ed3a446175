import { describe, expect, test } from '@jest/globals';
import type { Cluster, Connect } from '../../controller/cli/cluster.ts';
import { ServerError } from '../../controller/cli/errors.ts';
import { runProgram } from '../../controller/cli/program.ts';
import { configMap, deployment, MemoryCluster, secret, snapshotOf } from '../support/cli.ts';

interface Asked {
  readonly plugin?: string;
  readonly cluster?: Cluster;
  readonly connect?: Connect;
}

/** What kubectl is answered: the words, the directive, and the descriptions. `words` as typed; the last is unfinished. */
async function complete(words: string, { plugin = 'config_rollout', cluster = world(), connect }: Asked = {}) {
  let [out, err] = ['', ''];
  const shell = {
    env: {},
    isTerminal: false,
    execute: async () => 0,
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    connect: connect ?? (async () => cluster),
  };
  const code = await runProgram(`/usr/bin/kubectl_complete-${plugin}`, words.split(' '), shell, '1.2.3');
  const lines = out.trimEnd().split('\n');
  const directive = lines.pop();
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return { words: lines.map((line) => line.split('\t')[0]), directive, lines };
}

function world(): MemoryCluster {
  return new MemoryCluster(deployment('bar'), deployment('baz'), configMap('foo'), snapshotOf('foo'), secret('db'), {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'prod' },
  });
}

const NO_FILES = ':4';
const NO_SPACE_NO_FILES = ':6';

describe('commands', () => {
  test('with what they do', async () => {
    const { lines, directive } = await complete('');
    expect(lines).toContain('status\tShow how the rollouts of configuration stand, and wait for their end.');
    expect(lines).toContain('version\tPrint the version');
    expect(directive).toBe(NO_FILES);
  });

  test.each([
    ['st', ['status']],
    ['help un', ['undo', 'unpin']],
    ['nonsense ', []],
    ['constructor ', []],
    ['create ', []],
  ])('%j: %j', async (typed, words) => {
    expect(await complete(typed)).toMatchObject({ words });
  });
});

describe('objects', () => {
  test.each([
    ['status ', ['deployment/', 'statefulset/', 'daemonset/', 'rollout/'], NO_SPACE_NO_FILES],
    ['who-uses ', ['configmap/', 'secret/'], NO_SPACE_NO_FILES],
    ['tree d', ['deployment/', 'daemonset/'], NO_SPACE_NO_FILES],
    ['tree cm', ['cm/'], NO_SPACE_NO_FILES],
    ['pause deployment/', ['deployment/bar', 'deployment/baz'], NO_FILES],
    ['unpin deploy/baz', ['deploy/baz'], NO_FILES],
    ['resume deploy ', ['bar', 'baz'], NO_FILES],
    ['status deploy bar ', ['baz'], NO_FILES],
    ['status deploy/bar ', ['deployment/', 'statefulset/', 'daemonset/', 'rollout/'], NO_SPACE_NO_FILES],
    ['undo cm/', [], NO_FILES],
    ['history nonsense/', [], NO_FILES],
    ['status -- deploy/', ['deploy/bar', 'deploy/baz'], NO_FILES],
  ])('%j: %j %s', async (typed, words, directive) => {
    expect(await complete(typed)).toMatchObject({ words, directive });
  });

  test('are no snapshots, and read by their metadata alone', async () => {
    const cluster = world();
    expect((await complete('tree cm/', { cluster })).words).toEqual(['cm/foo']);
    expect((await complete('who-uses secret/', { cluster })).words).toEqual(['secret/db']);
    expect(cluster.contentReads).toEqual([]);
  });

  test('of a plugin that is a command by itself', async () => {
    expect((await complete('cm/foo deploy/', { plugin: 'set_owner' })).words).toEqual(['deploy/bar', 'deploy/baz']);
    expect((await complete('', { plugin: 'set_volume' })).words).toContain('statefulset/');
  });
});

describe('flags', () => {
  test('of the command and of the connection, with what they mean', async () => {
    const { lines } = await complete('status --');
    expect(lines).toContain('--timeout\tHow long to wait before giving up, such as 90s or 1m30s; 0 waits for ever.');
    expect(lines.map((line) => line.split('\t')[0])).toEqual(
      expect.arrayContaining(['--watch', '--context', '--help']),
    );
    expect((await complete('status deploy/bar --no-h')).words).toEqual(['--no-headers']);
  });

  test.each([
    ['status -o ', ['json', 'yaml', 'name', 'wide'], NO_FILES],
    ['tree --output=y', ['yaml'], NO_FILES],
    ['pause --dry-run=', ['none', 'server', 'client'], NO_FILES],
    // Without a value, it has one; the next word is an argument.
    ['pause --dry-run ', ['deployment/', 'statefulset/', 'daemonset/', 'rollout/'], NO_SPACE_NO_FILES],
    ['status -n ', ['prod'], NO_FILES],
    ['unpin deploy/bar --source ', ['configmap/', 'secret/'], NO_SPACE_NO_FILES],
    ['undo deploy/bar --source cm/', ['cm/foo'], NO_FILES],
    ['create foo --owner deploy/', ['deploy/bar', 'deploy/baz'], NO_FILES],
    ['set-volume deploy/bar --configmapname ', ['foo'], NO_FILES],
    ['set-volume deploy/bar --secret-name ', ['db'], NO_FILES],
    ['set-volume deploy/bar --secretname=', ['db'], NO_FILES],
    ['set-volume deploy/bar -t ', ['configmap', 'secret'], NO_FILES],
    ['create foo --from-file ', [], ':0'],
    ['status --kubeconfig ', [], ':0'],
    ['status --selector ', [], NO_FILES],
    ['status --nonsense=', [], NO_FILES],
    // The value of the one before it, not a flag.
    ['status -l --output ', ['deployment/', 'statefulset/', 'daemonset/', 'rollout/'], NO_SPACE_NO_FILES],
  ])('%j: %j %s', async (typed, words, directive) => {
    expect(await complete(typed)).toMatchObject({ words, directive });
  });

  test('say which cluster is asked, and it is not waited for', async () => {
    let seen: unknown;
    const connect: Connect = async (flags) => {
      seen = flags;
      return world();
    };
    await complete('status -n prod --context=far deploy/', { connect });
    expect(seen).toMatchObject({ namespace: 'prod', context: 'far', 'request-timeout': '2s' });
  });
});

describe('failures', () => {
  test('are told to nobody', async () => {
    const none: Connect = async () => {
      throw new Error('no kubeconfig');
    };
    expect(await complete('status deploy/', { connect: none })).toEqual({ words: [], directive: NO_FILES, lines: [] });
    const refusing = Object.assign(world(), {
      list: () => {
        throw new ServerError({ kind: 'Forbidden', message: 'no', status: 403, reason: 'Forbidden' });
      },
    });
    expect((await complete('status deploy/', { cluster: refusing })).words).toEqual([]);
  });

  test('half a line that makes no sense is no obstacle', async () => {
    expect((await complete('status --nonsense deploy/')).words).toEqual(['deploy/bar', 'deploy/baz']);
  });
});

test('kubectl config-rollout __complete answers the same, for where there is one file only', async () => {
  let out = '';
  const write = (text: string) => {
    out += text;
  };
  const shell = {
    env: {},
    isTerminal: false,
    execute: async () => 0,
    out: write,
    err: write,
    connect: async () => world(),
  };
  await runProgram('kubectl-config_rollout', ['__complete', 'status', 'deploy/'], shell, '1.2.3');
  expect(out).toBe('deploy/bar\ndeploy/baz\n:4\n');
});
