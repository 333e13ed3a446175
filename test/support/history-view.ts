// What there is in the namespaces of many histories at once: one round of requests for all that wait, so that looking
// costs the API server next to nothing; and what the controller wrote where, from the audit log.

import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../controller/kube/client.ts';
import { isController, isWrite } from './scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API server, read as they come
type Json = any;

const COLLECTIONS = {
  ConfigMap: '/api/v1/configmaps',
  Secret: '/api/v1/secrets',
  Deployment: '/apis/apps/v1/deployments',
  StatefulSet: '/apis/apps/v1/statefulsets',
  DaemonSet: '/apis/apps/v1/daemonsets',
  ReplicaSet: '/apis/apps/v1/replicasets',
  ControllerRevision: '/apis/apps/v1/controllerrevisions',
} as const;
export type Kind = keyof typeof COLLECTIONS;
const KINDS = Object.keys(COLLECTIONS) as Kind[];

const PAUSE_MS = 250;

/** One namespace, at one moment or very nearly so. */
export class View {
  readonly #objects: ReadonlyMap<Kind, readonly Json[]>;

  constructor(objects: ReadonlyMap<Kind, readonly Json[]>) {
    this.#objects = objects;
  }

  all(kind: Kind): readonly Json[] {
    return this.#objects.get(kind) ?? [];
  }

  get(kind: Kind, name: string): Json | undefined {
    return this.all(kind).find(({ metadata }) => metadata.name === name);
  }

  isAlive(uid: string): boolean {
    return [...this.#objects.values()].some((objects) => objects.some(({ metadata }) => metadata.uid === uid));
  }
}

export class Observatory {
  readonly #client: KubeClient;
  #next: Promise<Map<string, Map<Kind, Json[]>>> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Whoever looks or will look, fails: shrinking that ran out of time leaves a history behind. */
  close(): void {
    this.#isClosed = true;
  }

  /** The namespace, as it is at some time after this call. */
  async look(namespace: string): Promise<View> {
    this.#next ??= this.#lookAfter(this.#last);
    return new View((await this.#next).get(namespace) ?? new Map());
  }

  async #lookAfter(last: Promise<unknown>): Promise<Map<string, Map<Kind, Json[]>>> {
    await last.catch(() => undefined);
    await sleep(PAUSE_MS);
    // Who asks from now on might miss what it has just done.
    this.#last = this.#next ?? last;
    this.#next = undefined;
    const found = new Map<string, Map<Kind, Json[]>>();
    const lists = await Promise.all(KINDS.map((kind) => this.#list(kind)));
    lists.forEach((items, i) => {
      const kind = KINDS[i];
      if (kind === undefined) return;
      for (const item of items) {
        const { namespace } = item.metadata;
        const objects = found.get(namespace) ?? new Map<Kind, Json[]>();
        found.set(namespace, objects.set(kind, [...(objects.get(kind) ?? []), item]));
      }
    });
    return found;
  }

  async #list(kind: Kind): Promise<Json[]> {
    for (;;) {
      try {
        return (await this.#client.request<Json>('GET', COLLECTIONS[kind])).items;
      } catch (error) {
        if (this.#isClosed) throw error;
        // The API server is being restarted.
        await sleep(PAUSE_MS);
      }
    }
  }
}

/** What the controller wrote, as the API server's audit log has it. */
export class Writes {
  readonly #path: string;
  readonly #counts = new Map<string, number>();
  readonly #latest = new Map<string, string[]>();
  #read = 0;
  #rest = '';

  constructor(auditLog: string) {
    this.#path = auditLog;
  }

  /** How many there were in a namespace so far. */
  in(namespace: string): number {
    this.#readOn();
    return this.#counts.get(namespace) ?? 0;
  }

  /** How many there were in each namespace so far. */
  everywhere(): ReadonlyMap<string, number> {
    this.#readOn();
    return new Map(this.#counts);
  }

  /** The last few, for people. */
  latest(namespace: string): readonly string[] {
    return this.#latest.get(namespace) ?? [];
  }

  #readOn(): void {
    const file = openSync(this.#path, 'r');
    try {
      const chunk = Buffer.alloc(1 << 20);
      for (let length = 1; length > 0; this.#read += length) {
        length = readSync(file, chunk, 0, chunk.length, this.#read);
        const lines = (this.#rest + chunk.toString('latin1', 0, length)).split('\n');
        this.#rest = lines.pop() ?? '';
        // Of many megabytes, only these lines are worth parsing.
        for (const line of lines)
          if (line.includes(':config-rollout:config-rollout"') && !/"verb":"(get|list|watch)"/.test(line))
            this.#take(JSON.parse(line));
      }
    } finally {
      closeSync(file);
    }
  }

  #take(entry: Json): void {
    if (!isController(entry) || !isWrite(entry)) return;
    const { namespace = '', resource, name } = entry.objectRef ?? {};
    this.#counts.set(namespace, (this.#counts.get(namespace) ?? 0) + 1);
    const shown = `${entry.requestReceivedTimestamp} ${entry.verb} ${resource}/${name} ${entry.responseStatus?.code}`;
    this.#latest.set(namespace, [...(this.#latest.get(namespace) ?? []), shown].slice(-25));
  }
}
