import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { renderError, ServerError, UsageError } from '../../controller/cli/errors.ts';
import { makePrinter } from '../../controller/cli/printer.ts';
import { runProgram } from '../../controller/cli/program.ts';
import { configMap, deployment, MemoryCluster, run } from '../support/cli.ts';

const none = new MemoryCluster();

describe('the name that the program is called by', () => {
  const firstLine = async (path: string, ...argv: string[]) => {
    let text = '';
    const write = (part: string) => {
      text += part;
    };
    await runProgram(
      path,
      argv,
      { env: {}, out: write, err: write, isTerminal: false, execute: async () => 0, connect: async () => none },
      '1.2.3',
    );
    return text.split('\n')[0];
  };

  test.each([
    [
      '/usr/bin/kubectl-set_owner',
      'Make workloads the owners of ConfigMaps and Secrets, so that their changes roll out to them.',
    ],
    [
      'C:/bin/kubectl-set_owner.exe',
      'Make workloads the owners of ConfigMaps and Secrets, so that their changes roll out to them.',
    ],
    ['kubectl-set_volume', 'Add, remove or list the volumes of a workload that hold ConfigMaps and Secrets.'],
    [
      'kubectl-config_rollout',
      'Roll out changes of ConfigMaps and Secrets as revisions of workloads, and roll them back with "kubectl rollout undo".',
    ],
    [
      'main.ts',
      'Roll out changes of ConfigMaps and Secrets as revisions of workloads, and roll them back with "kubectl rollout undo".',
    ],
  ])('%s --help', async (path, line) => {
    expect(await firstLine(path, '--help')).toBe(line);
  });

  test.each([
    [['set-owner', '-h'], 'Make workloads the owners'],
    [['who-uses', '-h'], 'Show what uses a ConfigMap or a Secret, and what rolls out when it changes.'],
    [['help', 'set-volume'], 'Add, remove or list the volumes'],
    [['create', '--help'], 'Create a ConfigMap'],
    [[], 'Roll out changes of ConfigMaps'],
    [['help', 'version'], 'Roll out changes of ConfigMaps'],
    [['help', 'nonsense'], 'error: unknown command "nonsense" for "kubectl config-rollout"'],
    [['help', 'constructor'], 'error: unknown command "constructor" for "kubectl config-rollout"'],
    [['version'], 'config-rollout 1.2.3'],
    [['nope'], 'error: unknown command "nope" for "kubectl config-rollout"'],
    [['toString'], 'error: unknown command "toString" for "kubectl config-rollout"'],
    [['-n', 'x', 'set-owner'], 'error: -n: flags come after the command'],
  ])('kubectl config-rollout %j', async (argv, start) => {
    expect(await firstLine('kubectl-config_rollout', ...argv)).toMatch(start);
  });

  test('asking for the help of what there is not is an error', async () => {
    expect(await run(none, 'kubectl config-rollout help nonsense')).toMatchObject({ code: 1, out: '' });
    expect(await run(none, 'kubectl config-rollout help diff')).toMatchObject({ code: 0, err: '' });
  });

  test('is the name that help, errors and advice use', async () => {
    const cluster = new MemoryCluster(configMap('foo'), deployment('bar'));
    expect((await run(none, 'kubectl config-rollout set-owner --help')).out).toContain(
      '  kubectl config-rollout set-owner configmap/foo deployment/bar --remove\n',
    );
    expect((await run(none, 'kubectl config-rollout set-volume --x')).err).toBe(
      "error: unknown flag: --x\nSee 'kubectl config-rollout set-volume --help' for usage.\n",
    );
    expect((await run(cluster, 'kubectl config-rollout set-owner cm/foo deploy/bar')).err).toContain(
      '  kubectl config-rollout set-volume deployment/bar -t configmap',
    );
  });
});

describe('--help', () => {
  test('is laid out as kubectl lays it out', async () => {
    const { code, out } = await run(none, 'kubectl set-owner --help');
    expect(code).toBe(0);
    expect(out).toContain(
      '\n\nExamples:\n  # Roll out changes of configmap foo to deployment bar\n  kubectl set-owner configmap/foo deployment/bar\n\n',
    );
    expect(out).toContain("\n\nOptions:\n    --dry-run='none':\n\tMust be");
    expect(out).toContain("    -o, --output='':\n\tOutput format. One of: (json, yaml, name).\n");
    expect(out).toContain('    --remove=false:\n');
    expect(out).toContain(
      '\n\nUsage:\n  kubectl set-owner configmap|secret/NAME [...] deployment|statefulset|daemonset|rollout/NAME [...]',
    );
  });
});

describe('errors', () => {
  const server = (status: number, reason: string, message: string, details?: unknown) =>
    new ServerError({ kind: 'Unavailable', status, reason, message, details });
  const invalid = (...causes: object[]) => server(422, 'Invalid', 'x', { kind: 'Deployment', name: 'bar', causes });

  test.each([
    [new UsageError('no'), "error: no\nSee 'kubectl x --help' for usage.\n"],
    [new Error('no kubeconfig found'), 'error: no kubeconfig found\n'],
    [
      server(404, 'NotFound', 'configmaps "foo" not found'),
      'Error from server (NotFound): configmaps "foo" not found\n',
    ],
    [server(500, '', 'broken'), 'Error from server: broken\n'],
    [server(401, 'Unauthorized', 'Unauthorized'), 'error: You must be logged in to the server (Unauthorized)\n'],
    [server(0, 'NetworkError', 'cannot reach it'), 'error: cannot reach it\n'],
    [server(404, 'NotFound', 'gone').withHint('create it'), 'Error from server (NotFound): gone\ncreate it\n'],
    [invalid({ field: 'spec.a', message: 'bad' }), 'The Deployment "bar" is invalid: spec.a: bad\n'],
    [
      invalid({ field: 'spec.a', message: 'bad' }, { field: 'spec.b', message: 'worse' }),
      'The Deployment "bar" is invalid: \n* spec.a: bad\n* spec.b: worse\n',
    ],
    [server(422, 'Invalid', 'whatever', {}), 'Error from server (Invalid): whatever\n'],
  ])('%#', (error, text) => {
    expect(renderError(error, 'kubectl x')).toBe(text);
  });
});

describe('results', () => {
  const flags = (output?: string) => ({ output, 'show-managed-fields': false });
  const object = configMap('foo', { managedFields: [{}] });

  test.each([
    ['none', 'configmap/foo updated\n'],
    ['client', 'configmap/foo updated (dry run)\n'],
    ['server', 'configmap/foo updated (server dry run)\n'],
  ] as const)('in words, with --dry-run=%s', async (dryRun, text) => {
    expect(await makePrinter(flags(), dryRun).print('configmap/foo', 'updated', object)).toBe(text);
    expect(await makePrinter(flags('name'), dryRun).print('configmap/foo', 'updated', object)).toBe('configmap/foo\n');
  });

  test('as sorted JSON, indented as kubectl does', async () => {
    const text = await makePrinter(flags('json'), 'none').print('configmap/foo', 'updated', {
      b: [{ z: 1, a: 2 }],
      a: 1,
    });
    expect(text).toBe(
      '{\n    "a": 1,\n    "b": [\n        {\n            "a": 2,\n            "z": 1\n        }\n    ],\n    "metadata": {}\n}\n',
    );
  });

  // What kubectl's reader, that is neither YAML 1.1 nor 1.2, takes for something else than text.
  test.each([
    'yes',
    'n',
    'on',
    '~',
    'null',
    '',
    '0o17',
    '0777',
    '1_0',
    '0x1p-2',
    '1e3',
    '.5',
    '-.inf',
    '1:20',
    '2001-01-01',
  ])('as YAML in which %p is quoted', async (value) => {
    const text = await makePrinter(flags('yaml'), 'none').print('configmap/foo', 'updated', { data: { key: value } });
    expect(text).toContain(`  key: "${value}"\n`);
  });

  test.each([
    'plain',
    'a\nb\n',
    ' a\n  b',
    '# no comment',
    'tab\t\u0001',
    'ü€',
    'long '.repeat(100),
    '25%',
    'a: b',
    '- a',
  ])('as YAML from which %j is read back', async (value) => {
    const text = await makePrinter(flags('yaml'), 'none').print('configmap/foo', 'updated', { data: { key: value } });
    expect(parse(text, { version: '1.1' })).toMatchObject({ data: { key: value } });
    expect(parse(text)).toMatchObject({ data: { key: value } });
  });
});
