import { describe, expect, test } from '@jest/globals';
import type { AdmissionAnswer, AdmissionRequest } from '../../controller/app/admission.ts';
import { BadReview, readReview, writeReview } from '../../controller/server/review.ts';

type Json = Record<string, unknown>;

const REQUEST: Json = {
  uid: '705ab4f5',
  kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
  resource: { group: 'apps', version: 'v1', resource: 'deployments' },
  name: 'web',
  namespace: 'shop',
  operation: 'UPDATE',
  userInfo: { username: 'ada', uid: '1', groups: ['dev', 'system:authenticated'], extra: { k: ['v'] } },
  object: { metadata: { name: 'web' }, spec: {} },
  oldObject: { metadata: { name: 'web' } },
  dryRun: true,
  options: { kind: 'PatchOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'kubectl-set' },
};
const READ: AdmissionRequest = {
  uid: '705ab4f5',
  operation: 'UPDATE',
  kind: { group: 'apps', kind: 'Deployment' },
  namespace: 'shop',
  name: 'web',
  object: { metadata: { name: 'web' }, spec: {} },
  oldObject: { metadata: { name: 'web' } },
  dryRun: true,
  user: { name: 'ada', groups: ['dev', 'system:authenticated'] },
  fieldManager: 'kubectl-set',
};

const aReview = (overrides: Json = {}): Json => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: REQUEST,
  ...overrides,
});
const read = (request: Json) => readReview(JSON.stringify(aReview({ request: { ...REQUEST, ...request } })));

describe('a review', () => {
  test('is read', () => {
    expect(readReview(JSON.stringify(aReview()))).toEqual(READ);
  });

  test.each<[what: string, request: Json, expected: Partial<AdmissionRequest>]>([
    ['a creation has no old object', { operation: 'CREATE', oldObject: null }, { oldObject: undefined }],
    ['a deletion has no new object', { operation: 'DELETE', object: null }, { object: undefined }],
    ['an object that is not there', { object: undefined, oldObject: undefined }, { object: undefined }],
    ['a name that the server makes up', { name: undefined }, { name: '' }],
    ['a dry run that is not told', { dryRun: undefined }, { dryRun: false }],
    ['a dry run that is no truth value', { dryRun: 'true' }, { dryRun: false }],
    ['a client that does not name itself', { options: { kind: 'PatchOptions' } }, { fieldManager: undefined }],
    ['a client of an empty name', { options: { fieldManager: '' } }, { fieldManager: undefined }],
    ['no options', { options: null }, { fieldManager: undefined }],
    ['no user', { userInfo: undefined }, { user: { name: '', groups: [] } }],
    ['a user in no group', { userInfo: { username: 'ada' } }, { user: { name: 'ada', groups: [] } }],
    ['groups that are none', { userInfo: { groups: 'system:masters' } }, { user: { name: '', groups: [] } }],
    ['numbers where texts belong', { name: 7, namespace: 7, operation: 7 }, { name: '', namespace: '', operation: '' }],
    [
      'numbers among groups',
      { userInfo: { username: 7, groups: [7, 'a'] } },
      { user: { name: '', groups: ['', 'a'] } },
    ],
    ['a kind that is a text', { kind: 'Deployment' }, { kind: { group: '', kind: '' } }],
    ['an object that is a number', { object: 7 }, { object: 7 }],
  ])('is read with %s', (_, request, expected) => {
    expect(read(request)).toMatchObject(expected);
  });

  test.each<[what: string, body: unknown]>([
    ['an empty body', ''],
    ['no JSON', '{"apiVersion":'],
    ['YAML', 'kind: AdmissionReview'],
    ['an array', [aReview()]],
    ['null', null],
    ['a number', 7],
    ['a text', '"AdmissionReview"'],
    ['nothing', {}],
    ['another version', aReview({ apiVersion: 'admission.k8s.io/v1beta1' })],
    ['another kind', aReview({ kind: 'Review' })],
    ['no request', aReview({ request: undefined })],
    ['null for the request', aReview({ request: null })],
    ['a text for the request', aReview({ request: 'x' })],
    ['an array for the request', aReview({ request: [REQUEST] })],
    ['no uid', aReview({ request: { ...REQUEST, uid: undefined } })],
    ['an empty uid', aReview({ request: { ...REQUEST, uid: '' } })],
    ['a number for the uid', aReview({ request: { ...REQUEST, uid: 7 } })],
  ])('is not read from %s', (_, body) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    expect(() => readReview(text)).toThrow(BadReview);
  });
});

describe('an answer', () => {
  const written = (answer: AdmissionAnswer) => JSON.parse(writeReview('705ab4f5', answer));
  const response = (fields: Json) => ({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: '705ab4f5', ...fields },
  });

  test.each<[what: string, answer: AdmissionAnswer]>([
    ['nothing', {}],
    ['no operations and no warnings', { operations: [], warnings: [] }],
    ['no refusal', { refusal: undefined }],
  ])('of %s lets the request through as it is', (_, answer) => {
    expect(written(answer)).toEqual(response({ allowed: true }));
  });

  test('with operations carries them as a JSON Patch, also what is not ASCII', () => {
    const operations = [{ op: 'add', path: '/metadata/labels', value: { a: 'é…' } } as const];
    const { response: said } = written({ operations });
    expect(said).toMatchObject({ uid: '705ab4f5', allowed: true, patchType: 'JSONPatch' });
    expect(JSON.parse(Buffer.from(said.patch, 'base64').toString())).toEqual(operations);
  });

  test('that refuses says why', () => {
    expect(written({ refusal: 'it is needed' })).toEqual(
      response({ allowed: false, status: { code: 403, reason: 'Forbidden', message: 'it is needed' } }),
    );
  });

  test('cuts a warning where the API server would', () => {
    const warnings = ['short', 'x'.repeat(256), 'y'.repeat(257)];
    expect(written({ warnings }).response.warnings).toEqual(['short', 'x'.repeat(256), `${'y'.repeat(255)}…`]);
  });
});
