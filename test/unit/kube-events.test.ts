// Events against a server that has its troubles.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import type { EventAction } from '../../controller/core/actions.ts';
import { KubeClient } from '../../controller/kube/client.ts';
import { EventRecorder } from '../../controller/kube/events.ts';

/** How it takes one request: by a status, or by hanging up. */
type Answer = number | 'hangs up';

interface Sent {
  readonly metadata: { readonly name: string };
  readonly eventTime: string;
  readonly note: string;
}

let answers: Answer[];
let posted: Sent[];
let said: string[];
let counted: string[];
let client: KubeClient;
let recorder: EventRecorder;

const server = http.createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (request.method === 'GET') return response.writeHead(404).end();
  posted.push(JSON.parse(body));
  const answer = answers.shift() ?? 201;
  if (answer === 'hangs up') return response.destroy();
  return response.writeHead(answer, { 'content-type': 'application/json' }).end('{"kind":"Event"}');
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));
afterAll(() => client.close());
beforeEach(() => {
  [answers, posted, said, counted] = [[], [], [], []];
  const config = new KubeConfig();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  config.loadFromClusterAndUser({ name: 'test', server: url, skipTLSVerify: true }, { name: 'test' });
  client?.close();
  client = new KubeClient(config, { userAgent: 'test' });
  recorder = new EventRecorder(
    client,
    'test',
    (_, message) => said.push(message),
    ({ note }) => counted.push(note),
  );
});

const regarding = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'ns', name: 'bar', uid: 'uid-bar' };
const anEvent = (note: string, once = false): EventAction => ({
  type: 'Event',
  severity: 'Normal',
  reason: 'ConfigRolledOut',
  note,
  regarding,
  once,
});

async function untilPosted(count: number): Promise<void> {
  while (posted.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('an event', () => {
  test.each<[what: string, answers: Answer[], once: boolean]>([
    ['about what happened, and a server that is busy', [503, 429], false],
    ['about what happened, and a server that is not there', ['hangs up'], false],
    ['about a state, and a server in trouble', [500], true],
    ['whose first answer was lost', ['hangs up', 409], false],
  ])('%s: is sent again, as the same one, and before the next', async (_, troubles, once) => {
    answers = [...troubles];
    recorder.emit(anEvent('first', once));
    recorder.emit(anEvent('second'));
    const tries = Math.max(troubles.length, troubles.includes(409) ? 0 : troubles.length + 1);
    await untilPosted(tries + 1);
    await recorder.flush();
    expect(posted.map(({ note }) => note)).toEqual([...Array(tries).fill('first'), 'second']);
    expect(new Set(posted.map(({ metadata }) => metadata.name)).size).toBe(2);
    expect(new Set(posted.map(({ eventTime }) => eventTime)).size).toBeLessThanOrEqual(2);
    expect(counted).toEqual(['first', 'second']);
    expect(said).toEqual([expect.stringContaining('event not sent yet: ')]);
  });

  test.each([403, 422])('that is refused with %d is said, and not sent again', async (status) => {
    answers = [status];
    recorder.emit(anEvent('first'));
    recorder.emit(anEvent('second'));
    await untilPosted(2);
    await recorder.flush();
    expect(posted.map(({ note }) => note)).toEqual(['first', 'second']);
    expect(counted).toEqual(['second']);
    expect(said).toEqual([expect.stringMatching(/^event not sent: /)]);
  });

  test('that waits for its next try has one more when the process ends, and no pause', async () => {
    answers = [500, 500, 500];
    recorder.emit(anEvent('first'));
    recorder.emit(anEvent('second'));
    await untilPosted(1);
    await recorder.flush();
    expect(posted.map(({ note }) => note)).toEqual(['first', 'first', 'second']);
    expect(said.map((line) => line.split(':')[0])).toEqual(['event not sent yet', 'event not sent', 'event not sent']);
  });
});
