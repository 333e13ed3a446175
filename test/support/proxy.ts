// A proxy between the controller and the API server, that can stop a controller at an exact write.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { parse, stringify } from 'yaml';

export interface WriteSeen {
  /** Counts the controller's writes from 1; Events do not count. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
}

/** `drop`: the write never reaches the API server. `lose`: it does, and its answer is lost. */
export type Verdict = 'pass' | 'drop' | 'lose';

export interface FaultProxy {
  /** Path of a kubeconfig that goes through the proxy. */
  readonly kubeconfig: string;
  /** Asked about every write. After a verdict other than pass, nothing goes through any more until it is set anew. */
  judge: (write: WriteSeen) => Verdict;
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
  let writes = 0;
  let severed = false;
  let judge: FaultProxy['judge'] = () => 'pass';

  const server = http.createServer((request, response) => {
    const { method = 'GET', url: path = '/' } = request;
    const counts = method !== 'GET' && !path.includes('/events');
    const verdict = severed ? 'drop' : counts ? judge({ number: ++writes, method, path }) : 'pass';
    if (verdict !== 'pass') severed = true;
    if (verdict === 'drop') {
      request.socket.destroy();
      return;
    }
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
        if (verdict === 'lose') {
          answer.resume().on('end', () => request.socket.destroy());
          return;
        }
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        answer.pipe(response);
      },
    );
    response.on('close', () => upstream.destroy());
    upstream.on('error', () => request.socket.destroy());
    request.pipe(upstream);
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
    close: async () => {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
