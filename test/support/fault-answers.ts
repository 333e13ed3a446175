// Carries faults out on the connections of the proxy.

import type http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Asked, Fault, Refusal } from './fault-rules.ts';

/** One request that goes through the proxy. */
export interface Exchange {
  readonly asked: Asked;
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  /** Asks the API server. */
  forward(): Promise<http.IncomingMessage>;
  /** Passes an answer on as it comes. */
  relay(answer: http.IncomingMessage): Promise<void>;
}

const JSON_TYPE = 'application/json';
const NO_JSON = '{"kind":,}';
const PAGE = '<html><title>Sign in</title></html>';

/** Resolves when there is nothing more to do for this request. */
export async function strike(fault: Fault, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  if (typeof fault !== 'string') {
    if ('status' in fault) return refuse(fault, exchange);
    await sleep(fault.delayMs);
    return exchange.relay(await exchange.forward());
  }
  switch (fault) {
    case 'cut':
      request.socket.destroy();
      return;
    case 'reset':
      request.socket.resetAndDestroy();
      return;
    case 'black hole':
      return;
    case 'lost answer':
      await act(exchange);
      request.socket.resetAndDestroy();
      return;
    case 'truncated body':
    case 'halved body':
      return halve(fault === 'truncated body', exchange);
    case 'malformed body':
    case 'wrong content type':
    case 'empty body': {
      await act(exchange);
      const isPage = fault === 'wrong content type';
      const text = isPage ? PAGE : fault === 'empty body' ? '' : NO_JSON;
      response.writeHead(200, { 'content-type': isPage ? 'text/html' : JSON_TYPE }).end(text);
      return;
    }
    default:
      fault satisfies never;
  }
}

/** Lets the API server do what it is asked for. A watch would have no end, and changes nothing. */
async function act({ asked, forward }: Exchange): Promise<void> {
  if (asked.verb !== 'watch') await buffer(await forward());
}

/** Takes the place of an event of a watch. True when the watch goes on. */
export async function strikeMidway(fault: Fault, response: http.ServerResponse, chunk: Buffer): Promise<boolean> {
  if (typeof fault !== 'string') {
    if ('delayMs' in fault) {
      await sleep(fault.delayMs);
      response.write(chunk);
      return true;
    }
    response.end(`${JSON.stringify({ type: 'ERROR', object: statusOf(fault) })}\n`);
    return false;
  }
  switch (fault) {
    case 'cut':
      response.socket?.destroy();
      return false;
    case 'reset':
      response.socket?.resetAndDestroy();
      return false;
    case 'black hole':
      return false;
    case 'lost answer':
    case 'empty body':
      // As servers end a watch whose time is over; nothing of the event.
      response.end();
      return false;
    case 'truncated body':
    case 'halved body':
      response.end(chunk.subarray(0, chunk.length / 2));
      return false;
    case 'malformed body':
      response.write(`{"type":"MODIFIED","object":}\n`);
      return true;
    case 'wrong content type':
      response.write(`${PAGE}\n`);
      return true;
    default:
      return fault satisfies never;
  }
}

const REASONS: Readonly<Record<number, string>> = {
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
};

/** As the API server says it. */
function statusOf({ status, retryAfter }: Refusal, isCreate = false) {
  const reason = isCreate && status === 409 ? 'AlreadyExists' : REASONS[status];
  const details = retryAfter === undefined ? {} : { retryAfterSeconds: retryAfter };
  const message = `the proxy of this test answers ${status}`;
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, details, code: status };
}

function refuse(refusal: Refusal, { asked, response }: Exchange): void {
  const { status, retryAfter } = refusal;
  const headers = retryAfter === undefined ? {} : { 'retry-after': `${retryAfter}` };
  const body = JSON.stringify(statusOf(refusal, asked.verb === 'create'));
  response.writeHead(status, { 'content-type': JSON_TYPE, ...headers }).end(body);
}

async function halve(ends: boolean, { response, forward }: Exchange): Promise<void> {
  const answer = await forward();
  const body = await buffer(answer);
  const half = body.subarray(0, body.length / 2);
  const headers: http.OutgoingHttpHeaders = { ...answer.headers };
  delete headers['transfer-encoding'];
  headers['content-length'] = ends ? body.length : half.length;
  response.writeHead(answer.statusCode ?? 502, headers);
  response.write(half, () => (ends ? response.socket?.destroySoon() : response.end()));
}
