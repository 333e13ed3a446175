import { describe, expect, test } from '@jest/globals';
import {
  configRolloutName,
  intervalMsLeft,
  type LastRollout,
  NO_POLICY,
  type Policy,
  readPolicy,
} from '../../controller/core/policy.ts';
import { projectConfigRollout } from '../../controller/workloads/config-rollout.ts';
import { NAMESPACE, NOON } from '../support/builders.ts';

const LAST: LastRollout = { time: '2026-06-01T12:00:00Z', outcome: 'Complete', sources: [] };

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
      status: {
        sources: [{ kind: 'ConfigMap', name: 'foo', rolledHash: 'h', state: 'Current' }],
        lastRollout: LAST,
      },
    });
    expect(object).toMatchObject({
      generation: 2,
      workload: { kind: 'Deployment', name: 'web' },
      policy: {
        paused: true,
        settleMs: 0,
        minIntervalMs: 600_000,
        rollsBack: true,
        lastRollout: LAST,
        seen: { 'ConfigMap/foo': 'h' },
      },
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
  const rolledAt = (at: number): Policy => ({ ...policy, lastRollout: { ...LAST, time: new Date(at).toISOString() } });

  test.each<[string, Policy, Parameters<typeof intervalMsLeft>[1], number]>([
    ['is over when no rollout was ever seen', policy, {}, 0],
    ['is over when the last is long ago', rolledAt(NOON - 61_000), {}, 0],
    ['has 40 s left when the last was 20 s ago', rolledAt(NOON - 20_000), {}, 40_000],
    ['counts from what only this process knows of', policy, { rolledAt: NOON - 1000 }, 59_000],
    ['is over where there is no such policy', { ...rolledAt(NOON), minIntervalMs: 0 }, {}, 0],
  ])('%s', (_, given, pacing, left) => {
    expect(intervalMsLeft(given, pacing, NOON)).toBe(left);
  });

  test('ends in time also when it was another clock that said when the last was', () => {
    const ahead = rolledAt(NOON + 3_600_000);
    expect(intervalMsLeft(ahead, {}, NOON)).toBe(60_000);
    expect(intervalMsLeft(ahead, { heldSince: NOON }, NOON + 45_000)).toBe(15_000);
    expect(intervalMsLeft(ahead, { heldSince: NOON }, NOON + 60_000)).toBe(0);
  });
});
