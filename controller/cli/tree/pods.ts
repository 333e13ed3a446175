// Pods, by the revision that they run.

import { isFailure } from '../../app/errors.ts';
import type { Revision } from '../../core/types.ts';
import type { ResourceName } from '../../workloads/kind.ts';
import { controllerOf, rawObject } from '../../workloads/raw.ts';
import type { Cluster, Json } from '../cluster.ts';

const PODS: ResourceName = { apiVersion: 'v1', kind: 'Pod', resource: 'pods' };
// On pods of StatefulSets, the name of the ControllerRevision; of DaemonSets, how it ends.
const REVISION_HASH_LABEL = 'controller-revision-hash';

export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly createdAt: number | undefined;
  /** Empty where only the metadata was read. */
  readonly phase: string;
}

export class Pods {
  /** Why there are none, in the server's words. */
  readonly refusal: string | undefined;
  readonly #raws: readonly Json[];

  private constructor(raws: readonly Json[], refusal?: string) {
    this.#raws = raws;
    this.refusal = refusal;
  }

  /** `details`: with what only the whole object says. */
  static async list(cluster: Cluster, details: boolean): Promise<Pods> {
    const raws: Json[] = [];
    try {
      for await (const raw of cluster.list(PODS, { metadataOnly: !details })) raws.push(raw);
    } catch (error) {
      if (!isFailure(error, 'Forbidden')) throw error;
      return new Pods([], (error as Error).message);
    }
    return new Pods(raws);
  }

  /** By name. */
  of(revision: Revision): Pod[] {
    return this.#raws
      .filter((raw) => runs(raw, revision))
      .flatMap((raw) => project(raw) ?? [])
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

function runs(raw: Json, { uid, kind, name, workload }: Revision): boolean {
  const controller = controllerOf(raw)?.uid;
  if (kind === 'ReplicaSet') return controller === uid;
  const hash = rawObject(raw)?.metadata.labels?.[REVISION_HASH_LABEL];
  return controller === workload?.uid && hash !== undefined && (name === hash || name.endsWith(`-${hash}`));
}

function project(value: Json): Pod | undefined {
  const raw = rawObject(value);
  if (raw === undefined) return undefined;
  const { namespace, name, uid, creationTimestamp = '', deletionTimestamp } = raw.metadata;
  const { phase = '' } = raw.status ?? {};
  return {
    namespace,
    name,
    uid,
    createdAt: Date.parse(creationTimestamp) || undefined,
    phase: deletionTimestamp === undefined ? phase : 'Terminating',
  };
}
