import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LeaseView } from '../../controller/runtime/lease.ts';
import { Election, type ElectionOptions, type Fault, TIMINGS } from '../support/election.ts';

const FAULT_KINDS = ['pause', 'request', 'answer', 'slow'] as const;

/** Two replicas, of which the first leads. */
async function elected(options: ElectionOptions = {}): Promise<Election> {
  const election = new Election(options);
  await election.time.runUntil(100);
  // Both asked at once, and the first write won.
  expect(election.leaders).toEqual([0]);
  return election;
}

/** Runs on until `look` is true; gives how long that took, in ms. */
async function until({ time }: Election, look: () => boolean, mostMs = 60_000): Promise<number> {
  const start = time.now;
  while (!look()) {
    if (time.now - start > mostMs) throw new Error(`not within ${mostMs} ms`);
    await time.runUntil(time.now + 10);
  }
  return time.now - start;
}

const from = (now: number, kind: Fault['kind'], ms = 1e9, replica = 0): Fault => ({
  replica,
  kind,
  from: now,
  until: now + ms,
});

describe('the lease', () => {
  test('is created by the first, renewed every two seconds at the latest, and left alone by the others', async () => {
    const election = await elected();
    await election.time.runUntil(60_000);
    const { server, leaders } = election;
    expect(leaders).toEqual([0]);
    expect(new Set(server.written.map(({ holder }) => holder))).toEqual(new Set(['replica-0_1']));
    const renewals = server.written.map(({ renewedAt }) => renewedAt);
    for (const [i, at] of renewals.entries()) expect(at - (renewals[i - 1] ?? 0)).toBeLessThan(2100);
    expect(server.lease?.record).toMatchObject({ durationSeconds: 15, transitions: 0 });
    expect(server.lease?.record.acquiredAt).toBe(renewals[0]);
    expect(election.replicas[0]?.log).toContainEqual(expect.stringMatching(/^info leads since 1970-/));
    expect(election.replicas[1]?.log).toContain('info waits for the lease ns/lease, held by replica-0_1');
  });

  test('that is deleted by hand is made anew by its holder, and nobody else takes it', async () => {
    const election = await elected();
    await election.time.runUntil(10_000);
    election.server.delete();
    await until(election, () => election.server.lease !== undefined, 3000);
    expect(election.server.lease?.record.holder).toBe('replica-0_1');
    expect(election.leaders).toEqual([0]);
  });

  test('that somebody else wrote to is still renewed', async () => {
    const election = await elected();
    const { lease } = election.server;
    election.server.write({ ...(lease?.record ?? fail()), durationSeconds: 99 }, lease?.version);
    await election.time.runUntil(election.time.now + 20_000);
    expect(election.leaders).toEqual([0]);
    expect(election.server.lease?.record.durationSeconds).toBe(15);
  });
});

describe('a leader that is stopped', () => {
  test('keeps the lease until its work has ended, however long that takes, and hands it over at once', async () => {
    const election = await elected({ drainMs: 40_000 });
    election.replicas[0]?.stop();
    await election.time.runUntil(election.time.now + 39_000);
    expect(election.leaders).toEqual([0]);
    await election.time.runUntil(election.time.now + 900);
    expect(await until(election, () => election.leaders.includes(1))).toBeLessThan(300);
    const [released, taken] = election.server.written.slice(-2);
    expect(released).toMatchObject({ holder: '', durationSeconds: 1, transitions: 0 });
    expect(taken).toMatchObject({ holder: 'replica-1_1', durationSeconds: 15, transitions: 1 });
    expect(election.replicas[0]?.leading).toEqual([true, false]);
    expect(election.replicas[0]?.log.at(-1)).toBe('info released the lease');
  });

  test('hands over within a retry period also where the watch says nothing', async () => {
    const election = await elected({ watches: false });
    election.replicas[0]?.stop();
    expect(await until(election, () => election.leaders.includes(1))).toBeLessThan(TIMINGS.retryPeriodMs + 100);
  });

  test('releases also the lease that it does not know to have: the answer was lost', async () => {
    const election = new Election({ replicas: 1, faults: [from(0, 'answer', 30)] });
    // The read's answer, too, was lost; of the next attempt, only the write's.
    await until(election, () => election.server.lease !== undefined);
    election.replicas[0]?.stop();
    await election.time.runUntil(election.time.now + 20_000);
    expect(election.server.lease?.record.holder).toBe('');
  });

  test('while it waits for the lease just goes', async () => {
    const election = await elected();
    const { length } = election.server.written;
    election.replicas[1]?.stop();
    await election.time.runUntil(election.time.now + 1000);
    expect(election.server.written.length - length).toBeLessThanOrEqual(1);
    expect(election.replicas[1]?.leading).toEqual([]);
    expect(election.leaders).toEqual([0]);
  });
});

describe('a leader that is cut off', () => {
  test.each(['request', 'answer'] as const)('(each %s is lost) gives up before another begins', async (kind) => {
    const election = await elected({ faults: [from(20_000, kind)] });
    await election.time.runUntil(20_000);
    const lostAfter = await until(election, () => election.replicas[0]?.lost !== undefined);
    expect(lostAfter).toBeLessThanOrEqual(TIMINGS.renewDeadlineMs);
    expect(election.replicas[0]?.lost?.message).toMatch(/^leader election lost: the lease ns\/lease was not renewed/);
    expect(election.leaders).toEqual([]);
    const takenAfter = lostAfter + (await until(election, () => election.leaders.includes(1)));
    // When answers are lost, the lease is renewed all the same, until the old leader falls silent.
    const silentAfter = kind === 'request' ? 0 : lostAfter;
    expect(takenAfter).toBeLessThan(silentAfter + TIMINGS.leaseDurationMs + TIMINGS.retryPeriodMs);
    expect(election.server.lease?.record).toMatchObject({ holder: 'replica-1_1', transitions: 1 });
  });

  test('is left in peace for as long as the server asks for', async () => {
    const election = await elected();
    let asked = 0;
    election.server.write = () => {
      asked += 1;
      throw Object.assign(new Error('too many requests'), { status: 429, retryAfterMs: 6000 });
    };
    await until(election, () => election.replicas[0]?.lost !== undefined);
    // Of the leader, in the ten seconds that it has: the follower only reads.
    expect(asked).toBe(2);
    expect(election.replicas[0]?.lost?.message).toContain('too many requests');
  });

  test('comes through when it lasts no longer than the renew deadline leaves', async () => {
    const election = await elected({ faults: [from(20_000, 'request', 4000)] });
    await election.time.runUntil(60_000);
    expect(election.leaders).toEqual([0]);
    expect(election.replicas[0]?.log.join('\n')).toContain('warn cannot take or renew the lease ns/lease: no answer');
  });

  test('does not believe in itself when it wakes up, not even before its timers run', async () => {
    const election = await elected({ faults: [from(20_000, 'pause', 60_000)] });
    await election.time.runUntil(79_999);
    expect(election.leaders).toEqual([1]);
    await election.time.runUntil(81_000);
    expect(election.leaders).toEqual([1]);
    expect(election.replicas[0]?.lost?.message).toContain('leader election lost');
    expect(election.server.lease?.record.holder).toBe('replica-1_1');
  });
});

describe('whoever sees the lease for the first time', () => {
  test('waits a whole lease, whatever its times say', () => {
    const view = new LeaseView('me');
    const record = { holder: 'other', durationSeconds: 15, acquiredAt: 0, renewedAt: 0, transitions: 0 };
    view.observe({ record, raw: 1 }, 1000);
    expect([view.isHeldByAnother(1000), view.isHeldByAnother(15_999), view.isHeldByAnother(16_000)]).toEqual([
      true,
      true,
      false,
    ]);
    // Seen again, it goes on to age; only what changes in the record counts.
    view.observe({ record, raw: 2 }, 10_000);
    expect(view.expiresInMs(10_000)).toBe(6000);
    view.observe({ record: { ...record, renewedAt: 1 }, raw: 3 }, 10_000);
    expect(view.expiresInMs(10_000)).toBe(15_000);
  });
});

describe('whatever is lost, late, or stands still', () => {
  const fault = fc.record({
    replica: fc.nat(2),
    kind: fc.constantFrom(...FAULT_KINDS),
    from: fc.nat(100_000),
    ms: fc.oneof(fc.nat(3000), fc.nat(40_000)),
  });
  const stop = fc.record({ at: fc.nat(100_000), replica: fc.nat(2) });

  test('no two lead at once, and in the end one does', async () => {
    let handovers = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 12 }), fc.array(stop, { maxLength: 6 }), async (faults, stops) => {
        const election = new Election({
          replicas: 3,
          faults: faults.map(({ ms, ...rest }) => ({ ...rest, until: rest.from + ms })),
          drainMs: 500,
          restartsAfterMs: 1000,
        });
        for (const { at, replica } of stops) election.time.at(at, () => election.replicas[replica]?.stop());
        election.time.onStep = () => {
          const { leaders } = election;
          if (leaders.length > 1) throw new Error(`${leaders} lead at ${election.time.now}`);
        };
        await election.time.runUntil(140_000);
        await until(election, () => election.leaders.length === 1, 2 * TIMINGS.leaseDurationMs);
        handovers += election.server.lease?.record.transitions ?? 0;
      }),
      { numRuns: 150 },
    );
    expect(handovers).toBeGreaterThan(100);
  }, 60_000);
});

function fail(): never {
  throw new Error('there is no lease');
}
