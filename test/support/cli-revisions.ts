// Workloads with a history, for the commands that look at it: two sources, one of them a Secret, a raw revision, and a
// snapshot that is gone.

import type { Json } from '../../controller/cli/cluster.ts';
import { contentHash } from '../../controller/core/content-hash.ts';
import type { Content } from '../../controller/core/types.ts';
import { configMap, deployment, MemoryCluster, ownerOf, secret, snapshotOf, workload } from './cli.ts';

const encode = (text: string) => Buffer.from(text).toString('base64');

type Data = Readonly<Record<string, string>>;

/** The two contents of ConfigMap `foo`, and those of Secret `db`. */
export const FOO: readonly [Data, Data] = [
  { 'config.yml': 'a: 1\nb: 2\n', 'old.yml': 'x\n' },
  { 'config.yml': 'a: 1\nb: 3\n', 'tls.yml': 'y\n' },
];
export const PASSWORDS = ['hunter2', 'correct-horse', 'battery-staple'] as const;
export const DB: readonly [Data, Data] = [
  { password: encode(PASSWORDS[0]) },
  { password: encode(PASSWORDS[1]), 'ca.crt': encode(PASSWORDS[2]) },
];

const hashOf = (name: string, data: Data) => contentHash('ConfigMap', name, { data, binaryData: {} });
const secretHash = (data: Data) => contentHash('Secret', 'db', { data, binaryData: {}, type: 'Opaque' });

export const FOO1 = `foo-${hashOf('foo', FOO[0])}`;
export const FOO2 = `foo-${hashOf('foo', FOO[1])}`;
export const DB1 = `db-${secretHash(DB[0])}`;
export const DB2 = `db-${secretHash(DB[1])}`;
/** A snapshot of `foo` that was deleted. */
export const GONE = 'foo-bcdfghkmt2';

/** A name's part behind the last dash. */
export const hashIn = (snapshot: string) => snapshot.split('-').at(-1) ?? '';

const DAY_MS = 24 * 60 * 60_000;

/** A time so many days ago, and an hour more. */
export const daysAgo = (days: number) => new Date(Date.now() - days * DAY_MS - DAY_MS / 24).toISOString();

/** A snapshot with content; `more` are fields of it. */
export function snapshot(source: string, data: Data, more: Partial<Content> = {}): Json {
  const content = { data, binaryData: {}, ...more };
  return { ...snapshotOf(source, contentHash('ConfigMap', source, content)), immutable: true, ...content };
}

function secretSnapshot(data: Data): Json {
  return { ...snapshotOf('db', secretHash(data), {}, secret), immutable: true, data };
}

/** A pod spec that mounts them; a Secret's name begins with `db`. */
export function mounting(names: readonly string[], image = 'app:1'): Json {
  return {
    containers: [{ name: 'app', image }],
    volumes: names.map((name, i) =>
      name.startsWith('db') ? { name: `v${i}`, secret: { secretName: name } } : { name: `v${i}`, configMap: { name } },
    ),
  };
}

function controlledBy(kind: string, name: string): Json {
  return { ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid: `uid-${name}`, controller: true }] };
}

/** A ReplicaSet of a Deployment: `revision('bar', 6, [FOO1])`. */
export function revision(of: string, number: number, names: readonly string[], more: Json = {}): Json {
  const { image = 'app:1', cause, days = 1 } = more as { image?: string; cause?: string; days?: number };
  return workload('apps/v1', 'ReplicaSet', `${of}-${number}`, mounting(names, image), {
    ...controlledBy('Deployment', of),
    creationTimestamp: daysAgo(days),
    annotations: {
      'deployment.kubernetes.io/revision': `${number}`,
      ...(cause !== undefined && { 'kubernetes.io/change-cause': cause }),
    },
  });
}

/** A ControllerRevision of a StatefulSet. */
export function controllerRevision(of: string, number: number, names: readonly string[]): Json {
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      namespace: 'default',
      name: `${of}-${number}`,
      uid: `uid-${of}-${number}`,
      resourceVersion: '4',
      creationTimestamp: daysAgo(number),
      ...controlledBy('StatefulSet', of),
    },
    revision: number,
    data: { spec: { template: { $patch: 'replace', metadata: {}, spec: mounting(names) } } },
  };
}

const rolled = (names: readonly string[]) =>
  Object.fromEntries(
    names.map((name) => {
      const [source = ''] = name.split('-');
      return [`${source === 'db' ? 'secret' : 'configmap'}.configrollout.dev/${source}`, hashIn(name)];
    }),
  );

/** A Deployment `bar` that was last rolled to `to`, and mounts `names`. */
export function bar(names: readonly string[], to: readonly string[], metadata: Json = {}): Json {
  return deployment('bar', mounting(names, 'app:2'), {
    labels: { 'configrollout.dev/managed': 'owned', ...rolled(to) },
    annotations: {},
    ...metadata,
  });
}

/** The source `foo`, owned by `bar` and `store`. */
export function foo(data: Data = FOO[1]): Json {
  const ownerReferences = [ownerOf('bar'), { ...ownerOf('store'), kind: 'StatefulSet' }];
  return configMap('foo', { ownerReferences }, { data });
}

export function db(): Json {
  return secret('db', { ownerReferences: [ownerOf('bar')] }, { data: DB[1] });
}

/**
 * Deployment `bar` at revision 7, with `foo` and Secret `db`; in revision 5 both were raw. StatefulSet `store` at revision
 * 3, with `foo`; the snapshot of revision 1 is gone.
 */
export function shop(): MemoryCluster {
  return new MemoryCluster(
    foo(),
    db(),
    snapshot('foo', FOO[0]),
    snapshot('foo', FOO[1]),
    secretSnapshot(DB[0]),
    secretSnapshot(DB[1]),
    bar([FOO2, DB2], [FOO2, DB2]),
    revision('bar', 5, ['foo', 'db'], { days: 9 }),
    revision('bar', 6, [FOO1, DB1], { days: 8, cause: 'configmap/foo: first snapshot; secret/db: first snapshot' }),
    revision('bar', 7, [FOO2, DB2], { image: 'app:2', cause: 'configmap/foo: config.yml, tls.yml' }),
    workload('apps/v1', 'StatefulSet', 'store', mounting([FOO2]), { labels: rolled([FOO2]) }),
    controllerRevision('store', 1, [GONE]),
    controllerRevision('store', 2, [FOO1]),
    controllerRevision('store', 3, [FOO2]),
    deployment('unmanaged', mounting(['other'])),
    configMap('other'),
  );
}

/** A person paused the rollouts of `bar`. */
export const PAUSED_BAR: Json = {
  apiVersion: 'configrollout.dev/v1alpha1',
  kind: 'ConfigRollout',
  metadata: { namespace: 'default', name: 'deployment-bar', uid: 'uid-deployment-bar', resourceVersion: '3' },
  spec: { workload: { kind: 'Deployment', name: 'bar' }, paused: true, onFailure: 'Keep' },
};
