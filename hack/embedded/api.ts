// A few requests to the API server, over connections that are kept: all that starting a cluster and standing in for
// its nodes take. The controller has its own client; this one must not depend on what it is there to test.

import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';

export interface Access {
  readonly server: string;
  readonly authority: string;
  readonly token: string;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface Call {
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const REQUEST_TIMEOUT_MS = 30_000;

export class Api {
  readonly #access: Access;
  readonly #agent: Agent;
  readonly #userAgent: string;

  constructor(access: Access, userAgent: string, connections = 16) {
    this.#access = access;
    this.#userAgent = userAgent;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, ca: access.authority });
  }

  async call(call: Call): Promise<Answer> {
    const response = await this.#send(call, REQUEST_TIMEOUT_MS);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
  }

  /** The lines of an answer that does not end by itself; gives up when it is silent for too long. */
  async *lines(call: Call, silenceMs: number): AsyncGenerator<string> {
    const response = await this.#send(call, silenceMs);
    if (response.statusCode !== 200) {
      response.resume();
      throw new Error(`watch refused: HTTP ${response.statusCode}`);
    }
    try {
      response.setEncoding('utf8');
      let rest = '';
      for await (const chunk of response) {
        const parts = (rest + String(chunk)).split('\n');
        rest = parts.pop() ?? '';
        yield* parts;
      }
    } finally {
      response.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send({ method = 'GET', path, body, headers }: Call, timeoutMs: number): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const outgoing = request(
        new URL(path, this.#access.server),
        {
          method,
          agent: this.#agent,
          timeout: timeoutMs,
          headers: {
            authorization: `Bearer ${this.#access.token}`,
            'user-agent': this.#userAgent,
            accept: 'application/json',
            ...(payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }),
            ...headers,
          },
        },
        resolve,
      );
      outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer from the API server in ${timeoutMs} ms`)));
      outgoing.once('error', reject);
      outgoing.end(payload);
    });
  }
}
