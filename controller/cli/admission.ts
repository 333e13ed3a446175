// What a person should hear whose cluster runs no admission webhook: everything works, by one more rollout.

import { isFailure } from '../app/errors.ts';
import { CONFIGURATION_NAME } from '../core/certificates.ts';
import type { ResourceName } from '../workloads/kind.ts';
import type { Cluster } from './cluster.ts';

const WEBHOOKS: ResourceName = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  resource: 'mutatingwebhookconfigurations',
};

/**
 * `source` is what was just opted in: configmap/foo. Undefined when the webhook is installed, and when that
 * cannot be known: few may read webhooks, and the command has succeeded by then. Never throws.
 */
export async function admissionWarning(cluster: Cluster, source: string): Promise<string | undefined> {
  try {
    await cluster.getClusterScopedMetadata(WEBHOOKS, CONFIGURATION_NAME);
    return undefined;
  } catch (error) {
    if (!isFailure(error, 'NotFound')) return undefined;
    return `the admission webhook of config-rollout is not installed in this cluster: each "kubectl apply" of a manifest that names ${source} itself makes an extra rollout until the controller has pinned it again; to prevent that, let an administrator run, in a checkout of the config-rollout project: kubectl apply -f manifests/install.yaml`;
  }
}
