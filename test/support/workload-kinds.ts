// The workload kinds as rows of a table: what is the same question for each of them, and has another answer.

import { OWN_CAUSE_ANNOTATION } from '../../controller/core/names.ts';
import { findReferences } from '../../controller/core/references.ts';
import { servesAdmission } from './controller.ts';
import { configMapManifest, mountedBy, Scenario, until } from './scenario.ts';
import { revisionNumber as rolloutRevision, undoRollout } from './stand-in-rollouts.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

export interface KindUnderTest {
  readonly apiVersion: string;
  readonly kind: string;
  /** As kubectl calls it. */
  readonly resource: string;
  /** How many pods a workload of `spec` has. */
  readonly pods: number;
  /** What a manifest has to say besides selector and template. */
  readonly spec: Json;
  readonly revisions: 'replicasets' | 'controllerrevisions';
  readonly numberOf: (revision: Json) => number;
  readonly templateOf: (revision: Json) => Json;
  /** All pods are of the newest revision, and ready. */
  readonly isComplete: (workload: Json) => boolean;
  /** `kubectl rollout` knows the kind. */
  readonly hasKubectlRollout: boolean;
  /**
   * An undo brings a template with all its defaults, which the workload did not have before, so that an apply of the
   * manifest finds something to change, and its sender as the owner of whole lists.
   */
  readonly undoBringsDefaults: boolean;
}

const replicaSets = {
  revisions: 'replicasets',
  templateOf: ({ spec }: Json) => spec.template,
} as const;

const controllerRevisions = {
  revisions: 'controllerrevisions',
  numberOf: ({ revision }: Json) => revision,
  templateOf: ({ data }: Json) => data.spec.template,
} as const;

function allReplicasAre({ spec, status }: Json, ...fields: readonly string[]): boolean {
  return fields.every((field) => (status?.[field] ?? 0) === spec.replicas);
}

export const DEPLOYMENT: KindUnderTest = {
  ...replicaSets,
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  resource: 'deployment',
  pods: 2,
  spec: { replicas: 2 },
  numberOf: ({ metadata }) => Number(metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0),
  isComplete: (workload) =>
    workload.status.observedGeneration === workload.metadata.generation &&
    allReplicasAre(workload, 'replicas', 'updatedReplicas', 'availableReplicas'),
  hasKubectlRollout: true,
  undoBringsDefaults: false,
};

export const STATEFUL_SET: KindUnderTest = {
  ...controllerRevisions,
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  resource: 'statefulset',
  pods: 2,
  spec: { replicas: 2, serviceName: 'bar', podManagementPolicy: 'Parallel' },
  isComplete: (workload) =>
    workload.status.observedGeneration === workload.metadata.generation &&
    workload.status.currentRevision === workload.status.updateRevision &&
    allReplicasAre(workload, 'replicas', 'readyReplicas'),
  hasKubectlRollout: true,
  undoBringsDefaults: false,
};

export const DAEMON_SET: KindUnderTest = {
  ...controllerRevisions,
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  resource: 'daemonset',
  // One node.
  pods: 1,
  spec: {},
  isComplete: ({ metadata, status }) =>
    status.observedGeneration === metadata.generation &&
    [status.updatedNumberScheduled, status.numberAvailable, status.desiredNumberScheduled].every((n) => n === 1),
  hasKubectlRollout: true,
  undoBringsDefaults: false,
};

export const ROLLOUT: KindUnderTest = {
  ...replicaSets,
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  resource: 'rollout',
  pods: 2,
  spec: { replicas: 2, strategy: { canary: {} } },
  numberOf: rolloutRevision,
  isComplete: (workload) =>
    workload.status?.observedGeneration === `${workload.metadata.generation}` &&
    allReplicasAre(workload, 'replicas', 'updatedReplicas', 'availableReplicas'),
  hasKubectlRollout: false,
  undoBringsDefaults: true,
};

export const KINDS: readonly KindUnderTest[] = [DEPLOYMENT, STATEFUL_SET, DAEMON_SET, ROLLOUT];

export interface SeenRevision {
  readonly name: string;
  readonly uid: string;
  readonly number: number;
  /** The ConfigMap at volume `config`. */
  readonly mount: string;
  /** All ConfigMaps that the template references, each once. */
  readonly configMaps: readonly string[];
  readonly image: string;
  readonly cause: string | undefined;
}

export interface ManifestOptions {
  readonly source?: string;
  readonly spec?: Json;
  readonly metadata?: Json;
  /** Takes the place of fields of the pod's spec. */
  readonly podSpec?: Json;
}

/** A workload in a scenario. */
export class Subject {
  readonly is: KindUnderTest;
  readonly scenario: Scenario;
  readonly name: string;
  /** `statefulset/bar` */
  readonly ref: string;
  /** Of its pods; workloads of several kinds may have one name. */
  readonly labels: Readonly<Record<string, string>>;

  constructor(is: KindUnderTest, scenario: Scenario, name = 'bar') {
    this.is = is;
    this.scenario = scenario;
    this.name = name;
    this.ref = `${is.resource}/${name}`;
    this.labels = { app: `${is.resource}-${name}` };
  }

  /** One container, that mounts `source` at volume `config`. */
  manifest({ source = 'foo', spec = {}, metadata = {}, podSpec = {} }: ManifestOptions = {}): Json {
    const { apiVersion, kind, spec: usual } = this.is;
    const { labels } = this;
    const container = { name: 'app', image: 'app:1', volumeMounts: [{ name: 'config', mountPath: '/etc/config' }] };
    const volumes = [{ name: 'config', configMap: { name: source } }];
    return {
      apiVersion,
      kind,
      metadata: { name: this.name, ...metadata },
      spec: {
        ...usual,
        ...spec,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container], volumes, ...podSpec } },
      },
    };
  }

  read(): Promise<Json> {
    return this.scenario.get(`/apis/${this.is.apiVersion}/namespaces/NS/${this.is.resource}s/${this.name}`);
  }

  /** Oldest first. */
  async revisions(): Promise<SeenRevision[]> {
    const { uid } = (await this.read()).metadata;
    const all = await this.scenario.list(`/apis/apps/v1/namespaces/NS/${this.is.revisions}`);
    return all
      .filter(({ metadata }) => metadata.ownerReferences?.some((owner: Json) => owner.controller && owner.uid === uid))
      .map((revision) => {
        const template = this.is.templateOf(revision);
        return {
          name: revision.metadata.name,
          uid: revision.metadata.uid,
          number: this.is.numberOf(revision),
          mount: mountedBy({ spec: { template } }),
          configMaps: configMapsOf(template),
          image: template.spec.containers[0].image,
          cause: revision.metadata.annotations?.['kubernetes.io/change-cause'],
        };
      })
      .sort((a, b) => a.number - b.number);
  }

  async latest(): Promise<SeenRevision> {
    const latest = (await this.revisions()).at(-1);
    if (latest === undefined) throw new Error(`${this.ref} has no revision`);
    return latest;
  }

  /** The causes that people see, oldest first. */
  async history(): Promise<string[]> {
    if (!this.is.hasKubectlRollout) return (await this.revisions()).map(({ cause }) => cause ?? '<none>');
    const printed = await this.scenario.kubectl('rollout', 'history', this.ref);
    return printed.split('\n').flatMap((line) => /^\d+\s+(.+)$/.exec(line)?.[1] ?? []);
  }

  async pods(): Promise<Json[]> {
    const all = await this.scenario.list(`/api/v1/namespaces/NS/pods?labelSelector=app%3D${this.labels['app']}`);
    return all
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  /** What each ready pod reads at volume `config`, in order of the pods' names. */
  async contents(): Promise<Record<string, string>[]> {
    const ready = (await this.pods()).filter(({ status }) =>
      status.conditions?.some(({ type, status: is }: Json) => type === 'Ready' && is === 'True'),
    );
    return Promise.all(
      ready.map(async ({ spec }) => (await this.scenario.configMap(mountedBy({ spec: { template: { spec } } }))).data),
    );
  }

  /** Waits until the ready pods read this, pod by pod. */
  reads(contents: readonly Record<string, string>[], timeoutMs?: number): Promise<true> {
    const what = `pods of ${this.ref} read ${JSON.stringify(contents)}`;
    return until(what, () => this.#mustRead(contents), timeoutMs);
  }

  async #mustRead(contents: readonly Record<string, string>[]): Promise<true> {
    const seen = JSON.stringify(await this.contents());
    if (seen !== JSON.stringify(contents)) throw new Error(`they read ${seen}`);
    return true;
  }

  /** Waits until all is rolled out, and every pod reads `data` from a snapshot; gives the snapshot's name. */
  async runsWith(data: Record<string, string>, timeoutMs?: number): Promise<string> {
    const { pods, isComplete } = this.is;
    return until(
      `${this.ref} runs with ${JSON.stringify(data)}`,
      async () => {
        const workload = await this.read();
        if (!isComplete(workload)) throw new Error(`not complete: ${JSON.stringify(workload.status)}`);
        const mount = mountedBy(workload);
        if (mount === 'foo') throw new Error('it names the source');
        await this.#mustRead(Array(workload.spec.replicas ?? pods).fill(data));
        // It may have been rolled out after the first look, and its pods replaced before the second.
        if (mountedBy(await this.read()) !== mount) throw new Error(`it no longer mounts ${mount}`);
        return mount;
      },
      timeoutMs,
    );
  }

  async edit(data: Record<string, string>): Promise<string> {
    await this.scenario.edit(data);
    return this.runsWith(data);
  }

  /** `kubectl rollout undo`, or what people have in its place. */
  async undo(toRevision?: number): Promise<void> {
    if (!this.is.hasKubectlRollout) return undoRollout(this.scenario, this.name, toRevision);
    const to = toRevision === undefined ? [] : [`--to-revision=${toRevision}`];
    const printed = await this.scenario.kubectl('rollout', 'undo', this.ref, ...to);
    if (!printed.includes('rolled back')) throw new Error(`kubectl rollout undo: ${printed}`);
  }

  async patch(patch: Json): Promise<void> {
    await this.scenario.kubectl('patch', this.ref, '--type=merge', '-p', JSON.stringify(patch));
  }

  async setImage(image: string): Promise<void> {
    const patch = [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: image }];
    await this.scenario.kubectl('patch', this.ref, '--type=json', '-p', JSON.stringify(patch));
  }

  /** Deletes pods by hand, all or the first few, as one does with the strategy OnDelete. */
  async deletePods(first?: number): Promise<void> {
    const before = await this.pods();
    const names = before.slice(0, first).map(({ metadata }) => metadata.name);
    // They may have gone with their ReplicaSet.
    if (names.length === 0) return;
    // Those of a StatefulSet come back under their names: kubectl, which waits for a name to be gone, may wait for ever.
    await this.scenario.kubectl('delete', 'pods', '--wait=false', '--ignore-not-found', ...names);
    const gone = new Set(before.slice(0, first).map(({ metadata }) => metadata.uid));
    await until('they are gone', async () => (await this.pods()).every(({ metadata }) => !gone.has(metadata.uid)));
  }

  /** Waits until nothing is left to do, and there are so many revisions; gives them, oldest first. */
  async atRest(revisions: number): Promise<SeenRevision[]> {
    await atRest([this], [revisions]);
    return this.revisions();
  }
}

// The garbage collector learns of a new kind within half a minute.
const SOME_TIME_MS = 45_000;

/**
 * Waits until all workloads of a source are rolled out, have so many revisions, none of them raw; and until each snapshot
 * has just the owners that it should have, and is mounted by one of them.
 */
export async function atRest(subjects: readonly Subject[], revisions: readonly number[], source = 'foo') {
  const names = subjects.map(({ ref }) => ref).join(', ');
  await until(
    `${names} to be at rest, with ${revisions.join(', ')} revisions`,
    async () => {
      const held = new Map<string, string[]>();
      const wrong: string[] = [];
      for (const [i, subject] of subjects.entries()) wrong.push(...(await unrest(subject, revisions[i], source, held)));
      const [scenario] = subjects.map((subject) => subject.scenario);
      for (const { metadata } of (await scenario?.snapshots(source)) ?? []) {
        const owners = metadata.ownerReferences.map(({ kind, name, uid }: Json) => `${kind}/${name} ${uid}`).sort();
        const due = held.get(metadata.name)?.sort() ?? [];
        if (owners.join() !== due.join()) wrong.push(`${metadata.name} is owned by [${owners}], not by [${due}]`);
      }
      if (wrong.length > 0) throw new Error(wrong.join('; '));
      return true;
    },
    SOME_TIME_MS,
  );
}

/** What is not yet as it should be; adds to `held` who should own which snapshot. */
async function unrest(
  subject: Subject,
  revisions: number | undefined,
  source: string,
  held: Map<string, string[]>,
): Promise<string[]> {
  const hold = (snapshot: string, owner: string) => held.set(snapshot, [...(held.get(snapshot) ?? []), owner]);
  const workload = await subject.read();
  const seen = await subject.revisions();
  const { kind } = subject.is;
  const named = configMapsOf(workload.spec.template);
  for (const name of named) hold(name, `${kind}/${subject.name} ${workload.metadata.uid}`);
  const revisionKind = subject.is.revisions === 'replicasets' ? 'ReplicaSet' : 'ControllerRevision';
  for (const { configMaps, name, uid } of seen)
    for (const configMap of configMaps) hold(configMap, `${revisionKind}/${name} ${uid}`);
  const own = workload.metadata.annotations?.[OWN_CAUSE_ANNOTATION];
  // Admission takes it away with the next change; without that nobody would.
  const spoken = servesAdmission() ? seen.at(-1)?.cause : undefined;
  const wrong: readonly (readonly [boolean, string])[] = [
    [!subject.is.isComplete(workload), `${subject.ref} is not complete`],
    [seen.length !== revisions, `${subject.ref} has the revisions ${JSON.stringify(seen)}`],
    [seen.some(({ configMaps }) => configMaps.includes(source)), `${subject.ref} has a raw revision`],
    [named.includes(source), `${subject.ref} names the source`],
    [own !== undefined && own !== spoken, `${subject.ref} has a cause that is not its revision's`],
  ];
  return wrong.filter(([is]) => is).map(([, what]) => what);
}

/** The ConfigMaps that a pod template references, each once. */
export function configMapsOf(template: Json): string[] {
  const references = findReferences(template).filter(({ kind }) => kind === 'ConfigMap');
  return [...new Set(references.map(({ name }) => name))];
}

export function content(version: string): Record<string, string> {
  return { 'config.yml': version };
}

/** A ConfigMap `foo` that opts in these workloads, as manifests in Git do. */
export function source(version: string, ...owners: readonly Subject[]): Json {
  const declared = owners.map(({ ref }) => ref).join(', ');
  return configMapManifest('foo', content(version), { annotations: { 'configrollout.dev/owners': declared } });
}

/** A workload `bar` at rest, that has run with each of these versions of ConfigMap `foo`, in order. */
export async function running(
  is: KindUnderTest,
  name: string,
  [first = 'v1', ...versions]: readonly string[] = ['v1'],
  spec: Json = {},
): Promise<Subject> {
  const subject = new Subject(is, await Scenario.start(`${name}-${is.resource}`));
  await subject.scenario.apply(source(first, subject), subject.manifest({ spec }));
  await subject.runsWith(content(first));
  await subject.atRest(1);
  for (const [i, version] of versions.entries()) {
    await subject.edit(content(version));
    await subject.atRest(i + 2);
  }
  return subject;
}
