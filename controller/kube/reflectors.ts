// What is watched: ConfigMaps and Secrets by their metadata alone, workloads and revisions as projections.

import type { World } from '../app/world.ts';
import type { Log } from '../runtime/log.ts';
import { Reflector, type ReflectorOptions } from '../runtime/reflector.ts';
import { EVERYWHERE, type Store, type Stored } from '../runtime/store.ts';
import { CONFIG_ROLLOUTS, projectConfigRollout } from '../workloads/config-rollout.ts';
import type { ResourceName } from '../workloads/kind.ts';
import { revisionKinds } from '../workloads/kinds.ts';
import type { ProjectSource } from '../workloads/raw.ts';
import { SOURCES } from '../workloads/sources.ts';
import type { KubeClient } from './client.ts';
import { resourcePath } from './paths.ts';

const NAMESPACES: ResourceName = { apiVersion: 'v1', kind: 'Namespace', resource: 'namespaces' };

export interface RunnableReflector {
  readonly name: string;
  readonly synced: Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

export interface Watching {
  /** All when empty. */
  readonly namespaces: readonly string[];
  /** A label selector of namespaces, as the API server takes it. */
  readonly namespaceSelector: string | undefined;
  readonly projectSource: ProjectSource;
}

/** One reflector for each resource, and for each of `namespaces`; for all of them when the list is empty. */
export function reflectorsOf(client: KubeClient, world: World, watching: Watching, log: Log): RunnableReflector[] {
  const { namespaces, namespaceSelector, projectSource } = watching;
  const scopes = namespaces.length > 0 ? namespaces : [undefined];
  const make = <T extends Stored>(
    of: ResourceName & { readonly optional?: boolean },
    store: Store<T> | undefined,
    project: ReflectorOptions<T>['project'],
    {
      metadataOnly = false,
      onServed,
    }: { metadataOnly?: boolean; onServed?: (scope: string, isServed: boolean) => void } = {},
  ): RunnableReflector[] =>
    scopes.flatMap((namespace) => {
      if (store === undefined) return [];
      const listWatch = client.listWatch(resourcePath(of, namespace), { metadataOnly });
      const scope = namespace ?? EVERYWHERE;
      return [
        new Reflector({
          name: of.resource,
          optional: of.optional === true,
          scope,
          listWatch,
          project,
          store,
          log,
          ...(onServed && { onServed: (isServed) => onServed(scope, isServed) }),
        }),
      ];
    });
  return [
    ...[...world.sources].flatMap(([kind, store]) =>
      make(SOURCES[kind], store, (raw) => projectSource(kind, raw), { metadataOnly: true }),
    ),
    ...world.kinds.flatMap((kind) => make(kind, world.workloads.get(kind.kind), (raw) => kind.project(raw))),
    ...revisionKinds(world.kinds).flatMap((kind) =>
      make(kind, world.revisions.get(kind.kind), (raw) => kind.project(raw)),
    ),
    // Nothing depends on it that design promises: an install without the CRD works.
    ...make({ ...CONFIG_ROLLOUTS, optional: true }, world.configRollouts, projectConfigRollout, {
      onServed: (scope, areServed) => world.noteConfigRollouts(scope, areServed),
    }),
    ...selectedNamespaces(client, world.scope.selected, namespaceSelector, log),
  ];
}

function selectedNamespaces(
  client: KubeClient,
  store: Store<Stored> | undefined,
  labelSelector: string | undefined,
  log: Log,
): RunnableReflector[] {
  if (store === undefined || labelSelector === undefined) return [];
  const listWatch = client.listWatch(resourcePath(NAMESPACES), { metadataOnly: true, query: { labelSelector } });
  const project = (raw: unknown): Stored => {
    const { name, uid, resourceVersion } = Object(raw).metadata;
    return { namespace: '', name, uid, resourceVersion };
  };
  return [new Reflector<Stored>({ name: 'namespaces', scope: EVERYWHERE, listWatch, project, store, log })];
}
