// A large cluster at rest: objects are written as the controllers would have left them after so many rollouts, and the
// Deployment controller and the one that is measured find nothing to do. Rolling all of it out takes a hundred times as long.

import { createHash } from 'node:crypto';
import { contentHash } from '../../controller/core/content-hash.ts';
import {
  AFTER_REVISION_LABEL,
  CHANGE_CAUSE_ANNOTATION,
  MANAGED_LABEL,
  OWN_CAUSE_ANNOTATION,
  ROLLED_RECORD_PREFIX,
  rolledHashLabel,
  SOURCE_LABEL,
} from '../../controller/core/names.ts';
import { ownerReference, snapshotManifest } from '../../controller/core/snapshot.ts';
import type { KubeClient } from '../../controller/kube/client.ts';
import { projectSource } from '../../controller/workloads/raw.ts';
import { CONFIG_MAPS, collectionPath, DEPLOYMENTS, forEach } from './objects.ts';
import { TARGETS, type Target } from './targets.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

export interface WorldSize {
  /** Those that nobody rolls, and the sources; not their snapshots. */
  readonly configMaps: number;
  readonly deployments: number;
  /** Of each Deployment: a ReplicaSet, and a snapshot. */
  readonly revisions: number;
  /** Of data in each ConfigMap. */
  readonly kibibytes: number;
}

interface Pair {
  readonly namespace: string;
  readonly app: string;
  readonly source: string;
}

const AT_ONCE = 48;
const NAMESPACES = 20;
const REVISION_ANNOTATION = 'deployment.kubernetes.io/revision';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const APPLIED_EVERY = 10;
const CAUSE = 'configmap/config: application.properties';

export const namespaces = Array.from({ length: NAMESPACES }, (_, index) => `scale-${index}`);

/** A Deployment, and the ConfigMap that it runs on. */
export function pairOf(index: number): Pair {
  const app = `service-${String(index).padStart(5, '0')}`;
  return { namespace: `scale-${index % NAMESPACES}`, app, source: `${app}-config` };
}

/** Adds what is missing to a world that has `already` so many of each. */
export async function buildWorld(
  { client, target, signal }: { client: KubeClient; target: Target; signal: AbortSignal },
  size: WorldSize,
  already: Pick<WorldSize, 'configMaps' | 'deployments'> = { configMaps: 0, deployments: 0 },
): Promise<void> {
  const post = (path: string, body: object) => client.request<Json>('POST', path, { body, signal });
  const writer: Writer = { client, target, signal, post };
  if (already.configMaps === 0)
    await forEach(namespaces, AT_ONCE, (name) => post('/api/v1/namespaces', { metadata: { name } }));
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
  const managed = numbers(already.deployments, size.deployments);
  const others = numbers(already.configMaps - already.deployments, size.configMaps - size.deployments);
  await forEach(others, AT_ONCE, (index) => createOther(writer, index, size.kibibytes));
  await forEach(managed, AT_ONCE, (index) => createPair(writer, pairOf(index), size));
  // Only now: until the ReplicaSets are in its caches, the Deployment controller would make one more of each.
  await forEach(managed, AT_ONCE, async (index) => {
    const { namespace, app } = pairOf(index);
    const path = `${collectionPath(DEPLOYMENTS, namespace)}/${app}`;
    await client.request('PATCH', path, { body: { spec: { paused: false } }, signal });
  });
}

/** The content of a ConfigMap, another for each seed. */
export function dataOf(seed: string, kibibytes: number): Record<string, string> {
  const line = `${createHash('sha256').update(seed).digest('base64')} = ${seed}\n`;
  const bytes = kibibytes * 1024;
  return { 'application.properties': line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes) };
}

interface Writer {
  readonly client: KubeClient;
  readonly target: Target;
  readonly signal: AbortSignal;
  post(path: string, body: object): Promise<Json>;
}

async function createOther({ post }: Writer, index: number, kibibytes: number): Promise<void> {
  const name = `other-${String(index).padStart(5, '0')}`;
  const data = dataOf(name, kibibytes);
  // `kubectl apply` leaves all that it applied in an annotation: in the metadata, that is.
  const applied = { [LAST_APPLIED]: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }) };
  const annotations = index % APPLIED_EVERY === 0 ? applied : {};
  const metadata = { name, labels: { team: `team-${index % 50}` }, annotations };
  await post(collectionPath(CONFIG_MAPS, pairOf(index).namespace), { metadata, data });
}

async function createPair(writer: Writer, pair: Pair, { revisions, kibibytes }: WorldSize): Promise<void> {
  const { namespace, app, source } = pair;
  const contents = Array.from({ length: revisions }, (_, index) => {
    const data = dataOf(`${app} ${index}`, kibibytes);
    return { data, hash: contentHash('ConfigMap', source, { data, binaryData: {} }) };
  });
  const last = contents.at(-1);
  if (last === undefined) throw new Error('there is no revision');
  const annotations = writer.target.ofSource({ source, owners: [`deployment/${app}`] });
  const metadata = { name: source, labels: { [SOURCE_LABEL]: source }, annotations };
  const written = await writer.post(collectionPath(CONFIG_MAPS, namespace), { metadata, data: last.data });
  // Other controllers leave the source itself in the template.
  const mounted = writer.target === TARGETS['config-rollout'] ? `${source}-${last.hash}` : source;
  const deployment = await createDeployment(writer, pair, { mounted, hash: last.hash, revisions });
  for (const [index, { data, hash }] of contents.entries()) {
    const isCurrent = index === revisions - 1;
    const revision = { mounted: isCurrent ? mounted : `${source}-${hash}`, hash, number: index + 1 };
    const replicaSet = await createReplicaSet(writer, pair, deployment, revision);
    const owners = isCurrent
      ? [reference('Deployment', deployment), reference('ReplicaSet', replicaSet)]
      : [reference('ReplicaSet', replicaSet)];
    await createSnapshot(writer, { written, deployment, data, hash, owners, isCurrent, generation: index + 1 });
  }
}

/** Paused, so that the Deployment controller makes no ReplicaSet for it. */
function createDeployment(
  { post, target }: Writer,
  { namespace, app, source }: Pair,
  { mounted, hash, revisions }: { readonly mounted: string; readonly hash: string; readonly revisions: number },
) {
  const labels = {
    app,
    [MANAGED_LABEL]: 'owned',
    [rolledHashLabel('ConfigMap', source)]: hash,
    [AFTER_REVISION_LABEL]: String(revisions - 1),
  };
  const annotations = { ...target.ofWorkload(), [REVISION_ANNOTATION]: String(revisions) };
  const selector = { matchLabels: { app } };
  const template = templateOf({ app }, mounted);
  const body = {
    metadata: { name: app, labels, annotations },
    spec: { paused: true, replicas: 0, selector, template },
  };
  return post(collectionPath(DEPLOYMENTS, namespace), body);
}

function createReplicaSet(
  { post }: Writer,
  { namespace, app }: Pair,
  deployment: Json,
  { mounted, hash, number }: { readonly mounted: string; readonly hash: string; readonly number: number },
) {
  const labels = { app, 'pod-template-hash': hash };
  const controller = { ...reference('Deployment', deployment), controller: true, blockOwnerDeletion: true };
  const annotations = {
    'deployment.kubernetes.io/desired-replicas': '0',
    'deployment.kubernetes.io/max-replicas': '0',
    [REVISION_ANNOTATION]: String(number),
    [CHANGE_CAUSE_ANNOTATION]: CAUSE,
    [OWN_CAUSE_ANNOTATION]: CAUSE,
  };
  const metadata = { name: `${app}-${hash}`, labels, annotations, ownerReferences: [controller] };
  const template = templateOf(labels, mounted);
  const spec = { replicas: 0, selector: { matchLabels: labels }, template };
  return post(collectionPath('replicasets', namespace), { metadata, spec });
}

interface Rolled {
  /** The source, as it was written. */
  readonly written: Json;
  readonly deployment: Json;
  readonly data: Readonly<Record<string, string>>;
  readonly hash: string;
  readonly owners: readonly object[];
  readonly isCurrent: boolean;
  /** Of the Deployment, when it was rolled to this. */
  readonly generation: number;
}

async function createSnapshot({ post }: Writer, rolled: Rolled): Promise<void> {
  const { written, deployment, data, hash, owners: ownerReferences, isCurrent, generation } = rolled;
  const source = projectSource('ConfigMap', written);
  if (source === undefined) throw new Error('the API server answered with no ConfigMap');
  const madeOf = { ...source, resourceVersion: isCurrent ? source.resourceVersion : '1' };
  const { metadata, ...rest } = snapshotManifest(madeOf, `${source.name}-${hash}`, hash, { data, binaryData: {} }, []);
  const record = { [`${ROLLED_RECORD_PREFIX}${deployment.metadata.uid}`]: String(generation) };
  const annotations = { ...metadata.annotations, ...record };
  await post(collectionPath(CONFIG_MAPS, source.namespace), {
    ...rest,
    metadata: { ...metadata, annotations, ownerReferences },
  });
}

function templateOf(labels: object, configMap: string): object {
  const volumeMounts = [{ name: 'config', mountPath: '/etc/app' }];
  const containers = [{ name: 'main', image: 'app:1', volumeMounts }];
  return { metadata: { labels }, spec: { containers, volumes: [{ name: 'config', configMap: { name: configMap } }] } };
}

function reference(kind: string, { metadata: { name, uid } }: Json) {
  return ownerReference({ apiVersion: 'apps/v1', kind, name, uid });
}
