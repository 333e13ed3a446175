// Admission of workloads: observe → plan → apply, once more, with the object of the request in the place of the cached one.

import type { Operation } from 'fast-json-patch';
import { disown } from '../core/managed-fields.ts';
import { MANAGER } from '../core/names.ts';
import { type AdmissionObservation, type AdmissionPlan, planAdmission } from '../core/plan-admission.ts';
import { snapshotManifest } from '../core/snapshot.ts';
import { type Claim, display, type Workload } from '../core/types.ts';
import { messageOf } from '../runtime/failure.ts';
import type { Log } from '../runtime/log.ts';
import type { WorkloadKind } from '../workloads/kind.ts';
import { type AdmissionAnswer, type AdmissionRequest, type Admit, ALLOWED, keyOf } from './admission.ts';
import type { Apply } from './apply.ts';
import { ClusterError } from './errors.ts';
import type { AdmissionObserver } from './observe-admission.ts';

// kubectl's undo sends no field manager, where its other commands name themselves; later ones may.
const UNDO_MANAGERS: readonly (string | undefined)[] = [undefined, 'kubectl-rollout'];

export function workloadAdmission(
  observer: AdmissionObserver,
  kinds: readonly WorkloadKind[],
  apply: Apply,
  log: Log,
): Admit {
  return async (request) => {
    const asked = read(request, kinds);
    if (asked === undefined || asked.workload.deleting) return ALLOWED;
    const { workload, replaced } = asked;
    const isOwn = request.fieldManager === MANAGER;
    // What the controller writes is its own decision already; only its claim on the names is taken away.
    const plan = isOwn ? planNothing(observer, workload, replaced) : await planFor(request, workload, replaced);
    if (!isOwn && !request.dryRun && replaced) await ownMounted(request, replaced, plan);
    if (plan.why && !request.dryRun) {
      log('info', 'workload pinned at admission', { key: keyOf(request), reason: plan.why, user: request.user.name });
    }
    return answer(request, plan, observer.claims(replaced));
  };

  async function planFor(request: AdmissionRequest, workload: Workload, replaced: Workload | undefined) {
    const mayBeUndo = replaced !== undefined && UNDO_MANAGERS.includes(request.fieldManager);
    const wait = observer.waitOf(workload);
    const observed = { ...(await observer.workload(workload, replaced)), hold: false, wait, mayBeUndo };
    const plan = planAdmission(observed);
    if (request.dryRun || plan.snapshots.length === 0) return plan;
    try {
      await makeSnapshots(request, observed, plan);
      return plan;
    } catch (error) {
      // Better the former content, or the raw reference, than the name of a copy that does not exist.
      log('error', `no snapshot at admission: ${messageOf(error)}`, { key: keyOf(request) });
      return planAdmission({ ...observed, hold: true });
    }
  }

  // The revision that owns what is undone to may be the oldest, and be pruned, or made anew, before the controller has seen
  // the undo: the garbage collector must find another owner then.
  async function ownMounted(request: AdmissionRequest, workload: Workload, { mounts }: AdmissionPlan) {
    const actions = mounts.flatMap((mount) => observer.ownership(workload, mount) ?? []);
    try {
      await apply(keyOf(request), { actions });
    } catch (error) {
      log('info', `not an owner at admission: ${messageOf(error)}`, { key: keyOf(request) });
    }
  }

  async function makeSnapshots(request: AdmissionRequest, observed: AdmissionObservation, plan: AdmissionPlan) {
    const { namespace } = request;
    // Before it is created a workload has no uid to be named by; the controller names it once it has.
    const owners = observed.replaced ? [observed.replaced] : [];
    for (const view of plan.snapshots) {
      const copy = await observer.copyOf(namespace, view);
      if (copy === undefined || view.hash === undefined || view.snapshot === undefined)
        throw new ClusterError('Conflict', `${display(view)} in ${namespace} changes at this moment`);
      if (copy === 'ready') continue;
      const manifest = snapshotManifest(copy.object, view.snapshot.name, view.hash, copy.content, owners);
      const why = `content of ${display(view)}, for a workload at admission`;
      await apply(keyOf(request), { actions: [{ type: 'CreateSnapshot', manifest, why }] });
    }
  }
}

function planNothing(observer: AdmissionObserver, workload: Workload, replaced: Workload | undefined) {
  const pins = observer.pins(workload, replaced);
  const nothing = { optedIn: false, sources: [], revisions: [], hold: false, wait: undefined, mayBeUndo: false };
  // As if it replaced nothing: what it says of the cause of the change is meant.
  return planAdmission({ workload, replaced: undefined, pins, ...nothing });
}

interface Asked {
  readonly workload: Workload;
  readonly replaced: Workload | undefined;
}

function read(request: AdmissionRequest, kinds: readonly WorkloadKind[]): Asked | undefined {
  const { kind: asked, namespace, name, oldObject } = request;
  const kind = kinds.find((each) => each.kind === asked.kind && each.apiGroup === asked.group);
  const replaced = oldObject === undefined ? undefined : kind?.project(oldObject);
  const object = Object(request.object);
  // What an object that is not stored yet has no value for; none of it is ever written.
  const identity = { uid: replaced?.uid ?? request.uid, resourceVersion: replaced?.resourceVersion ?? '0' };
  // The claims that count are those of the stored object: digests of these would be for nothing.
  const metadata = { ...object.metadata, ...identity, managedFields: undefined, namespace, name: name || request.uid };
  const workload = kind?.project({ ...object, metadata });
  return workload && { workload, replaced };
}

function answer(
  request: AdmissionRequest,
  { operations, pinned, warnings }: AdmissionPlan,
  claims: readonly Claim[],
): AdmissionAnswer {
  const entries: unknown = Object(request.object).metadata?.managedFields;
  const settled = Array.isArray(entries) ? disown(entries, request.object, pinned, claims) : undefined;
  const settling: Operation[] = settled ? [{ op: 'replace', path: '/metadata/managedFields', value: settled }] : [];
  return { operations: [...operations, ...settling], warnings };
}
