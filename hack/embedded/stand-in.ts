// A process of its own that plays scheduler and kubelet, so that Deployments, StatefulSets and DaemonSets complete
// without containers, and thousands of pods cost next to nothing. Like a kubelet it does not start a pod whose
// ConfigMaps or Secrets are not there. Run by cluster.ts with the path of its configuration.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Access, Api } from './api.ts';
import { ObjectPresence } from './object-presence.ts';
import { followPods } from './pod-watch.ts';
import { neededBy, type Pod, runningStatus, waitingStatus } from './pods.ts';
import { messageOf } from './problem.ts';
import { createNode, NODE_IP, NODE_NAME } from './stand-in-node.ts';

export interface StandInConfig extends Access {
  readonly version: string;
}

const WORKERS = 16;
const RETRY_MS = 1_000;
const MERGE = { 'content-type': 'application/merge-patch+json' };

class StandIn {
  readonly #api: Api;
  readonly #presence: ObjectPresence;
  /** Only those that need something: what runs needs no memory. */
  readonly #pods = new Map<string, Pod>();
  /** Uids that wait for a worker, in order, each once. */
  readonly #due = new Set<string>();
  readonly #busy = new Set<string>();
  readonly #retrying = new Set<string>();
  readonly #started = new Set<string>();
  /** What each waiting pod was last told, not to say it again every second. */
  readonly #told = new Map<string, string>();
  #addresses = 0;

  constructor(api: Api) {
    this.#api = api;
    this.#presence = new ObjectPresence(api);
  }

  seen(pod: Pod): void {
    const { uid } = pod.metadata;
    if (this.#isSettled(pod)) {
      this.#pods.delete(uid);
      return;
    }
    this.#pods.set(uid, pod);
    // With no time left the API server takes it away itself, in a second step, which it may not have lived to take.
    if (pod.metadata.deletionGracePeriodSeconds === 0) {
      this.#later(uid);
      return;
    }
    this.#due.add(uid);
    this.#work();
  }

  gone(uid: string): void {
    this.#pods.delete(uid);
    this.#due.delete(uid);
    this.#started.delete(uid);
    this.#told.delete(uid);
  }

  only(uids: ReadonlySet<string>): void {
    for (const uid of [...this.#pods.keys(), ...this.#started]) if (!uids.has(uid)) this.gone(uid);
  }

  #isSettled({ metadata, spec, status }: Pod): boolean {
    if (metadata.deletionTimestamp !== undefined) return false;
    if ((spec.schedulingGates ?? []).length > 0) return true;
    if (spec.nodeName !== undefined && spec.nodeName !== NODE_NAME) return true;
    return (status?.phase ?? 'Pending') !== 'Pending' || this.#started.has(metadata.uid);
  }

  #work(): void {
    for (const uid of this.#due) {
      if (this.#busy.size >= WORKERS) return;
      if (this.#busy.has(uid)) continue;
      this.#due.delete(uid);
      this.#busy.add(uid);
      void this.#handle(uid).finally(() => {
        this.#busy.delete(uid);
        this.#work();
      });
    }
  }

  async #handle(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod === undefined || this.#isSettled(pod)) return;
    try {
      const settled = pod.metadata.deletionTimestamp === undefined ? await this.#start(pod) : await this.#finish(pod);
      if (!settled) this.#later(uid);
    } catch (error) {
      console.error(`${pod.metadata.namespace}/${pod.metadata.name}: ${messageOf(error)}`);
      this.#later(uid);
    }
  }

  #later(uid: string): void {
    if (this.#retrying.has(uid)) return;
    this.#retrying.add(uid);
    setTimeout(() => {
      this.#retrying.delete(uid);
      if (!this.#pods.has(uid)) return;
      this.#due.add(uid);
      this.#work();
    }, RETRY_MS);
  }

  async #start(pod: Pod): Promise<boolean> {
    const { uid, namespace } = pod.metadata;
    if (pod.spec.nodeName === undefined && !(await this.#bind(pod))) return true;
    const missing = await this.#presence.firstMissing(namespace, neededBy(pod.spec));
    const now = new Date().toISOString().replace(/\.\d+/, '');
    if (missing === undefined) {
      const address = pod.spec.hostNetwork === true ? NODE_IP : this.#nextAddress();
      await this.#patch(pod, runningStatus(pod, address, NODE_IP, now));
      this.#started.add(uid);
      return true;
    }
    const told = `${missing.kind}/${missing.name}`;
    if (this.#told.get(uid) !== told) {
      await this.#patch(pod, waitingStatus(pod, missing, NODE_IP, now));
      this.#told.set(uid, told);
    }
    return false;
  }

  /** False when there is nothing left to start: the pod is gone. */
  async #bind({ metadata }: Pod): Promise<boolean> {
    const { name, namespace, uid } = metadata;
    const answer = await this.#api.call({
      method: 'POST',
      path: `/api/v1/namespaces/${namespace}/pods/${name}/binding`,
      body: { apiVersion: 'v1', kind: 'Binding', metadata: { name, uid }, target: { kind: 'Node', name: NODE_NAME } },
    });
    if (answer.status === 404) return false;
    // 409: it is bound already, or is being deleted; the next event tells which.
    if (answer.status !== 201 && answer.status !== 409)
      throw new Error(`binding: HTTP ${answer.status} ${answer.body}`);
    return true;
  }

  async #patch({ metadata }: Pod, status: object): Promise<void> {
    const answer = await this.#api.call({
      method: 'PATCH',
      path: `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`,
      headers: MERGE,
      body: { metadata: { uid: metadata.uid }, status },
    });
    // 404 and 409: this pod is gone, or another has its name by now.
    if (![200, 404, 409].includes(answer.status)) throw new Error(`status: HTTP ${answer.status} ${answer.body}`);
  }

  async #finish({ metadata }: Pod): Promise<boolean> {
    const answer = await this.#api.call({
      method: 'DELETE',
      path: `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`,
      body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid: metadata.uid } },
    });
    return [200, 202, 404, 409].includes(answer.status);
  }

  #nextAddress(): string {
    this.#addresses = (this.#addresses % 0xfffffd) + 1;
    const n = this.#addresses;
    return `10.${(n >> 16) & 0xff}.${(n >> 8) & 0xff}.${n & 0xff}`;
  }
}

async function main(configPath: string | undefined): Promise<void> {
  if (configPath === undefined) throw new Error('usage: stand-in.ts CONFIG');
  const config = JSON.parse(readFileSync(configPath, 'utf8')) as StandInConfig;
  const api = new Api(config, 'config-rollout-stand-in', WORKERS * 2);
  for (;;) {
    try {
      await createNode(api, config.version);
      break;
    } catch (error) {
      console.error(messageOf(error));
      await sleep(200);
    }
  }
  await followPods(api, new StandIn(api));
}

await main(process.argv[2]);
