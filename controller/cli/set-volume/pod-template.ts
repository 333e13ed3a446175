// The parts of a pod template that volumes are about. Raw JSON: what is not named here is carried along untouched.

import type { Json } from '../cluster.ts';
import type { SourceName } from '../sources.ts';

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

/** The pod spec of a workload's raw object; undefined when it has none of its own, as a Rollout with a workloadRef. */
export function podSpecOf(workload: Json): PodSpec | undefined {
  const spec = workload['spec'] as { readonly template?: { readonly spec?: PodSpec } } | undefined;
  return spec?.template?.spec;
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

/** The ConfigMap or Secret that a volume holds as a whole, or a snapshot of it. */
export function sourceOfVolume({ configMap, secret }: Volume): SourceName | undefined {
  if (configMap?.name) return { kind: 'ConfigMap', name: configMap.name };
  return secret?.secretName ? { kind: 'Secret', name: secret.secretName } : undefined;
}

/** The same for one part of a projected volume. */
export function sourceOfProjection({ configMap, secret }: Json): SourceName | undefined {
  const { name } = ((configMap ?? secret) as { readonly name?: string } | undefined) ?? {};
  return name ? { kind: configMap === undefined ? 'Secret' : 'ConfigMap', name } : undefined;
}

/** The ConfigMaps and Secrets that are mounted, projected ones too. */
export function mountedSources(spec: PodSpec): SourceName[] {
  return (spec.volumes ?? [])
    .flatMap((volume) => [sourceOfVolume(volume), ...(volume.projected?.sources ?? []).map(sourceOfProjection)])
    .filter((name) => name !== undefined);
}
