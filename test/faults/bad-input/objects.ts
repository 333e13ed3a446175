// Objects that people, or their tools, get wrong. Each of them is on its own in the namespace, under the name `n`.

import { configMapManifest, deploymentManifest } from '../../support/scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests, right ones and wrong ones
type Json = any;

/**
 * `refused`: by the API server, in words. `ignored`: no opt-in, so nothing is said or done. `rolls`: odd, and right all the
 * same. Otherwise the reason of the one Event.
 */
export type End = 'refused' | 'ignored' | 'rolls' | `Config${string}`;

export interface BadObject {
  readonly what: string;
  readonly make: (n: string) => readonly Json[];
  readonly end: End;
}

const V1 = { 'config.yml': 'v1' };
const DOMAIN = 'configrollout.dev';
const NO_UID = '00000000-0000-4000-8000-000000000000';

const owners = (text: string) => ({ annotations: { [`${DOMAIN}/owners`]: text } });
const declares = (what: string, text: string, end: End): BadObject => ({
  what: `owners: ${what}`,
  make: (n) => [configMapManifest(n, V1, owners(text))],
  end,
});

const reference = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'gone', uid: NO_UID };
const refers = (what: string, change: object, end: End): BadObject => ({
  what: `owner reference: ${what}`,
  make: (n) => [configMapManifest(n, V1, { ownerReferences: [{ ...reference, ...change }] })],
  end,
});

/** A source that is opted in and mounted. */
const source = (what: string, fields: object, end: End): BadObject => ({
  what: `source: ${what}`,
  make: (n) => [{ ...configMapManifest(n, V1, owners(`deployment/${n}`)), ...fields }, deploymentManifest(n, n)],
  end,
});

const workload = (what: string, metadata: object, end: End, optsIn = true): BadObject => ({
  what: `workload: ${what}`,
  make: (n) => [
    configMapManifest(n, V1, optsIn ? owners(`deployment/${n}`) : {}),
    deploymentManifest(n, n, {}, JSON.parse(JSON.stringify(metadata).replaceAll('NAME', n))),
  ],
  end,
});

const rollout = (what: string, template: unknown): BadObject => ({
  what: `Rollout: ${what}`,
  make: (n) => [
    {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      metadata: { name: n, labels: { [`${DOMAIN}/managed`]: 'all' } },
      spec: { template },
    },
  ],
  end: 'ignored',
});

const policy = (what: string, spec: object, end: End, name?: string): BadObject => ({
  what: `ConfigRollout: ${what}`,
  make: (n) => [
    {
      apiVersion: `${DOMAIN}/v1alpha1`,
      kind: 'ConfigRollout',
      metadata: { name: name ?? `deployment-${n}` },
      spec: { workload: { kind: 'Deployment', name: n }, ...spec },
    },
  ],
  end,
});

const MARKS = { 'app.kubernetes.io/managed-by': 'config-rollout', [`${DOMAIN}/content-hash`]: '6ct58987ht' };
const forged = (what: string, labels: object, annotations: object): BadObject => ({
  what: `forged snapshot: ${what}`,
  make: (n) => [{ ...configMapManifest(n, V1, { labels: { ...MARKS, ...labels }, annotations }), immutable: true }],
  end: 'ignored',
});
const of = (name: string) => ({ [`${DOMAIN}/source-name`]: name });

export const BAD_OBJECTS: readonly BadObject[] = [
  declares('a kind alone', 'deployment', 'ConfigOwnersInvalid'),
  declares('no name', 'deployment/', 'ConfigOwnersInvalid'),
  declares('no kind', '/bar', 'ConfigOwnersInvalid'),
  declares('a path', 'deployment/bar/baz', 'ConfigOwnersInvalid'),
  declares('a path that climbs', 'deployment/../bar', 'ConfigOwnersInvalid'),
  declares('a blank', 'deployment bar', 'ConfigOwnersInvalid'),
  declares('capitals in a name', 'deployment/BAR', 'ConfigOwnersInvalid'),
  declares('a smile', 'deployment/🙂', 'ConfigOwnersInvalid'),
  declares('an object of JSON', '{"deployment":"bar"}', 'ConfigOwnersInvalid'),
  declares('a list of JSON', '["deployment/bar"]', 'ConfigOwnersInvalid'),
  declares('two lines', 'deployment/a\nstatefulset/b', 'ConfigOwnersInvalid'),
  declares('a control character', 'deployment/a\u0000', 'ConfigOwnersInvalid'),
  declares('a prototype', '__proto__/bar', 'ConfigOwnersInvalid'),
  declares('200 KiB', 'x'.repeat(200 * 1024), 'ConfigOwnersInvalid'),
  declares('a Job', 'job/bar', 'ConfigOwnerKindUnsupported'),
  declares('a CronJob with its group', 'cronjob.batch/bar', 'ConfigOwnerKindUnsupported'),
  declares('a Pod', 'pod/bar', 'ConfigOwnerKindUnsupported'),
  declares('a method of objects', 'constructor/bar', 'ConfigOwnerKindUnsupported'),
  declares('a Deployment that is not there', 'deployment/gone', 'ConfigOwnerNotFound'),
  declares('a StatefulSet that is not there', 'sts/gone', 'ConfigOwnerNotFound'),
  declares('a Rollout that is not there', 'rollout/gone', 'ConfigOwnerNotFound'),
  declares('the same one a thousand times', Array(1000).fill('deployment/gone').join(','), 'ConfigOwnerNotFound'),
  declares('commas', ',,, ,', 'ignored'),
  declares('nothing', '', 'ignored'),
  declares('blanks', ' \t ', 'ignored'),

  refers('no uid', { uid: '' }, 'refused'),
  refers('no name', { name: '' }, 'refused'),
  refers('no kind', { kind: '' }, 'refused'),
  refers('no version', { apiVersion: '' }, 'refused'),
  refers('a version that is none', { apiVersion: 'a/b/c' }, 'refused'),
  refers('an Event', { apiVersion: 'v1', kind: 'Event' }, 'refused'),
  refers('a uid that is a number', { uid: 7 }, 'refused'),
  refers('a field that is an object', { name: {} }, 'refused'),
  refers('of another group', { apiVersion: 'example.com/v1', kind: 'Deployment' }, 'ignored'),
  refers('of no group', { apiVersion: 'v1', kind: 'Deployment' }, 'ignored'),
  refers('a kind in lower case', { kind: 'deployment' }, 'ConfigOwnerKindUnsupported'),
  refers('a kind in another script', { kind: '配置' }, 'ConfigOwnerKindUnsupported'),
  refers('a version that is no more', { apiVersion: 'apps/v1beta1' }, 'ConfigOwnerNotFound'),
  refers('a uid of 5,000 characters', { uid: 'x'.repeat(5000) }, 'ConfigOwnerNotFound'),
  {
    what: 'owner reference: a uid of 5,000 characters, to a Deployment of another',
    make: (n) => [
      deploymentManifest(n, n),
      configMapManifest(n, V1, { ownerReferences: [{ ...reference, name: n, uid: 'x'.repeat(5000) }] }),
    ],
    end: 'ConfigOwnerUidMismatch',
  },

  source('a key that climbs', { data: { '../etc/passwd': 'x' } }, 'refused'),
  source('a key of two dots', { data: { '..': 'x' } }, 'refused'),
  source('a key of 254 characters', { data: { ['k'.repeat(254)]: 'x' } }, 'refused'),
  source('a key twice, as text and binary', { data: { a: 'x' }, binaryData: { a: 'eA==' } }, 'refused'),
  source('a value that is a number', { data: { a: 7 } }, 'refused'),
  source('binary data that is no base64', { binaryData: { a: '%%%' } }, 'refused'),
  source('1 MiB and a byte', { data: { a: 'x'.repeat(2 ** 20 + 1) } }, 'refused'),
  source('immutable', { immutable: true }, 'ConfigSourceImmutable'),
  source('a key of 253 characters', { data: { ['k'.repeat(253)]: 'x' } }, 'rolls'),
  source('keys of a prototype', { data: JSON.parse('{"__proto__":"x","constructor":"y","toString":"z"}') }, 'rolls'),
  source('keys that are numbers', { data: { 10: 'a', 9: 'b', '01': 'c' } }, 'rolls'),
  source('a value of control characters', { data: { a: '\u0000\u2028<&>' } }, 'rolls'),
  source('binary data alone', { data: undefined, binaryData: { a: '/w==' } }, 'rolls'),
  source('nothing in it', { data: undefined }, 'rolls'),
  {
    what: 'source: excluded, and opted in',
    make: (n) => [
      configMapManifest(n, V1, { ...owners(`deployment/${n}`), labels: { [`${DOMAIN}/managed`]: 'none' } }),
      deploymentManifest(n, n),
    ],
    end: 'ignored',
  },
  {
    what: "source: labelled as workloads are, with nobody's name",
    make: (n) => [configMapManifest(n, V1, { labels: { [`${DOMAIN}/managed`]: 'all' } }), deploymentManifest(n, n)],
    end: 'ignored',
  },

  workload('a label that is no word of ours', { labels: { [`${DOMAIN}/managed`]: 'banana' } }, 'ignored', false),
  workload('a state without an opt-in', { labels: { [`configmap.${DOMAIN}/NAME`]: '6ct58987ht' } }, 'ignored', false),
  workload('excluded, and opted in', { labels: { [`configmap.${DOMAIN}/NAME`]: 'excluded' } }, 'ignored'),
  workload('none, and opted in', { labels: { [`${DOMAIN}/managed`]: 'none' } }, 'ignored'),
  workload('a label with a blank', { labels: { [`${DOMAIN}/managed`]: 'all of it' } }, 'refused', false),
  workload('a revision that is no number', { labels: { [`${DOMAIN}/after-revision`]: 'NaN' } }, 'rolls'),
  workload('a failed rollout that is none', { labels: { [`${DOMAIN}/failed-rollout`]: '1e-9' } }, 'rolls'),
  workload('a state that is no hash', { labels: { [`configmap.${DOMAIN}/NAME`]: 'banana' } }, 'rolls'),
  workload('a cause that is not ours', { annotations: { [`${DOMAIN}/change-cause`]: '{' } }, 'rolls'),
  workload(
    "Reloader's word, without the flag",
    { annotations: { 'reloader.stakater.com/auto': 'true' } },
    'ignored',
    false,
  ),
  {
    what: 'workload: all of what is not there',
    make: (n) => [deploymentManifest(n, 'not-there', {}, { labels: { [`${DOMAIN}/managed`]: 'all' } })],
    end: 'ignored',
  },

  rollout('an empty template', {}),
  rollout('no spec', { spec: null }),
  rollout('volumes that are a text', { spec: { volumes: 'x', containers: 7 } }),
  rollout('volumes that are null', { spec: { volumes: [null, 7, { configMap: 5 }, { configMap: { name: {} } }] } }),
  rollout('containers that are null', { spec: { containers: [null, { env: [null], envFrom: 'x' }] } }),
  rollout('annotations that are a list', { metadata: { annotations: ['x'] }, spec: { initContainers: {} } }),

  policy('a kind without revisions', { workload: { kind: 'Job', name: 'x' } }, 'refused'),
  policy('no workload', { workload: undefined }, 'refused'),
  policy('a workload without a name', { workload: { kind: 'Deployment', name: '' } }, 'refused'),
  policy('paused that is a text', { paused: 'yes' }, 'refused'),
  policy('a time before it', { settleSeconds: -1 }, 'refused'),
  policy('a time without an end', { settleSeconds: 1e9 }, 'refused'),
  policy('an interval in words', { minInterval: 'soon' }, 'refused'),
  policy('a wish that there is not', { onFailure: 'Explode' }, 'refused'),
  policy('of a workload that is not there', {}, 'ignored'),

  {
    what: 'forged snapshot: a name that fits, and content that does not',
    make: (n) => [
      { ...configMapManifest(`${n}-6ct58987ht`, V1, { labels: MARKS, annotations: of(n) }), immutable: true },
    ],
    end: 'ignored',
  },
  forged('no source', {}, {}),
  forged('a source that is not there', {}, of('gone')),
  forged('a source that is a path', {}, of('../../etc/passwd')),
  forged('a source of 300 characters', {}, of('x'.repeat(300))),
  forged('a hash that is none', { [`${DOMAIN}/content-hash`]: 'x' }, of('gone')),
  forged('records that are none', {}, { ...of('gone'), [`rolled.${DOMAIN}/x`]: '1e999', [`rolled.${DOMAIN}/y`]: '-1' }),
];
