import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { givingWay } from '../../controller/runtime/giving-way.ts';
import { WorkQueue } from '../../controller/runtime/work-queue.ts';

let first: WorkQueue;
let done: string[];
let later: (key: string) => Promise<{ requeueAfterMs?: number }>;

beforeEach(() => {
  jest.useFakeTimers();
  first = new WorkQueue();
  done = [];
  later = givingWay(first, async (key) => {
    done.push(key);
    return {};
  });
});
afterEach(() => {
  jest.useRealTimers();
});

test('is done at once while nothing waits for a worker, also when workers are busy', async () => {
  first.add('busy');
  await first.get();
  expect(await later('a')).toEqual({});
  expect(done).toEqual(['a']);
});

test('is put off while something waits, and done when nothing does', async () => {
  first.add('waiting');
  expect(await later('a')).toEqual({ requeueAfterMs: 250 });
  await first.get();
  expect(await later('a')).toEqual({});
  expect(done).toEqual(['a']);
});

test('is put off for five seconds at most, each key for itself, and each time anew', async () => {
  first.add('waiting');
  await later('a');
  jest.advanceTimersByTime(4999);
  await later('a');
  expect(await later('b')).toEqual({ requeueAfterMs: 250 });
  jest.advanceTimersByTime(1);
  expect(await later('a')).toEqual({});
  expect(await later('a')).toEqual({ requeueAfterMs: 250 });
  expect(done).toEqual(['a']);
});
