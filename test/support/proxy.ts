// A proxy between the controller and the API server, that can stop a controller at an exact write, or cut it off.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parse, stringify } from 'yaml';

export interface WriteSeen {
  /** Counts the controller's writes from 1; Events, and those of the lease, do not count. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
}

/** A write that the API server has answered. */
export interface WriteAnswered {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/** `drop`: the write never reaches the API server. `lose`: it does, and its answer is lost. */
export type Verdict = 'pass' | 'drop' | 'lose';

export interface FaultProxy {
  /** Path of a kubeconfig that goes through the proxy. */
  readonly kubeconfig: string;
  /** Asked about every write. After a verdict other than pass, nothing goes through any more until it is set anew. */
  judge: (write: WriteSeen) => Verdict;
  /** All writes, in the order of their answers; also those whose answers did not get through. */
  readonly answered: readonly WriteAnswered[];
  /** From now on nothing arrives, in neither direction, and no connection ends. */
  cut(): void;
  /** Delivers all that has been on its way since the cut: requests, too, that nobody waits for any more. */
  heal(): void;
  close(): Promise<void>;
}

/** @param kubeconfig the path of the one to go behind, with a bearer token. */
export async function startProxy(
  kubeconfig: string,
  write: (path: string, content: string) => void,
): Promise<FaultProxy> {
  const config = parse(readFileSync(kubeconfig, 'utf8'));
  const cluster = config.clusters[0].cluster;
  const target = new URL(cluster.server);
  const ca = cluster['certificate-authority-data']
    ? Buffer.from(cluster['certificate-authority-data'], 'base64')
    : readFileSync(cluster['certificate-authority']);
  const agent = new https.Agent({ ca, keepAlive: true });
  const answered: WriteAnswered[] = [];
  let writes = 0;
  let severed = false;
  let judge: FaultProxy['judge'] = () => 'pass';
  /** Pending while the way is cut. */
  let passable = Promise.resolve();
  let heal = (): void => undefined;

  async function relay(answer: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    await passable;
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    for await (const chunk of answer) {
      await passable;
      response.write(chunk);
    }
    await passable;
    response.end();
  }

  async function serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const body = await buffer(request);
    const counts = method !== 'GET' && !/\/(events|leases)\b/.test(path);
    const verdict = severed ? 'drop' : counts ? judge({ number: ++writes, method, path }) : 'pass';
    if (verdict !== 'pass') severed = true;
    if (verdict === 'drop') {
      request.socket.destroy();
      return;
    }
    await passable;
    const upstream = https.request(
      {
        agent,
        host: target.hostname,
        port: target.port,
        method,
        path,
        headers: { ...request.headers, host: target.host },
      },
      (answer) => {
        if (method !== 'GET') answered.push({ method, path, status: answer.statusCode ?? 0 });
        if (verdict === 'lose') answer.resume().on('end', () => request.socket.destroy());
        else relay(answer, response).catch(() => response.destroy());
      },
    );
    if (method === 'GET') response.on('close', () => upstream.destroy());
    upstream.on('error', () => request.socket.destroy());
    upstream.end(body);
  }

  const server = http.createServer((request, response) => {
    // Whoever hung up before the question was asked.
    serve(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  // client-node speaks plain HTTP only when told to skip verification.
  config.clusters[0].cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  const behind = `${kubeconfig}.proxy`;
  write(behind, stringify(config));
  return {
    kubeconfig: behind,
    get judge() {
      return judge;
    },
    set judge(next) {
      judge = next;
      writes = 0;
      severed = false;
    },
    answered,
    cut: () => {
      passable = new Promise((resolve) => {
        heal = resolve;
      });
    },
    heal: () => heal(),
    close: async () => {
      heal();
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
