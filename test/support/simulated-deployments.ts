// The Deployment controller of the simulated cluster, after pkg/controller/deployment; pods come and go at once.

import {
  controlling,
  HASH_LABEL,
  type HistoryEntry,
  isOwnedBy,
  type RawReplicaSet,
  type RawWorkload,
  REVISION,
  replicaSetEntry,
  type Strings,
  sameJson,
} from './simulated-objects.ts';
import type { Storage } from './simulated-storage.ts';

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** The ReplicaSets of a Deployment, oldest revision first. */
export function replicaSetsOf(storage: Storage, name: string): HistoryEntry[] {
  const own = storage.all<RawReplicaSet>('ReplicaSet').filter((object) => isOwnedBy(object, name));
  return own.map(replicaSetEntry).sort((a, b) => a.number - b.number);
}

export class DeploymentController {
  readonly #storage: Storage;
  /** The storage's version at which it last found nothing to do. */
  #idleAt: number | undefined;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** One look at each Deployment. */
  run(): void {
    const { version } = this.#storage;
    if (this.#idleAt === version) return;
    this.#look();
    this.#idleAt = this.#storage.version === version ? version : undefined;
  }

  #look(): void {
    for (const deployment of this.#storage.all<RawWorkload>('Deployment')) {
      if (!deployment.spec.paused) this.#roll(deployment);
      this.#observe(deployment);
      this.#prune(deployment);
    }
  }

  #roll(deployment: RawWorkload): void {
    const { metadata, spec } = deployment;
    const all = replicaSetsOf(this.#storage, metadata.name);
    const newest = Math.max(0, ...all.map(({ number }) => number));
    const same = all.find(({ template }) => sameJson(template, spec.template));
    const number = same?.number === newest ? newest : newest + 1;
    const { [LAST_APPLIED]: _, ...copied } = metadata.annotations ?? {};
    const annotations = { ...same?.metadata.annotations, ...copied, [REVISION]: `${number}` };
    if (same === undefined) this.#create(deployment, annotations);
    else
      this.#storage.edit<RawReplicaSet>('ReplicaSet', same.metadata.name, (copy) => {
        copy.metadata.annotations = annotations;
        scale(copy, spec.replicas);
      });
    for (const other of all.filter((each) => each !== same)) {
      this.#storage.edit<RawReplicaSet>('ReplicaSet', other.metadata.name, (copy) => scale(copy, 0));
    }
    this.#storage.edit<RawWorkload>('Deployment', metadata.name, (copy) => {
      copy.metadata.annotations = { ...copy.metadata.annotations, [REVISION]: `${number}` };
    });
  }

  #create(deployment: RawWorkload, annotations: Strings): void {
    const { metadata, spec } = deployment;
    const hash = `${this.#storage.version}`;
    const labels = { ...spec.template.metadata.labels, [HASH_LABEL]: hash };
    this.#storage.create<RawReplicaSet>('ReplicaSet', {
      metadata: {
        name: `${metadata.name}-${hash}`,
        annotations,
        ownerReferences: [controlling('Deployment', deployment)],
      },
      spec: {
        replicas: spec.replicas,
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
      status: { replicas: spec.replicas },
    });
  }

  #observe({ metadata: { name, generation } }: RawWorkload): void {
    this.#storage.edit<RawWorkload>('Deployment', name, (copy) => {
      copy.status = { ...copy.status, observedGeneration: generation ?? 0 };
    });
  }

  #prune({ metadata, spec }: RawWorkload): void {
    const isOld = ({ metadata: { name } }: HistoryEntry) => {
      const found = this.#storage.get<RawReplicaSet>('ReplicaSet', name);
      return found?.spec.replicas === 0 && found.status.replicas === 0;
    };
    const old = replicaSetsOf(this.#storage, metadata.name).filter(isOld);
    const surplus = Math.max(0, old.length - spec.revisionHistoryLimit);
    for (const { metadata } of old.slice(0, surplus)) this.#storage.delete('ReplicaSet', metadata.name);
  }
}

function scale(copy: RawReplicaSet, replicas: number): void {
  copy.spec.replicas = replicas;
  copy.status.replicas = replicas;
}
