// What a kubelet would say of a pod, as pure functions: which objects it needs before it can start, and its status when
// it runs or cannot.

export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
  };
  readonly spec: PodSpec;
  readonly status?: { readonly phase?: string; readonly conditions?: readonly { type: string; status: string }[] };
}

interface Reference {
  readonly name?: string;
  readonly optional?: boolean;
}

interface EnvSources {
  readonly env?: readonly {
    readonly valueFrom?: { readonly configMapKeyRef?: Reference; readonly secretKeyRef?: Reference };
  }[];
  readonly envFrom?: readonly { readonly configMapRef?: Reference; readonly secretRef?: Reference }[];
}

interface Container extends EnvSources {
  readonly name: string;
  readonly image?: string;
}

interface SecretVolume {
  readonly secretName?: string;
  readonly optional?: boolean;
}

interface Volume {
  readonly configMap?: Reference;
  readonly secret?: SecretVolume;
  readonly projected?: {
    readonly sources?: readonly { readonly configMap?: Reference; readonly secret?: Reference }[];
  };
}

export interface PodSpec {
  readonly nodeName?: string;
  readonly hostNetwork?: boolean;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly schedulingGates?: readonly unknown[];
}

export interface Needed {
  readonly kind: 'configmaps' | 'secrets';
  readonly name: string;
}

function need(kind: Needed['kind'], reference: Reference | undefined): Needed[] {
  if (reference?.name === undefined || reference.optional === true) return [];
  return [{ kind, name: reference.name }];
}

function neededByContainer(container: EnvSources): Needed[] {
  return [
    ...(container.env ?? []).flatMap(({ valueFrom }) => [
      ...need('configmaps', valueFrom?.configMapKeyRef),
      ...need('secrets', valueFrom?.secretKeyRef),
    ]),
    ...(container.envFrom ?? []).flatMap(({ configMapRef, secretRef }) => [
      ...need('configmaps', configMapRef),
      ...need('secrets', secretRef),
    ]),
  ];
}

function secretOfVolume({ secretName, optional }: SecretVolume): Needed[] {
  return secretName === undefined || optional === true ? [] : [{ kind: 'secrets', name: secretName }];
}

function neededByVolume(volume: Volume): Needed[] {
  return [
    ...need('configmaps', volume.configMap),
    ...(volume.secret === undefined ? [] : secretOfVolume(volume.secret)),
    ...(volume.projected?.sources ?? []).flatMap((source) => [
      ...need('configmaps', source.configMap),
      ...need('secrets', source.secret),
    ]),
  ];
}

/** The ConfigMaps and Secrets without which no container of this pod may start, each once. */
export function neededBy(spec: PodSpec): readonly Needed[] {
  const all = [
    ...(spec.volumes ?? []).flatMap(neededByVolume),
    ...(spec.initContainers ?? []).flatMap(neededByContainer),
    ...spec.containers.flatMap(neededByContainer),
  ];
  return [...new Map(all.map((needed) => [`${needed.kind}/${needed.name}`, needed])).values()];
}

function conditions(ready: boolean, now: string, reason?: string): object[] {
  const of = (type: string, status: boolean, why?: string) => ({
    type,
    status: status ? 'True' : 'False',
    lastTransitionTime: now,
    ...(why === undefined ? {} : { reason: why }),
  });
  return [
    of('PodScheduled', true),
    of('Initialized', ready, ready ? undefined : reason),
    of('ContainersReady', ready, ready ? undefined : reason),
    of('Ready', ready, ready ? undefined : reason),
  ];
}

function containerStatus(container: Container, uid: string, state: object, ready: boolean): object {
  const { name, image = '' } = container;
  return {
    name,
    image,
    imageID: `stand-in://${image}`,
    containerID: ready ? `stand-in://${uid}/${name}` : '',
    restartCount: 0,
    ready,
    started: ready,
    state,
  };
}

export function runningStatus({ metadata, spec }: Pod, podIP: string, hostIP: string, now: string): object {
  const running = { running: { startedAt: now } };
  const done = { terminated: { exitCode: 0, reason: 'Completed', startedAt: now, finishedAt: now } };
  return {
    phase: 'Running',
    conditions: conditions(true, now),
    hostIP,
    podIP,
    podIPs: [{ ip: podIP }],
    startTime: now,
    initContainerStatuses: (spec.initContainers ?? []).map((c) => containerStatus(c, metadata.uid, done, true)),
    containerStatuses: spec.containers.map((c) => containerStatus(c, metadata.uid, running, true)),
  };
}

export function waitingStatus({ metadata, spec }: Pod, missing: Needed, hostIP: string, now: string): object {
  const what = missing.kind === 'secrets' ? 'secret' : 'configmap';
  const state = {
    waiting: { reason: 'CreateContainerConfigError', message: `${what} "${missing.name}" not found` },
  };
  const waiting = (c: Container) => containerStatus(c, metadata.uid, state, false);
  return {
    phase: 'Pending',
    conditions: conditions(false, now, 'ContainersNotReady'),
    hostIP,
    startTime: now,
    initContainerStatuses: (spec.initContainers ?? []).map(waiting),
    containerStatuses: spec.containers.map(waiting),
  };
}
