// One pod that runs to its end, before the node is called ready: namespaces, control groups, network and images can
// each fail in ways that only a pod shows.

import type { Api } from './api.ts';
import { BUSYBOX_IMAGE } from './node-image.ts';
import { Problem } from './problem.ts';
import type { Starter } from './starter.ts';

const PODS = '/api/v1/namespaces/kube-system/pods';
const NAME = 'config-rollout-probe';

function pod(): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: NAME },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'probe', image: BUSYBOX_IMAGE, command: ['true'] }],
    },
  };
}

async function whyNot(api: Api): Promise<string> {
  const query = `fieldSelector=${encodeURIComponent(`involvedObject.name=${NAME},type=Warning`)}`;
  const { body } = await api.call({ path: `/api/v1/namespaces/kube-system/events?${query}` });
  const { items = [] } = JSON.parse(body) as { items?: { message: string }[] };
  return items.at(-1)?.message ?? 'no event says why';
}

export async function probe(starter: Starter, api: Api): Promise<void> {
  const created = async () => [201, 409].includes((await api.call({ method: 'POST', path: PODS, body: pod() })).status);
  await starter.until('No pod could be created', 20, created);
  const done = async () => {
    const { body } = await api.call({ path: `${PODS}/${NAME}` });
    return (JSON.parse(body) as { status?: { phase?: string } }).status?.phase === 'Succeeded';
  };
  try {
    await starter.until('A first pod did not run', 60, done);
  } catch {
    throw new Problem(`A first pod did not run: ${await whyNot(api)}.`);
  }
  await api.call({ method: 'DELETE', path: `${PODS}/${NAME}?gracePeriodSeconds=0` });
}
