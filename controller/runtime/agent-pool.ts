// One pool of keep-alive connections: a TLS handshake costs several times what a small request does.

import http from 'node:http';
import https from 'node:https';
import { isDeepStrictEqual } from 'node:util';

/** What a TLS connection is made with; connections are shared only while all of it stays the same. */
export type TlsMaterial = Pick<https.AgentOptions, (typeof TLS_MATERIAL)[number]>;

export const TLS_MATERIAL = ['ca', 'cert', 'key', 'passphrase', 'pfx', 'servername', 'rejectUnauthorized'] as const;

const AGENT_OPTIONS = {
  keepAlive: true,
  // No cap on open sockets: every watch holds one for minutes, so a cap would starve requests behind watches. How many
  // requests run at once is bounded by the workers.
  maxSockets: Number.POSITIVE_INFINITY,
  maxFreeSockets: 32,
  // Idle sockets are closed before API servers (90 s) and load balancers (60 s and more) do: the fewer stale ones are
  // reused, the fewer writes fail on them.
  timeout: 45_000,
} as const;

export class AgentPool {
  #agent: http.Agent | undefined;
  #protocol: string | undefined;
  #material: TlsMaterial = {};

  /** The agent for that material; a new one when it changed (rotated CA or certificate). */
  agentFor(protocol: string, material: TlsMaterial): http.Agent {
    if (this.#agent !== undefined && protocol === this.#protocol && isDeepStrictEqual(material, this.#material)) {
      return this.#agent;
    }
    const previous = this.#agent;
    this.#agent =
      protocol === 'http:' ? new http.Agent(AGENT_OPTIONS) : new https.Agent({ ...AGENT_OPTIONS, ...material });
    this.#protocol = protocol;
    this.#material = material;
    if (previous !== undefined) retire(previous);
    return this.#agent;
  }

  /** Closes every connection, running watches too; those of a retired agent end by themselves. */
  close(): void {
    this.#agent?.destroy();
    this.#agent = undefined;
  }
}

/** Closes what is idle and lets running requests and watches end on their own. */
function retire(agent: http.Agent): void {
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy();
  }
  agent.maxFreeSockets = 0;
}
