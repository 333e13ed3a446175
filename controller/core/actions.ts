// A Plan is data: it can be printed, compared and tested without a cluster. app/apply.ts carries it out, in order, and
// stops at the first action that fails; each prefix of a plan is a safe place to die.

import type { Operation } from 'fast-json-patch';
import type { ConfigRolloutStatus } from './config-rollout.ts';
import type { Reason } from './names.ts';
import type { ConfigRolloutManifest } from './plan-status.ts';
import type { SnapshotManifest } from './snapshot.ts';
import { display, type ObjectRef, type OwnerReference } from './types.ts';

export interface EventAction {
  readonly type: 'Event';
  readonly severity: 'Normal' | 'Warning';
  readonly reason: Reason;
  readonly note: string;
  readonly regarding: ObjectRef;
  readonly related?: ObjectRef;
  /** Said once, whoever restarts: an Event about a state. Otherwise it is about something that happened. */
  readonly once: boolean;
}

export type Action =
  | { readonly type: 'CreateSnapshot'; readonly manifest: SnapshotManifest; readonly why: string }
  | {
      readonly type: 'PatchMetadata';
      readonly target: ObjectRef;
      /** Refuse the write when the object is no longer at this version. */
      readonly resourceVersion?: string;
      readonly labels?: Readonly<Record<string, string>>;
      /** null takes one away. */
      readonly annotations?: Readonly<Record<string, string | null>>;
      readonly ownerReferences?: readonly OwnerReference[];
      readonly why: string;
    }
  | {
      readonly type: 'PatchWorkload';
      readonly target: ObjectRef;
      readonly operations: readonly Operation[];
      readonly why: string;
    }
  | {
      readonly type: 'DeleteSnapshot';
      readonly target: ObjectRef;
      readonly resourceVersion: string;
      readonly why: string;
    }
  | {
      readonly type: 'AnnotateRevision';
      readonly target: ObjectRef;
      readonly resourceVersion: string;
      readonly annotations: Readonly<Record<string, string>>;
      readonly why: string;
    }
  | {
      readonly type: 'DeleteRevision';
      readonly target: ObjectRef;
      readonly resourceVersion: string;
      readonly why: string;
    }
  | { readonly type: 'CreateConfigRollout'; readonly manifest: ConfigRolloutManifest; readonly why: string }
  | {
      /** Of a ConfigRollout. */
      readonly type: 'WriteStatus';
      readonly target: ObjectRef;
      readonly resourceVersion: string;
      readonly status: ConfigRolloutStatus;
      readonly why: string;
    }
  | EventAction;

export interface Plan {
  readonly actions: readonly Action[];
  /** Look again after this many milliseconds, even when nothing changes. */
  readonly requeueAfterMs?: number;
}

export const NOTHING: Plan = { actions: [] };

/** One line for logs and dry runs: names and reasons, never content. */
export function describeAction(action: Action): string {
  switch (action.type) {
    case 'CreateSnapshot':
    case 'CreateConfigRollout':
      return `create ${display({ ...action.manifest.metadata, kind: action.manifest.kind })}: ${action.why}`;
    case 'AnnotateRevision':
    case 'PatchMetadata':
    case 'PatchWorkload':
      return `patch ${display(action.target)}: ${action.why}`;
    case 'WriteStatus':
      return `write the status of ${display(action.target)}: ${action.why}`;
    case 'DeleteSnapshot':
    case 'DeleteRevision':
      return `delete ${display(action.target)}: ${action.why}`;
    case 'Event':
      return `event ${action.reason} on ${display(action.regarding)}: ${action.note}`;
    default:
      return action satisfies never;
  }
}
