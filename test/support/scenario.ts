// One scenario: a namespace of its own on the real cluster, the real kubectl, and the questions that promises are made of.

import { execFile } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { afterAll } from '@jest/globals';
import { KubeClient } from '../../controller/kube/client.ts';
import { loadKubeConfig } from '../../controller/kube/kubeconfig.ts';
import { kubectlEnvironment } from '../../hack/embedded/kubectl.ts';
import { env } from './controller.ts';
import { plant } from './planted.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let shared: KubeClient | undefined;
// Idle connections would keep the test process alive.
afterAll(() => shared?.close());

/** The admin's client, for reading; people's actions go through kubectl. */
export function admin(): KubeClient {
  shared ??= new KubeClient(loadKubeConfig({ kubeconfig: env('TEST_KUBECONFIG'), env: {} }).config, {
    userAgent: 'test',
  });
  return shared;
}

/** Runs the real kubectl with the built plugins on its PATH. */
export function runKubectl(
  args: readonly string[],
  input?: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const path = `${process.cwd()}/dist:${process.cwd()}/node_modules/.bin:${process.env['PATH']}`;
  const options = { env: { ...kubectlEnvironment(env('TEST_KUBECONFIG')), PATH: path, ...variables } };
  return new Promise((resolve) => {
    const child = execFile(env('TEST_KUBECTL'), [...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, stdout, stderr });
    });
    child.stdin?.end(input ?? '');
  });
}

/** Polls until `look` gives something other than undefined or false. Fails with what it saw last. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    await sleep(50);
  }
  throw new Error(`waited ${timeoutMs} ms for: ${what}${last instanceof Error ? `; last: ${last.message}` : ''}`);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

let count = 0;

export class Scenario {
  readonly namespace: string;

  private constructor(namespace: string) {
    this.namespace = namespace;
  }

  static async start(name: string): Promise<Scenario> {
    // Of this file alone: others run the same scenarios.
    const namespace = `${name}-${Date.now().toString(36)}-${++count}`;
    const scenario = new Scenario(namespace);
    await admin().request('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
    // Nobody asks for it: what of it is seen anywhere at the end of the run has leaked.
    const secret = { metadata: { name: 'planted' }, stringData: { value: plant() } };
    await admin().request('POST', `/api/v1/namespaces/${namespace}/secrets`, { body: secret });
    return scenario;
  }

  /** kubectl in the scenario's namespace; throws when it fails. */
  async kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.tryKubectl(...args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** kubectl in the scenario's namespace. Plugins take flags after their name only. */
  tryKubectl(...args: string[]): Promise<Result> {
    return runKubectl([...args, '-n', this.namespace]);
  }

  async apply(...objects: Json[]): Promise<void> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    const { code, stderr } = await runKubectl(['apply', '-n', this.namespace, '-f', '-'], JSON.stringify(list));
    if (code !== 0) throw new Error(`kubectl apply failed: ${stderr}`);
  }

  /** kubectl in the scenario's namespace, with an object on its stdin; throws when it fails. */
  async kubectlWith(object: Json, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runKubectl([...args, '-n', this.namespace], JSON.stringify(object));
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}`);
    return stdout;
  }

  /** kubectl in the scenario's namespace, with variables in its environment; throws when it fails. */
  async kubectlAs(variables: Readonly<Record<string, string>>, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runKubectl([...args, '-n', this.namespace], undefined, variables);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Changes a ConfigMap's data, as a person would. */
  async edit(data: Record<string, string>, source = 'foo'): Promise<void> {
    await this.kubectl('patch', 'configmap', source, '--type', 'merge', '-p', JSON.stringify({ data }));
  }

  get(path: string): Promise<Json> {
    return admin().request<Json>('GET', path.replace('NS', this.namespace));
  }

  async list(path: string): Promise<Json[]> {
    return (await this.get(path)).items;
  }

  configMap(name: string): Promise<Json> {
    return this.get(`/api/v1/namespaces/NS/configmaps/${name}`);
  }

  deployment(name = 'bar'): Promise<Json> {
    return this.get(`/apis/apps/v1/namespaces/NS/deployments/${name}`);
  }

  /** ReplicaSets of a Deployment, oldest revision first. */
  async revisions(deployment = 'bar'): Promise<Json[]> {
    const all = await this.list('/apis/apps/v1/namespaces/NS/replicasets');
    return all
      .filter(({ metadata }) => metadata.ownerReferences?.some(({ name }: Json) => name === deployment))
      .sort((a, b) => revisionOf(a) - revisionOf(b));
  }

  /** Snapshots of a source, by name. */
  async snapshots(source = 'foo'): Promise<Json[]> {
    const all = await this.list('/api/v1/namespaces/NS/configmaps');
    return all.filter(({ metadata }) => metadata.annotations?.['configrollout.dev/source-name'] === source);
  }

  /** What the running pods of a Deployment have mounted at volume `config`: the content, once all of them agree. */
  async contentInPods(deployment = 'bar'): Promise<Record<string, string>> {
    const { status, metadata, spec } = await this.deployment(deployment);
    const complete =
      status.observedGeneration === metadata.generation &&
      status.updatedReplicas === spec.replicas &&
      status.replicas === spec.replicas &&
      status.availableReplicas === spec.replicas;
    if (!complete) throw new Error(`deployment/${deployment} is not complete`);
    const pods = (await this.list(`/api/v1/namespaces/NS/pods?labelSelector=app%3D${deployment}`)).filter(
      (pod) => !pod.metadata.deletionTimestamp,
    );
    const names = new Set<string>(
      pods.map((pod) => pod.spec.volumes.find((volume: Json) => volume.name === 'config').configMap.name),
    );
    const [name, ...others] = [...names];
    if (name === undefined || others.length > 0) throw new Error(`pods mount ${[...names].join(', ')}`);
    const { data } = await this.configMap(name);
    return data;
  }

  /** Waits until all pods run with `data` mounted from a snapshot, and gives the snapshot's name. */
  runsWith(data: Record<string, string>, deployment = 'bar'): Promise<string> {
    return until(`pods of ${deployment} run with ${JSON.stringify(data)}`, async () => {
      const seen = await this.contentInPods(deployment);
      if (JSON.stringify(seen) !== JSON.stringify(data)) throw new Error(`pods run with ${JSON.stringify(seen)}`);
      const name = mountedBy(await this.deployment(deployment));
      return name !== 'foo' && name;
    });
  }

  /** Events about an object, with a reason. */
  async events(reason: string, object?: string): Promise<Json[]> {
    const all = await this.list('/apis/events.k8s.io/v1/namespaces/NS/events');
    return all.filter((event) => event.reason === reason && (object === undefined || event.regarding.name === object));
  }

  event(reason: string, object?: string): Promise<Json> {
    return until(`an Event ${reason}`, async () => (await this.events(reason, object))[0]);
  }

  /** Requests of the controller in this namespace, from the API server's audit log. */
  audited(filter: (entry: Json) => boolean = () => true): Json[] {
    return auditEntries().filter(
      (entry) => isController(entry) && entry.objectRef?.namespace === this.namespace && filter(entry),
    );
  }

  writes(): Json[] {
    return this.audited(isWrite);
  }

  /** Writes of the controller, but for what only shows how things stand: Events and ConfigRollouts. */
  changes(): Json[] {
    return this.writes().filter(({ objectRef }) => !['events', 'configrollouts'].includes(objectRef.resource));
  }

  /** Waits until the controller has asked nothing of this namespace for a while; gives the number of its writes so far. */
  async quiet(ms = 1500): Promise<number> {
    for (;;) {
      const before = this.audited(({ verb }) => verb !== 'watch').length;
      await sleep(ms);
      if (this.audited(({ verb }) => verb !== 'watch').length === before) return this.writes().length;
    }
  }

  async end(): Promise<void> {
    await admin().request('DELETE', `/api/v1/namespaces/${this.namespace}`, { body: {} });
  }
}

const audit = { read: 0, rest: '', entries: [] as Json[] };

/** What ServiceAccounts asked of the API server so far. The log is read once: it grows to many megabytes. */
export function auditEntries(): readonly Json[] {
  const file = openSync(env('TEST_AUDIT_LOG'), 'r');
  try {
    const chunk = Buffer.alloc(1 << 20);
    for (let length = 1; length > 0; audit.read += length) {
      length = readSync(file, chunk, 0, chunk.length, audit.read);
      // Byte for byte: a character may lie on both sides of a chunk's end.
      const lines = (audit.rest + chunk.toString('latin1', 0, length)).split('\n');
      audit.rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.includes('"username":"system:serviceaccount:'))
          audit.entries.push(JSON.parse(Buffer.from(line, 'latin1').toString()));
      }
    }
  } finally {
    closeSync(file);
  }
  return audit.entries;
}

export function isController(entry: Json): boolean {
  return entry.user?.username === 'system:serviceaccount:config-rollout:config-rollout';
}

export function isWrite({ verb }: Json): boolean {
  return ['create', 'update', 'patch', 'delete', 'deletecollection'].includes(verb);
}

export function revisionOf(object: Json): number {
  return Number(object.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0);
}

/** The ConfigMap at volume `config` of a workload's or a revision's template. */
export function mountedBy(object: Json): string {
  return object.spec.template.spec.volumes.find((volume: Json) => volume.name === 'config').configMap.name;
}

export function configMapManifest(name: string, data: Record<string, string>, metadata: Json = {}): Json {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

/** A Deployment of one container that mounts `source` at volume `config`. */
export function deploymentManifest(name = 'bar', source = 'foo', spec: Json = {}, metadata: Json = {}): Json {
  const container = { name: 'app', image: 'app:1', volumeMounts: [{ name: 'config', mountPath: '/etc/config' }] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, ...metadata },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      ...spec,
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [container],
          volumes: [{ name: 'config', configMap: { name: source } }],
          ...spec.template?.spec,
        },
      },
    },
  };
}

export const V1 = { 'config.yml': 'v1' };
export const V2 = { 'config.yml': 'v2' };

/** A Deployment `bar` that runs with ConfigMap `foo`, owned through kubectl set-owner, at content V1. */
export async function adopted(name: string, spec: Json = {}): Promise<Scenario> {
  const scenario = await Scenario.start(name);
  await scenario.apply(configMapManifest('foo', V1), deploymentManifest('bar', 'foo', spec));
  await scenario.kubectl('set-owner', 'configmap/foo', 'deployment/bar');
  await scenario.runsWith(V1);
  await scenario.quiet();
  return scenario;
}
