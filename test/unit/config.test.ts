import { describe, expect, test } from '@jest/globals';
import { Exit, readConfig } from '../../controller/config.ts';
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
