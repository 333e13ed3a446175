// The only place that talks HTTP to the API server: raw JSON in and out, no generated classes (memory, and fields their
// version does not know), one pool of connections, errors translated once into ApiError.

import type { Agent, IncomingMessage } from 'node:http';
import type { RequestOptions as HttpsOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { childAbort } from '../runtime/abort.ts';
import { AgentPool, TLS_MATERIAL } from '../runtime/agent-pool.ts';
import { messageOf, statusOf } from '../runtime/failure.ts';
import { readBody, readText, send } from '../runtime/http-exchange.ts';
import { httpListWatch, type ListWatchOptions, type Transport } from '../runtime/http-list-watch.ts';
import { jsonLines } from '../runtime/json-lines.ts';
import { readJsonList } from '../runtime/json-list.ts';
import { JsonTextError } from '../runtime/json-text.ts';
import type { ListWatch } from '../runtime/list-watch.ts';
import type { RequestEnd } from '../runtime/request-end.ts';
import {
  ApiError,
  type Asked,
  errorFromAnswer,
  errorFromMalformed,
  errorFromNetwork,
  errorFromTimeout,
} from './api-error.ts';
import { bodyHeaders, decode } from './bodies.ts';
import { warningTexts } from './warnings.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default: application/json, for PATCH application/merge-patch+json. */
  readonly contentType?: string;
  /** Default: application/json. */
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborting destroys the connection at once and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** For the whole answer, of a stream for its headers; in ms, default 30 s. */
  readonly timeoutMs?: number;
  /** The answer is a list, and comes without its items: each is given to this as soon as it is there. */
  readonly takeItem?: (item: unknown) => void;
}

export interface KubeClientOptions {
  readonly userAgent: string;
  /** Sent with every request: impersonation. Several values of one header are several lines. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Hears what the server warns of, with answers of every status; not de-duplicated. */
  readonly onWarning?: (text: string) => void;
  readonly onRequest?: (end: RequestEnd) => void;
}

interface Credentials {
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string>>;
  readonly auth: string | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** client-node reads files anew for each call, and starts an exec plugin for each of several at once; in ms. */
const CREDENTIALS_TTL_MS = 5_000;

export class KubeClient {
  readonly #config: KubeConfig;
  readonly #options: KubeClientOptions;
  readonly #server: string;
  readonly #host: string;
  readonly #pool = new AgentPool();
  #credentials: Promise<Credentials> | undefined;
  #credentialsUntil = 0;

  /** Throws when the configuration's current context names no cluster. */
  constructor(config: KubeConfig, options: KubeClientOptions) {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no current cluster');
    this.#config = config;
    this.#options = options;
    // May hold a path of its own, behind a management proxy.
    this.#server = cluster.server.replace(/\/+$/, '');
    this.#host = URL.parse(this.#server)?.host ?? '';
  }

  /**
   * One call, decoded: JSON as the server sent it, text of any other type as a string, undefined for an empty answer.
   * T is the caller's claim, unchecked. Throws ApiError, or the signal's reason when the caller aborts.
   */
  async request<T>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    options: RequestOptions = {},
  ): Promise<T> {
    const asked = { method, path };
    const child = childAbort(options.signal);
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const timer = setTimeout(() => child.abort(errorFromTimeout(asked, timeoutMs)), timeoutMs);
    const startedAt = performance.now();
    try {
      // API servers compress large answers to reads; a watch is never compressed.
      const encoding = method === 'GET' ? { 'accept-encoding': 'gzip' } : {};
      const response = await this.#send(asked, options, encoding, child.signal);
      const { takeItem } = options;
      const answer = takeItem
        ? await readBody(response, (body) => readJsonList(body, takeItem))
        : decode(asked, response, await readText(response));
      this.#tellEnd(method, response.statusCode, startedAt);
      return answer as T;
    } catch (error) {
      const translated = this.#translate(asked, error, child.signal);
      this.#tellEnd(method, statusOf(translated), startedAt);
      throw translated;
    } finally {
      clearTimeout(timer);
      child.unlink();
    }
  }

  /**
   * The values of a newline-delimited JSON answer, such as a watch, until the server ends it. Throws ApiError: status 0
   * also for a broken connection, a line that is no JSON, or one that was cut short.
   */
  async *stream(path: string, options: RequestOptions = {}): AsyncGenerator<unknown, void, undefined> {
    const asked = { method: 'GET', path };
    const child = childAbort(options.signal);
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const timer = setTimeout(() => child.abort(errorFromTimeout(asked, timeoutMs)), timeoutMs);
    const startedAt = performance.now();
    let response: IncomingMessage | undefined;
    try {
      response = await this.#send(asked, options, {}, child.signal);
      clearTimeout(timer);
      this.#tellEnd(asked.method, response.statusCode, startedAt);
      yield* jsonLines(response);
    } catch (error) {
      const translated = this.#translate(asked, error, child.signal);
      if (response === undefined) this.#tellEnd(asked.method, statusOf(translated), startedAt);
      throw translated;
    } finally {
      clearTimeout(timer);
      child.unlink();
      response?.destroy();
    }
  }

  /** What a reflector needs, for the collection at `path`. */
  listWatch(path: string, options: ListWatchOptions = {}): ListWatch {
    const transport: Transport = {
      list: (at, ask, takeItem) => this.request('GET', at, { ...ask, takeItem }),
      stream: (at, ask) => this.stream(at, ask),
    };
    return httpListWatch(transport, path, options);
  }

  /** Closes every connection, running watches too. */
  close(): void {
    this.#pool.close();
  }

  async #send(
    asked: Asked,
    { query = {}, body, contentType, accept, headers }: RequestOptions,
    encoding: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const credentials = await this.#currentCredentials(asked);
    const url = new URL(this.#server + asked.path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const json = body === undefined ? undefined : JSON.stringify(body);
    const fallback = asked.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const payload = json === undefined ? {} : bodyHeaders(json, contentType ?? fallback);
    const response = await send({
      method: asked.method,
      url,
      headers: {
        accept: accept ?? 'application/json',
        'user-agent': this.#options.userAgent,
        ...encoding,
        ...payload,
        ...credentials.headers,
        ...this.#options.headers,
        ...headers,
      },
      agent: credentials.agent,
      signal,
      ...(json === undefined ? {} : { body: json }),
      ...(credentials.auth === undefined ? {} : { auth: credentials.auth }),
    });
    this.#tellWarnings(response);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    // What was refused may have been rotated meanwhile: read it again next time.
    if (status === 401) this.#credentials = undefined;
    const retryAfter = response.headers['retry-after'];
    throw errorFromAnswer(asked, { status, retryAfter, text: await readText(response) });
  }

  #tellEnd(method: string, status: number | undefined, startedAt: number): void {
    const seconds = (performance.now() - startedAt) / 1000;
    this.#options.onRequest?.({ method, host: this.#host, status: status ?? 0, seconds });
  }

  #tellWarnings({ headersDistinct }: IncomingMessage): void {
    const { onWarning } = this.#options;
    if (onWarning === undefined) return;
    for (const text of warningTexts(headersDistinct['warning'])) onWarning(text);
  }

  #currentCredentials(asked: Asked): Promise<Credentials> {
    const now = performance.now();
    if (this.#credentials !== undefined && now < this.#credentialsUntil) return this.#credentials;
    const reading = this.#readCredentials(asked);
    this.#credentials = reading;
    this.#credentialsUntil = now + CREDENTIALS_TTL_MS;
    reading.catch(() => {
      if (this.#credentials === reading) this.#credentials = undefined;
    });
    return reading;
  }

  async #readCredentials({ method, path }: Asked): Promise<Credentials> {
    const options: HttpsOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (cause) {
      const message = `cannot get the credentials for ${this.#server}: ${messageOf(cause)}`;
      throw new ApiError({ status: 0, reason: 'CredentialsError', message, method, path, cause });
    }
    const material = Object.fromEntries(
      TLS_MATERIAL.map((name) => [name, options[name]] as const).filter(([, value]) => value !== undefined),
    );
    const usesProxy = Boolean(this.#config.getCurrentCluster()?.proxyUrl);
    const agent = usesProxy ? options.agent : undefined;
    return {
      // Through a proxy client-node's agent is taken as it is: tunnelling is its business.
      agent: typeof agent === 'object' ? agent : this.#pool.agentFor(new URL(this.#server).protocol, material),
      headers: Object.fromEntries(Object.entries(options.headers ?? {}).map(([k, v]) => [k, String(v).trim()])),
      auth: options.auth ?? undefined,
    };
  }

  #translate(asked: Asked, error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof ApiError) return error;
    if (error instanceof JsonTextError) return errorFromMalformed(asked, error.message);
    return errorFromNetwork(asked, this.#server, error);
  }
}
