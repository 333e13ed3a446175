// Events: sent beside the work, never in its way. One about a state has a name made of what it says, so that a restarted
// controller finds it there and says nothing twice.

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { EventAction } from '../core/actions.ts';
import { MANAGER, shorten } from '../core/names.ts';
import type { ObjectRef } from '../core/types.ts';
import { messageOf } from '../runtime/failure.ts';
import type { Log } from '../runtime/log.ts';
import { ApiError } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { resourcePath } from './paths.ts';

const EVENTS = { apiVersion: 'events.k8s.io/v1', kind: 'Event', resource: 'events' };
const NAME_MAX = 253;
const NOTE_MAX_BYTES = 1024;
const MOST_SAID = 10_000;
// Events are for people; a flood of them helps nobody and must not pile up in memory.
const MOST_WAITING = 1000;

export class EventRecorder {
  readonly #client: KubeClient;
  readonly #instance: string;
  readonly #log: Log;
  readonly #onSent: (event: EventAction) => void;
  readonly #said = new LRUCache<string, true>({ max: MOST_SAID });
  readonly #waiting: EventAction[] = [];
  #sending: Promise<void> | undefined;
  #sent = 0;

  /** @param instance the name of this process, as `kubectl get events -o yaml` shows it. */
  constructor(client: KubeClient, instance: string, log: Log, onSent: (event: EventAction) => void = () => undefined) {
    this.#onSent = onSent;
    this.#client = client;
    this.#instance = instance;
    this.#log = log;
  }

  /** Returns at once. An event that cannot be sent is logged, and lost. */
  emit(event: EventAction): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#log('warn', 'too many events wait to be sent; one was dropped', { reason: event.reason });
      return;
    }
    this.#waiting.push(event);
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when all events that were emitted have been sent, or given up. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      try {
        await this.#send(event);
      } catch (error) {
        const fields = {
          reason: event.reason,
          object: `${event.regarding.kind}/${event.regarding.namespace}/${event.regarding.name}`,
        };
        this.#log('warn', `event not sent: ${messageOf(error)}`, fields);
      }
    }
    this.#sending = undefined;
  }

  async #send(event: EventAction): Promise<void> {
    const { regarding, once } = event;
    const suffix = once ? stateSuffix(event) : momentSuffix(this.#sent++);
    const name = `${shorten(regarding.name, NAME_MAX - suffix.length - 1)}.${suffix}`;
    const key = `${regarding.namespace}/${name}`;
    if (once && (this.#said.has(key) || (await this.#exists(regarding.namespace, name)))) {
      this.#said.set(key, true);
      return;
    }
    await this.#client.request('POST', resourcePath(EVENTS, regarding.namespace), { body: this.#body(event, name) });
    if (once) this.#said.set(key, true);
    this.#onSent(event);
    if (event.severity === 'Warning') this.#log('warn', event.note, { reason: event.reason, object: key });
  }

  async #exists(namespace: string, name: string): Promise<boolean> {
    try {
      await this.#client.request('GET', resourcePath(EVENTS, namespace, name));
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }

  #body({ regarding, related, severity, reason, note }: EventAction, name: string) {
    return {
      apiVersion: EVENTS.apiVersion,
      kind: EVENTS.kind,
      metadata: { namespace: regarding.namespace, name },
      // A MicroTime: six digits of a second, or the server refuses it.
      eventTime: new Date().toISOString().replace('Z', '000Z'),
      type: severity,
      reason,
      action: 'Rollout',
      note: clip(note),
      regarding: objectReference(regarding),
      ...(related && { related: objectReference(related) }),
      reportingController: `configrollout.dev/${MANAGER}`,
      reportingInstance: this.#instance,
    };
  }
}

function objectReference({ apiVersion, kind, namespace, name, uid }: ObjectRef) {
  return { apiVersion, kind, namespace, name, uid };
}

// The server counts bytes, and refuses the whole Event when there are too many.
function clip(note: string): string {
  const bytes = Buffer.from(note);
  if (bytes.length <= NOTE_MAX_BYTES) return note;
  let end = NOTE_MAX_BYTES - Buffer.byteLength('…');
  // Not in the middle of a character: those bytes begin with 10.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.toString('utf8', 0, end)}…`;
}

function stateSuffix({ regarding, reason, note }: EventAction): string {
  return createHash('sha256').update(`${regarding.uid}/${reason}/${note}`).digest('hex').slice(0, 16);
}

// As client-go's recorder does it: the time in nanoseconds, in hexadecimal; here a counter stands for what is below ms.
function momentSuffix(count: number): string {
  return (BigInt(Date.now()) * 1_000_000n + BigInt(count % 1_000_000)).toString(16);
}
