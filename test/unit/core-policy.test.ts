import { describe, expect, test } from '@jest/globals';
import { configRolloutName, intervalMsLeft, NO_POLICY, readPolicy } from '../../controller/core/policy.ts';
import { projectConfigRollout } from '../../controller/workloads/config-rollout.ts';
import { NAMESPACE, NOON } from '../support/builders.ts';

describe('a policy', () => {
  test('is read from the spec of a ConfigRollout, and from when it saw the last rollout', () => {
    const object = projectConfigRollout({
      metadata: { namespace: NAMESPACE, name: 'deployment-web', uid: 'u', resourceVersion: '7', generation: 2 },
      spec: {
        workload: { kind: 'Deployment', name: 'web' },
        paused: true,
        settleSeconds: 0,
        onFailure: 'Rollback',
        minInterval: '10m',
      },
      status: { lastRollout: { time: '2026-06-01T12:00:00Z', outcome: 'Complete', sources: [] } },
    });
    expect(object).toMatchObject({
      generation: 2,
      workload: { kind: 'Deployment', name: 'web' },
      policy: { paused: true, settleMs: 0, minIntervalMs: 600_000, rollsBack: true, lastRolloutAt: NOON },
    });
  });

  test('that says nothing is none', () => {
    expect(readPolicy({}, undefined)).toEqual(NO_POLICY);
  });

  test.each(['', '5', '1d', '-1s', '1.5h', 'soon'])(
    'without a schema to forbid minInterval %j counts as none',
    (text) => {
      expect(readPolicy({ minInterval: text }, undefined).minIntervalMs).toBe(0);
    },
  );

  test('object without a workload, or none at all, is nothing', () => {
    expect(projectConfigRollout({ metadata: { namespace: 'a', name: 'b', uid: 'c', resourceVersion: '1' } })).toBe(
      undefined,
    );
    expect(projectConfigRollout({})).toBe(undefined);
  });

  test('has the name of its workload, shortened where that would be too long', () => {
    expect(configRolloutName({ kind: 'StatefulSet', name: 'db.eu' })).toBe('statefulset-db.eu');
    const long = configRolloutName({ kind: 'Deployment', name: 'x'.repeat(253) });
    expect(long).toHaveLength(253);
    expect(long).not.toBe(configRolloutName({ kind: 'Deployment', name: `${'x'.repeat(252)}y` }));
  });
});

describe('the least time between two rollouts', () => {
  const policy = { ...NO_POLICY, minIntervalMs: 60_000 };
  test.each([
    ['no rollout was ever seen', { policy, now: NOON }, 0],
    ['the last is long ago', { policy: { ...policy, lastRolloutAt: NOON - 61_000 }, now: NOON }, 0],
    ['the last was 20 s ago', { policy: { ...policy, lastRolloutAt: NOON - 20_000 }, now: NOON }, 40_000],
    ['only this process knows of it', { policy, rolledAt: NOON - 1000, now: NOON }, 59_000],
    ['the clock was set back an hour', { policy: { ...policy, lastRolloutAt: NOON + 3_600_000 }, now: NOON }, 60_000],
    ['there is no such policy', { policy: { ...NO_POLICY, lastRolloutAt: NOON }, now: NOON }, 0],
  ])('%s', (_, { policy: given, now, ...rest }: { policy: typeof policy; now: number; rolledAt?: number }, left) => {
    expect(intervalMsLeft(given, rest.rolledAt, now)).toBe(left);
  });
});
