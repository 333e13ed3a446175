// LeasePort on coordination.k8s.io. The watch asks for one lease by its name: a right on that name is enough.

import { Backoff, sleep } from '../runtime/backoff.ts';
import { messageOf, statusOf } from '../runtime/failure.ts';
import type { LeasePort, LeaseRead, LeaseRecord } from '../runtime/lease.ts';
import type { Log } from '../runtime/log.ts';
import { decodeWatchEvent } from '../runtime/raw-object.ts';
import type { ResourceName } from '../workloads/kind.ts';
import type { KubeClient } from './client.ts';
import { resourcePath } from './paths.ts';

const LEASES: ResourceName = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', resource: 'leases' };
const WATCH_SECONDS = 300;
const RETRY = { minimumMs: 1000, maximumMs: 30_000 };

interface RawLease {
  readonly metadata: object;
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

export class KubeLease implements LeasePort {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #name: string;
  readonly #log: Log;

  constructor(client: KubeClient, { namespace, name }: { namespace: string; name: string }, log: Log) {
    this.#client = client;
    this.#namespace = namespace;
    this.#name = name;
    this.#log = log;
  }

  async read(signal: AbortSignal): Promise<LeaseRead | undefined> {
    try {
      return toRead(await this.#client.request<RawLease>('GET', this.#path(), { signal }));
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async create(record: LeaseRecord, signal: AbortSignal): Promise<LeaseRead> {
    const { apiVersion, kind } = LEASES;
    const metadata = { namespace: this.#namespace, name: this.#name };
    const body = { apiVersion, kind, metadata, spec: toSpec(record) };
    return toRead(
      await this.#client.request<RawLease>('POST', resourcePath(LEASES, this.#namespace), { body, signal }),
    );
  }

  async update(record: LeaseRecord, { raw }: LeaseRead, signal: AbortSignal): Promise<LeaseRead> {
    // With the uid and the resourceVersion that were read, and whatever else others keep there.
    const replaced = raw as RawLease;
    const body = { ...replaced, spec: { ...replaced.spec, ...toSpec(record) } };
    return toRead(await this.#client.request<RawLease>('PUT', this.#path(), { body, signal }));
  }

  async untilReleased(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(RETRY);
    while (!signal.aborted) {
      try {
        if (await this.#seesRelease(signal)) return;
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        this.#log('debug', `cannot watch the lease: ${messageOf(error)}; it is asked for instead`);
      }
      await sleep(backoff.next(), signal);
    }
  }

  /** False when the watch ended before. */
  async #seesRelease(signal: AbortSignal): Promise<boolean> {
    // Without a version to start from, the first event is the lease as it is.
    const query = { watch: true, fieldSelector: `metadata.name=${this.#name}`, timeoutSeconds: WATCH_SECONDS };
    for await (const raw of this.#client.stream(resourcePath(LEASES, this.#namespace), { query, signal })) {
      const event = decodeWatchEvent(raw);
      if (event === undefined || event.type === 'ERROR') throw new Error('the watch broke off');
      // One that was deleted is still held.
      if (event.type !== 'DELETED' && toRead(event.object as RawLease).record.holder === '') return true;
    }
    return false;
  }

  #path(): string {
    return resourcePath(LEASES, this.#namespace, this.#name);
  }
}

function toRead(raw: RawLease): LeaseRead {
  const {
    holderIdentity = '',
    leaseDurationSeconds = 0,
    acquireTime,
    renewTime,
    leaseTransitions = 0,
  } = raw.spec ?? {};
  const record = {
    holder: holderIdentity,
    durationSeconds: leaseDurationSeconds,
    acquiredAt: parseTime(acquireTime),
    renewedAt: parseTime(renewTime),
    transitions: leaseTransitions,
  };
  return { record, raw };
}

function toSpec({ holder, durationSeconds, acquiredAt, renewedAt, transitions }: LeaseRecord): RawLease['spec'] {
  return {
    holderIdentity: holder,
    leaseDurationSeconds: durationSeconds,
    acquireTime: microTime(acquiredAt),
    renewTime: microTime(renewedAt),
    leaseTransitions: transitions,
  };
}

// Six digits of a second, or the server refuses it.
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

function parseTime(text: string | undefined): number {
  return (text && Date.parse(text)) || 0;
}
