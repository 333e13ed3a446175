// The loads by which Reloader is tested (S1 to S13, without S11 and S12, which are of its own options), on whichever
// controller is measured.

import { fan, pairs } from '../casts.ts';
import { type Load, loadScenario, type Scene } from '../load.ts';
import { everyWay, mixed, severalKinds, spread } from '../load-casts.ts';
import { collectionPath, createAll, sourceObject, workloadObject } from '../objects.ts';
import type { Scenario } from '../scenario.ts';

/** Characters of base64. */
const LARGE = 'A'.repeat(200 * 1024);
/** Of S5, how many beats a pair lives. */
const LIFETIME = 5;

const ten = ([namespace = '']: readonly string[]) => pairs(namespace, { count: 10, replicas: 1 });

const LOADS: readonly Load[] = [
  {
    name: 'S1',
    about: 'burst: one of 10 ConfigMaps each 100 ms',
    cast: ten,
    everyMs: 100,
    isPlain: true,
  },
  {
    name: 'S2',
    about: 'fan-out: one ConfigMap → 50 Deployments, each 5 s',
    cast: ([namespace = '']) => fan(namespace, { count: 50, replicas: 1 }),
    everyMs: 5000,
    isPlain: true,
  },
  {
    name: 'S3',
    about: 'high cardinality: 220 ConfigMaps and Deployments (--quick: 44) over 11 namespaces, one each 200 ms',
    namespaces: 11,
    cast: (namespaces, { quick }) => spread(namespaces, quick ? 4 : 20),
    everyMs: 200,
    isPlain: true,
  },
  {
    name: 'S4',
    about: 'changes of annotations only, each 100 ms: nothing is to roll',
    cast: ten,
    everyMs: 100,
    beat: annotate,
    isPlain: false,
  },
  {
    name: 'S5',
    about: 'churn: a pair is created and one is deleted each 500 ms, and one of 10 others changes',
    cast: ten,
    everyMs: 500,
    beat: churn,
    isPlain: false,
  },
  {
    name: 'S6',
    about: 'crash: as S1; killed after a third of the time, and started anew when 10 others have changed meanwhile',
    cast: ([namespace = '']) => pairs(namespace, { count: 20, replicas: 1 }),
    everyMs: 100,
    beat: (scene, index) => scene.change(scene.source(index % 10)),
    incident: crash,
    isPlain: false,
  },
  {
    name: 'S7',
    about: 'pressure: 100 changes a second, of 50 ConfigMaps',
    cast: ([namespace = '']) => pairs(namespace, { count: 50, replicas: 1 }),
    everyMs: 10,
    isPlain: false,
  },
  {
    name: 'S8',
    about: 'large: one of 10 ConfigMaps of 200 KiB each 500 ms',
    cast: ([namespace = '']) => pairs(namespace, { count: 10, replicas: 1, ballast: LARGE }),
    everyMs: 500,
    isPlain: true,
  },
  {
    name: 'S9',
    about: 'kinds: one ConfigMap → 5 Deployments, 3 StatefulSets, 2 DaemonSets, each 2 s',
    cast: ([namespace = '']) => severalKinds(namespace),
    everyMs: 2000,
    isPlain: false,
  },
  {
    name: 'S10',
    about: 'mixed: one of 5 ConfigMaps and 5 Secrets, used by 15 Deployments, each 500 ms',
    cast: ([namespace = '']) => mixed(namespace),
    everyMs: 500,
    settings: { secrets: 'true' },
    isPlain: false,
  },
  {
    name: 'S13',
    about:
      'references of all sorts: volume, projected, envFrom and valueFrom, in containers and initContainers, each 500 ms',
    cast: ([namespace = '']) => everyWay(namespace),
    everyMs: 500,
    isPlain: false,
  },
];

export const loads: readonly Scenario[] = LOADS.map(loadScenario);

async function annotate(scene: Scene, index: number): Promise<void> {
  const { namespace, resource, name } = scene.source(index);
  const body = { metadata: { annotations: { note: `beat ${index}` } } };
  await scene.bench.client.request('PATCH', `${collectionPath(resource, namespace)}/${name}`, { body });
}

/** The pairs that come and go are in no figure; they must not get in the way of the others. */
async function churn(scene: Scene, index: number): Promise<void> {
  const { client, signal } = scene.bench;
  const { target } = scene.stage.candidate;
  const { namespace } = scene.source(index);
  const passing = (number: number) => pairs(namespace, { count: 1, replicas: 1, prefix: `passing-${number}-` });
  const coming = passing(index);
  const objects = coming.sources.map((each) => sourceObject(target, each));
  await createAll(client, [...objects, ...coming.workloads.map((each) => workloadObject(target, each))], signal);
  const going = index < LIFETIME ? [] : Object.values(passing(index - LIFETIME)).flat();
  for (const { resource, name } of going)
    await client.request('DELETE', `${collectionPath(resource, namespace)}/${name}`, { signal });
  await scene.change(scene.source(index));
}

/** What changes while it is down is changed only then. */
async function crash(scene: Scene): Promise<void> {
  await scene.running.kill();
  for (let index = 10; index < 20; index += 1) await scene.change(scene.source(index));
  scene.running = await scene.stage.candidate.start(scene.settings);
}
