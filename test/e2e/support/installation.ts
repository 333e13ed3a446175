// The project on a cluster, put there and taken away as a user does it: with kubectl, from manifests/.

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { componentsFor } from '../../../hack/embedded/install.ts';
import { manifestsWith } from '../../../hack/kustomize.ts';
import { env } from '../../support/controller.ts';
import { runKubectl, until } from '../../support/scenario.ts';
import { imageArchivePath } from './parts.ts';
import { ask, kubectl } from './pods.ts';

const NAMESPACE = 'config-rollout';
const NAME = 'config-rollout';

/** The file to apply: install.yaml itself, unless the server is too old for it, or components are wanted. */
export async function installation(...components: string[]): Promise<string> {
  const all = [...components, ...componentsFor(env('TEST_KUBECTL'), env('TEST_KUBECONFIG'))];
  if (all.length === 0) return 'manifests/install.yaml';
  const manifests = await manifestsWith({ components: all });
  const path = join(dirname(imageArchivePath()), `install-${all.join('-')}.yaml`);
  writeFileSync(path, manifests.map((manifest) => stringify(manifest)).join('---\n'));
  return path;
}

/** Applies it, and waits until every replica is ready and one of them leads. */
export async function install(file: string): Promise<void> {
  await kubectl('apply', '-f', file);
  await kubectl('rollout', 'status', `deployment/${NAME}`, '-n', NAMESPACE, '--timeout=120s');
  await leader();
}

/** The pod that holds the Lease, and is there. */
export async function leader(): Promise<string> {
  return until(
    'a pod of the controller leads',
    async () => {
      const { items } = await ask('get', 'pods', '-n', NAMESPACE);
      const { spec } = await ask('get', 'lease', NAME, '-n', NAMESPACE);
      // The identity is the pod's name, and something that tells it from an earlier life.
      const pod = items.find(({ metadata }: { metadata: { name: string } }) =>
        spec.holderIdentity?.startsWith(metadata.name),
      );
      return pod?.metadata.name as string | undefined;
    },
    60_000,
  );
}

export async function deletePodAtOnce(name: string): Promise<void> {
  await kubectl('delete', 'pod', name, '-n', NAMESPACE, '--grace-period=0', '--force');
}

export function controllerLogs(): Promise<string> {
  return kubectl('logs', '-n', NAMESPACE, '-l', `app.kubernetes.io/name=${NAME}`, '--tail=-1');
}

/** Runs the test; when it fails, shows what the controller and the cluster have to say. */
export async function explained(test: () => Promise<void>): Promise<void> {
  try {
    await test();
  } catch (error) {
    console.error(await explanation());
    throw error;
  }
}

async function explanation(): Promise<string> {
  const questions = [
    ['get', 'pods', '-A', '-o', 'wide'],
    ['get', 'events', '-A', '--sort-by=.lastTimestamp'],
    ['logs', '-n', NAMESPACE, '-l', `app.kubernetes.io/name=${NAME}`, '--prefix', '--tail=60'],
    ['logs', '-n', NAMESPACE, '-l', `app.kubernetes.io/name=${NAME}`, '--prefix', '--tail=20', '--previous'],
  ];
  const parts: string[] = [];
  for (const args of questions) {
    const { stdout, stderr } = await runKubectl(args);
    parts.push(`$ kubectl ${args.join(' ')}\n${stdout}${stderr}`);
  }
  return parts.join('\n');
}
