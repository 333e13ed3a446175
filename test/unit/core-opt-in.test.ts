import { describe, expect, test } from '@jest/globals';
import { asksForSources, optIns, problemOf } from '../../controller/core/opt-in.ts';
import type { OwnerReference } from '../../controller/core/types.ts';
import { aConfigMap, aWorkload, KINDS } from '../support/builders.ts';

const owner = (overrides: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  name: 'web',
  uid: 'uid-web',
  ...overrides,
});
const read = (overrides: Parameters<typeof aConfigMap>[0]) => optIns(aConfigMap(overrides), KINDS);

describe('an owner reference', () => {
  test('to a Deployment opts in that Deployment, with its uid', () => {
    expect(read({ owners: [owner()] })).toEqual({
      optIns: [{ kind: 'Deployment', name: 'web', uid: 'uid-web' }],
      problems: [],
    });
  });

  test('counts in any version of the group', () => {
    expect(read({ owners: [owner({ apiVersion: 'apps/v1beta1' })] }).optIns).toHaveLength(1);
  });

  test.each<[what: string, reference: OwnerReference]>([
    ['a Deployment of another group', owner({ apiVersion: 'example.com/v1' })],
    ['a Deployment without a group', owner({ apiVersion: 'v1' })],
    ['an operator’s custom resource', owner({ apiVersion: 'kafka.io/v1', kind: 'Kafka', controller: true })],
    ['an operator’s custom resource without controller', owner({ apiVersion: 'kafka.io/v1', kind: 'Kafka' })],
    ['a Job whose controller wrote it', owner({ apiVersion: 'batch/v1', kind: 'Job', controller: true })],
    ['a Pod', owner({ apiVersion: 'v1', kind: 'Pod' })],
  ])('to %s means nothing, and is no problem', (_, reference) => {
    expect(read({ owners: [reference] })).toEqual({ optIns: [], problems: [] });
  });

  test.each([
    ['Job', 'batch/v1'],
    ['ReplicaSet', 'apps/v1'],
    ['CronJob', 'batch/v1'],
  ])('to a %s that a person wrote is a problem that names what is supported', (kind, apiVersion) => {
    const { optIns: found, problems } = read({ owners: [owner({ kind, apiVersion })] });
    expect(found).toEqual([]);
    expect(problems).toEqual([
      { reason: 'ConfigOwnerKindUnsupported', note: expect.stringContaining(`${kind.toLowerCase()}/web`) },
    ]);
    expect(problems[0]?.note).toContain('configmap/foo');
    expect(problems[0]?.note).toContain('supported: Deployment');
  });
});

describe('the owners annotation', () => {
  test.each<[annotation: string, names: string[]]>([
    ['deployment/web', ['web']],
    ['deployments/web', ['web']],
    ['deploy/web', ['web']],
    ['Deployment/web', ['web']],
    ['deployment.apps/web', ['web']],
    ['deployments.apps/web', ['web']],
    ['deployment/web, deployment/api', ['web', 'api']],
    ['deployment/web,deployment/api', ['web', 'api']],
    ['  deployment/web ,, deployment/web,', ['web']],
    ['deployment/web.with-dots.1', ['web.with-dots.1']],
    ['deployment/1', ['1']],
    ['', []],
    [' , ', []],
  ])('"%s" opts in %j', (declaredOwners, names) => {
    const { optIns: found, problems } = read({ declaredOwners });
    expect(found).toEqual(names.map((name) => ({ kind: 'Deployment', name, uid: undefined })));
    expect(problems).toEqual([]);
  });

  test.each([
    'web',
    'deployment/',
    '/web',
    'deployment/web/1',
    'deployment web',
    'deployment/Web',
    'deployment/web-',
    'deployment/-web',
    'deployment/../web',
    'deployment/web;deployment/api',
  ])('"%s" is not understood, and says so', (declaredOwners) => {
    const { optIns: found, problems } = read({ declaredOwners });
    expect(found).toEqual([]);
    expect(problems.map(({ reason }) => reason)).toEqual(['ConfigOwnersInvalid']);
    expect(problems[0]?.note).toContain(declaredOwners);
    expect(problems[0]?.note).toContain('deployment/NAME');
  });

  test.each(['job/web', 'pod/web', 'deployments.example.com/web'])('"%s" is not supported', (declaredOwners) => {
    const { optIns: found, problems } = read({ declaredOwners });
    expect(found).toEqual([]);
    expect(problems.map(({ reason }) => reason)).toEqual(['ConfigOwnerKindUnsupported']);
    expect(problems[0]?.note).toContain(declaredOwners);
  });

  test('still opts in the entries that are right beside one that is wrong', () => {
    const { optIns: found, problems } = read({ declaredOwners: 'deployment/web, nonsense, deployment/api' });
    expect(found.map(({ name }) => name)).toEqual(['web', 'api']);
    expect(problems).toHaveLength(1);
  });

  test('counts beside an owner reference to the same workload, whose uid may be stale', () => {
    const { optIns: found } = read({ owners: [owner()], declaredOwners: 'deployment/web, deployment/api' });
    expect(found.map(({ name, uid }) => [name, uid])).toEqual([
      ['web', 'uid-web'],
      ['web', undefined],
      ['api', undefined],
    ]);
  });
});

describe('what keeps an opt-in from taking effect', () => {
  const source = aConfigMap();
  const byReference = { kind: 'Deployment', name: 'web', uid: 'uid-web' };
  const declared = { kind: 'Deployment', name: 'web', uid: undefined };
  const stale = { ...byReference, uid: 'uid-of-an-older-web' };

  test.each([
    ['by reference', byReference],
    ['declared', declared],
  ])('is nothing when the workload is there and references the source (%s)', (_, optIn) => {
    expect(problemOf(source, optIn, aWorkload(), true)).toBeUndefined();
  });

  test.each([
    [
      'an owner that is gone',
      byReference,
      undefined,
      false,
      'ConfigOwnerNotFound',
      'kubectl set-owner configmap/foo deployment/web --remove',
    ],
    ['a declared owner that is not there yet', declared, undefined, false, 'ConfigOwnerNotFound', 'once it is created'],
    [
      'an owner of the wrong uid',
      stale,
      aWorkload(),
      true,
      'ConfigOwnerUidMismatch',
      'kubectl set-owner configmap/foo deployment/web',
    ],
    [
      'an owner that does not mount it',
      byReference,
      aWorkload(),
      false,
      'ConfigNotReferenced',
      'kubectl set-volume deployment/web',
    ],
    [
      'a declared owner that does not mount it',
      declared,
      aWorkload(),
      false,
      'ConfigNotReferenced',
      'kubectl set-volume deployment/web',
    ],
  ])('is %s: the problem names both objects and the next step', (_, optIn, workload, referenced, reason, next) => {
    const problem = problemOf(source, optIn, workload, referenced);
    expect(problem?.reason).toBe(reason);
    expect(problem?.note).toContain('deployment/web');
    expect(problem?.note).toContain('configmap/foo');
    expect(problem?.note).toContain(next);
  });

  test('says what was written and what is so when uids differ', () => {
    const note = problemOf(source, stale, aWorkload(), true)?.note;
    expect(note).toContain('uid-of-an-older-web');
    expect(note).toContain('uid-web');
  });
});

// An Event's note holds 1,024 characters; what is longer is cut, and the next step stands at the end.
describe('a problem’s note fits an Event', () => {
  const long = 'n'.repeat(253);
  const uid = '01234567-89ab-cdef-0123-456789abcdef';
  const source = aConfigMap({ name: long, namespace: 'n'.repeat(63) });

  test.each<[what: string, note: string | undefined]>([
    ['not found', problemOf(source, { kind: 'Deployment', name: long, uid }, undefined, false)?.note],
    [
      'declared, not found',
      problemOf(source, { kind: 'Deployment', name: long, uid: undefined }, undefined, false)?.note,
    ],
    ['invalid', optIns({ ...source, declaredOwners: 'x'.repeat(9000) }, KINDS).problems[0]?.note],
    ['unsupported, declared', optIns({ ...source, declaredOwners: `pod/${long}` }, KINDS).problems[0]?.note],
    [
      'unsupported, by reference',
      optIns({ ...source, owners: [owner({ kind: 'ReplicaSet', name: long })] }, KINDS).problems[0]?.note,
    ],
  ])('%s', (_, note) => {
    expect(note?.length).toBeGreaterThan(0);
    expect(note?.length).toBeLessThanOrEqual(1024);
  });
});

const asks = (labels: Record<string, string>) => asksForSources(aWorkload({ labels }), { reloader: false });

test('only the value `all` of the managed label opts in everything: `owned` is the controller’s own mark', () => {
  const managed = (value: string) => asks({ 'configrollout.dev/managed': value });
  expect([managed('all'), managed('owned'), managed('true'), asks({})]).toEqual([true, false, false, false]);
});
