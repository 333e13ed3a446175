// Plays the controller of Argo Rollouts, with a canary strategy of no steps: a ReplicaSet for each template, as it makes
// them, scaled up and down, numbered and pruned. And `kubectl argo rollouts undo`, which kubectl alone does not have.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../../controller/kube/api-error.ts';
import { ROLLOUTS } from './rollout-crd.ts';
import { admin, type Scenario } from './scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects of the API server, read as they come
type Json = any;

export const REVISION = 'rollout.argoproj.io/revision';
const HISTORY = 'rollout.argoproj.io/revision-history';
const DESIRED = 'rollout.argoproj.io/desired-replicas';
const HASH_LABEL = 'rollouts-pod-template-hash';
const NOT_COPIED = new Set(['kubectl.kubernetes.io/last-applied-configuration', REVISION, HISTORY, DESIRED]);
const PAUSE_MS = 150;
const MERGE = 'application/merge-patch+json';

export interface RolloutsStandIn {
  /** Throws the first thing that went wrong, other than a lost race. */
  stop(): Promise<void>;
}

/** Works on all Rollouts of the cluster, once there are any. */
export function startRolloutsStandIn(): RolloutsStandIn {
  const stopped = new AbortController();
  const templates = new Templates();
  const problems: unknown[] = [];
  const work = async () => {
    while (!stopped.signal.aborted) {
      await pass(templates).catch((error: unknown) => problems.push(error));
      await sleep(PAUSE_MS);
    }
  };
  const done = work();
  return {
    stop: async () => {
      stopped.abort();
      await done;
      if (problems.length > 0) throw problems[0];
    },
  };
}

async function pass(templates: Templates): Promise<void> {
  const rollouts = await items(ROLLOUTS).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  });
  if (rollouts.length === 0) return;
  const replicaSets = await items(`/apis/apps/v1/replicasets?labelSelector=${HASH_LABEL}`);
  for (const rollout of rollouts.filter(({ metadata }) => metadata.deletionTimestamp === undefined)) {
    try {
      await sync(rollout, replicaSets.filter(controlledBy(rollout)), templates);
    } catch (error) {
      // Others write too, and namespaces end: the next pass sees what became of it.
      if (!(error instanceof ApiError) || ![403, 404, 409, 422].includes(error.status)) throw error;
    }
  }
}

async function sync(rollout: Json, own: readonly Json[], templates: Templates): Promise<void> {
  const found = await templates.find(rollout, own);
  const older = own.filter((each) => each !== found);
  if (found === undefined && rollout.spec.paused === true) return report(rollout, own, undefined);
  const number = Math.max(0, ...older.map(revisionNumber)) + 1;
  const current =
    found === undefined
      ? await create(rollout, templates.nameOf(rollout), number)
      : await renew(rollout, found, number);
  const revision = current.metadata.annotations[REVISION];
  if (rollout.metadata.annotations?.[REVISION] !== revision) {
    const { resourceVersion } = rollout.metadata;
    await patch(pathOf(rollout), { metadata: { resourceVersion, annotations: { [REVISION]: revision } } });
  }
  await scale(rollout, current, older);
  await prune(rollout, older);
  await report(rollout, [current, ...older], current);
}

async function create(rollout: Json, name: string, number: number): Promise<Json> {
  const { namespace, uid } = rollout.metadata;
  const hash = name.slice(rollout.metadata.name.length + 1);
  const labels = { ...rollout.spec.template.metadata?.labels, [HASH_LABEL]: hash };
  const owner = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    name: rollout.metadata.name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  return admin().request<Json>('POST', `/apis/apps/v1/namespaces/${namespace}/replicasets`, {
    body: {
      metadata: {
        name,
        labels,
        ownerReferences: [owner],
        annotations: { ...copied(rollout), [REVISION]: `${number}`, [DESIRED]: `${replicasOf(rollout)}` },
      },
      spec: {
        replicas: replicasOf(rollout),
        selector: { matchLabels: { ...rollout.spec.selector.matchLabels, [HASH_LABEL]: hash } },
        template: { ...rollout.spec.template, metadata: { ...rollout.spec.template.metadata, labels } },
      },
    },
  });
}

// Annotations are copied to the ReplicaSet at each pass, and never taken away from it.
async function renew(rollout: Json, replicaSet: Json, number: number): Promise<Json> {
  const { annotations = {}, resourceVersion } = replicaSet.metadata;
  const before = revisionNumber(replicaSet);
  const renumbered = {
    [REVISION]: `${number}`,
    [HISTORY]: [annotations[HISTORY], before].filter((each) => each !== undefined).join(','),
  };
  const wanted = { ...annotations, ...copied(rollout), ...(before < number ? renumbered : {}) };
  if (Object.entries(wanted).every(([key, value]) => annotations[key] === value)) return replicaSet;
  return patch(pathOf(replicaSet), { metadata: { resourceVersion, annotations: wanted } });
}

function copied(rollout: Json): Record<string, string> {
  const annotations = Object.entries<string>(rollout.metadata.annotations ?? {});
  return Object.fromEntries(annotations.filter(([key]) => !NOT_COPIED.has(key)));
}

async function scale(rollout: Json, current: Json, older: readonly Json[]): Promise<void> {
  const replicas = replicasOf(rollout);
  if (current.spec.replicas !== replicas) await patch(pathOf(current), { spec: { replicas } });
  if ((current.status?.availableReplicas ?? 0) < replicas) return;
  for (const each of older) if (each.spec.replicas > 0) await patch(pathOf(each), { spec: { replicas: 0 } });
}

async function prune({ spec }: Json, older: readonly Json[]): Promise<void> {
  const surplus = older.length - (spec.revisionHistoryLimit ?? 10);
  const oldest = [...older].sort((a, b) => revisionNumber(a) - revisionNumber(b)).slice(0, Math.max(0, surplus));
  for (const each of oldest) {
    if (each.spec.replicas === 0 && (each.status?.replicas ?? 0) === 0)
      await admin().request('DELETE', pathOf(each), { body: { propagationPolicy: 'Background' } });
  }
}

async function report(rollout: Json, own: readonly Json[], current: Json): Promise<void> {
  const sum = (of: readonly Json[], field: string) =>
    of.reduce((total, { status }) => total + (status?.[field] ?? 0), 0);
  const updated = current === undefined ? [] : [current];
  const isThrough =
    sum(updated, 'availableReplicas') >= replicasOf(rollout) && sum(own, 'replicas') === sum(updated, 'replicas');
  const status = {
    // A string, unlike that of every other kind.
    observedGeneration: `${rollout.metadata.generation}`,
    currentPodHash: current?.metadata.labels[HASH_LABEL],
    replicas: sum(own, 'replicas'),
    updatedReplicas: sum(updated, 'replicas'),
    readyReplicas: sum(own, 'readyReplicas'),
    availableReplicas: sum(own, 'availableReplicas'),
    phase: isThrough ? 'Healthy' : 'Progressing',
  };
  const before = rollout.status ?? {};
  if (Object.entries(status).every(([key, value]) => before[key] === value)) return;
  await patch(`${pathOf(rollout)}/status`, { status });
}

/** Which ReplicaSet is that of a Rollout's template. */
class Templates {
  /** By the text of a template: the same with the defaults that the API server sets. */
  readonly #defaulted = new Map<string, string>();

  nameOf({ metadata, spec }: Json): string {
    return `${metadata.name}-${createHash('sha256').update(canonical(spec.template)).digest('hex').slice(0, 10)}`;
  }

  // By name, which is the hash of the template as it was written; or else, since an undo brings a template with all its
  // defaults, by equality with the defaults set.
  async find(rollout: Json, own: readonly Json[]): Promise<Json | undefined> {
    const named = own.find(({ metadata }) => metadata.name === this.nameOf(rollout));
    if (named !== undefined) return named;
    const wanted = await this.#withDefaults(rollout);
    return own.find(({ spec }) => canonical(spec.template) === wanted);
  }

  // Argo's controller has the API server's functions for this; here, the API server itself is asked.
  async #withDefaults({ metadata, spec }: Json): Promise<string> {
    const text = canonical(spec.template);
    const known = this.#defaulted.get(text);
    if (known !== undefined) return known;
    const path = `/api/v1/namespaces/${metadata.namespace}/podtemplates?dryRun=All`;
    const body = { metadata: { name: 'defaults' }, template: spec.template };
    const { template } = await admin().request<Json>('POST', path, { body });
    const defaulted = canonical(template);
    this.#defaulted.set(text, defaulted);
    return defaulted;
  }
}

// Without the hash label, which ReplicaSets have and Rollouts have not, and without nulls.
function canonical(template: Json): string {
  return JSON.stringify(template, (key, value) => {
    if (key === HASH_LABEL || value === null) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/**
 * `kubectl argo rollouts undo NAME [--to-revision=N]`, as pkg/kubectl-argo-rollouts/cmd/undo of Argo Rollouts does it: the
 * ReplicaSet's template takes the place of the Rollout's. Annotations stay as they are.
 */
export async function undoRollout(scenario: Scenario, name: string, toRevision?: number): Promise<void> {
  const path = `/apis/argoproj.io/v1alpha1/namespaces/${scenario.namespace}/rollouts/${name}`;
  const rollout = await admin().request<Json>('GET', path);
  const all = await items(`/apis/apps/v1/namespaces/${scenario.namespace}/replicasets`);
  const newestFirst = all.filter(controlledBy(rollout)).sort((a, b) => revisionNumber(b) - revisionNumber(a));
  const target =
    toRevision === undefined ? newestFirst[1] : newestFirst.find((each) => revisionNumber(each) === toRevision);
  if (target === undefined) throw new Error(`no revision ${toRevision ?? 'before the last'} of rollout ${name}`);
  const template = structuredClone(target.spec.template);
  delete template.metadata.labels[HASH_LABEL];
  const body = [{ op: 'replace', path: '/spec/template', value: template }];
  await admin().request('PATCH', path, { body, contentType: 'application/json-patch+json' });
}

function controlledBy({ metadata }: Json): (object: Json) => boolean {
  return (object) =>
    object.metadata.ownerReferences?.some(({ uid, controller }: Json) => controller === true && uid === metadata.uid) ??
    false;
}

export function revisionNumber({ metadata }: Json): number {
  return Number(metadata.annotations?.[REVISION] ?? 0);
}

function replicasOf({ spec }: Json): number {
  return spec.replicas ?? 1;
}

async function items(path: string): Promise<Json[]> {
  return (await admin().request<{ items: Json[] }>('GET', path)).items;
}

function patch(path: string, body: Json): Promise<Json> {
  return admin().request<Json>('PATCH', path, { body, contentType: MERGE });
}

// Objects out of a list do not say their kind.
function pathOf({ metadata, spec }: Json): string {
  const isReplicaSet = spec.selector?.matchLabels?.[HASH_LABEL] !== undefined;
  const group = isReplicaSet ? 'apps/v1' : 'argoproj.io/v1alpha1';
  return `/apis/${group}/namespaces/${metadata.namespace}/${isReplicaSet ? 'replicasets' : 'rollouts'}/${metadata.name}`;
}
