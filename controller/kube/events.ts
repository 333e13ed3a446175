// Events: sent beside the work, never in its way. One about a state has a name made of what it says, so that a restarted
// controller finds it there and says nothing twice.

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { EventAction } from '../core/actions.ts';
import { MANAGER, shorten } from '../core/names.ts';
import type { ObjectRef } from '../core/types.ts';
import { backoffMs, sleep } from '../runtime/backoff.ts';
import { messageOf, retryAfterOf, statusOf } from '../runtime/failure.ts';
import type { Log } from '../runtime/log.ts';
import type { KubeClient } from './client.ts';
import { resourcePath } from './paths.ts';

const EVENTS = { apiVersion: 'events.k8s.io/v1', kind: 'Event', resource: 'events' };
const NAME_MAX = 253;
const NOTE_MAX_BYTES = 1024;
const MOST_SAID = 10_000;
// Events are for people; a flood of them helps nobody and must not pile up in memory.
const MOST_WAITING = 1000;
// Together some twenty seconds: an API server restarts in less.
const MOST_TRIES = 7;
const PAUSES = { minimumMs: 500, maximumMs: 8000 };

/** Its name and its time stay the same, however often it is sent. */
interface Emitted {
  readonly event: EventAction;
  readonly name: string;
  readonly at: Date;
}

export class EventRecorder {
  readonly #client: KubeClient;
  readonly #instance: string;
  readonly #log: Log;
  readonly #onSent: (event: EventAction) => void;
  readonly #said = new LRUCache<string, true>({ max: MOST_SAID });
  readonly #waiting: Emitted[] = [];
  readonly #ending = new AbortController();
  #sending: Promise<void> | undefined;
  #emitted = 0;

  /** @param instance the name of this process, as `kubectl get events -o yaml` shows it. */
  constructor(client: KubeClient, instance: string, log: Log, onSent: (event: EventAction) => void = () => undefined) {
    this.#onSent = onSent;
    this.#client = client;
    this.#instance = instance;
    this.#log = log;
  }

  /** Returns at once. An event that the server refuses, or does not take for long, is logged, and lost. */
  emit(event: EventAction): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#log('warn', 'too many events wait to be sent; one was dropped', { reason: event.reason });
      return;
    }
    const suffix = event.once ? stateSuffix(event) : momentSuffix(this.#emitted++);
    const name = `${shorten(event.regarding.name, NAME_MAX - suffix.length - 1)}.${suffix}`;
    this.#waiting.push({ event, name, at: new Date() });
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when all events that were emitted have been sent, each in one more try, or given up. No other is to follow. */
  async flush(): Promise<void> {
    this.#ending.abort();
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#persist(next);
    this.#sending = undefined;
  }

  async #persist(emitted: Emitted): Promise<void> {
    const { reason, regarding } = emitted.event;
    const fields = { reason, object: `${regarding.kind}/${regarding.namespace}/${regarding.name}` };
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#send(emitted);
      } catch (error) {
        const isLast = tries === MOST_TRIES || this.#ending.signal.aborted || !isPassing(error);
        if (isLast) return this.#log('warn', `event not sent: ${messageOf(error)}`, fields);
        if (tries === 1) this.#log('warn', `event not sent yet: ${messageOf(error)}`, fields);
        const pause = Math.max(retryAfterOf(error) ?? 0, backoffMs(tries - 1, PAUSES));
        await sleep(Math.min(pause, PAUSES.maximumMs), this.#ending.signal);
      }
    }
  }

  async #send({ event, name, at }: Emitted): Promise<void> {
    const { namespace } = event.regarding;
    const key = `${namespace}/${name}`;
    if (event.once && (this.#said.has(key) || (await this.#exists(namespace, name)))) {
      this.#said.set(key, true);
      return;
    }
    await this.#create(namespace, this.#body(event, name, at));
    if (event.once) this.#said.set(key, true);
    this.#onSent(event);
    if (event.severity === 'Warning') this.#log('warn', event.note, { reason: event.reason, object: key });
  }

  async #create(namespace: string, body: object): Promise<void> {
    try {
      await this.#client.request('POST', resourcePath(EVENTS, namespace), { body });
    } catch (error) {
      // An earlier try, whose answer was lost.
      if (statusOf(error) !== 409) throw error;
    }
  }

  async #exists(namespace: string, name: string): Promise<boolean> {
    try {
      await this.#client.request('GET', resourcePath(EVENTS, namespace, name));
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      throw error;
    }
  }

  #body({ regarding, related, severity, reason, note }: EventAction, name: string, at: Date) {
    return {
      apiVersion: EVENTS.apiVersion,
      kind: EVENTS.kind,
      metadata: { namespace: regarding.namespace, name },
      // A MicroTime: six digits of a second, or the server refuses it.
      eventTime: at.toISOString().replace('Z', '000Z'),
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

// No answer, too much to do, or the server's own trouble. What it refuses otherwise, it would refuse again.
function isPassing(error: unknown): boolean {
  const status = statusOf(error);
  return status !== undefined && (status === 0 || status === 429 || status >= 500);
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
