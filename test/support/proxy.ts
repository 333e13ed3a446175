// A proxy between the controller and the API server: it can stop a controller at an exact write, cut it off, and let
// requests go wrong by rules that are data.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parse, stringify } from 'yaml';
import { type Exchange, strike, strikeMidway } from './fault-answers.ts';
import { type Asked, askedBy, type Fault, FaultRules } from './fault-rules.ts';

export interface RequestSeen extends Asked {
  /** Counts the controller's writes from 1; Events, and those of the lease, do not count, and have 0, as reads have. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
  /** Monotonic, in ms. */
  readonly at: number;
  readonly fault: Fault | undefined;
  /** What the API server answered, once it has. */
  status?: number;
}

/** `drop`: the write never reaches the API server. `lose`: it does, and its answer is lost. */
export type Verdict = 'pass' | 'drop' | 'lose';

export interface FaultProxy {
  /** Path of a kubeconfig that goes through the proxy. */
  readonly kubeconfig: string;
  readonly rules: FaultRules;
  /** Asked about every write. After a verdict other than pass, nothing goes through any more until it is set anew. */
  judge: (write: RequestSeen) => Verdict;
  readonly requests: readonly RequestSeen[];
  /** All writes, in the order of their answers; also those whose answers did not get through. */
  readonly answered: readonly (RequestSeen & { readonly status: number })[];
  /** From now on nothing arrives, in neither direction, and no connection ends. */
  cut(): void;
  /** Delivers all that has been on its way since the cut: requests, too, that nobody waits for any more. */
  heal(): void;
  close(): Promise<void>;
}

export function isWrite({ verb }: Asked): boolean {
  return !['get', 'list', 'watch'].includes(verb);
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
  const rules = new FaultRules();
  const requests: RequestSeen[] = [];
  const answered: (RequestSeen & { readonly status: number })[] = [];
  let writes = 0;
  let severed = false;
  let judge: FaultProxy['judge'] = () => 'pass';
  /** Pending while the way is cut. */
  let passable = Promise.resolve();
  let heal = (): void => undefined;

  async function relay(seen: RequestSeen, answer: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    await passable;
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    for await (const chunk of answer) {
      await passable;
      const fault = seen.verb === 'watch' ? rules.strike(seen, seen.path, true) : undefined;
      if (fault === undefined) response.write(chunk);
      else if (!(await strikeMidway(fault, response, chunk))) return;
    }
    await passable;
    response.end();
  }

  function ask(seen: RequestSeen, headers: http.IncomingHttpHeaders, body: Buffer) {
    const { method, path } = seen;
    const { hostname: host, port } = target;
    const upstream = https.request({ agent, host, port, method, path, headers: { ...headers, host: target.host } });
    const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
      upstream.on('error', reject);
      upstream.on('response', (response) => {
        seen.status = response.statusCode ?? 0;
        if (isWrite(seen)) answered.push({ ...seen, status: seen.status });
        resolve(response);
      });
    });
    upstream.end(body);
    return { upstream, answer };
  }

  function see(method: string, path: string): RequestSeen {
    const asked = askedBy(method, path);
    const counts = !severed && isWrite(asked) && !['events', 'leases'].includes(asked.resource);
    const fault = severed ? undefined : rules.strike(asked, path);
    const seen = { ...asked, number: counts ? ++writes : 0, method, path, at: performance.now(), fault };
    requests.push(seen);
    return seen;
  }

  function judged(seen: RequestSeen): Verdict {
    if (severed) return 'drop';
    const verdict = isWrite(seen) ? judge(seen) : 'pass';
    severed = verdict !== 'pass';
    return verdict;
  }

  async function serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = await buffer(request);
    const seen = see(request.method ?? 'GET', request.url ?? '/');
    const verdict = judged(seen);
    if (verdict === 'drop') {
      request.socket.destroy();
      return;
    }
    await passable;
    const exchange: Exchange = {
      asked: seen,
      request,
      response,
      forward: () => {
        const { upstream, answer } = ask(seen, request.headers, body);
        if (!isWrite(seen)) response.on('close', () => upstream.destroy());
        return answer;
      },
      relay: (answer) => relay(seen, answer, response),
    };
    const fault = verdict === 'lose' ? 'lost answer' : seen.fault;
    if (fault === undefined) await exchange.relay(await exchange.forward());
    else await strike(fault, exchange);
  }

  const server = http.createServer((request, response) => {
    // Whoever hung up before the question was asked, or an API server that did.
    serve(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  // client-node speaks plain HTTP only when told to skip verification.
  config.clusters[0].cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  const behind = `${kubeconfig}.proxy-${port}`;
  write(behind, stringify(config));
  return {
    kubeconfig: behind,
    rules,
    get judge() {
      return judge;
    },
    set judge(next) {
      judge = next;
      writes = 0;
      severed = false;
    },
    requests,
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
