// Admission of changes to snapshots: people may not take a revision's config away; Kubernetes and the controller may.

import { SOURCE_KINDS } from '../core/names.ts';
import { refusal } from '../core/protect-snapshot.ts';
import type { ConfigObject } from '../core/types.ts';
import { projectSource } from '../workloads/raw.ts';
import { type AdmissionRequest, type Admit, ALLOWED } from './admission.ts';
import type { World } from './world.ts';

/** @param ownNamespace the controller's, or undefined when it runs outside. */
export function snapshotAdmission(world: World, ownNamespace: string | undefined): Admit {
  // The garbage collector and the namespace controller, also where they share the controller manager's name.
  const mayDoAnything = ({ user }: AdmissionRequest) =>
    user.name === 'system:kube-controller-manager' ||
    user.groups.includes('system:serviceaccounts:kube-system') ||
    (ownNamespace !== undefined && user.groups.includes(`system:serviceaccounts:${ownNamespace}`));

  return async (request) => {
    const kind = SOURCE_KINDS.find((each) => each === request.kind.kind);
    const before = kind && projectSource(kind, request.oldObject);
    if (before === undefined || mayDoAnything(request)) return ALLOWED;
    return {
      refusal: refusal({
        before,
        after: request.operation === 'DELETE' ? undefined : projectSource(before.kind, stored(request, before)),
        revisions: world.revisionsNaming(before),
        workloads: world.workloadsNaming(before),
      }),
    };
  };
}

// A PUT need not say which version it replaces.
function stored({ object }: AdmissionRequest, { uid, resourceVersion }: ConfigObject): unknown {
  const asked = Object(object);
  return { ...asked, metadata: { ...asked.metadata, uid, resourceVersion } };
}
