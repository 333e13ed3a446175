// The controller dies between any two writes, before the write or before its answer, and another one takes over: it
// converges, with one revision for the change, no snapshot lost and none leaked.

import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { env, startController } from '../support/controller.ts';
import { type FaultProxy, startProxy } from '../support/proxy.ts';
import { configMapManifest, deploymentManifest, mountedBy, Scenario, until, V1, V2 } from '../support/scenario.ts';

const MANIFESTS = [
  configMapManifest('foo', V1, { annotations: { 'configrollout.dev/owners': 'deployment/bar' } }),
  deploymentManifest(),
];

let proxy: FaultProxy;
beforeAll(async () => {
  proxy = await startProxy(env('TEST_CONTROLLER_KUBECONFIG'), (path, content) =>
    writeFileSync(path, content, { mode: 0o600 }),
  );
});
afterAll(() => proxy.close());

function start(scenario: Scenario) {
  return startController({ kubeconfig: proxy.kubeconfig, args: ['--namespaces', scenario.namespace] });
}

async function adopt(scenario: Scenario): Promise<void> {
  await scenario.apply(...MANIFESTS);
  await scenario.runsWith(V1);
}

/** All that has to hold once everything is quiet. */
async function expectConverged(scenario: Scenario, revisions: number): Promise<void> {
  await until('snapshots and revisions agree', async () => {
    const mounted = (await scenario.revisions()).map(mountedBy).sort();
    const snapshots = await scenario.snapshots();
    const owned = snapshots.every(({ metadata }) =>
      metadata.ownerReferences.some(({ kind }: { kind: string }) => kind === 'ReplicaSet'),
    );
    const names = snapshots.map(({ metadata }) => metadata.name).sort();
    if (JSON.stringify(mounted) !== JSON.stringify(names))
      throw new Error(`revisions mount ${mounted}, snapshots are ${names}`);
    return owned;
  });
  await scenario.quiet(700);
  expect(await scenario.revisions()).toHaveLength(revisions);
}

// An adoption: label on the source, snapshot, template, owners, change cause taken away, raw ReplicaSet deleted. A change:
// snapshot, template, owners of the new snapshot and of the old one, change cause taken away.
const WRITES = { adoption: 6, change: 5 };
const CASES = (['adoption', 'change'] as const).flatMap((phase) =>
  Array.from({ length: WRITES[phase] }, (_, i) => i + 1).flatMap((number) => [
    { phase, number, verdict: 'drop', when: 'before' } as const,
    { phase, number, verdict: 'lose', when: 'after' } as const,
  ]),
);

describe('killed in the middle of its work', () => {
  test.each(CASES)('$phase, $when write $number', async ({ phase, number, verdict }) => {
    const scenario = await Scenario.start(`crash-${phase}-${number}-${verdict}`);
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const arm = () => {
      proxy.judge = (write) => {
        if (write.number !== number) return 'pass';
        reach();
        return verdict;
      };
    };
    proxy.judge = () => 'pass';
    const first = await start(scenario);
    if (phase === 'change') {
      await adopt(scenario);
      await expectConverged(scenario, 1);
    }
    arm();
    await (phase === 'change' ? scenario.edit(V2) : scenario.apply(...MANIFESTS));
    await reached;
    await first.kill();

    proxy.judge = () => 'pass';
    const second = await start(scenario);
    await scenario.runsWith(phase === 'change' ? V2 : V1);
    await expectConverged(scenario, phase === 'change' ? 2 : 1);
    expect(await second.stop()).toBe(0);
  });

  test('two controllers at once make no second revision', async () => {
    const scenario = await Scenario.start('two-controllers');
    proxy.judge = () => 'pass';
    const [one, other] = await Promise.all([start(scenario), start(scenario)]);
    await adopt(scenario);
    await expectConverged(scenario, 1);
    await scenario.edit(V2);
    await scenario.runsWith(V2);
    await expectConverged(scenario, 2);
    await Promise.all([one.stop(), other.stop()]);
  });
});
