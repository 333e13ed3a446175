// The floor: what a rollout asks of the API server, in its order and by the controller's own HTTP client, and nothing else.
// No cache, no queue of keys, no decision, no care for what may go wrong. Runs as a candidate does, on its own kubeconfig.

import { createHash } from 'node:crypto';
import { variableOf } from '../../controller/config-flags.ts';
import { MANAGER } from '../../controller/core/names.ts';
import { ApiError } from '../../controller/kube/api-error.ts';
import { KubeClient } from '../../controller/kube/client.ts';
import { loadKubeConfig } from '../../controller/kube/kubeconfig.ts';
import { ACCEPT_METADATA, ACCEPT_METADATA_LIST } from '../../controller/runtime/http-list-watch.ts';
import { allowEverything } from './bare-admission.ts';
import { BARE_LOOP_ANNOTATION } from './targets.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API server, read as they come
type Json = any;

// As many at the same time as the controller has workers by default.
const AT_ONCE = 8;
const WATCH_SECONDS = 3600;
const WRITE = { query: { fieldManager: MANAGER } };
const JSON_PATCH = { ...WRITE, contentType: 'application/json-patch+json' };
const MERGE_PATCH = { ...WRITE, contentType: 'application/merge-patch+json' };
const MOUNTED = '/spec/template/spec/volumes/0/configMap/name';
const CAUSE = '/metadata/annotations/kubernetes.io~1change-cause';

const { config } = loadKubeConfig({ env: process.env });
const client = new KubeClient(config, { userAgent: 'bare-loop' });
process.once('SIGTERM', () => process.exit(0));

/** Workloads by `namespace/deployment/name`. */
const workloads = new Map<string, Json>();
/** Who waits for the metadata of the next ReplicaSet of a Deployment, by its uid. */
const awaited = new Map<string, (replicaSet: Json) => void>();
const jobs: (() => Promise<void>)[] = [];
let atWork = 0;
let events = Promise.resolve();
let sent = 0;

await Promise.all((await list('/apis/apps/v1/deployments')).items.map(take));
const [replicaSets, sources] = await Promise.all([list('/apis/apps/v1/replicasets'), list('/api/v1/configmaps')]);
// Told like the controllers whether, and where, it is asked about what it writes.
const webhookPort = process.env[variableOf('webhook-port')];
if (webhookPort !== undefined) await allowEverything(client, Number(webhookPort));
console.log('ready');
await Promise.all([
  follow('/apis/apps/v1/replicasets', replicaSets, 'ADDED', ({ metadata }) => {
    const [{ uid }] = metadata.ownerReferences;
    awaited.get(uid)?.(metadata);
    awaited.delete(uid);
  }),
  follow('/api/v1/configmaps', sources, 'MODIFIED', ({ metadata }) => {
    if (metadata.annotations?.[BARE_LOOP_ANNOTATION] !== undefined) enqueue(() => roll(metadata));
  }),
]);

function list(path: string): Promise<Json> {
  return client.request<Json>('GET', path, { accept: ACCEPT_METADATA_LIST });
}

/** Watches metadata, from a list on; again where the API server ended it, as it does with whoever is slow. */
async function follow(path: string, from: Json, wanted: string, note: (object: Json) => void): Promise<void> {
  for (let { resourceVersion } = from.metadata; ; ) {
    const query = { watch: true, resourceVersion, timeoutSeconds: WATCH_SECONDS };
    for await (const { type, object } of client.stream(path, {
      query,
      accept: ACCEPT_METADATA,
    }) as AsyncIterable<Json>) {
      if (type === 'ERROR') throw new Error(object.message);
      if (type === wanted) note(object);
      resourceVersion = object.metadata.resourceVersion;
    }
  }
}

/** What is to be rolled has something to note that in, which stands for its ConfigRollout. */
async function take({ metadata }: Json): Promise<void> {
  const { namespace, name, annotations } = metadata;
  if (annotations?.[BARE_LOOP_ANNOTATION] === undefined) return;
  workloads.set(`${namespace}/deployment/${name}`, metadata);
  const body = { metadata: { name: `${name}-status` } };
  const made = client.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, { body });
  await made.catch((error) => {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
  });
}

function enqueue(job: () => Promise<void>): void {
  jobs.push(job);
  if (atWork < AT_ONCE) void work();
}

async function work(): Promise<void> {
  atWork += 1;
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job();
  atWork -= 1;
}

async function roll({ namespace, name, annotations }: Json): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const source = await client.request<Json>('GET', `${path}/${name}`);
  const hash = createHash('sha256').update(JSON.stringify(source.data)).digest('hex').slice(0, 10);
  const snapshot = `${name}-${hash}`;
  const users = annotations[BARE_LOOP_ANNOTATION]
    .split(',')
    .map((user: string) => workloads.get(`${namespace}/${user}`));
  const owners = users.map((user: Json) => reference('Deployment', user));
  const labels = { 'app.kubernetes.io/managed-by': MANAGER };
  const metadata = { name: snapshot, labels, ownerReferences: owners };
  await client.request('POST', path, { ...WRITE, body: { metadata, immutable: true, data: source.data } });
  const revisions = users.map((user: Json) => nextReplicaSet(user.uid));
  for (const user of users) enqueue(() => pin(user, snapshot));
  Promise.all(revisions).then((all) => {
    const ownerReferences = all.map((replicaSet) => reference('ReplicaSet', replicaSet));
    enqueue(() =>
      client.request('PATCH', `${path}/${snapshot}`, { ...MERGE_PATCH, body: { metadata: { ownerReferences } } }),
    );
  });
}

async function pin(workload: Json, snapshot: string): Promise<void> {
  const { namespace, name, uid } = workload;
  const body = [
    { op: 'test', path: '/metadata/uid', value: uid },
    { op: 'replace', path: MOUNTED, value: snapshot },
    { op: 'add', path: CAUSE, value: `config: ${snapshot}` },
  ];
  await client.request('PATCH', `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`, { ...JSON_PATCH, body });
  // One after the other, beside the work, as the controller sends them.
  events = events.then(() => tell(workload, snapshot));
  // In the place of the ConfigRollout's status: any controller would take that for its own.
  const status = { metadata: { annotations: { 'bench.local/status': `pinned to ${snapshot}` } } };
  enqueue(() =>
    client.request('PATCH', `/api/v1/namespaces/${namespace}/configmaps/${name}-status`, {
      ...MERGE_PATCH,
      body: status,
    }),
  );
}

async function tell(workload: Json, snapshot: string): Promise<void> {
  const { namespace, name } = workload;
  sent += 1;
  const body = {
    metadata: { namespace, name: `${name}.${Date.now().toString(16)}${sent}` },
    eventTime: new Date().toISOString().replace('Z', '000Z'),
    type: 'Normal',
    reason: 'ConfigRolledOut',
    action: 'Rollout',
    note: `rolled out to ${snapshot}`,
    regarding: { ...reference('Deployment', workload), namespace },
    reportingController: 'bench.local/bare-loop',
    reportingInstance: 'bare-loop',
  };
  await client.request('POST', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, { body });
}

function nextReplicaSet(uid: string): Promise<Json> {
  return new Promise((resolve) => awaited.set(uid, resolve));
}

function reference(kind: string, { name, uid }: Json) {
  return { apiVersion: 'apps/v1', kind, name, uid };
}
