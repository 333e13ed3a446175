import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readContent } from '../../controller/cli/create/content.ts';
import { configMap, deployment, MemoryCluster, ownerOf, run } from '../support/cli.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'cli-create-'));
  const write = (name: string, content: string | Uint8Array) => writeFileSync(join(dir, name), content);
  write('config.yml', 'a: 1\n');
  write('bin', new Uint8Array([0xff, 0xfe]));
  write('not a key', '');
  mkdirSync(join(dir, 'tree/sub'), { recursive: true });
  write('tree/one', '1');
  write('tree/.two', '2');
  symlinkSync('one', join(dir, 'tree/link'));
  write('env', '\uFEFFA=1\r\n\n # comment\n  b.c-d=x = y \nFROM_ENV\nMISSING\nE=');
  write('env-twice', 'A=1\nA=2\n');
  write('env-digit', '1A=1\n');
  write('env-binary', new Uint8Array([0x41, 0x3d, 0x31, 0x0a, 0x61, 0x3d, 0xff]));
});
afterAll(() => rmSync(dir, { recursive: true }));

interface Given {
  readonly files?: readonly string[];
  readonly literals?: readonly string[];
  readonly envFiles?: readonly string[];
}

const content = ({ files = [], literals = [], envFiles = [] }: Given) => {
  const at = (path: string) => path.replace('@', `${dir}/`);
  return readContent('foo', { files: files.map(at), literals, envFiles: envFiles.map(at) }, { FROM_ENV: 'here' });
};

const KEY_RULE =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

describe('content, as kubectl create configmap reads it', () => {
  test.each<[Given, { data?: object; binaryData?: object }]>([
    [{}, {}],
    [{ files: ['@config.yml'] }, { data: { 'config.yml': 'a: 1\n' } }],
    [{ files: ['key=@config.yml', '@bin'] }, { data: { key: 'a: 1\n' }, binaryData: { bin: '//4=' } }],
    [{ files: ['@tree'] }, { data: { one: '1', '.two': '2' } }],
    [{ files: ['@tree/'] }, { data: { one: '1', '.two': '2' } }],
    [{ files: ['@tree/link'] }, { data: { link: '1' } }],
    [{ literals: ['a=b=c', 'd=', 'e="x"', 'f=1,2'] }, { data: { a: 'b=c', d: '', e: '"x"', f: '1,2' } }],
    [{ envFiles: ['@env'] }, { data: { A: '1', 'b.c-d': 'x = y ', FROM_ENV: 'here', MISSING: '', E: '' } }],
  ])('%j', (given, { data = {}, binaryData = {} }) => {
    expect(content(given)).toEqual({ data, binaryData });
  });

  test.each<[Given, string]>([
    [{ files: ['nope'] }, 'error reading nope: no such file or directory'],
    [{ files: ['k=nope'] }, 'error reading nope: no such file or directory'],
    [{ files: ['=x'] }, 'key name for file path x missing'],
    [{ files: ['x='] }, 'file path for key name x missing'],
    [{ files: ['x=y=z'] }, "key names or file paths cannot contain '='"],
    [{ files: ['k=@tree'] }, 'cannot give a key name for a directory path'],
    [{ files: ['@not a key'] }, `"not a key" is not a valid key name for a ConfigMap: ${KEY_RULE}`],
    [{ literals: ['x'] }, 'invalid literal source x, expected key=value'],
    [{ literals: ['=x'] }, 'invalid literal source =x, expected key=value'],
    [{ literals: ['.=x'] }, '"." is not a valid key name for a ConfigMap: must not be \'.\''],
    [{ literals: ['..a=x'] }, '"..a" is not a valid key name for a ConfigMap: must not start with \'..\''],
    [{ literals: [`${'a'.repeat(254)}=x`] }, 'must be no more than 253 characters'],
    [
      { literals: ['a=1', 'a=2'] },
      'cannot add key "a", another key by that name already exists in Data for ConfigMap "foo"',
    ],
    [
      { files: ['@bin'], literals: ['bin=1'] },
      'cannot add key "bin", another key by that name already exists in BinaryData for ConfigMap "foo"',
    ],
    [{ envFiles: ['@tree'] }, 'env config file cannot be a directory'],
    [{ envFiles: ['nope'] }, 'error reading nope: no such file or directory'],
    [{ envFiles: ['@env'], literals: ['a=1'] }, 'from-env-file cannot be combined with from-file or from-literal'],
    [{ envFiles: ['@env-twice'] }, 'cannot add key "A", another key by that name already exists in Data'],
    [{ envFiles: ['@env-digit'] }, '"1A" is not a valid key name: a valid environment variable name must consist of'],
    [{ envFiles: ['@env-binary'] }, 'contains invalid utf8 bytes at line 2: [97 61 255]'],
  ])('%j is refused', (given, message) => {
    expect(() => content(given)).toThrow(message);
  });
});

const CREATE = 'kubectl config-rollout create foo --from-literal=a=1';

describe('config-rollout create', () => {
  test('creates the ConfigMap with its owner in one request', async () => {
    const cluster = new MemoryCluster(deployment('bar', { volumes: [{ name: 'foo', configMap: { name: 'foo' } }] }));
    const { code, out, err } = await run(cluster, `${CREATE} --owner deployment/bar`);
    expect({ code, out }).toEqual({ code: 0, out: 'configmap/foo created\n' });
    expect(cluster.writes).toEqual([
      {
        key: 'configmaps/foo',
        dryRun: false,
        manager: 'kubectl-create',
        body: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'foo', namespace: 'default', ownerReferences: [ownerOf('bar')] },
          data: { a: '1' },
        },
      },
    ]);
    expect(err).toMatch(
      /^Warning: deleting deployment.apps\/bar now also deletes configmap\/foo; to opt in without that/,
    );
    expect(err).toContain('kubectl config-rollout set-owner configmap/foo deployment/bar --remove');
  });

  test('takes several owners, repeated or with commas, and the word configmap', async () => {
    const cluster = new MemoryCluster(deployment('a'), deployment('b'), deployment('c'));
    await run(cluster, 'kubectl config-rollout create configmap foo --owner deploy/a --owner deploy/b,deploy/c');
    expect(cluster.writes[0]?.body).toMatchObject({
      metadata: { name: 'foo', ownerReferences: [ownerOf('a'), ownerOf('b'), ownerOf('c')] },
    });
  });

  test('declares owners that do not exist yet, without asking the cluster', async () => {
    const { out, err } = await run(
      new MemoryCluster(),
      `${CREATE} --owner deploy/bar --owner deployment.apps/baz --declare --dry-run=client -o yaml -n prod`,
    );
    expect(err).toBe('');
    expect(out).toBe(
      [
        'apiVersion: v1',
        'data:',
        '  a: "1"',
        'kind: ConfigMap',
        'metadata:',
        '  annotations:',
        '    configrollout.dev/owners: deployment/bar, deployment/baz',
        '  name: foo',
        '  namespace: prod',
        '',
      ].join('\n'),
    );
  });

  test.each([
    [
      `${CREATE} --owner deploy/nope`,
      'Error from server (NotFound): deployments.apps "nope" not found\nconfigmap/foo was not created; create deployment.apps/nope first, or name it with --declare: it need not exist then\n',
    ],
    [
      'kubectl config-rollout create taken --owner deploy/bar',
      'error: failed to create configmap: configmaps "taken" already exists\n',
    ],
    [
      `${CREATE} --owner deploy/leaving`,
      'error: deployment.apps/leaving is being deleted, and would take configmap/foo with it; wait until it is gone, or name it with --declare\n',
    ],
    [
      'kubectl config-rollout create',
      "error: exactly one NAME is required, got 0\nSee 'kubectl config-rollout create --help' for usage.\n",
    ],
    [
      'kubectl config-rollout create a b',
      "error: exactly one NAME is required, got 2\nSee 'kubectl config-rollout create --help' for usage.\n",
    ],
    [
      `${CREATE} --owner bar`,
      'error: invalid argument "bar" for "--owner" flag: it names no workload; write deployment|statefulset|daemonset|rollout/NAME\nSee \'kubectl config-rollout create --help\' for usage.\n',
    ],
    [
      `${CREATE} --owner cm/bar`,
      'error: invalid argument "cm/bar" for "--owner" flag: it names no workload; write deployment|statefulset|daemonset|rollout/NAME\nSee \'kubectl config-rollout create --help\' for usage.\n',
    ],
    [
      `${CREATE} --declare`,
      "error: --declare needs an --owner, as in --owner deployment/bar\nSee 'kubectl config-rollout create --help' for usage.\n",
    ],
  ])('%s is refused, and nothing is written', async (line, err) => {
    const leaving = deployment('leaving', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    const cluster = new MemoryCluster(deployment('bar'), leaving, configMap('taken'));
    expect(await run(cluster, line)).toEqual({ code: 1, out: '', err });
    expect(cluster.writes).toEqual([]);
  });
});

describe('admission that is not installed', () => {
  test.each([
    ['is warned of with an owner', '--owner deployment/bar', true],
    ['is warned of with a declared owner', '--owner deployment/bar --declare', true],
    ['is none of the business of a ConfigMap without owners', '', false],
    ['is not asked for by a command that only prints', '--owner deployment/bar --declare --dry-run=client', false],
  ])('%s', async (_, flags, isWarned) => {
    const cluster = new MemoryCluster(deployment('bar'));
    cluster.admission = 'NotFound';
    const { code, err } = await run(cluster, `${CREATE} ${flags}`.trim());
    expect({ code, isWarned: err.includes('is not installed in this cluster') }).toEqual({ code: 0, isWarned });
  });
});
