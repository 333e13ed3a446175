import { describe, expect, test } from '@jest/globals';
import { readConfig } from '../../controller/config.ts';
import { Exit } from '../../controller/config-flags.ts';
import { matchesLabels } from '../../controller/core/label-selector.ts';

const read = (argv: readonly string[], env: Record<string, string> = {}) => readConfig(argv, env, '1.2.3');

/** What it prints instead of running. */
function exit(...argv: string[]): Exit {
  try {
    read(argv);
  } catch (error) {
    if (error instanceof Exit) return error;
    throw error;
  }
  throw new Error('it runs');
}

describe('the flags', () => {
  test('are off, or everything, by default', () => {
    expect(read([])).toMatchObject({
      namespaces: [],
      namespaceSelector: undefined,
      resourceLabelSelector: undefined,
      secrets: false,
      reloaderAnnotations: false,
      dryRun: false,
    });
  });

  test('say what is watched', () => {
    const flags = ['--secrets', '--reloader-annotations', '--namespaces', 'a, b', '--namespace-selector', 'team=a'];
    const config = read([...flags, '--resource-label-selector', 'tier in (web)']);
    expect(config).toMatchObject({
      namespaces: ['a', 'b'],
      namespaceSelector: 'team=a',
      secrets: true,
      reloaderAnnotations: true,
    });
    const selects = (tier: string) => matchesLabels(config.resourceLabelSelector ?? [], { tier });
    expect([selects('web'), selects('api')]).toEqual([true, false]);
  });

  test('can be given in the environment, and win over it', () => {
    const env = { CONFIG_ROLLOUT_SECRETS: 'true', CONFIG_ROLLOUT_NAMESPACE_SELECTOR: 'team=a' };
    expect(read([], env)).toMatchObject({ secrets: true, namespaceSelector: 'team=a' });
    expect(read(['--namespace-selector', 'team=b'], env)).toMatchObject({ namespaceSelector: 'team=b' });
  });

  test('that are wrong are all named at once, with what is wrong', () => {
    const argv = ['--namespace-selector', 'a=b=c', '--resource-label-selector', 'tier in web', '--concurrency', '0'];
    const { code, text } = exit(...argv);
    expect(code).toBe(1);
    expect(text.match(/^error: --[a-z-]+/gm)?.sort()).toEqual([
      'error: --concurrency',
      'error: --namespace-selector',
      'error: --resource-label-selector',
    ]);
    expect(text).toMatch(/See 'config-rollout-controller --help'/);
  });

  test('are explained by --help', () => {
    const { code, text } = exit('--help');
    expect(code).toBe(0);
    for (const flag of ['--secrets', '--reloader-annotations', '--namespace-selector', '--resource-label-selector'])
      expect(text).toContain(flag);
  });
});

describe('leader election', () => {
  const timings = (...flags: string[]) => read(['--leader-elect', ...flags]).leaderElection?.timings;
  const problems = (...flags: string[]) => exit(...flags).text.match(/^error: .*$/gm);

  test('is off by default, and in a dry run, and otherwise as client-go has it', () => {
    expect(read([]).leaderElection).toBeUndefined();
    expect(read(['--leader-elect', '--dry-run']).leaderElection).toBeUndefined();
    expect(read(['--leader-elect']).leaderElection).toEqual({
      timings: { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2000 },
      resourceName: 'config-rollout',
      resourceNamespace: undefined,
    });
  });

  test('takes its times, and the name of its lease, from flags and environment', () => {
    const env = { CONFIG_ROLLOUT_LEADER_ELECT: 'true', CONFIG_ROLLOUT_LEADER_ELECT_RESOURCE_NAMESPACE: 'ops' };
    const { leaderElection } = read(['--leader-elect-resource-name', 'mine.example'], env);
    expect(leaderElection).toMatchObject({ resourceName: 'mine.example', resourceNamespace: 'ops' });
    const flags = ['lease-duration=6s', 'renew-deadline=4s', 'retry-period=800ms'];
    const expected = { leaseDurationMs: 6000, renewDeadlineMs: 4000, retryPeriodMs: 800 };
    expect(timings(...flags.map((flag) => `--leader-elect-${flag}`))).toEqual(expected);
  });

  test('refuses times with which two could lead, or none', () => {
    expect(problems('--leader-elect-lease-duration', '10s')).toEqual([
      'error: --leader-elect-lease-duration: has to be longer than --leader-elect-renew-deadline',
    ]);
    expect(problems('--leader-elect-renew-deadline', '2400ms')).toEqual([
      'error: --leader-elect-renew-deadline: has to be longer than 1.2 times --leader-elect-retry-period',
    ]);
    expect(problems('--leader-elect-retry-period', '0s', '--leader-elect-resource-name', 'A_b')).toEqual([
      'error: --leader-elect-retry-period: has to be longer than nothing',
      'error: --leader-elect-resource-name: "A_b" is not the name of an object',
    ]);
    expect(timings('--leader-elect-renew-deadline', '2401ms')).toMatchObject({ renewDeadlineMs: 2401 });
  });
});

describe('an address to serve at', () => {
  const address = (text: string) => read(['--metrics-bind-address', text]).metricsBindAddress;

  test.each([
    ['0', undefined],
    [':8080', { host: undefined, port: 8080 }],
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:8081', { host: '::1', port: 8081 }],
  ])('%s', (text, expected) => {
    expect(address(text)).toEqual(expected);
  });

  test('is nowhere by default', () => {
    expect(read([])).toMatchObject({ healthProbeBindAddress: undefined, metricsBindAddress: undefined });
    expect(read(['--health-probe-bind-address', ':8081']).healthProbeBindAddress?.port).toBe(8081);
  });

  test.each(['8080', '::1:8080', '[localhost]:80', ':65536', 'a b:80', 'host:', '[]:80', '-1'])('not %j', (text) => {
    expect(exit('--health-probe-bind-address', text).text).toContain(
      `error: --health-probe-bind-address: "${text}" is`,
    );
  });
});
