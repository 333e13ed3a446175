// Replicas that keep the webhook's certificates, over a simulated Secret and simulated configurations: step by step, and
// in random order.

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { ClusterError } from '../../controller/app/errors.ts';
import { CONFIGURATION_KINDS } from '../../controller/core/certificates.ts';
import { GRACE_MS, HOUR_MS, SimulatedCertificates } from '../support/simulated-certificates.ts';

const DAY_MS = 24 * HOUR_MS;
const FOUR_MINUTES_MS = HOUR_MS / 15;
const [MUTATING, VALIDATING] = CONFIGURATION_KINDS;

// The jitter of waiting is no part of a history.
beforeAll(() => {
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterAll(() => {
  jest.restoreAllMocks();
});

async function installed(replicas = 1): Promise<SimulatedCertificates> {
  const world = new SimulatedCertificates(replicas);
  await world.settle();
  world.writes.length = 0;
  return world;
}

/** What is written until nothing is left to do. */
async function written(world: SimulatedCertificates): Promise<readonly string[]> {
  await world.settle();
  expect(world.troubles()).toEqual([]);
  return world.writes.splice(0);
}

/** Looks that may fail, a minute apart. */
async function rounds(world: SimulatedCertificates, count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    await world.wait(60_000);
    await world.drain();
  }
}

async function pass(world: SimulatedCertificates, ms: number): Promise<readonly string[]> {
  world.now += ms;
  return written(world);
}

describe('the certificate is', () => {
  test('made at the first start, made known, and ready when API servers have had the time to learn of it', async () => {
    const world = new SimulatedCertificates(1);
    const startedAt = world.now;
    await world.settle(() => {
      const [replica] = world.replicas;
      if (replica?.isReady) expect(world.now - startedAt).toBeGreaterThanOrEqual(GRACE_MS);
    });
    expect(world.writes).toEqual(['secret: ca1, serving ca1-leaf2', 'mut: ca1', 'val: ca1']);
    expect(world.replicas[0]).toMatchObject({ isReady: true, served: { fingerprint: 'ca1-leaf2' } });
    expect(world.serving()?.hosts).toEqual(['hook.ours.svc']);
  });

  test('ready as soon when the clock is set back meanwhile', async () => {
    const world = await installed();
    world.restart(0);
    await world.wait(0);
    await world.drain();
    world.now -= FOUR_MINUTES_MS;
    for (const replica of world.replicas) replica.dueAt -= FOUR_MINUTES_MS;
    await rounds(world, 2);
    expect(world.replicas[0]).toMatchObject({ isReady: true });
  });

  test('found at the next start, and nothing is written', async () => {
    const world = await installed();
    world.restart(0);
    expect(await written(world)).toEqual([]);
    expect(world.replicas[0]).toMatchObject({ isReady: true, served: { fingerprint: 'ca1-leaf2' } });
  });

  test('left alone until a third of its life is left, and then replaced under the same CA', async () => {
    const world = await installed();
    expect(await pass(world, 59 * DAY_MS)).toEqual([]);
    expect(await pass(world, 2 * DAY_MS)).toEqual(['secret: ca1, serving ca1-leaf3']);
    expect(world.replicas[0]?.served?.fingerprint).toBe('ca1-leaf3');
  });

  test('replaced when a webhook is called by another name', async () => {
    const world = await installed();
    world.configure(VALIDATING, [{ host: '127.0.0.1', caBundle: '' }]);
    expect(await written(world)).toEqual(['val: ca1', 'secret: ca1, serving ca1-leaf3']);
    expect(world.serving()?.hosts).toEqual(['127.0.0.1', 'hook.ours.svc']);
  });

  test.each(['tls.crt', 'tls.key'])('replaced when %s was damaged', async (key) => {
    const world = await installed();
    world.putSecret({ ...materialOf(world), [key]: 'damaged' });
    expect(await written(world)).toEqual(['secret: ca1, serving ca1-leaf3']);
  });

  test('put back from what is served while a new CA is not trusted yet', async () => {
    const world = await installed();
    world.failing = { request: 'patch trust', error: new ClusterError('Unavailable', 'gone for a while') };
    world.putSecret({ ...materialOf(world), 'ca.key': 'lost' });
    await rounds(world, 5);
    world.putSecret({ ...materialOf(world), 'tls.key': 'damaged' });
    await rounds(world, 5);
    expect(world.writes.splice(0)).toEqual([
      'secret: ca3 ca1, serving ca1-leaf2',
      'secret: ca3 ca1, serving ca1-leaf2',
    ]);
    world.failing = undefined;
    expect(await written(world)).toEqual(['mut: ca3 ca1', 'val: ca3 ca1', 'secret: ca3 ca1, serving ca3-leaf4']);
  });

  test('replaced when it was damaged, and nobody remembers it', async () => {
    const world = await installed();
    world.putSecret({ ...materialOf(world), 'tls.key': 'damaged' });
    world.restart(0);
    expect(await written(world)).toEqual(['secret: ca1, serving ca1-leaf3']);
  });

  test('known again when an apply took the CA out of a configuration', async () => {
    const world = await installed(2);
    world.configure(MUTATING, [
      { host: 'hook.ours.svc', caBundle: '' },
      { host: 'hook.ours.svc', caBundle: 'garbage' },
    ]);
    expect(await written(world)).toEqual(['mut: ca1 | ca1']);
  });
});

describe('another CA', () => {
  const ROTATION = [
    // What is served stays, while the new CA is made known, and only then does it sign.
    'secret: ca3 ca1, serving ca1-leaf2',
    'mut: ca3 ca1',
    'val: ca3 ca1',
    'secret: ca3 ca1, serving ca3-leaf4',
  ];

  test('is made known, signs, and takes the place of the former, in this order', async () => {
    const world = await installed();
    world.putSecret({ ...materialOf(world), 'ca.key': 'lost' });
    expect(await written(world)).toEqual(ROTATION);
    expect(await pass(world, HOUR_MS / 2)).toEqual([]);
    expect(await pass(world, HOUR_MS / 2)).toEqual(['secret: ca3, serving ca3-leaf4']);
    expect(await pass(world, HOUR_MS)).toEqual(['mut: ca3', 'val: ca3']);
  });

  test('comes when a third of the life of the former is left', async () => {
    const world = await installed();
    for (let day = 0; day < 240; day += 20) await pass(world, 20 * DAY_MS);
    expect(world.authorities()).toEqual(['ca1']);
    await pass(world, 4 * DAY_MS);
    expect(world.authorities()).toEqual([expect.not.stringMatching(/^ca1$/), 'ca1']);
    await pass(world, HOUR_MS);
    expect(world.authorities()).toEqual([expect.not.stringMatching(/^ca1$/)]);
  });

  test('comes when the Secret is deleted, and what is served goes on until it is known', async () => {
    const world = await installed();
    world.putSecret(undefined);
    expect(await written(world)).toEqual(ROTATION);
    expect(await pass(world, HOUR_MS)).toEqual(['secret: ca3, serving ca3-leaf4']);
    expect(await pass(world, HOUR_MS)).toEqual(['mut: ca3', 'val: ca3']);
  });

  test('is one for all replicas, however many want to make one', async () => {
    const world = await installed(3);
    world.putSecret(undefined);
    expect(await written(world)).toHaveLength(ROTATION.length);
    const [authority] = world.authorities();
    expect(world.replicas.map(({ served }) => served?.issuer)).toEqual([authority, authority, authority]);
  });

  test('stays beside what was there when nobody remembers: the Secret was deleted before the start', async () => {
    const world = await installed();
    world.putSecret(undefined);
    world.restart(0);
    expect(await written(world)).toEqual(['secret: ca3, serving ca3-leaf4', 'mut: ca3 ca1', 'val: ca3 ca1']);
    expect(await pass(world, HOUR_MS)).toEqual(['mut: ca3', 'val: ca3']);
  });

  test('is at once in use when nothing valid is left', async () => {
    const world = await installed();
    world.now += 400 * DAY_MS;
    await world.settle();
    // The first look drops the former, that has ended, as it makes another.
    expect(world.writes.splice(0)).toEqual(['secret: ca3, serving ca3-leaf4', 'mut: ca3', 'val: ca3']);
    expect(world.replicas[0]?.served?.fingerprint).toBe('ca3-leaf4');
  });

  test('does not fill the configurations when the Secret is deleted over and over', async () => {
    const world = await installed();
    for (let i = 0; i < 20; i++) {
      world.putSecret(undefined);
      await written(world);
    }
    for (const bundle of world.bundles()) expect(bundle.length).toBeLessThanOrEqual(11);
    await pass(world, HOUR_MS);
    await pass(world, HOUR_MS);
    for (const bundle of world.bundles()) expect(bundle).toEqual(world.authorities());
  });
});

describe('when something is missing or refused,', () => {
  test('a removed configuration is said once, and nothing is made in its place', async () => {
    const world = await installed();
    world.configure(MUTATING, undefined);
    await written(world);
    expect(await written(world)).toEqual([]);
    const note =
      'warn: mutatingwebhookconfiguration/config-rollout does not exist, so the API server does not ask for admission there; apply the manifests to have it again';
    expect(world.logged).toEqual([note]);
    expect([...world.configurations.keys()]).toEqual([VALIDATING]);
  });

  test('replicas are ready with a certificate for nobody when there is no configuration at all', async () => {
    const world = new SimulatedCertificates(2);
    for (const kind of CONFIGURATION_KINDS) world.configure(kind, undefined);
    await world.settle();
    expect(world.writes).toEqual(['secret: ca1, serving ca1-leaf2']);
    expect(world.replicas.map(({ isReady }) => isReady)).toEqual([true, true]);
    world.writes.length = 0;
    world.configure(MUTATING, [{ host: 'hook.ours.svc', caBundle: '' }]);
    expect(await written(world)).toEqual(['mut: ca1', 'secret: ca1, serving ca1-leaf5']);
  });

  test.each(['read trust', 'read secret', 'write secret', 'patch trust'])(
    'the failure to %s is said once, with what to do, and all goes on when it is over',
    async (request) => {
      const world = new SimulatedCertificates(1);
      world.failing = { request, error: new ClusterError('Forbidden', `may not ${request}`) };
      await rounds(world, 10);
      expect(world.logged).toEqual([
        `error: cannot keep the certificate of the webhook: may not ${request}; grant what the rules of the manifests grant; retrying`,
      ]);
      expect(world.replicas[0]?.isReady).toBe(false);
      world.failing = undefined;
      await written(world);
      expect(world.replicas[0]?.isReady).toBe(true);
      expect(world.logged).toHaveLength(1);
    },
  );

  test('somebody who takes back each write makes nobody spin', async () => {
    const world = await installed();
    const { release } = world;
    let looks = 0;
    for (let second = 0; second < 600; second++) {
      world.configure(MUTATING, [{ host: 'hook.ours.svc', caBundle: '' }]);
      await world.wait(1000);
      for (let i = 0; i < 8; i++) await release.call(world, 0);
      looks = world.writes.length;
    }
    expect(looks).toBeGreaterThan(5);
    expect(looks).toBeLessThan(60);
  });

  test('no word of what the Secret holds gets into the log', async () => {
    const world = await installed(2);
    world.putSecret({ 'ca.crt': 'word', 'ca.key': 'word', 'tls.crt': 'word', 'tls.key': 'word' });
    await written(world);
    expect(world.said.join()).not.toMatch(/word|the key of|fingerprint/);
  });
});

describe('a Secret that somebody else writes', () => {
  test('is served, with each change, and never written; nor are configurations', async () => {
    const ours = await installed();
    const theirs = new SimulatedCertificates(2, 'external');
    await theirs.settle();
    expect(theirs.replicas.map(({ isReady }) => isReady)).toEqual([false, false]);
    expect(theirs.logged).toEqual(
      Array(2).fill(
        'warn: secret/config-rollout-webhook-tls does not exist; see why whoever writes it, such as cert-manager, does not',
      ),
    );
    theirs.putSecret({ ...materialOf(ours), 'ca.key': '' });
    await theirs.settle();
    expect(theirs.replicas.map(({ served }) => served?.fingerprint)).toEqual(['ca1-leaf2', 'ca1-leaf2']);
    expect(theirs.replicas.map(({ isReady }) => isReady)).toEqual([true, true]);
    await pass(ours, 61 * DAY_MS);
    theirs.putSecret({ ...materialOf(ours), 'ca.crt': '', 'ca.key': '' });
    theirs.now = ours.now;
    await theirs.settle();
    expect(theirs.replicas.map(({ served }) => served?.fingerprint)).toEqual(['ca1-leaf3', 'ca1-leaf3']);
    theirs.now += 100 * DAY_MS;
    await theirs.settle();
    expect(theirs.logged.at(-1)).toMatch(/the certificate is valid from .* to .*; see why/);
    expect(theirs.writes).toEqual([]);
  });
});

// RUNS=1000 npm run -s unit -- test/unit/app-certificates, for a night.
const runs = (usual: number) => {
  const wanted = process.env['RUNS'];
  return wanted === undefined ? { numRuns: usual, seed: 1 } : { numRuns: Number(wanted) };
};

const NIGHT_MS = 12 * HOUR_MS;

describe('whatever happens, in whatever order,', () => {
  const which = fc.nat({ max: 9 });
  const kind = fc.constantFrom(...CONFIGURATION_KINDS);
  const key = fc.constantFrom('ca.crt', 'ca.key', 'tls.crt', 'tls.key');
  const step = fc.oneof(
    { weight: 40, arbitrary: fc.record({ do: fc.constant('release' as const), which }) },
    { weight: 20, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 4000 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('age' as const), days: fc.integer({ min: 1, max: 25 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), which }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('damage' as const), key }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('wipe' as const), kind }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const), kind, which }) },
  );
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  async function perform(world: SimulatedCertificates, step: Step): Promise<void> {
    switch (step.do) {
      case 'release':
        return world.release(step.which);
      case 'wait':
        return world.wait(step.ms);
      case 'age':
        // A fleet that sleeps through the last month of a certificate is another matter.
        await world.settle(() => expect(world.troubles()).toEqual([]));
        world.now += step.days * DAY_MS;
        return;
      case 'restart':
        return world.restart(step.which % world.replicas.length);
      case 'delete':
        return world.putSecret(undefined);
      case 'damage':
        return world.secret && world.putSecret({ ...world.secret.material, [step.key]: 'damaged' });
      case 'restore':
        // A backup of just that CA which is being forgotten at this moment, an hour after its last use, is another matter.
        await world.drain(() => expect(world.troubles()).toEqual([]));
        return world.putSecret(world.secrets[step.which % Math.max(1, world.secrets.length)]);
      case 'wipe':
        return world.configure(step.kind, [{ host: 'hook.ours.svc', caBundle: '' }]);
      case 'rename':
        return world.configure(step.kind, [{ host: `hook${step.which}.ours.svc`, caBundle: '' }]);
      default:
        return step satisfies never;
    }
  }

  test(
    'API servers trust what any replica serves that was ready, and in the end all is in order',
    async () => {
      const steps = fc.array(step, { minLength: 30, maxLength: 250, size: 'max' });
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 3 }),
          fc.boolean(),
          steps,
          async (replicas, isInstalled, history) => {
            const world = new SimulatedCertificates(replicas);
            if (isInstalled) await world.settle();
            for (const each of history) {
              await perform(world, each);
              expect(world.troubles()).toEqual([]);
            }
            await world.settle(() => expect(world.troubles()).toEqual([]));
            await pass(world, HOUR_MS);
            await pass(world, HOUR_MS);
            expect(world.authorities()).toHaveLength(1);
            for (const bundle of world.bundles()) expect(bundle).toEqual(world.authorities());
            for (const { served } of world.replicas) expect(served?.fingerprint).toBe(world.serving()?.fingerprint);
            world.restart(0);
            expect(await written(world)).toEqual([]);
          },
        ),
        runs(50),
      );
    },
    NIGHT_MS,
  );
});

function materialOf({ secret }: SimulatedCertificates) {
  if (secret === undefined) throw new Error('there is no Secret');
  return secret.material;
}
