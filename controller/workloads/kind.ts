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
  /** True when a cluster may do without: its CRD may not be installed, or not be ours to read. */
  readonly optional?: boolean;
  readonly revisions: ResourceName;
  /** Undefined for an object that is malformed. */
  project(raw: unknown): Workload | undefined;
  /** Undefined for a revision that references no configuration: it never matters. Its owner may be of another kind. */
  projectRevision(raw: unknown): Revision | undefined;
}
