// The soak of `make soak`, for two minutes: too short to say what grows in an hour, long enough to say what is lost, and
// what is left open.

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { tableOf } from '../../hack/soak/report.ts';
import { type SoakResult, soak } from '../../hack/soak/run.ts';
import { env } from '../support/controller.ts';
import { removeRolloutCrd } from '../support/rollout-crd.ts';
import { admin, Scenario } from '../support/scenario.ts';

const MINUTES = 2;
// Half of what the manifests allow.
const MOST_RSS_MIB = 256;

let scenario: Scenario;
let result: SoakResult;

beforeAll(
  async () => {
    scenario = await Scenario.start('soak');
    const seed = (Date.now() % 1e6) + 1;
    console.log(`seed ${seed}`);
    result = await soak({
      client: admin(),
      namespace: scenario.namespace,
      kubectl: env('TEST_KUBECTL'),
      kubeconfig: env('TEST_KUBECONFIG'),
      controllerKubeconfig: env('TEST_CONTROLLER_KUBECONFIG'),
      webhookPort: Number(env('TEST_WEBHOOK_PORT')),
      minutes: MINUTES,
      workloads: 24,
      seed,
    });
    console.log(`${JSON.stringify(result.faults)}\n${tableOf(result.rows)}`);
  },
  (MINUTES + 4) * 60_000,
);
afterAll(async () => {
  await scenario.end();
  await removeRolloutCrd();
});

test('there were changes, and faults, all the while', () => {
  for (const { name, thirds } of result.rows)
    if (name === 'changes') for (const count of thirds) expect(count).toBeGreaterThan(10);
  expect(Object.values(result.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(6);
});

test('every change arrived and stayed, what is mounted is what its name says, and the controller ended well', () => {
  expect(result.wrong).toEqual([]);
});

test('what was open is closed again', () => {
  const open = result.rows.filter(({ name }) => ['descriptors', 'sockets', 'handles', 'keys in queues'].includes(name));
  expect(open).toHaveLength(4);
  expect(open.filter(({ isFlat }) => isFlat !== true)).toEqual([]);
});

test('memory is bounded', () => {
  expect(result.samples.length).toBeGreaterThan(30);
  expect(Math.max(...result.samples.map(({ rssMiB }) => rssMiB))).toBeLessThan(MOST_RSS_MIB);
});
