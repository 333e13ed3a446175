// The StatefulSet controller of the simulated cluster, after pkg/controller/statefulset and pkg/controller/history: one
// look replaces one pod, so that a rollout takes a few of them, and the status is behind meanwhile. Pods are ready at once.

import { createHash } from 'node:crypto';
import {
  controllerRevisionEntry,
  controlling,
  type HistoryEntry,
  isOwnedBy,
  type RawControllerRevision,
  type RawWorkload,
  type SetStatus,
  sameJson,
  type Template,
} from './simulated-objects.ts';
import type { Storage } from './simulated-storage.ts';

export interface Pod {
  /** Of its ControllerRevision. */
  readonly revision: string;
  readonly template: Template;
}

/** The ControllerRevisions of a StatefulSet, oldest first. */
export function controllerRevisionsOf(storage: Storage, name: string): HistoryEntry[] {
  const own = storage.all<RawControllerRevision>('ControllerRevision').filter((object) => isOwnedBy(object, name));
  return own.map(controllerRevisionEntry).sort((a, b) => a.number - b.number);
}

export class StatefulSetController {
  readonly #storage: Storage;
  /** By the name of their set; the index is the ordinal, and one that was deleted is undefined. */
  readonly #pods = new Map<string, (Pod | undefined)[]>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Those that run. */
  podsOf(name: string): Pod[] {
    return (this.#pods.get(name) ?? []).filter((pod) => pod !== undefined);
  }

  deletePods(name: string): void {
    this.#pods.set(name, this.#pods.get(name)?.map(() => undefined) ?? []);
  }

  /** One look at each StatefulSet. */
  run(): void {
    for (const set of this.#storage.all<RawWorkload>('StatefulSet')) this.#look(set);
  }

  #look(set: RawWorkload): void {
    const { name } = set.metadata;
    const history = controllerRevisionsOf(this.#storage, name);
    const update = this.#updateRevision(set, history);
    const current = history.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
    const pods = this.#scaled(set, current, update);
    this.#pods.set(name, pods);
    const status = statusOf(set, pods, current, update);
    this.#storage.edit<RawWorkload>('StatefulSet', name, (copy) => {
      copy.status = status;
    });
    this.#truncate(set, history, [current, update]);
    this.#deleteOutdated(set, pods, update);
  }

  // An equal revision is used again: only its number changes, whatever annotations it has.
  #updateRevision(set: RawWorkload, history: readonly HistoryEntry[]): HistoryEntry {
    const newest = history.at(-1);
    const equal = history.findLast(({ template }) => sameJson(template, set.spec.template));
    const number = (newest?.number ?? 0) + 1;
    if (equal === undefined) return this.#create(set, number);
    if (equal === newest) return equal;
    this.#storage.edit<RawControllerRevision>('ControllerRevision', equal.metadata.name, (copy) => {
      copy.revision = number;
    });
    return equal;
  }

  // The name says the content, so that a revision that was deleted comes back by its old name.
  #create(set: RawWorkload, revision: number): HistoryEntry {
    const data = { spec: { template: { ...set.spec.template, $patch: 'replace' as const } } };
    const hash = createHash('sha256').update(JSON.stringify(data)).digest('hex').slice(0, 10);
    const name = `${set.metadata.name}-${hash}`;
    const existing = this.#storage.get<RawControllerRevision>('ControllerRevision', name);
    const created =
      existing ??
      this.#storage.create<RawControllerRevision>('ControllerRevision', {
        metadata: {
          name,
          labels: { ...set.spec.template.metadata.labels, 'controller.kubernetes.io/hash': hash },
          annotations: { ...set.metadata.annotations },
          ownerReferences: [controlling('StatefulSet', set)],
        },
        data,
        revision,
      });
    return controllerRevisionEntry(created);
  }

  // Those that are missing are made: below the partition of the current revision, else of the newest.
  #scaled({ metadata, spec }: RawWorkload, current: HistoryEntry, update: HistoryEntry): (Pod | undefined)[] {
    const before = this.#pods.get(metadata.name) ?? [];
    const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    return Array.from({ length: spec.replicas }, (_, ordinal) => {
      const made = ordinal < partition ? current : update;
      return before[ordinal] ?? { revision: made.metadata.name, template: made.template };
    });
  }

  // From the highest ordinal down, one at a time.
  #deleteOutdated({ spec }: RawWorkload, pods: (Pod | undefined)[], update: HistoryEntry): void {
    if (spec.updateStrategy?.type === 'OnDelete') return;
    const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    const target = pods.findLastIndex((pod) => pod?.revision !== update.metadata.name);
    if (target >= partition) pods[target] = undefined;
  }

  // Those that the look began with; those in use are not counted.
  #truncate({ metadata, spec }: RawWorkload, history: readonly HistoryEntry[], used: readonly HistoryEntry[]): void {
    const live = new Set([
      ...used.map((each) => each.metadata.name),
      ...this.podsOf(metadata.name).map(({ revision }) => revision),
    ]);
    const old = history.filter((each) => !live.has(each.metadata.name));
    const surplus = Math.max(0, old.length - spec.revisionHistoryLimit);
    for (const each of old.slice(0, surplus)) this.#storage.delete('ControllerRevision', each.metadata.name);
  }
}

function statusOf(
  { metadata, spec }: RawWorkload,
  pods: readonly (Pod | undefined)[],
  current: HistoryEntry,
  update: HistoryEntry,
): SetStatus {
  const of = ({ metadata: { name } }: HistoryEntry) => pods.filter((pod) => pod?.revision === name).length;
  const [currentRevision, updateRevision] = [current.metadata.name, update.metadata.name];
  const updatedReplicas = of(update);
  // With OnDelete the current revision stays what it once was.
  const isComplete = spec.updateStrategy?.type !== 'OnDelete' && updatedReplicas === spec.replicas;
  return {
    observedGeneration: metadata.generation ?? 0,
    replicas: pods.length,
    updatedReplicas,
    updateRevision,
    currentReplicas: isComplete ? updatedReplicas : of(current),
    currentRevision: isComplete ? updateRevision : currentRevision,
  };
}
