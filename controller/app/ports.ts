// What the application needs of a cluster, and nothing more. kube/ implements it.

import type { Operation } from 'fast-json-patch';
import type { Action, EventAction } from '../core/actions.ts';
import type { ConfigRolloutManifest } from '../core/plan-status.ts';
import type { ConfigRollout } from '../core/policy.ts';
import type { SnapshotManifest } from '../core/snapshot.ts';
import type { ConfigObject, Content, ObjectRef, SourceKind, Workload } from '../core/types.ts';

/** A ConfigMap or a Secret as read or written: its metadata, and its content, which is never kept. */
export interface SourceRead {
  readonly object: ConfigObject;
  readonly content: Content;
  readonly immutable: boolean;
}

export interface SourceName {
  readonly kind: SourceKind;
  readonly namespace: string;
  readonly name: string;
}

export type RevisionNote = Extract<Action, { type: 'AnnotateRevision' }>;
export type StatusWrite = Extract<Action, { type: 'WriteStatus' }>;
export type MetadataPatch = Extract<Action, { type: 'PatchMetadata' }>;

/** What observations read. All methods throw ClusterError, and nothing else. */
export interface SourceReader {
  /** Undefined when there is none of that name. */
  readSource(name: SourceName): Promise<SourceRead | undefined>;
  /** The same, without the content. */
  readMetadata(name: SourceName): Promise<ConfigObject | undefined>;
}

/** All methods throw ClusterError, and nothing else. */
export interface ClusterPort extends SourceReader {
  createSnapshot(manifest: SnapshotManifest): Promise<SourceRead>;
  /** Of a source or a snapshot. */
  patchMetadata(patch: MetadataPatch): Promise<SourceRead>;
  annotateRevision(note: RevisionNote): Promise<void>;
  /** Throws Conflict when a `test` fails. */
  patchWorkload(target: ObjectRef, operations: readonly Operation[]): Promise<Workload>;
  /** Undefined when the server does not know ConfigRollouts. */
  createConfigRollout(manifest: ConfigRolloutManifest): Promise<ConfigRollout | undefined>;
  /** Throws Conflict when it is not at that version any more. */
  writeStatus(write: StatusWrite): Promise<ConfigRollout>;
  /** Deletes exactly that object at that version. Deleting what is gone succeeds. */
  deleteExactly(target: ObjectRef, resourceVersion: string): Promise<void>;
  /** Live, uncached: does a template, a revision or a pod of the namespace name this object? */
  isMounted(name: SourceName): Promise<boolean>;
  /** Takes the event and returns; sending it may fail, which is logged, and changes nothing. */
  emit(event: EventAction): void;
}
