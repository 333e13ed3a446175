import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadKubeConfig } from '../../controller/kube/kubeconfig.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

interface Parts {
  readonly current?: string;
  readonly clusters?: Readonly<Record<string, string>>;
  readonly users?: readonly object[];
  readonly contexts?: readonly (readonly [name: string, cluster: string, user: string, namespace?: string])[];
}

function write(name: string, { current, clusters = {}, users = [], contexts = [] }: Parts): string {
  const path = join(directory, name);
  mkdirSync(join(path, '..'), { recursive: true });
  const config = {
    'current-context': current,
    clusters: Object.entries(clusters).map(([key, server]) => ({
      name: key,
      cluster: { server, 'certificate-authority': 'ca.crt' },
    })),
    users,
    contexts: contexts.map(([key, cluster, user, namespace]) => ({ name: key, context: { cluster, user, namespace } })),
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

const simple = (name: string, server: string): Parts => ({
  current: name,
  clusters: { [name]: server },
  users: [{ name, user: { token: `${name}-token` } }],
  contexts: [[name, name, name, `${name}-space`]],
});

describe('where the configuration comes from', () => {
  test('the file that is named wins', () => {
    const named = write('named', simple('named', 'https://named'));
    const env = { KUBECONFIG: write('env', simple('env', 'https://env')), HOME: directory };
    const { config, context, namespace } = loadKubeConfig({ kubeconfig: named, env });
    expect(config.getCurrentCluster()?.server).toBe('https://named');
    expect([context, namespace]).toEqual(['named', 'named-space']);
    expect(config.getCurrentCluster()?.caFile).toBe(join(directory, 'ca.crt'));
  });

  test('a named file that is missing is an error', () => {
    expect(() => loadKubeConfig({ kubeconfig: '/no/such', env: {} })).toThrow(
      'the kubeconfig file "/no/such" does not exist',
    );
  });

  test('a file that is no YAML is an error that names it', () => {
    const path = join(directory, 'bad');
    writeFileSync(path, '{');
    expect(() => loadKubeConfig({ kubeconfig: path, env: {} })).toThrow(
      `the kubeconfig file "${path}" cannot be read:`,
    );
  });

  test('of the files in $KUBECONFIG the first that names something wins, missing and empty ones are skipped', () => {
    const empty = join(directory, 'empty');
    writeFileSync(empty, '');
    const first = write('first', { clusters: { shared: 'https://first' } });
    const second = write('second', { ...simple('shared', 'https://second'), current: 'shared' });
    const third = write('third', simple('third', 'https://third'));
    const KUBECONFIG = ['/no/such', empty, first, second, third].join(':');
    const { config, context } = loadKubeConfig({ env: { KUBECONFIG, HOME: '/nowhere' } });
    expect(context).toBe('shared');
    expect(config.getCurrentCluster()?.server).toBe('https://first');
    expect(config.getCurrentUser()?.token).toBe('shared-token');
  });

  test('a $KUBECONFIG of missing files only is an error', () => {
    expect(() => loadKubeConfig({ env: { KUBECONFIG: '/no/such', HOME: directory } })).toThrow(
      'no file named in $KUBECONFIG exists: /no/such',
    );
  });

  test('~/.kube/config comes next', () => {
    write('.kube/config', simple('home', 'https://home'));
    expect(loadKubeConfig({ env: { HOME: directory } }).context).toBe('home');
  });

  test('then the service account of the pod', () => {
    for (const [name, text] of [
      ['token', 'secret'],
      ['namespace', 'my-space\n'],
    ] as const) {
      writeFileSync(join(directory, name), text);
    }
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
    const { config, namespace } = loadKubeConfig({ env, serviceAccountDirectory: directory });
    expect(config.getCurrentCluster()?.server).toBe('https://[fd00::1]:6443');
    expect(namespace).toBe('my-space');
    expect(() => loadKubeConfig({ env, serviceAccountDirectory: directory, inCluster: 'never' })).toThrow(
      'no kubeconfig found',
    );
  });

  test('and nothing at all is an error that says what to do', () => {
    expect(() => loadKubeConfig({ env: {} })).toThrow('no kubeconfig found: name one with --kubeconfig or $KUBECONFIG');
    expect(() => loadKubeConfig({ env: {}, inCluster: 'always' })).toThrow('this is no pod with a service account');
  });
});

describe('which context', () => {
  const load = (options: object): ReturnType<typeof loadKubeConfig> => {
    const parts = {
      current: 'dev',
      clusters: { dev: 'https://dev', prod: 'https://prod' },
      users: [
        { name: 'dev', user: { token: 'dev-token' } },
        { name: 'admin', user: { token: 'admin-token' } },
      ],
      contexts: [
        ['dev', 'dev', 'dev'],
        ['prod', 'prod', 'admin', 'shop'],
      ] as const,
    };
    return loadKubeConfig({ kubeconfig: write('config', parts), env: {}, ...options });
  };

  test('the one that is named', () => {
    const { config, namespace } = load({ context: 'prod' });
    expect(config.getCurrentCluster()?.server).toBe('https://prod');
    expect(config.getCurrentUser()?.token).toBe('admin-token');
    expect(namespace).toBe('shop');
  });

  test('the current one, in the default namespace if it names none', () => {
    expect(load({})).toMatchObject({ context: 'dev', namespace: 'default' });
  });

  test('with another cluster or user put in its place', () => {
    const { config } = load({ cluster: 'prod', user: 'admin' });
    expect(config.getCurrentCluster()?.server).toBe('https://prod');
    expect(config.getCurrentUser()?.token).toBe('admin-token');
  });

  test.each([
    [{ context: 'x' }, 'context "x" does not exist'],
    [{ cluster: 'x' }, 'cluster "x" does not exist'],
    [{ user: 'x' }, 'auth info "x" does not exist'],
  ])('none that does not exist: %j', (options, message) => {
    expect(() => load(options)).toThrow(message);
  });

  test('and a file without a current one says so', () => {
    const kubeconfig = write('none', { clusters: { dev: 'https://dev' } });
    expect(() => loadKubeConfig({ kubeconfig, env: {} })).toThrow('has no current context: name one with --context');
  });
});

test('an exec plugin is told which version to answer in', () => {
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'login', env: [{ name: 'A', value: '1' }] };
  const parts = { ...simple('dev', 'https://dev'), users: [{ name: 'dev', user: { exec } }] };
  const { config } = loadKubeConfig({ kubeconfig: write('exec', parts), env: {} });
  const told = config.getCurrentUser()?.exec.env.at(-1);
  expect(told.name).toBe('KUBERNETES_EXEC_INFO');
  expect(JSON.parse(told.value)).toMatchObject({ apiVersion: exec.apiVersion, kind: 'ExecCredential' });
});
