// What the application needs of a cluster, and nothing more. kube/ implements it.

import type { Operation } from 'fast-json-patch';
import type { Action, EventAction } from '../core/actions.ts';
import type { SnapshotManifest } from '../core/snapshot.ts';
import type { ConfigObject, Content, ObjectRef, Workload } from '../core/types.ts';

/** A ConfigMap as read or written: its metadata, and its content, which is never kept. */
export interface ConfigMapRead {
  readonly object: ConfigObject;
  readonly content: Content;
  readonly immutable: boolean;
}

export type MetadataPatch = Extract<Action, { type: 'PatchMetadata' }>;

/** All methods throw ClusterError, and nothing else. */
export interface ClusterPort {
  /** Undefined when there is none of that name. */
  readConfigMap(namespace: string, name: string): Promise<ConfigMapRead | undefined>;
  createSnapshot(manifest: SnapshotManifest): Promise<ConfigMapRead>;
  patchMetadata(patch: MetadataPatch): Promise<ConfigMapRead>;
  /** Throws Conflict when a `test` fails. */
  patchWorkload(target: ObjectRef, operations: readonly Operation[]): Promise<Workload>;
  /** Deletes exactly that object at that version. Deleting what is gone succeeds. */
  deleteExactly(target: ObjectRef, resourceVersion: string): Promise<void>;
  /** Live, uncached: does a template, a revision or a pod of the namespace name this ConfigMap? */
  isMounted(namespace: string, configMap: string): Promise<boolean>;
  /** Takes the event and returns; sending it may fail, which is logged, and changes nothing. */
  emit(event: EventAction): void;
}
