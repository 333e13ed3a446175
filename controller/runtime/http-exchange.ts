// One HTTP request over a given agent: abort, dead peers, and the only retry that is safe.

import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { codeOf } from './failure.ts';

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  readonly agent: http.Agent;
  /** `user:password` for Basic authentication. */
  readonly auth?: string;
  /** Destroys the connection at once, before and after the headers. */
  readonly signal: AbortSignal;
}

/** With libuv's ten probes a second apart, a peer that vanished is noticed after about 40 s, in ms. */
const KEEP_ALIVE_PROBE_MS = 30_000;

/** At a time: each costs a trip to another thread. */
const UNZIPPED_BYTES = 64 * 1024;

/**
 * Resolves when the headers have come; the caller reads or destroys the body. Rejects with the signal's reason when
 * aborted, else with the system's error.
 *
 * Retried once, a GET whose reused connection turned out to be closed before any byte of an answer. A write never is:
 * the same reset may come from a server that died after it acted, and only the caller can look again and decide.
 */
export async function send(request: HttpRequest): Promise<http.IncomingMessage> {
  try {
    return await sendOnce(request);
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    if (!(error instanceof StaleConnectionError)) throw error;
    if (request.method !== 'GET') throw error.cause;
  }
  try {
    return await sendOnce(request);
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    throw error instanceof StaleConnectionError ? error.cause : error;
  }
}

/** The whole body, decompressed when the server says it is gzip. */
export function readText(response: http.IncomingMessage): Promise<string> {
  return readBody(response, async (body) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  });
}

/** What `read` makes of the body as it comes, decompressed when the server says it is gzip. */
export function readBody<T>(
  response: http.IncomingMessage,
  read: (body: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  if (response.headers['content-encoding'] !== 'gzip') return read(response);
  return pipeline(response, createGunzip({ chunkSize: UNZIPPED_BYTES }), read);
}

/** A reused connection that was already dead. */
class StaleConnectionError extends Error {}

function sendOnce({ method, url, headers, body, agent, auth, signal }: HttpRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const options: https.RequestOptions = { method, headers, agent };
    if (auth !== undefined) options.auth = auth;
    const request = (url.protocol === 'http:' ? http : https).request(url, options);
    const abort = (): void => void request.destroy();
    signal.addEventListener('abort', abort, { once: true });
    // Comes after the whole response too, so that the tie to the signal lasts as long as the body.
    request.once('close', () => signal.removeEventListener('abort', abort));
    request.once('socket', (socket) => {
      if (!request.reusedSocket) tune(socket);
    });
    request.once('response', resolve);
    request.on('error', (error) =>
      reject(isStale(request, error) ? new StaleConnectionError('', { cause: error }) : error),
    );
    request.end(body);
  });
}

function isStale(request: http.ClientRequest, error: unknown): boolean {
  const code = codeOf(error);
  return request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
}

function tune(socket: Socket): void {
  const apply = (): void => {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
  };
  // Set before the connection stands, the probes would get libuv's default delay.
  if (socket.connecting) socket.once('connect', apply);
  else apply();
}
