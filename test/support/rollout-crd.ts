// The kind Rollout of Argo Rollouts, as far as an API server has to know it: enough of a schema for the fields that
// matter here, and everything else kept as it comes.

import { admin, until } from './scenario.ts';

const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const NAME = 'rollouts.argoproj.io';
export const ROLLOUTS = '/apis/argoproj.io/v1alpha1/rollouts';

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

const spec = {
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
  properties: {
    replicas: { type: 'integer' },
    revisionHistoryLimit: { type: 'integer' },
    paused: { type: 'boolean' },
    selector: anything,
    strategy: anything,
    // Argo's own schema spells the pod template out, without list keys: to server-side apply each list in it is one value.
    template: anything,
  },
};

const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: NAME },
  spec: {
    group: 'argoproj.io',
    scope: 'Namespaced',
    names: { kind: 'Rollout', listKind: 'RolloutList', plural: 'rollouts', singular: 'rollout', shortNames: ['ro'] },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
        },
        schema: {
          openAPIV3Schema: { type: 'object', required: ['spec'], properties: { spec, status: anything } },
        },
      },
    ],
  },
};

/** Resolves when the API server serves the kind. Nothing to do when it does already. */
export async function installRolloutCrd(): Promise<void> {
  if (await hasRollouts()) return;
  await admin().request('POST', PATH, { body: CRD });
  await until('Rollouts are served', async () => (await admin().request('GET', ROLLOUTS)) !== undefined);
}

/** Takes the kind away, with all objects of it. Nothing to do when it is not there. */
export async function removeRolloutCrd(): Promise<void> {
  if (!(await hasRollouts())) return;
  await admin().request('DELETE', `${PATH}/${NAME}`, { body: {} });
  await until('Rollouts are gone', async () => !(await hasRollouts()));
}

async function hasRollouts(): Promise<boolean> {
  const { items } = await admin().request<{ items: { metadata: { name: string } }[] }>('GET', PATH);
  return items.some(({ metadata }) => metadata.name === NAME);
}
