// What each controller asks of the API server, as the API server's audit log has it: from outside, and so for any of them.

import { closeSync, openSync, readSync } from 'node:fs';
import { WEBHOOK_SECRET } from '../../controller/core/certificates.ts';

/** Requests by verb and resource, `patch deployments` or `patch configrollouts/status`. */
export type Requests = ReadonlyMap<string, number>;

const WRITES = ['create', 'update', 'patch', 'delete', 'deletecollection'];
// What a controller does whether or not there is work: ours looks now and then whether there are Rollouts on this server,
// whether API servers still trust its webhook, and whether its certificate is still good.
const IDLE = [
  'leases',
  'subjectaccessreviews',
  'tokenreviews',
  'selfsubjectaccessreviews',
  'rollouts',
  'mutatingwebhookconfigurations',
  'validatingwebhookconfigurations',
];

export interface Totals {
  /** Without watches. */
  readonly reads: number;
  /** Without Events. */
  readonly writes: number;
  /** Of `writes`, those of ConfigRollouts: they only show how things stand. */
  readonly statusWrites: number;
  readonly events: number;
}

/** An entry of the log, reduced to what is counted. */
export interface AuditEntry {
  readonly user: string;
  readonly verb: string;
  /** With the subresource, if there is one. */
  readonly resource: string;
}

/** Undefined for what is not counted: the end of a watch, what is no resource, and what goes on without work. */
export function parseEntry(line: string): AuditEntry | undefined {
  const { stage, verb, user, objectRef } = JSON.parse(line);
  if (objectRef?.resource === undefined || IDLE.includes(objectRef.resource)) return undefined;
  if (objectRef.resource === 'secrets' && objectRef.name === WEBHOOK_SECRET) return undefined;
  // A watch is logged when it begins and when it ends, anything else when it is answered.
  if (stage !== (verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete')) return undefined;
  const { resource, subresource } = objectRef;
  return { user: user.username, verb, resource: subresource ? `${resource}/${subresource}` : resource };
}

export function totalsOf(requests: Requests): Totals {
  const sum = (wanted: (verb: string, resource: string) => boolean) =>
    [...requests].reduce((total, [key, count]) => {
      const [verb = '', resource = ''] = key.split(' ');
      return wanted(verb, resource) ? total + count : total;
    }, 0);
  const isWrite = (verb: string) => WRITES.includes(verb);
  return {
    reads: sum((verb) => !isWrite(verb) && verb !== 'watch'),
    writes: sum((verb, resource) => isWrite(verb) && resource !== 'events'),
    statusWrites: sum((verb, resource) => isWrite(verb) && resource.startsWith('configrollouts')),
    events: sum((verb, resource) => isWrite(verb) && resource === 'events'),
  };
}

/** Reads the log as it grows, each byte once. */
export class AuditLog {
  readonly #path: string;
  readonly #counts = new Map<string, Map<string, number>>();
  #offset = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** All of a user's requests so far. */
  of(user: string): Requests {
    this.#read();
    return new Map(this.#counts.get(user));
  }

  #read(): void {
    const file = openSync(this.#path, 'r');
    const chunk = Buffer.alloc(1 << 20);
    try {
      for (let length = 1; length > 0; this.#offset += length) {
        length = readSync(file, chunk, 0, chunk.length, this.#offset);
        // Byte for byte: a character may lie on both sides of a chunk's end, and none that matters here is split.
        const lines = (this.#rest + chunk.toString('latin1', 0, length)).split('\n');
        this.#rest = lines.pop() ?? '';
        for (const line of lines) this.#count(line);
      }
    } finally {
      closeSync(file);
    }
  }

  #count(line: string): void {
    const entry = parseEntry(line);
    if (entry === undefined) return;
    const ofUser = this.#counts.get(entry.user) ?? new Map<string, number>();
    const key = `${entry.verb} ${entry.resource}`;
    ofUser.set(key, (ofUser.get(key) ?? 0) + 1);
    this.#counts.set(entry.user, ofUser);
  }
}

/** What came in between. */
export function difference(before: Requests, after: Requests): Requests {
  const counts = [...after].map(([key, count]) => [key, count - (before.get(key) ?? 0)] as const);
  return new Map(counts.filter(([, count]) => count > 0));
}
