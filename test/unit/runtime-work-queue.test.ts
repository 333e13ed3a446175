import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { type ControllerOptions, runController } from '../../controller/runtime/controller.ts';
import { WorkQueue } from '../../controller/runtime/work-queue.ts';

const quiet = (): void => undefined;

const settled = async <T>(promise: Promise<T>): Promise<T | 'pending'> =>
  Promise.race([promise, wait(5).then((): 'pending' => 'pending')]);

describe('a queue', () => {
  test('hands out keys in order, each once', async () => {
    const queue = new WorkQueue();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.length).toBe(3);
    expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(['a', 'b', 'c']);
  });

  test('runs a key that changed while it ran once more, afterwards', async () => {
    const queue = new WorkQueue();
    queue.add('a');
    await queue.get();
    queue.add('a');
    queue.add('a');
    const next = queue.get();
    expect(await settled(next)).toBe('pending');
    queue.done('a');
    expect(await next).toBe('a');
    queue.done('a');
    expect(queue.length).toBe(0);
  });

  test('keeps the earliest delay of a key', async () => {
    const queue = new WorkQueue();
    queue.addAfter('a', 60_000);
    queue.addAfter('a', 10);
    queue.addAfter('a', 60_000);
    expect(await queue.get()).toBe('a');
    queue.shutDown();
  });

  test('keeps a delayed key when the same key is added at once', async () => {
    const queue = new WorkQueue();
    queue.addAfter('a', 20);
    queue.add('a');
    expect(await queue.get()).toBe('a');
    queue.done('a');
    expect(await queue.get()).toBe('a');
  });

  test('takes thousands of delays', async () => {
    const queue = new WorkQueue();
    for (let i = 0; i < 5_000; i++) queue.addAfter(`key-${i}`, 10 + (i % 20));
    for (let i = 0; i < 5_000; i++) queue.done((await queue.get()) ?? '');
    expect(queue.length).toBe(0);
  });

  test('takes a hundred thousand ready keys without slowing down', async () => {
    const queue = new WorkQueue();
    const startedAt = performance.now();
    for (let i = 0; i < 100_000; i++) queue.add(`key-${i}`);
    for (let i = 0; i < 100_000; i++) queue.done((await queue.get()) ?? '');
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('backs off by key, up to a limit, until the key is forgotten', () => {
    const queue = new WorkQueue({ minimumMs: 5, maximumMs: 300_000, random: () => 0 });
    const delays = Array.from({ length: 18 }, () => queue.addRateLimited('a'));
    expect(delays.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(delays.at(-1)).toBe(300_000);
    expect(queue.retries('a')).toBe(18);
    expect(queue.addRateLimited('b')).toBe(5);
    queue.forget('a');
    expect(queue.addRateLimited('a')).toBe(5);
    queue.shutDown();
  });

  test('never retries before the minimum it is given', () => {
    const queue = new WorkQueue();
    for (let i = 0; i < 20; i++) expect(queue.addRateLimited(`${i}`, 1_000)).toBeGreaterThanOrEqual(1_000);
    queue.shutDown();
  });

  test('does not retry a key sooner because of a delay from before it failed', async () => {
    const queue = new WorkQueue();
    queue.addAfter('a', 5);
    queue.addRateLimited('a', 10_000);
    await wait(20);
    expect(queue.length).toBe(0);
    queue.addAfter('a', 5);
    await wait(20);
    expect(queue.length).toBe(1);
    queue.shutDown();
  });

  test('that is shut down takes nothing new, drops delays and hands out what is ready', async () => {
    const queue = new WorkQueue();
    queue.add('a');
    queue.addAfter('b', 1);
    queue.shutDown();
    queue.add('c');
    queue.addAfter('d', 0);
    expect(await queue.get()).toBe('a');
    await wait(5);
    expect(await queue.get()).toBeUndefined();
  });

  test('that is shut down with discard hands out nothing', async () => {
    const queue = new WorkQueue();
    queue.add('a');
    queue.shutDown({ discard: true });
    expect(await queue.get()).toBeUndefined();
  });

  test('releases those who wait when it is shut down', async () => {
    const queue = new WorkQueue();
    const waiting = [queue.get(), queue.get()];
    queue.shutDown();
    expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
  });
});

describe('an observer of a queue', () => {
  /** In ms. */
  let now: number;
  let heard: string[];
  let queue: WorkQueue;
  beforeEach(() => {
    now = 1_000_000;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    heard = [];
    queue = new WorkQueue({ minimumMs: 5, maximumMs: 10, random: () => 0 });
    queue.observe({
      added: () => heard.push('added'),
      started: (waited) => heard.push(`started after ${waited}`),
      finished: (ran) => heard.push(`finished after ${ran}`),
      retried: () => heard.push('retried'),
    });
  });
  afterEach(() => {
    jest.restoreAllMocks();
    queue.shutDown({ discard: true });
  });

  test('hears of a key once, however often it is added while it waits', () => {
    for (const key of ['a', 'a', 'b', 'a']) queue.add(key);
    expect(heard).toEqual(['added', 'added']);
    expect(queue.state().depth).toBe(2);
  });

  test('hears once more of a key that changes while it runs, however often', async () => {
    queue.add('a');
    await queue.get();
    for (let i = 0; i < 3; i++) queue.add('a');
    expect(heard).toEqual(['added', 'started after 0', 'added']);
    expect(queue.state().depth).toBe(1);
    queue.done('a');
    expect(queue.state().depth).toBe(1);
  });

  test('hears of a delayed key when it is due', async () => {
    queue.addAfter('a', 20);
    expect(heard).toEqual([]);
    expect(queue.state().depth).toBe(0);
    await queue.get();
    expect(heard).toEqual(['added', 'started after 0']);
  });

  test('hears how long a key was ready, from the first time that it was added', async () => {
    queue.add('a');
    now += 1500;
    queue.add('a');
    now += 500;
    await queue.get();
    expect(heard.at(-1)).toBe('started after 2');
  });

  test('hears how long a key that changed while it ran was ready, not how long it ran', async () => {
    queue.add('a');
    await queue.get();
    queue.add('a');
    now += 4000;
    queue.done('a');
    now += 1000;
    await queue.get();
    expect(heard).toEqual(['added', 'started after 0', 'added', 'finished after 4', 'started after 1']);
  });

  test('hears that a worker that waited took a key at once', async () => {
    const waiting = queue.get();
    now += 5000;
    queue.add('a');
    await waiting;
    expect(heard).toEqual(['added', 'started after 0']);
  });

  test('hears of retries, but not of wishes to run again', () => {
    queue.addAfter('a', 1000);
    queue.addRateLimited('b');
    queue.addRateLimited('b');
    expect(heard).toEqual(['retried', 'retried']);
  });

  test('can ask what runs, and for how long', async () => {
    expect(queue.state()).toEqual({ depth: 0, unfinishedSeconds: 0, longestSeconds: 0 });
    queue.add('a');
    await queue.get();
    now += 3000;
    queue.add('b');
    queue.add('c');
    await queue.get();
    now += 1000;
    expect(queue.state()).toEqual({ depth: 1, unfinishedSeconds: 5, longestSeconds: 4 });
    queue.done('a');
    expect(queue.state()).toEqual({ depth: 1, unfinishedSeconds: 1, longestSeconds: 1 });
    queue.done('b');
    expect(queue.state()).toEqual({ depth: 1, unfinishedSeconds: 0, longestSeconds: 0 });
  });

  test('sees nothing left in a queue that was shut down with discard, and hears of no key that comes later', async () => {
    for (const key of ['a', 'b']) queue.add(key);
    await queue.get();
    queue.add('a');
    queue.shutDown({ discard: true });
    queue.add('c');
    expect(queue.state().depth).toBe(0);
    expect(heard.filter((what) => what === 'added')).toHaveLength(3);
  });

  test('hears of no end that had no beginning', () => {
    queue.done('a');
    expect(heard).toEqual([]);
  });
});

test('a queue that nobody observes asks for no time', async () => {
  const clock = jest.spyOn(performance, 'now');
  const queue = new WorkQueue();
  queue.add('a');
  queue.done((await queue.get()) ?? '');
  expect(clock).not.toHaveBeenCalled();
  jest.restoreAllMocks();
});

test('no key is lost and none runs beside itself, whatever the order of events', async () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    after: fc.constantFrom(0, 0, 1, 2),
    yields: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), async (steps, concurrency) => {
      const queue = new WorkQueue();
      const wanted = new Map<string, number>();
      const seen = new Map<string, number>();
      const running = new Set<string>();
      const finished = runController({
        name: 'test',
        queue,
        concurrency,
        log: quiet,
        reconcile: async (key) => {
          expect(running.has(key)).toBe(false);
          running.add(key);
          // Level-triggered: a run sees every change made before it began.
          const sees = wanted.get(key) ?? 0;
          await wait(0);
          seen.set(key, sees);
          running.delete(key);
        },
      });
      for (const { key, after, yields } of steps) {
        wanted.set(key, (wanted.get(key) ?? 0) + 1);
        queue.addAfter(key, after);
        if (yields) await wait(0);
      }
      await wait(4);
      queue.shutDown();
      await finished;
      expect(seen).toEqual(wanted);
    }),
    { numRuns: 40 },
  );
});

describe('the worker loop', () => {
  const start = (options: Partial<ControllerOptions> & Pick<ControllerOptions, 'queue' | 'reconcile'>): Promise<void> =>
    runController({ name: 'test', concurrency: 2, log: quiet, ...options });

  test('ends when the queue is shut down and running keys have finished', async () => {
    const queue = new WorkQueue();
    const gate = Promise.withResolvers<void>();
    let finishedKeys = 0;
    const finished = start({
      queue,
      reconcile: async () => {
        await gate.promise;
        finishedKeys += 1;
      },
    });
    queue.add('a');
    queue.add('b');
    await wait(0);
    queue.shutDown();
    expect(await settled(finished)).toBe('pending');
    gate.resolve();
    await finished;
    expect(finishedKeys).toBe(2);
  });

  test('runs at most as many keys at once as it may', async () => {
    const queue = new WorkQueue();
    let running = 0;
    let most = 0;
    const finished = start({
      queue,
      concurrency: 3,
      reconcile: async () => {
        running += 1;
        most = Math.max(most, running);
        await wait(1);
        running -= 1;
      },
    });
    for (let i = 0; i < 12; i++) queue.add(`${i}`);
    queue.shutDown();
    await finished;
    expect(most).toBe(3);
  });

  test('retries a failure with back-off, tells it, and forgets it after a success', async () => {
    const queue = new WorkQueue({ minimumMs: 1, maximumMs: 5 });
    const told: string[] = [];
    let runs = 0;
    const finished = start({
      queue,
      reconcile: async (key) => {
        runs += 1;
        if (runs < 4) throw new Error(`${key} failed ${runs}`);
        queue.shutDown();
      },
      onError: (_key, error) => told.push(String(error)),
    });
    queue.add('a');
    await finished;
    expect(told).toEqual(['Error: a failed 1', 'Error: a failed 2', 'Error: a failed 3']);
    expect(queue.retries('a')).toBe(0);
  });

  test('waits as long as the error says the server asked', async () => {
    const queue = new WorkQueue({ minimumMs: 1, maximumMs: 5 });
    const { promise, resolve } = Promise.withResolvers<number>();
    const finished = start({
      queue,
      reconcile: () => Promise.reject(Object.assign(new Error('too many'), { retryAfterMs: 30_000 })),
      onError: (_key, _error, retryInMs) => resolve(retryInMs),
    });
    queue.add('a');
    expect(await promise).toBeGreaterThanOrEqual(30_000);
    queue.shutDown();
    await finished;
  });

  test('comes back when a run asks for it', async () => {
    const queue = new WorkQueue();
    let runs = 0;
    const finished = start({
      queue,
      reconcile: async () => {
        runs += 1;
        if (runs === 3) queue.shutDown();
        return { requeueAfterMs: runs };
      },
    });
    queue.add('a');
    await finished;
    expect(runs).toBe(3);
  });

  test('tells its observer how each run ended', async () => {
    const queue = new WorkQueue({ minimumMs: 1, maximumMs: 1 });
    const heard: unknown[] = [];
    const failure = new Error('no');
    const outcomes = [() => Promise.reject(failure), async () => ({ requeueAfterMs: 1 }), async () => undefined];
    const finished = start({
      queue,
      reconcile: async () => {
        const outcome = outcomes.shift();
        if (outcomes.length === 0) queue.shutDown();
        return outcome?.();
      },
      observer: {
        started: () => heard.push('started'),
        finished: (result, seconds, error) => {
          expect(seconds).toBeGreaterThanOrEqual(0);
          heard.push(error === undefined ? result : [result, error]);
        },
      },
    });
    queue.add('a');
    await finished;
    expect(heard).toEqual(['started', ['error', failure], 'started', 'requeue_after', 'started', 'success']);
  });

  test('survives a reporter that throws, and logs both errors', async () => {
    const queue = new WorkQueue();
    const logged: unknown[] = [];
    const finished = start({
      queue,
      reconcile: () => {
        queue.shutDown();
        return Promise.reject(new Error('first'));
      },
      onError: () => {
        throw new Error('second');
      },
      log: (_level, _message, fields) => logged.push(fields?.['error']),
    });
    queue.add('a');
    await finished;
    expect(logged).toEqual(expect.arrayContaining(['first', 'second']));
  });
});
