// Pods that tell what they read: each keeps printing the content of a file that is mounted from a ConfigMap or Secret, and
// of a variable that comes from the same key. A file may change under a running pod; a variable cannot.

import { expect } from '@jest/globals';
import { runKubectl, until } from '../../support/scenario.ts';
import { shellImage } from './parts.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests and answers, as JSON
type Json = any;

export type SourceKind = 'ConfigMap' | 'Secret';
export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet';

export interface Shop {
  readonly kind: WorkloadKind;
  readonly source: SourceKind;
  /** Of workload, pods' label app and source alike. */
  readonly name: string;
}

const SAY = 'echo "file=$(cat /etc/shop/greeting) variable=$GREETING"';

/** kubectl in the default namespace; throws when it fails. */
export async function kubectl(...args: string[]): Promise<string> {
  return kubectlWith(undefined, ...args);
}

export async function kubectlWith(input: object | undefined, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runKubectl(args, input === undefined ? undefined : JSON.stringify(input));
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr}${stdout}`);
  return stdout;
}

export async function ask(...args: string[]): Promise<Json> {
  return JSON.parse(await kubectl(...args, '-o', 'json'));
}

export const resource = ({ kind, name }: Shop): string => `${kind.toLowerCase()}/${name}`;

export function sourceManifest({ source, name }: Shop, greeting: string): Json {
  const content = source === 'ConfigMap' ? { data: { greeting } } : { stringData: { greeting } };
  return { apiVersion: 'v1', kind: source, metadata: { name }, ...content };
}

/** As somebody keeps it in Git: it names the source itself. */
export function workloadManifest({ kind, source, name }: Shop): Json {
  const key = { name, key: 'greeting' };
  const container = {
    name: 'shop',
    image: shellImage(),
    command: ['sh', '-c', `while :; do ${SAY}; sleep 1; done`],
    env: [{ name: 'GREETING', valueFrom: { [source === 'ConfigMap' ? 'configMapKeyRef' : 'secretKeyRef']: key } }],
    volumeMounts: [{ name: 'shop', mountPath: '/etc/shop' }],
  };
  const volume = source === 'ConfigMap' ? { configMap: { name } } : { secret: { secretName: name } };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas: 2 }),
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [container],
          volumes: [{ name: 'shop', ...volume }],
        },
      },
    },
  };
}

/** Those that stay. */
export async function podsOf({ name }: Shop): Promise<Json[]> {
  const { items } = await ask('get', 'pods', '-l', `app=${name}`);
  return items.filter(({ metadata }: Json) => metadata.deletionTimestamp === undefined);
}

/** Waits until the rollout is complete and every pod, asked inside of it, says that file and variable are `greeting`. */
export async function expectPodsToSay(shop: Shop, greeting: string): Promise<void> {
  const expected = `file=${greeting} variable=${greeting}`;
  let said: readonly string[] = [];
  await until(
    `all pods of ${resource(shop)} say ${expected}`,
    async () => {
      said = await whatPodsSay(shop);
      if (said.length > 0 && said.every((text) => text === expected)) return true;
      throw new Error(`they say: ${said.join('; ')}`);
    },
    120_000,
  );
}

async function whatPodsSay(shop: Shop): Promise<readonly string[]> {
  await kubectl('rollout', 'status', resource(shop), '--timeout=90s');
  const pods = await podsOf(shop);
  return Promise.all(
    pods.map(async ({ metadata }) => (await kubectl('exec', metadata.name, '--', 'sh', '-c', SAY)).trim()),
  );
}

/** And so does the log of one of them, in its last line. */
export async function expectLogToSay(shop: Shop, greeting: string): Promise<void> {
  const log = await kubectl('logs', resource(shop), '--tail=1');
  expect(log.trim()).toBe(`file=${greeting} variable=${greeting}`);
}

/** What would change if anything rolled: the template, and which pods there are. */
export async function stateOf(shop: Shop): Promise<object> {
  const { spec, metadata } = await ask('get', resource(shop));
  const pods = await podsOf(shop);
  return {
    template: spec.template,
    generation: metadata.generation,
    pods: pods.map((pod) => `${pod.metadata.name} ${pod.metadata.uid}`).sort(),
  };
}
