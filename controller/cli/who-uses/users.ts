// What may use a ConfigMap or a Secret: everything that has a pod template or is a pod. Read in pages, all kinds at once,
// and reduced to what names something as it arrives.

import { isFailure } from '../../app/errors.ts';
import type { OwnerReference, Workload } from '../../core/types.ts';
import { WORKLOAD_KINDS } from '../../workloads/kinds.ts';
import type { Cluster, Json } from '../cluster.ts';
import { ServerError } from '../errors.ts';
import { inOrder } from '../reading.ts';
import { type Resource, WORKLOADS } from '../resources.ts';
import { findPlaces, type Place } from './places.ts';

interface UserKind extends Resource {
  /** Where its pod template is. */
  readonly template: readonly string[];
  /** The versions of the API under which it is known, newest first. */
  readonly apiVersions: readonly string[];
}

export interface User {
  readonly kind: UserKind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The uid of what controls it. */
  readonly controller: string | undefined;
  /** Of a kind that the controller rolls. */
  readonly workload: Workload | undefined;
  /** A ReplicaSet without pods: kept for an undo, or that of a workload that is scaled to zero. */
  readonly isIdle: boolean;
  /** The number that the workload's controller gave the revision, and the workload of that revision. */
  readonly revision: string | undefined;
  readonly places: readonly Place[];
}

export interface Users {
  /** In the order of their kinds, and by namespace and name. */
  readonly all: readonly User[];
  /** The error for each kind that may not be listed. */
  readonly refused: readonly { readonly kind: UserKind; readonly error: ServerError }[];
  /** The kinds that were listed. */
  readonly listed: readonly UserKind[];
}

const TEMPLATE = ['spec', 'template'];
// Of Deployments and of Rollouts; in the history of both, and on themselves.
const REVISIONS = ['deployment.kubernetes.io/revision', 'rollout.argoproj.io/revision'];

function userKind(
  apiVersion: string,
  kind: string,
  template: readonly string[],
  older: readonly string[] = [],
): UserKind {
  const [group] = apiVersion.includes('/') ? apiVersion.split('/') : [];
  const resource = `${kind.toLowerCase()}s`;
  const printed = group === undefined ? kind.toLowerCase() : `${kind.toLowerCase()}.${group}`;
  return { apiVersion, kind, resource, printed, aliases: [], template, apiVersions: [apiVersion, ...older] };
}

/** In the order in which they are listed. A pod is its own template. */
export const USER_KINDS: readonly UserKind[] = [
  ...WORKLOADS.map((resource) => ({ ...resource, template: TEMPLATE, apiVersions: [resource.apiVersion] })),
  userKind('batch/v1', 'CronJob', ['spec', 'jobTemplate', 'spec', 'template'], ['batch/v1beta1']),
  userKind('apps/v1', 'ReplicaSet', TEMPLATE),
  userKind('batch/v1', 'Job', TEMPLATE),
  userKind('v1', 'Pod', []),
];

/** `isWanted` says which names matter; a pod that has none is forgotten, everything else may be the owner of one. */
export async function listUsers(
  cluster: Cluster,
  allNamespaces: boolean,
  isWanted: (place: Place) => boolean,
): Promise<Users> {
  const lists = await inOrder(USER_KINDS.map((kind) => listKind(cluster, kind, allNamespaces, isWanted)));
  const outcomes = USER_KINDS.map((kind, i) => ({ kind, list: lists[i] }));
  return {
    all: outcomes.flatMap(({ list }) => (Array.isArray(list) ? list : [])),
    listed: outcomes.flatMap(({ kind, list }) => (Array.isArray(list) ? [kind] : [])),
    refused: outcomes.flatMap(({ kind, list }) => (list instanceof ServerError ? [{ kind, error: list }] : [])),
  };
}

/** Undefined when there is no such kind in the cluster. */
async function listKind(
  cluster: Cluster,
  kind: UserKind,
  allNamespaces: boolean,
  isWanted: (place: Place) => boolean,
): Promise<User[] | ServerError | undefined> {
  for (const apiVersion of kind.apiVersions) {
    try {
      return await listVersion(cluster, { ...kind, apiVersion }, allNamespaces, isWanted);
    } catch (error) {
      if (isFailure(error, 'NotFound')) continue;
      if (error instanceof ServerError && isFailure(error, 'Forbidden')) return refusal(cluster, kind, error);
      throw error;
    }
  }
  return undefined;
}

async function listVersion(
  cluster: Cluster,
  kind: UserKind,
  allNamespaces: boolean,
  isWanted: (place: Place) => boolean,
): Promise<User[]> {
  const users: User[] = [];
  for await (const raw of cluster.list(kind, { allNamespaces })) {
    const user = project(kind, raw, isWanted);
    if (user.places.length > 0 || kind.kind !== 'Pod') users.push(user);
  }
  return users.sort(byName);
}

// Where a kind is not installed, those who have no right to it are told that, and not that it is not there.
async function refusal(cluster: Cluster, kind: UserKind, error: ServerError): Promise<ServerError | undefined> {
  const isOptional = WORKLOAD_KINDS.some((known) => known.kind === kind.kind && known.optional === true);
  return isOptional && !(await cluster.serves(kind)) ? undefined : error;
}

function project(kind: UserKind, raw: Json, isWanted: (place: Place) => boolean): User {
  const metadata = raw['metadata'] as {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly OwnerReference[];
  };
  const template = kind.template.reduce<unknown>((value, key) => (value as Json | undefined)?.[key], raw);
  return {
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    controller: metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid,
    workload: WORKLOAD_KINDS.find((known) => known.kind === kind.kind)?.project(raw),
    isIdle: kind.kind === 'ReplicaSet' && (raw['spec'] as Json | undefined)?.['replicas'] === 0,
    revision: REVISIONS.map((annotation) => metadata.annotations?.[annotation]).find((number) => number !== undefined),
    places: findPlaces(template).filter(isWanted),
  };
}

function byName(a: User, b: User): number {
  return compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

// By bytes, as the API server sorts.
function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
