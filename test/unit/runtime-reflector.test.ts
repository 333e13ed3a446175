// The reflector against a scripted API server on a real socket, through the real client: what breaks a watch in
// practice is in the wire, not in the port.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { KubeClient } from '../../controller/kube/client.ts';
import type { Log } from '../../controller/runtime/log.ts';
import { Reflector } from '../../controller/runtime/reflector.ts';
import type { ReflectorTimings } from '../../controller/runtime/reflector-timings.ts';
import { type Change, EVERYWHERE, Store, type Stored } from '../../controller/runtime/store.ts';

type Answer = (response: http.ServerResponse, url: URL) => void;

interface Kept extends Stored {
  readonly color: string;
}

const raw = (name: string, version: number, color = 'red', uid = `uid-${name}`): object => ({
  kind: 'Thing',
  metadata: { namespace: 'ns', name, uid, resourceVersion: String(version) },
  color,
});

const project = (object: unknown): Kept | undefined => {
  const { metadata, color } = object as { metadata: Stored; color: string };
  if (color === 'fatal') throw new Error('cannot be projected');
  if (color === 'hidden') return undefined;
  const { namespace, name, uid, resourceVersion } = metadata;
  return { namespace, name, uid, resourceVersion, color };
};

const json =
  (body: object, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

const list = (version: number, items: object[], more?: string): Answer =>
  json({ kind: 'ThingList', metadata: { resourceVersion: String(version), continue: more }, items });

const failure = (code: number, reason: string, headers?: Record<string, string>): Answer =>
  json({ kind: 'Status', status: 'Failure', code, reason, message: reason }, code, headers);

const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;

const bookmark = (version: number): string =>
  line('BOOKMARK', { kind: 'Thing', metadata: { resourceVersion: String(version) } });

/** A watch that sends lines and then ends, breaks or stays open. */
const watch =
  (lines: readonly string[], then: 'end' | 'break' | 'stay'): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const text of lines) response.write(text);
    if (then === 'end') response.end();
    if (then === 'break') setTimeout(() => response.destroy(), 5);
  };

let server: http.Server;
let client: KubeClient;
let script: Answer[];
let asked: string[];
let stop: AbortController;
let logs: { level: string; message: string }[];

const log: Log = (level, message) => logs.push({ level, message });

beforeEach(async () => {
  script = [];
  asked = [];
  logs = [];
  stop = new AbortController();
  server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://local');
    const query = url.searchParams;
    const version = query.get('resourceVersion');
    const more = query.get('continue');
    asked.push(query.has('watch') ? `watch ${version}` : `list${more === null ? '' : ` ${more}`}${version ?? ''}`);
    const answer = script.shift() ?? watch([], 'stay');
    answer(response, url);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const config = new KubeConfig();
  const { port } = server.address() as AddressInfo;
  config.loadFromClusterAndUser(
    { name: 'test', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: 'test' },
  );
  client = new KubeClient(config, { userAgent: 'test' });
});

afterEach(async () => {
  stop.abort();
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function start(
  timings: Partial<ReflectorTimings> = {},
  optional = false,
): {
  store: Store<Kept>;
  changes: Change<Kept>[];
  reflector: Reflector<Kept>;
  finished: Promise<void>;
  content: () => string[];
} {
  const store = new Store<Kept>({});
  const changes: Change<Kept>[] = [];
  store.subscribe((change) => changes.push(change));
  const reflector = new Reflector({
    name: 'things',
    scope: EVERYWHERE,
    listWatch: client.listWatch('/apis/test/v1/things'),
    project,
    store,
    log,
    optional,
    timings: { backoff: { minimumMs: 2, maximumMs: 10 }, healthyAfterMs: 20, ...timings },
  });
  const finished = reflector.run(stop.signal);
  const content = (): string[] => [...store.all()].map((object) => `${object.name}@${object.resourceVersion}`).sort();
  return { store, changes, reflector, finished, content };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await wait(5);
  expect(asked).toEqual(condition() ? asked : 'the condition to come true');
}

const hasAsked = (count: number) => (): boolean => asked.length >= count;

describe('a resource that may not be there', () => {
  test.each([
    ['does not exist', failure(404, 'NotFound'), [], 1],
    ['may not be read', failure(403, 'Forbidden'), ['error'], 3],
  ])('and that %s counts as empty, until it is there', async (_, absent, loud, looks) => {
    script = [...Array.from({ length: looks }, () => absent), absent, list(10, [raw('a', 1)])];
    const { reflector, content } = start({ absentMs: 3, doubtMs: 1 }, true);
    await reflector.synced;
    expect([content(), asked.length]).toEqual([[], looks]);
    await until(hasAsked(looks + 3));
    expect(content()).toEqual(['a@1']);
    expect(logs.filter(({ level }) => level === 'error' || level === 'warn').map(({ level }) => level)).toEqual(loud);
  });

  test.each([403, 404])('is not taken for absent by an API server that answers %d while it starts', async (status) => {
    const starting = [failure(status, 'Starting'), failure(status, 'Starting')];
    script = [failure(403, 'Forbidden'), list(10, [raw('a', 1)]), ...starting, list(11, [raw('a', 2)])];
    const { reflector, store, content } = start({ doubtMs: 1, backoff: { minimumMs: 5000, maximumMs: 5000 } }, true);
    const seen: number[] = [];
    store.subscribe(() => seen.push(content().length));
    await reflector.synced;
    expect(content()).toEqual(['a@1']);
    await until(() => content()[0] === 'a@2');
    expect(seen).toEqual([1, 1]);
  });

  test('takes what it had along when it goes', async () => {
    const gone = Array.from({ length: 12 }, () => failure(404, 'NotFound'));
    script = [list(10, [raw('a', 1)]), ...gone];
    const { reflector, content } = start({ absentMs: 3, doubtMs: 1 }, true);
    await reflector.synced;
    expect(content()).toEqual(['a@1']);
    await until(() => content().length === 0);
  });

  test('may go while it is watched, with own writes that the watch has not shown', async () => {
    script = [list(10, [raw('a', 1)]), ...Array.from({ length: 4 }, () => failure(404, 'NotFound'))];
    const { reflector, store, content } = start({ doubtMs: 1, backoff: { minimumMs: 5000, maximumMs: 5000 } }, true);
    await reflector.synced;
    store.noteWrite({ namespace: 'ns', name: 'b', uid: 'uid-b', resourceVersion: '12', color: 'blue' });
    await until(() => content().length === 0);
  });

  test('keeps what it had when it may be read no more', async () => {
    script = [list(10, [raw('a', 1)]), failure(403, 'Forbidden'), failure(403, 'Forbidden')];
    const { reflector, content } = start({ absentMs: 3, doubtMs: 1 }, true);
    await reflector.synced;
    await until(hasAsked(4));
    expect(content()).toEqual(['a@1']);
  });

  test('is waited for when it is not optional', async () => {
    script = [failure(404, 'NotFound'), list(10, [raw('a', 1)])];
    const { reflector, content } = start({ absentMs: 3 });
    await reflector.synced;
    expect(content()).toEqual(['a@1']);
  });
});

describe('listing', () => {
  test('asks page by page, then watches from the version of the list', async () => {
    script = [
      list(10, [raw('a', 1)], 'p2'),
      list(10, [raw('b', 2), raw('h', 3, 'hidden')], 'p3'),
      list(10, [raw('c', 4)]),
    ];
    const { reflector, content } = start();
    await reflector.synced;
    expect(content()).toEqual(['a@1', 'b@2', 'c@4']);
    await until(hasAsked(4));
    expect(asked).toEqual(['list', 'list p2', 'list p3', 'watch 10']);
  });

  test('starts again when a page has expired, and shows nothing half-read', async () => {
    script = [list(10, [raw('a', 1)], 'p2'), failure(410, 'Expired'), list(20, [raw('b', 2)])];
    const { reflector, content } = start();
    await reflector.synced;
    expect(content()).toEqual(['b@2']);
    expect(asked.slice(0, 3)).toEqual(['list', 'list p2', 'list']);
  });

  test('asks for everything at once when pages keep expiring', async () => {
    const limits: (string | null)[] = [];
    const seen =
      (answer: Answer): Answer =>
      (response, url) => {
        limits.push(url.searchParams.get('limit'));
        answer(response, url);
      };
    const expired = seen(failure(410, 'Expired'));
    script = [expired, expired, expired, seen(list(10, []))];
    await start().reflector.synced;
    expect(limits).toEqual(['500', '500', '500', '0']);
  });

  test('waits out a missing permission, saying so once', async () => {
    const refused = failure(403, 'Forbidden');
    script = [refused, refused, refused, list(10, [raw('a', 1)])];
    const { reflector } = start();
    await reflector.synced;
    expect(logs.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      'not allowed to list things in all namespaces: grant list and watch on it; retrying',
    ]);
  });

  test('honours Retry-After', async () => {
    script = [failure(429, 'TooManyRequests', { 'retry-after': '1' }), list(10, [])];
    const startedAt = performance.now();
    await start().reflector.synced;
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
  });

  test('is not complete without a resourceVersion', async () => {
    script = [json({ kind: 'ThingList', metadata: {}, items: [] }), list(10, [])];
    await start().reflector.synced;
    expect(asked.slice(0, 2)).toEqual(['list', 'list']);
  });
});

describe('watching', () => {
  test('adds, changes and removes, by projection and by deletion', async () => {
    const events = [
      line('ADDED', raw('b', 11)),
      line('MODIFIED', raw('a', 12, 'hidden')),
      line('ADDED', raw('c', 13)),
      line('DELETED', raw('c', 14, 'hidden')),
      line('MODIFIED', raw('b', 15, 'blue')),
    ];
    script = [list(10, [raw('a', 1)]), watch(events, 'stay')];
    const { store, content } = start();
    await until(() => store.get('ns/b')?.color === 'blue');
    expect(content()).toEqual(['b@15']);
  });

  test('resumes after an end and after a cut where it was, bookmarks included, without a list', async () => {
    script = [
      list(10, []),
      watch([line('ADDED', raw('a', 11)), bookmark(20)], 'end'),
      watch([line('ADDED', raw('b', 21))], 'break'),
      watch([bookmark(30)], 'break'),
    ];
    const { content } = start();
    await until(hasAsked(5));
    expect(asked).toEqual(['list', 'watch 10', 'watch 20', 'watch 21', 'watch 30']);
    expect(content()).toEqual(['a@11', 'b@21']);
  });

  test.each([
    ['as an answer', failure(410, 'Expired')],
    [
      'as an event',
      watch([line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' })], 'end'),
    ],
    ['as an event with a reason only', watch([line('ERROR', { kind: 'Status', reason: 'Gone' })], 'end')],
  ])('lists anew when its version has expired, %s, and tells only what differs', async (_, expired) => {
    script = [
      list(10, [raw('a', 1), raw('b', 2), raw('c', 3)]),
      expired,
      list(90, [raw('a', 1), raw('b', 80, 'red', 'new')]),
    ];
    const { reflector, changes, content } = start();
    await reflector.synced;
    changes.length = 0;
    await until(() => asked.includes('watch 90'));
    expect(content()).toEqual(['a@1', 'b@80']);
    const told = changes.map(({ before, after }) => `${before?.uid ?? '-'} > ${after?.uid ?? '-'}`);
    expect(told).toEqual(['uid-b > -', '- > new', 'uid-c > -']);
  });

  test('backs off and resumes after any other error event', async () => {
    const trouble = line('ERROR', { kind: 'Status', code: 500, reason: 'InternalError', message: 'etcd' });
    script = [list(10, []), watch([bookmark(12), trouble], 'end')];
    start();
    await until(hasAsked(3));
    expect(asked).toEqual(['list', 'watch 10', 'watch 12']);
  });

  test.each([
    ['a malformed line', '{"type":"ADDED","object":}\n'],
    ['a truncated line', '{"type":"ADDED","object":{"meta'],
    ['a line that is no event', '{"kind":"Thing"}\n'],
    ['an event without a version', line('ADDED', { metadata: { name: 'x' } })],
  ])('resumes before %s', async (_, text) => {
    script = [list(10, []), watch([line('ADDED', raw('a', 11)), text], 'end')];
    const { content } = start();
    await until(hasAsked(3));
    expect(asked).toEqual(['list', 'watch 10', 'watch 11']);
    expect(content()).toEqual(['a@11']);
  });

  test('gives up a version that fails again and again for a fresh list', async () => {
    const bad = watch(['{}\n'], 'end');
    script = [list(10, []), ...Array.from({ length: 10 }, () => bad), list(20, [])];
    start();
    await until(() => asked.includes('watch 20'));
    expect(asked.filter((what) => what === 'list')).toHaveLength(2);
  });

  test('does not hammer a server that hangs up at once', async () => {
    script = [list(10, []), ...Array.from({ length: 200 }, () => watch([], 'end'))];
    start({ backoff: { minimumMs: 40, maximumMs: 40 }, healthyAfterMs: 1_000 });
    await wait(150);
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.length).toBeLessThan(10);
  });

  test('reconnects when the connection stays silent', async () => {
    script = [list(10, []), watch([line('ADDED', raw('a', 12))], 'stay')];
    start({ minimumWatchSeconds: 0, maximumWatchSeconds: 0, watchdogGraceMs: 60 });
    await until(hasAsked(3));
    expect(asked).toEqual(['list', 'watch 10', 'watch 12']);
    expect(logs.map(({ level }) => level)).toContain('warn');
  });

  test('takes a silence after a bookmark for the end of the connection much sooner', async () => {
    script = [list(10, []), watch([bookmark(12)], 'stay'), watch([line('ADDED', raw('a', 13))], 'stay')];
    start({ bookmarkSilenceMs: 60 });
    await until(hasAsked(3));
    expect(asked).toEqual(['list', 'watch 10', 'watch 12']);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(asked).toHaveLength(3);
  });

  test('keeps an object that cannot be projected as it was, and goes on', async () => {
    const events = [line('MODIFIED', raw('a', 11, 'fatal')), line('ADDED', raw('b', 12))];
    script = [list(10, [raw('a', 1)]), watch(events, 'stay')];
    const { store, content } = start();
    await until(() => store.size === 2);
    expect(content()).toEqual(['a@1', 'b@12']);
    expect(logs.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  test('survives an API server that is away for a while', async () => {
    script = [list(10, []), ...Array.from({ length: 4 }, (): Answer => (response) => response.destroy())];
    start();
    await until(hasAsked(6));
    expect(asked.slice(1)).toEqual(Array.from({ length: asked.length - 1 }, () => 'watch 10'));
  });

  test('takes an own write ahead of its event, and the event for no change', async () => {
    let send: (text: string) => void = () => undefined;
    const open: Answer = (response) => {
      watch([], 'stay')(response, new URL('http://local'));
      send = (text) => void response.write(text);
    };
    script = [list(10, [raw('a', 1)]), open];
    const { store, changes, reflector } = start();
    await reflector.synced;
    await until(hasAsked(2));
    store.noteWrite({ namespace: 'ns', name: 'a', uid: 'uid-a', resourceVersion: '12', color: 'blue' });
    send(
      line('MODIFIED', raw('a', 11, 'stale')) + line('MODIFIED', raw('a', 12, 'blue')) + line('ADDED', raw('b', 13)),
    );
    await until(() => store.size === 2);
    expect(changes.map(({ after }) => after?.color)).toEqual(['red', 'blue', 'red']);
  });

  test('ends at once when it is told to stop', async () => {
    script = [list(10, [])];
    const { finished } = start();
    await until(hasAsked(2));
    const startedAt = performance.now();
    stop.abort();
    await finished;
    expect(performance.now() - startedAt).toBeLessThan(100);
    const connections = (): Promise<number> =>
      new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
    for (let i = 0; i < 20 && (await connections()) > 1; i++) await wait(5);
    // The watch's socket is gone; the one of the list may idle on.
    expect(await connections()).toBeLessThanOrEqual(1);
  });
});
