// The HTTPS server that the API server asks. Whatever goes wrong here, it answers: an error of ours must not keep
// anybody from deploying.

import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type AdmissionAnswer, type Admit, ALLOWED, keyOf } from '../app/admission.ts';
import { messageOf } from '../runtime/failure.ts';
import type { Log } from '../runtime/log.ts';
import { BadReview, readReview, writeReview } from './review.ts';

/** `late`, `error`: let through as it was, for want of an answer in time, or of one at all. */
export type AdmissionResult = 'allowed' | 'patched' | 'denied' | 'error' | 'late';

/** One question that was answered. */
export interface AdmissionEnd {
  /** One of those in `handlers`. */
  readonly path: string;
  readonly result: AdmissionResult;
  readonly seconds: number;
}

export interface AdmissionServerOptions {
  /** Path → who answers there. */
  readonly handlers: Readonly<Record<string, Admit>>;
  readonly onAnswer?: ((end: AdmissionEnd) => void) | undefined;
  readonly log: Log;
}

// An object has 1.5 MiB at most in etcd's defaults, 3 MiB as a request; a review holds two of them.
const LARGEST_BODY = 16 * 1024 * 1024;
// API servers keep idle connections for 90 s; ours must not be the first to hang up, just as a request is on its way.
const KEEP_ALIVE_MS = 120_000;
const RECEIVE_MS = 10_000;
// The first request on a new connection may be on its way.
const FRESH_MS = 500;
// Left for the answer's way back.
const MARGIN_MS = 250;
const DEFAULT_TIMEOUT_MS = 10_000;

export class AdmissionServer {
  readonly #handlers: AdmissionServerOptions['handlers'];
  readonly #onAnswer: AdmissionServerOptions['onAnswer'];
  readonly #log: Log;
  readonly #server: https.Server;
  readonly #connections = new Set<Socket>();
  /** When each had shaken hands, in ms of performance.now(). */
  readonly #secured = new Map<TLSSocket, number>();
  #isStopping = false;

  constructor({ handlers, onAnswer, log }: AdmissionServerOptions) {
    this.#handlers = handlers;
    this.#onAnswer = onAnswer;
    this.#log = log;
    const timeouts = { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: RECEIVE_MS, headersTimeout: RECEIVE_MS };
    this.#server = https.createServer({ minVersion: 'TLSv1.2', ...timeouts }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#log('debug', `admission: ${messageOf(error)}`);
        response.destroy();
      });
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    this.#server.on('secureConnection', (socket) => {
      this.#secured.set(socket, performance.now());
      socket.once('close', () => this.#secured.delete(socket));
    });
    // Probes of ports, and handshakes of those who do not trust us (yet).
    this.#server.on('tlsClientError', (error) => this.#log('debug', `admission: ${error.message}`));
  }

  /** Takes effect for new connections; those that are open go on. PEM. */
  useCertificate(material: { readonly cert: string; readonly key: string }): void {
    this.#server.setSecureContext({ ...material, minVersion: 'TLSv1.2' });
  }

  /** Port 0 takes a free one. Resolves with the port when it listens; rejects when it cannot. */
  async listen(port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, resolve);
    });
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /**
   * Goes on answering for `delayMs`, while API servers learn to ask others; then ends with the last answer. Who has not
   * asked to the end by then has `patienceMs` left: a server that is closed holds nobody to a time any more.
   */
  async stop(delayMs: number, patienceMs = RECEIVE_MS): Promise<void> {
    this.#isStopping = true;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    this.#closeUnused();
    const hangUp = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, patienceMs);
    await closed;
    clearTimeout(hangUp);
  }

  // Go opens connections that it then has no use for, and Node takes one on which nothing was ever asked for busy.
  #closeUnused(): void {
    for (const [socket, since] of this.#secured)
      if (socket.bytesRead === 0 && performance.now() - since > FRESH_MS) socket.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    // A connection that is kept would outlast a server that stops.
    const send = (status: number, text: string, headers: Headers = {}) =>
      write(response, status, text, this.#isStopping ? { ...headers, connection: 'close' } : headers);
    const url = URL.parse(request.url ?? '/', 'https://localhost');
    if (url?.pathname === '/readyz') return send(this.#isStopping ? 503 : 200, this.#isStopping ? 'stopping' : 'ok');
    const admit = url ? this.#handlers[url.pathname] : undefined;
    if (url === null || admit === undefined) return send(404, `there is nothing at ${request.url}`);
    if (request.method !== 'POST') return send(405, 'POST an AdmissionReview', { allow: 'POST' });
    const body = await readBody(request);
    if (body === undefined) {
      return send(413, `the body is longer than ${LARGEST_BODY} bytes`, { connection: 'close' });
    }
    try {
      const asked = readReview(body);
      const { answer, result } = await this.#answer(admit, asked, timeoutOf(url));
      send(200, writeReview(asked.uid, answer), { 'content-type': 'application/json' });
      this.#onAnswer?.({ path: url.pathname, result, seconds: (performance.now() - startedAt) / 1000 });
    } catch (error) {
      if (!(error instanceof BadReview)) throw error;
      send(400, error.message);
    }
  }

  async #answer(admit: Admit, asked: Parameters<Admit>[0], timeoutMs: number): Promise<Outcome> {
    const what = keyOf(asked);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => {
        this.#log('warn', `admission of ${what} took longer than ${timeoutMs} ms; let through as it was`);
        resolve({ answer: unpinned('was busy'), result: 'late' });
      }, timeoutMs);
    });
    const inTime = (async () => decided(await admit(asked)))().catch((error: unknown): Outcome => {
      this.#log('error', `admission of ${what}: ${messageOf(error)}; let through as it was`);
      return { answer: unpinned('failed'), result: 'error' };
    });
    try {
      return await Promise.race([inTime, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

interface Outcome {
  readonly answer: AdmissionAnswer;
  readonly result: AdmissionResult;
}

function decided(answer: AdmissionAnswer): Outcome {
  if (answer.refusal !== undefined) return { answer, result: 'denied' };
  return { answer, result: (answer.operations ?? []).length > 0 ? 'patched' : 'allowed' };
}

function unpinned(why: string): AdmissionAnswer {
  return {
    ...ALLOWED,
    warnings: [`config-rollout ${why}, and let this through as it is; its controller mends it afterwards`],
  };
}

// The API server says how long it is going to wait, as a Go duration of whole seconds: `?timeout=2s`.
function timeoutOf(url: URL): number {
  const [, seconds] = /^(\d+)s$/.exec(url.searchParams.get('timeout') ?? '') ?? [];
  return (seconds === undefined ? DEFAULT_TIMEOUT_MS : Number(seconds) * 1000) - MARGIN_MS;
}

/** Undefined when it is too long. Throws when the sender hangs up. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  // To destroy the request would be to hang up before the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > LARGEST_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

type Headers = Readonly<Record<string, string>>;

function write(response: ServerResponse, status: number, text: string, headers: Headers): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers });
  response.end(text);
}
