// What the rest of the program asks of a workload kind. A new kind is one file that answers these, and a line in kinds.ts.

import type { KindName } from '../core/opt-in.ts';
import type { Revision, Workload } from '../core/types.ts';

export interface ResourceName {
  readonly apiVersion: string;
  readonly kind: string;
  /** The plural of the URL: `deployments`. */
  readonly resource: string;
}

export interface WorkloadKind extends KindName, ResourceName {
  readonly revisions: ResourceName;
  /** Undefined for an object that is malformed. */
  project(raw: unknown): Workload | undefined;
  /** Undefined for a revision that references no configuration: it never matters. */
  projectRevision(raw: unknown): Revision | undefined;
}
