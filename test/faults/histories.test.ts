// Random histories on the real API server: whatever people do to workloads and their sources, and whatever happens to
// controllers, API server and etcd meanwhile, the promises hold at each rest, and in the end nobody writes any more.
//
// make test-histories HISTORIES=10000; SEED=… HISTORIES=2 repeats one, without admission and with it.
// DISTURBED=controllers: API server and etcd run on; DISTURBED=nothing: all does.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Cluster, down, up } from '../../hack/embedded/cluster.ts';
import { installRules } from '../../hack/embedded/install.ts';
import { kubectlPath } from '../../hack/embedded/kubectl.ts';
import { installComponent } from '../support/components.ts';
import { type Failure, type Figures, runBatch, shrunk } from '../support/history-batch.ts';
import { OF_CONTROLLERS, OF_THE_CLUSTER, Replicas, Troublemaker } from '../support/history-disturbances.ts';
import type { Surroundings } from '../support/history-rest.ts';
import { Observatory, Writes } from '../support/history-view.ts';
import { admin, configMapManifest, deploymentManifest, until } from '../support/scenario.ts';

const HISTORIES = Number(process.env['HISTORIES'] ?? 300);
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000_000);
const AT_ONCE = Number(process.env['AT_ONCE'] ?? 50);
const DISTURBED = process.env['DISTURBED'];
const KINDS = DISTURBED === 'controllers' ? OF_CONTROLLERS : OF_THE_CLUSTER;
const ADMISSIONS = [false, true];
// Workloads that changed too often wait for half a minute.
const PATIENCE_MS = 90_000;
const QUIET_MS = 10_000;

jest.setTimeout(10 * 60_000 + HISTORIES * 3000);

const dataDir = mkdtempSync(join(tmpdir(), 'config-rollout-histories-'));
let cluster: Cluster;
let webhookPort: number;
let around: Surroundings;
let replicas: Replicas | undefined;
let troublemaker: Troublemaker | undefined;
const namespaces: string[] = [];

beforeAll(async () => {
  cluster = await up({ dataDir });
  const kubectl = await kubectlPath();
  const rules = await installRules(kubectl, cluster.kubeconfig, dataDir);
  webhookPort = rules.webhookPort;
  Object.assign(process.env, {
    TEST_KUBECONFIG: cluster.kubeconfig,
    TEST_CONTROLLER_KUBECONFIG: rules.kubeconfig,
    TEST_KUBECTL: kubectl,
  });
  await installComponent('secrets');
  around = {
    client: admin(),
    observatory: new Observatory(admin()),
    writes: new Writes(cluster.auditLog),
    disturbances: () => troublemaker?.marks ?? 0,
    patienceMs: PATIENCE_MS,
  };
  for (let i = 0; i < Math.min(AT_ONCE, HISTORIES); i += 1) namespaces.push(await newNamespace());
});

afterEach(async () => {
  await replicas?.stop();
  replicas = undefined;
  troublemaker = undefined;
});

afterAll(async () => {
  around.observatory.close();
  await down(dataDir);
});

let count = 0;
/** With objects that are nobody's to touch. */
async function newNamespace(): Promise<string> {
  count += 1;
  const name = `history-${count}`;
  const at = `/namespaces/${name}`;
  await admin().request('POST', '/api/v1/namespaces', { body: { metadata: { name } } });
  await admin().request('POST', `/api/v1${at}/configmaps`, { body: configMapManifest('plain', { k: 'v' }) });
  await admin().request('POST', `/apis/apps/v1${at}/deployments`, {
    body: deploymentManifest('bystander', 'foo', { replicas: 0 }),
  });
  await until('the bystander is at rest', async () => {
    const bystander = await admin().request<{
      status: { observedGeneration?: number; conditions?: { reason: string }[] };
    }>('GET', `/apis/apps/v1${at}/deployments/bystander`);
    return bystander.status.conditions?.some(({ reason }) => reason === 'NewReplicaSetAvailable');
  });
  return name;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function lineOf({ seed, namespace, message }: Failure): string {
  return `seed ${seed}, in ${namespace}: ${message}`;
}

async function report(failure: Failure): Promise<string> {
  const { seed, namespace, found } = failure;
  say(`${lineOf(failure)}\nIt is run again, alone, and made shorter.`);
  const written = around.writes.latest(namespace);
  const happened = troublemaker?.journal.slice(-10) ?? [];
  const short = await shrunk(around, newNamespace, seed, troublemaker);
  return [
    `SEED=${seed} HISTORIES=2 npm run -s integration -- test/faults/histories`,
    short,
    ...['What was there:', ...found],
    ...['What the controller wrote last there:', ...written],
    ...['What had happened to all:', ...happened],
    ...['What the controllers said last:', ...(replicas?.logs() ?? [])],
  ].join('\n');
}

// What is promised of a calm cluster alone, the first of many see.
function troubleFor(done: number, share: number): Troublemaker | undefined {
  return done === 0 && namespaces.length < share ? undefined : troublemaker;
}

describe.each(ADMISSIONS)('random histories, admission: %s', (admission) => {
  const share = Math.ceil(HISTORIES / ADMISSIONS.length);
  test(`${share} of them keep every promise at each rest`, async () => {
    const figures: Figures = { histories: 0, steps: 0 };
    const start = performance.now();
    replicas = new Replicas(admission ? webhookPort : undefined);
    await replicas.start();
    troublemaker = DISTURBED === 'nothing' ? undefined : new Troublemaker(replicas, dataDir, KINDS);
    for (let done = 0; done < share; done += namespaces.length) {
      const here = namespaces.slice(0, share - done);
      const failures = await runBatch(around, here, SEED + done, troubleFor(done, share), figures);
      say(
        `${figures.histories} histories, ${figures.steps} steps, ${Math.round((performance.now() - start) / 1000)} s, seeds from ${SEED}; ${JSON.stringify({ ...troublemaker?.counts, ...replicas.figures })}`,
      );
      // What is left there is nobody's beginning.
      for (const { namespace } of failures) namespaces[namespaces.indexOf(namespace)] = await newNamespace();
      const [first] = failures;
      if (first !== undefined)
        throw new Error(`${failures.length} failed\n${failures.map(lineOf).join('\n')}\n${await report(first)}`);
    }
    await expectQuiet();
  });
});

/** What follows by the way, such as records that waited for a revision, takes less. */
const AFTERMATH_MS = 6000;
async function expectQuiet(): Promise<void> {
  await sleep(AFTERMATH_MS);
  const own = () => [...around.writes.everywhere()].filter(([namespace]) => namespace.startsWith('history-'));
  const before = own();
  await sleep(QUIET_MS);
  expect(own()).toEqual(before);
}
