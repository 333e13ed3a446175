// What people and pipelines do to a fleet, one thing a second or so, each to a workload that is at rest: then every
// change has to arrive, and one that does not is lost.

import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ApiError } from '../../controller/kube/api-error.ts';
import type { KubeClient } from '../../controller/kube/client.ts';
import { kubectlEnvironment } from '../embedded/kubectl.ts';
import { DEPLOYMENT, type KindInSoak, ROLLOUT, ROLLOUT_CRD, type Target, type Templated } from './fleet.ts';
import { pick, type Random } from './random.ts';

export interface Place {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly kubectl: string;
  /** The admin's. */
  readonly kubeconfig: string;
}

/** Longer than a StatefulSet or a DaemonSet takes for one rollout here, so that an undo finds what it should. */
const REST_MS = 8_000;
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const NAME_POINTER = '/spec/template/spec/volumes/0/configMap/name';
/** One for each revision that is kept, the one of now, and one or two that are on their way out. */
const MOST_SNAPSHOTS = 6;
const IMAGE_POINTER = '/spec/template/spec/containers/0/image';

/** A change that the controller has to bring into the template. */
export interface Change {
  readonly target: Target;
  readonly pin: string;
  /** ms of performance.now(). */
  readonly at: number;
  /** From the write of the source until the template was seen to name it; undefined: not yet. */
  lagMs: number | undefined;
}

type Act = (place: Place, target: Target, random: Random) => Promise<Change | undefined>;

/** By how often each is done, in a hundred. */
const ACTS: readonly (readonly [share: number, act: Act])[] = [
  [50, edit],
  [10, recreateSource],
  [15, undo],
  [10, setImage],
  [15, applyRaw],
];

/** Makes what a fleet is made of, and waits for nothing but the API server. */
export async function create(place: Place, targets: readonly Target[]): Promise<readonly Change[]> {
  if (targets.some(({ is }) => is === ROLLOUT)) await serveRollouts(place);
  return Promise.all(
    targets.map(async (target) => {
      const body = target.source(target.change());
      await place.client.request('POST', sources(place), { body });
      const at = performance.now();
      await place.client.request('POST', collection(place, target.is), { body: target.manifest() });
      target.touchedAt = at;
      return { target, pin: target.expected, at, lagMs: undefined };
    }),
  );
}

async function serveRollouts(place: Place): Promise<void> {
  await place.client.request('POST', CRDS, { body: ROLLOUT_CRD }).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
  });
  while (!(await place.client.request('GET', collection(place, ROLLOUT)).then(Boolean, () => false))) await sleep(100);
}

/** Does something to one that is at rest; undefined when none is, or when it is nothing that has to be rolled out. */
export async function changeSomething(
  place: Place,
  targets: readonly Target[],
  random: Random,
): Promise<Change | undefined> {
  const now = performance.now();
  const target = pick(
    random,
    targets.filter(({ isSettled, touchedAt }) => isSettled && now - touchedAt >= REST_MS),
  );
  if (target === undefined) return undefined;
  target.touchedAt = now;
  const all = ACTS.flatMap(([share, act]) => Array<Act>(share).fill(act));
  const act = pick(random, all) ?? edit;
  const change = await act(place, target, random);
  target.history.push(`${new Date().toISOString()} ${change === undefined ? act.name : 'change'} → ${target.expected}`);
  return change;
}

/** Gives the source a content that nobody had before. */
export async function edit(place: Place, target: Target): Promise<Change> {
  const at = performance.now();
  const data = target.change();
  await place.client.request('PATCH', `${sources(place)}/${target.name}`, { body: { data } });
  return { target, pin: target.expected, at, lagMs: undefined };
}

async function recreateSource(place: Place, target: Target): Promise<Change> {
  await place.client.request('DELETE', `${sources(place)}/${target.name}`, { body: {} });
  const at = performance.now();
  await place.client.request('POST', sources(place), { body: target.source(target.change()) });
  return { target, pin: target.expected, at, lagMs: undefined };
}

async function undo(place: Place, target: Target): Promise<Change | undefined> {
  const { before } = target;
  // Before its own controller has seen the last change, kubectl would go one revision too far back.
  if (!target.is.canUndo || before === undefined || !(await isObserved(place, target))) return edit(place, target);
  if (target.is === DEPLOYMENT && !(await isNext(place, target, before))) return edit(place, target);
  // Undoing that would be no change of the source: whatever comes next is counted from here.
  target.before = undefined;
  target.expected = before;
  const args = ['rollout', 'undo', `${target.is.kind.toLowerCase()}/${target.name}`, '-n', place.namespace];
  await promisify(execFile)(place.kubectl, args, { env: kubectlEnvironment(place.kubeconfig) });
  return undefined;
}

async function isObserved(place: Place, target: Target): Promise<boolean> {
  const path = `${collection(place, target.is)}/${target.name}`;
  const { metadata, status } = await place.client.request<Observable>('GET', path);
  return status.observedGeneration === metadata.generation;
}

// Old servers prune the ReplicaSet that was made first, also when it is the one that was used again just before.
async function isNext(place: Place, { name }: Target, pin: string): Promise<boolean> {
  const path = `/apis/apps/v1/namespaces/${place.namespace}/replicasets`;
  const query = { labelSelector: `app=${name}` };
  const { items } = await place.client.request<{ items: readonly ReplicaSet[] }>('GET', path, { query });
  const numberOf = ({ metadata }: ReplicaSet) => Number(metadata.annotations['deployment.kubernetes.io/revision']);
  const [, previous] = items.toSorted((a, b) => numberOf(b) - numberOf(a));
  return previous?.spec.template.spec.volumes[0]?.configMap.name === pin;
}

interface ReplicaSet extends Templated {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
}

interface Observable {
  readonly metadata: { readonly generation: number };
  readonly status: { readonly observedGeneration?: number };
}

async function setImage(place: Place, target: Target, random: Random): Promise<undefined> {
  target.before = undefined;
  const value = `app:${Math.floor(random() * 1e6)}`;
  await patch(place, target, [{ op: 'replace', path: IMAGE_POINTER, value }]);
}

/** As a pipeline applies the manifest, which names the source itself. */
async function applyRaw(place: Place, target: Target): Promise<undefined> {
  await patch(place, target, [{ op: 'replace', path: NAME_POINTER, value: target.name }]);
}

// Without a name of its own the writer would look like somebody who undoes.
function patch(place: Place, target: Target, body: readonly object[]): Promise<unknown> {
  const query = { fieldManager: 'soak' };
  const options = { body, query, contentType: 'application/json-patch+json' };
  return place.client.request('PATCH', `${collection(place, target.is)}/${target.name}`, options);
}

export function sources({ namespace }: Place): string {
  return `/api/v1/namespaces/${namespace}/configmaps`;
}

/** Where workloads of a kind are. */
export function collection({ namespace }: Place, { apiVersion, resource }: KindInSoak): string {
  return `/apis/${apiVersion}/namespaces/${namespace}/${resource}`;
}

/** In words: snapshots that are named and are not what they should be, and snapshots that nothing can need any more. */
export async function wrongContents(place: Place, targets: readonly Target[]): Promise<readonly string[]> {
  const { items } = await place.client.request<{ items: readonly ConfigMap[] }>('GET', sources(place));
  const all = new Map(items.map((each) => [each.metadata.name, each]));
  const wrong = targets.flatMap((target) => {
    const { data, immutable } = all.get(target.mounted) ?? {};
    const isRight = data !== undefined && immutable === true && target.pinOf(data) === target.mounted;
    return isRight ? [] : [`${target.name} names ${target.mounted}, which is not what its name says`];
  });
  const snapshots = items.filter(({ immutable }) => immutable === true).length;
  const most = targets.length * MOST_SNAPSHOTS;
  return snapshots <= most ? wrong : [...wrong, `there are ${snapshots} snapshots, and should be ${most} at most`];
}

interface ConfigMap {
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}
