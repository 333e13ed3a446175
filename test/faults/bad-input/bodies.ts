// What nobody should send to the webhooks, the probes and the metrics, and what is answered.

export interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

const VERSION = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' };
const MIB = 2 ** 20;

/** A review of a Deployment, with these fields of the request. */
export function review(request: object = {}): string {
  const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
  const asked = { uid: 'u1', kind, operation: 'CREATE', namespace: 'nowhere', name: 'bar', ...request };
  return JSON.stringify({ ...VERSION, request: asked });
}

/** JSON by hand: a literal would set the prototype. */
const withPrototype = review({ object: 'HERE' }).replace(
  '"HERE"',
  '{"__proto__":{"metadata":{"name":"x"}},"constructor":{}}',
);
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const managed = { name: 'bar', namespace: 'nowhere', labels: { 'configrollout.dev/managed': 'all' } };
const deployment = (template: unknown, metadata: object = {}) =>
  review({
    object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { ...managed, ...metadata }, spec: { template } },
  });

/** No review: answered with this status, and words that say why. */
export const REFUSED: readonly (readonly [what: string, question: Question, status: number, says: RegExp])[] = [
  ['nothing', { body: '' }, 400, /no JSON/],
  ['a review that is cut off', { body: review().slice(0, -7) }, 400, /no JSON/],
  ['two reviews', { body: review() + review() }, 400, /no JSON/],
  ['YAML', { body: 'kind: AdmissionReview' }, 400, /no JSON/],
  ['XML', { body: '<AdmissionReview/>', headers: { 'content-type': 'text/xml' } }, 400, /no JSON/],
  ['bytes', { body: Buffer.from([0xff, 0xfe, 0, 1, 2]) }, 400, /no JSON/],
  ['gzip', { body: Buffer.from('H4sIAAAAAAAA', 'base64'), headers: { 'content-encoding': 'gzip' } }, 400, /no JSON/],
  ['null', { body: 'null' }, 400, /no AdmissionReview/],
  ['a number', { body: '1e999' }, 400, /no AdmissionReview/],
  ['a list', { body: `[${review()}]` }, 400, /no AdmissionReview/],
  ['a list in a list, 100,000 deep', { body: nested(100_000) }, 400, /no AdmissionReview|no JSON/],
  ['an older version', { body: review().replace('k8s.io/v1', 'k8s.io/v1beta1') }, 400, /no AdmissionReview of/],
  ['another kind', { body: review().replace('AdmissionReview', 'ConversionReview') }, 400, /no AdmissionReview of/],
  ['a review without a request', { body: JSON.stringify(VERSION) }, 400, /no request with a uid/],
  ['a request that is null', { body: JSON.stringify({ ...VERSION, request: null }) }, 400, /no request with a uid/],
  ['a request that is a list', { body: JSON.stringify({ ...VERSION, request: [] }) }, 400, /no request with a uid/],
  ['a uid that is a number', { body: review({ uid: 7 }) }, 400, /no request with a uid/],
  ['a uid that is an object', { body: review({ uid: {} }) }, 400, /no request with a uid/],
  ['17 MiB', { body: ' '.repeat(17 * MIB) }, 413, /longer than/],
  ['a GET', { method: 'GET' }, 405, /POST/],
  ['a PUT', { method: 'PUT', body: review() }, 405, /POST/],
  ['a DELETE', { method: 'DELETE' }, 405, /POST/],
  ['a path that there is not', { path: '/admit', body: review() }, 404, /nothing at/],
  ['the path of a prototype', { path: '/__proto__', body: review() }, 404, /nothing at/],
  ['a path that climbs', { path: '/mutate/../../etc/passwd', body: review() }, 404, /nothing at/],
  ['a path that is no URL', { path: '//', body: review() }, 404, /nothing at/],
];

/** Reviews all the same: let through as they are. */
export const LET_THROUGH: readonly (readonly [what: string, body: string])[] = [
  ['no object', review({ object: undefined })],
  ['an object that is null', review({ object: null })],
  ['an object that is a number', review({ object: 7 })],
  ['an object that is a list', review({ object: [] })],
  ['an empty object', review({ object: {} })],
  ['keys of a prototype', withPrototype],
  ['metadata that is a text', review({ object: { metadata: 'x', spec: 'y' } })],
  ['a kind that is a list', review({ kind: [] })],
  ['a kind that there is not', review({ kind: { group: 'apps', kind: 'constructor' } })],
  ['an operation that there is not', review({ operation: 'EXPLODE' })],
  ['no template', deployment(undefined)],
  ['a template that is null', deployment(null)],
  ['a template that is a text', deployment('x')],
  ['a pod without a spec', deployment({ metadata: {} })],
  ['volumes that are an object', deployment({ spec: { volumes: { 0: { configMap: { name: 'foo' } } } } })],
  ['volumes that are null', deployment({ spec: { volumes: [null, null] } })],
  ['names that are objects', deployment({ spec: { volumes: [{ configMap: { name: {} } }] } })],
  ['containers that are a text', deployment({ spec: { containers: 'app' } })],
  ['an env that is a number', deployment({ spec: { containers: [{ env: 7, envFrom: [null] }] } })],
  ['sources that are a text', deployment({ spec: { volumes: [{ projected: { sources: 'x' } }] } })],
  ['labels that are a list', deployment({}, { labels: ['configrollout.dev/managed'] })],
  ['labels that are numbers', deployment({}, { labels: { 'configrollout.dev/managed': 7 } })],
  ['annotations that are a text', deployment({}, { annotations: 'x' })],
  ['owners that are a text', deployment({}, { ownerReferences: 'x' })],
  ['managed fields that are a text', deployment({}, { managedFields: 'x' })],
  ['managed fields without a manager', deployment({}, { managedFields: [{ fieldsV1: 7 }, {}] })],
  ['10,000 volumes', deployment({ spec: { volumes: Array(10_000).fill({ name: 'x', configMap: { name: 'foo' } }) } })],
  ['a name of 100,000 characters', review({ name: 'x'.repeat(100_000) })],
  ['a user without an end', review({ userInfo: { username: 'x'.repeat(100_000), groups: Array(10_000).fill('x') } })],
  ['an object 10,000 deep', review({ object: 'HERE' }).replace('"HERE"', nested(10_000))],
];

/** To the probes and the metrics. */
export const PLAIN: readonly (readonly [what: string, question: Question, status: number])[] = [
  ['a POST', { method: 'POST', path: '/healthz', body: 'x' }, 405],
  ['a DELETE', { method: 'DELETE', path: '/metrics' }, 405],
  ['a check that there is not', { path: '/readyz/nothing' }, 404],
  ['a check of a prototype', { path: '/healthz/constructor' }, 404],
  ['a path that there is not', { path: '/debug/pprof' }, 404],
  ['a path that climbs', { path: '/healthz/../../etc/passwd' }, 404],
  ['a query without an end', { path: `/nothing?${'x'.repeat(10_000)}` }, 404],
  ['a header without an end', { path: '/healthz', headers: { 'x-long': 'x'.repeat(20_000) } }, 431],
];
