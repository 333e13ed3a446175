import { describe, expect, test } from '@jest/globals';
import { SharedRuns } from '../../controller/runtime/shared-runs.ts';

/** Runs end when they are told to, with their number. */
function manual() {
  const runs: (PromiseWithResolvers<number> & { readonly key: string })[] = [];
  const shared = new SharedRuns((key) => {
    const run = { ...Promise.withResolvers<number>(), key };
    runs.push(run);
    return run.promise;
  });
  const begun = async () => {
    for (let i = 0; i < 10; i += 1) await undefined;
    return runs.map(({ key }) => key);
  };
  return { runs, shared, begun };
}

describe('a shared run', () => {
  test('is one for all who ask at once', async () => {
    const { runs, shared, begun } = manual();
    const asked = [shared.after('a'), shared.after('a'), shared.after('a')];
    expect(await begun()).toEqual(['a']);
    runs[0]?.resolve(1);
    expect(await Promise.all(asked)).toEqual([1, 1, 1]);
  });

  test('begins after each of those who share it has asked', async () => {
    const { runs, shared, begun } = manual();
    const first = shared.after('a');
    await begun();
    const later = [shared.after('a'), shared.after('a')];
    expect(await begun()).toEqual(['a']);
    runs[0]?.resolve(1);
    expect(await first).toBe(1);
    expect(await begun()).toEqual(['a', 'a']);
    runs[1]?.resolve(2);
    expect(await Promise.all(later)).toEqual([2, 2]);
  });

  test('waits for none of another key', async () => {
    const { shared, begun } = manual();
    void shared.after('a');
    void shared.after('b');
    expect(await begun()).toEqual(['a', 'b']);
  });

  test('fails for all who share it, and for nobody else', async () => {
    const { runs, shared, begun } = manual();
    const asked = [shared.after('a'), shared.after('a')];
    await begun();
    const next = shared.after('a');
    runs[0]?.reject(new Error('no answer'));
    for (const each of asked) await expect(each).rejects.toThrow('no answer');
    await begun();
    runs[1]?.resolve(2);
    expect(await next).toBe(2);
  });
});
