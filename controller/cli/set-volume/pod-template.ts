// The parts of a pod template that volumes are about. Raw JSON: what is not named here is carried along untouched.

import type { Json } from '../cluster.ts';

interface Files extends Json {
  readonly defaultMode?: number;
}

export interface Volume extends Json {
  readonly name: string;
  readonly configMap?: Files & { readonly name?: string };
  readonly secret?: Files & { readonly secretName?: string };
  readonly projected?: { readonly sources?: readonly Json[] };
}

export interface Mount extends Json {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly readOnly?: boolean;
}

export interface Container extends Json {
  readonly name: string;
  readonly volumeMounts?: readonly Mount[];
}

export interface PodSpec extends Json {
  readonly volumes?: readonly Volume[];
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}

/** The pod spec of a workload's raw object. */
export function podSpecOf(workload: Json): PodSpec {
  const spec = workload['spec'] as { readonly template?: { readonly spec?: PodSpec } } | undefined;
  return spec?.template?.spec ?? { containers: [] };
}

/** The workload with another pod spec. */
export function withPodSpec(workload: Json, podSpec: PodSpec): Json {
  const spec = workload['spec'] as Json;
  return { ...workload, spec: { ...spec, template: { ...(spec['template'] as Json), spec: podSpec } } };
}

export function allContainers(spec: PodSpec): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

/** Changes the containers that are selected, and leaves the others as they are. */
export function mapContainers(
  spec: PodSpec,
  selects: (container: Container) => boolean,
  change: (container: Container) => Container,
): PodSpec {
  const map = (containers: readonly Container[]) =>
    containers.map((container) => (selects(container) ? change(container) : container));
  return {
    ...spec,
    ...(spec.initContainers !== undefined && { initContainers: map(spec.initContainers) }),
    containers: map(spec.containers),
  };
}

/** An empty list is left out: the API server does so, and a patch of nothing should be nothing. */
export function withVolumes(spec: PodSpec, volumes: readonly Volume[]): PodSpec {
  const { volumes: _, ...rest } = spec;
  // The rest of a type with an index signature forgets the keys that it knew.
  return volumes.length === 0 ? (rest as PodSpec) : { ...spec, volumes };
}

export function withMounts(container: Container, mounts: readonly Mount[]): Container {
  const { volumeMounts: _, ...rest } = container;
  return mounts.length === 0 ? (rest as Container) : { ...container, volumeMounts: mounts };
}

/** The names of the ConfigMaps that are mounted, projected ones too. */
export function mountedConfigMaps(spec: PodSpec): string[] {
  return (spec.volumes ?? []).flatMap((volume) => [
    ...(volume.configMap?.name ? [volume.configMap.name] : []),
    ...(volume.projected?.sources ?? []).flatMap((source) => {
      const name = (source['configMap'] as Json | undefined)?.['name'];
      return typeof name === 'string' ? [name] : [];
    }),
  ]);
}
