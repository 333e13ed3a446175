// What is watched: ConfigMaps by their metadata alone, workloads and revisions as projections.

import type { World } from '../app/world.ts';
import type { Log } from '../runtime/log.ts';
import { Reflector } from '../runtime/reflector.ts';
import { EVERYWHERE, type Store, type Stored } from '../runtime/store.ts';
import type { ResourceName } from '../workloads/kind.ts';
import { WORKLOAD_KINDS } from '../workloads/kinds.ts';
import { projectConfigMap } from '../workloads/raw.ts';
import type { KubeClient } from './client.ts';
import { resourcePath } from './paths.ts';

export interface RunnableReflector {
  readonly synced: Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

/** One reflector for each resource, and for each of `namespaces`; for all of them when the list is empty. */
export function reflectorsOf(
  client: KubeClient,
  world: World,
  namespaces: readonly string[],
  log: Log,
): RunnableReflector[] {
  const make = <T extends Stored>(
    of: ResourceName,
    store: Store<T> | undefined,
    project: (raw: unknown) => T | undefined,
    metadataOnly = false,
  ) =>
    store === undefined
      ? []
      : (namespaces.length > 0 ? namespaces : [undefined]).map((namespace) => {
          const listWatch = client.listWatch(resourcePath(of, namespace), { metadataOnly });
          return new Reflector<T>({
            name: of.resource,
            scope: namespace ?? EVERYWHERE,
            listWatch,
            project,
            store,
            log,
          });
        });
  const configMaps: ResourceName = { apiVersion: 'v1', kind: 'ConfigMap', resource: 'configmaps' };
  return [
    ...make(configMaps, world.configMaps, projectConfigMap, true),
    ...WORKLOAD_KINDS.flatMap((kind) => [
      ...make(kind, world.workloads.get(kind.kind), (raw) => kind.project(raw)),
      ...make(kind.revisions, world.revisions.get(kind.kind), (raw) => kind.projectRevision(raw)),
    ]),
  ];
}
