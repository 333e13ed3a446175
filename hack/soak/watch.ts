// Sees every template of a fleet as it changes, by the controller's own reflector, but past the proxy.

import { Reflector } from '../../controller/runtime/reflector.ts';
import { Store, type Stored } from '../../controller/runtime/store.ts';
import { collection, type Place } from './changes.ts';
import type { Target, Templated } from './fleet.ts';

interface Workload extends Templated {
  readonly metadata: Stored;
}

/** Tells what the templates of these workloads name, now and at each change. Resolves when all were listed. */
export async function watchTemplates(
  place: Place,
  targets: readonly Target[],
  onSeen: (name: string, mounted: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const reflectors = [...new Set(targets.map(({ is }) => is))].map((kind) => {
    const project = (raw: unknown): Stored => {
      const { metadata, spec } = raw as Workload;
      onSeen(metadata.name, spec.template.spec.volumes[0]?.configMap.name ?? '');
      return metadata;
    };
    return new Reflector({
      name: kind.resource,
      scope: place.namespace,
      listWatch: place.client.listWatch(collection(place, kind)),
      project,
      store: new Store<Stored>({}),
      log: () => undefined,
    });
  });
  for (const reflector of reflectors) void reflector.run(signal);
  await Promise.all(reflectors.map(({ synced }) => synced));
}
