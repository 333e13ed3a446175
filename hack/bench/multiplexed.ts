// Patches as client-go sends them, all over one connection of HTTP/2: an open loop must not pay for a handshake whenever
// answers are late, and make them later by that.

import http2 from 'node:http2';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';

const TIMEOUT_MS = 30_000;

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export class MultiplexedClient {
  readonly #session: http2.ClientHttp2Session;
  readonly #headers: http2.OutgoingHttpHeaders;

  private constructor(session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders) {
    this.#session = session;
    this.#headers = headers;
  }

  static async connect(config: KubeConfig): Promise<MultiplexedClient> {
    const { ca, cert, key, headers }: RequestOptions = await withCredentials(config);
    const session = http2.connect(config.getCurrentCluster()?.server ?? '', { ca, cert, key });
    // Each request that is under way tells what it means for it.
    session.on('error', () => undefined);
    return new MultiplexedClient(session, { 'user-agent': 'bench', ...(headers as http2.OutgoingHttpHeaders) });
  }

  /** Rejects when no whole answer comes within 30 s. */
  patch(path: string, contentType: string, body: unknown): Promise<Answer> {
    const headers = { ...this.#headers, ':method': 'PATCH', ':path': path, 'content-type': contentType };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const stream = this.#session.request(headers, { signal });
    return new Promise((resolve, reject) => {
      let status = 0;
      let text = '';
      stream.setEncoding('utf8');
      stream.once('response', (answer) => {
        status = Number(answer[':status']);
      });
      stream.on('data', (chunk: string) => {
        text += chunk;
      });
      stream.once('end', () => resolve({ status, text }));
      stream.once('error', (error) => reject(signal.aborted ? signal.reason : error));
      stream.end(JSON.stringify(body));
    });
  }

  close(): void {
    this.#session.destroy();
  }
}

async function withCredentials(config: KubeConfig): Promise<RequestOptions> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return options;
}
