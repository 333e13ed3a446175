// A small server for what people and machines look at while a process runs: plain HTTP, reading only, nothing secret.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { codeOf, messageOf } from '../runtime/failure.ts';
import type { Log } from '../runtime/log.ts';

/** Where to listen. Without a host: on every address of the machine. */
export interface Bind {
  readonly host: string | undefined;
  readonly port: number;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  /** Default: plain text. */
  readonly contentType?: string;
}

/** Answers what it knows; undefined: there is nothing at that path. */
export type Route = (url: URL) => Reply | undefined | Promise<Reply>;

export interface PlainHttpOptions {
  readonly bind: Bind;
  /** The flag that `bind` comes from, for whoever has to change it. */
  readonly flag: string;
  readonly route: Route;
  /** What there is, for those who ask for what there is not. */
  readonly paths: readonly string[];
  readonly log: Log;
}

const RECEIVE_MS = 5_000;
const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'not allowed to listen there; ports from 1024 on need no privilege',
  ENOTFOUND: 'there is no host of that name',
};

export class PlainHttpServer {
  readonly #options: PlainHttpOptions;
  readonly #server: http.Server;

  constructor(options: PlainHttpOptions) {
    this.#options = options;
    const timeouts = { requestTimeout: RECEIVE_MS, headersTimeout: RECEIVE_MS };
    this.#server = http.createServer(timeouts, (request, response) => void this.#serve(request, response));
  }

  /** Resolves with the address when it listens; rejects, naming flag, address and cause, when it cannot. */
  async listen(): Promise<string> {
    const { bind, flag } = this.#options;
    const server = this.#server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port: bind.port, ...(bind.host !== undefined && { host: bind.host }) }, resolve);
      });
    } catch (error) {
      const code = codeOf(error);
      const cause = code === undefined ? undefined : CAUSES[code];
      const why = cause === undefined ? messageOf(error) : `${cause} (${code})`;
      throw new Error(`${flag}: cannot listen on ${display(bind)}: ${why}`, { cause: error });
    }
    const { port } = server.address() as AddressInfo;
    return display({ host: bind.host, port });
  }

  /** Hangs up on everybody at once: a shutdown waits for nobody's scrape. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      write(response, { status: 405, text: 'GET or HEAD only\n' });
      return;
    }
    try {
      const url = URL.parse(request.url ?? '/', 'http://localhost');
      write(response, (url && (await this.#options.route(url))) ?? this.#nothingAt(request.url));
    } catch (error) {
      this.#options.log('error', `cannot answer ${request.url}: ${messageOf(error)}`);
      write(response, { status: 500, text: `${messageOf(error)}\n` });
    }
  }

  #nothingAt(path: string | undefined): Reply {
    return { status: 404, text: `there is nothing at ${path}; there is ${this.#options.paths.join(', ')}\n` };
  }
}

function write(response: ServerResponse, { status, text, contentType = 'text/plain; charset=utf-8' }: Reply): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
    // As kube-apiserver's probes and metrics: what is true now is not true later, and is text whatever it looks like.
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  // Node leaves the body out of the answer to a HEAD.
  response.end(text);
}

function display({ host, port }: Bind): string {
  return `${host?.includes(':') ? `[${host}]` : (host ?? '')}:${port}`;
}
