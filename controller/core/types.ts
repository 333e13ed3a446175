// The words of docs/semantics.md as types: what the core sees of the cluster. These are projections, made when an
// object arrives, so that caches hold hundreds of bytes an object and never any content.

import type { ReloaderMarks, ReloaderOptIn } from './reloader.ts';

/** The kinds of object that hold configuration. */
export type SourceKind = 'ConfigMap' | 'Secret';

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Names an object, with the uid that tells it from another of the same name. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What every object has. */
export interface Meta {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly deleting: boolean;
}

/** What makes a ConfigMap or a Secret a snapshot. */
export interface SnapshotInfo {
  readonly source: string;
  readonly hash: string;
  readonly sourceUid: string | undefined;
  readonly sourceResourceVersion: string | undefined;
  /** See key-digests.ts. */
  readonly keyDigests: string | undefined;
  /** Workload uid → generation at which that workload was last rolled to this snapshot. */
  readonly records: Readonly<Record<string, number>>;
}

/** The metadata of a ConfigMap or a Secret: a source, a snapshot, or neither. */
export interface ConfigObject extends Meta {
  readonly kind: SourceKind;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly owners: readonly OwnerReference[];
  readonly declaredOwners: string | undefined;
  readonly sourceLabel: string | undefined;
  /** A person said that it is none of our business: by its label, or by `--resource-label-selector`. */
  readonly ignored: boolean;
  readonly reloader: ReloaderMarks | undefined;
  readonly snapshot: SnapshotInfo | undefined;
}

/** A place in a pod template that names a source or a snapshot. */
export interface Reference {
  readonly kind: SourceKind;
  readonly name: string;
  /** JSON pointer to the name, from the pod template. */
  readonly pointer: string;
}

/** A pod template, reduced to what decides. */
export interface TemplateInfo {
  readonly references: readonly Reference[];
  /** Digest of the template but for the names that it references: equal for a raw template and its pinned twin. */
  readonly shape: string;
}

/** One entry of metadata.managedFields: a digest of what it says, and since when. */
export interface Claim {
  readonly digest: string;
  readonly time: string | undefined;
}

/** How far a workload's pods are with its template, as `kubectl rollout status` judges it. */
export interface Progress {
  readonly state: 'Complete' | 'Progressing' | 'Failed';
  /** The name of the revision that Failed; undefined: of which one is not said. */
  readonly failedRevision?: string | undefined;
  /** Pods that run the template, of all that are wanted. */
  readonly updated: number;
  readonly desired: number;
}

export interface Workload extends Meta, TemplateInfo {
  readonly apiVersion: string;
  readonly kind: string;
  readonly generation: number;
  /** JSON pointer to the pod template. */
  readonly templatePointer: string;
  /** Our own labels only. */
  readonly labels: Readonly<Record<string, string>>;
  readonly hasLabels: boolean;
  readonly hasAnnotations: boolean;
  /** Annotations that Kubernetes keeps on it, and that no manifest has. */
  readonly bookkeeping: Readonly<Record<string, string>>;
  /** Who owns which fields; none of a workload that is not managed. */
  readonly claims: readonly Claim[];
  /**
   * Names of revisions that have, or may get, pods, besides those that say so themselves. Undefined while a rollout goes
   * on: it may be any of them.
   */
  readonly inUse: readonly string[] | undefined;
  /** The number of the current revision, where the workload's status speaks of the spec that stands; see `currentOf`. */
  readonly currentRevision?: number | undefined;
  readonly progress: Progress;
  /** Whether its own controller has seen the spec that stands, and said so in the status. */
  readonly isObserved: boolean;
  readonly reloader: ReloaderOptIn | undefined;
  readonly cause: string | undefined;
  readonly ownCause: string | undefined;
}

/** One entry of a workload's rollout history. */
export interface Revision extends Meta, TemplateInfo {
  readonly apiVersion: string;
  readonly kind: string;
  readonly workload: { readonly kind: string; readonly name: string; readonly uid: string } | undefined;
  readonly number: number;
  /** Milliseconds since the epoch, in whole seconds. */
  readonly createdAt: number;
  readonly cause: string | undefined;
  /** True of a ControllerRevision, whose annotations nobody keeps up when it is used again. */
  readonly keepsCause: boolean;
  /** Neither wants nor has pods, as far as the revision itself can tell. */
  readonly scaledDown: boolean;
}

/** What a source or a snapshot carries. Keys are the files, values the text or base64; all of a Secret's are base64. */
export interface Content {
  readonly data: Readonly<Record<string, string>>;
  readonly binaryData: Readonly<Record<string, string>>;
  /** Of a Secret only: `Opaque`, `kubernetes.io/tls`, … */
  readonly type?: string | undefined;
}

/** `Kind/namespace/name`: tells an object of a namespace from all others, whatever its kind. */
export function objectKey({ kind, namespace, name }: Omit<ObjectRef, 'apiVersion' | 'uid'>): string {
  return `${kind}/${namespace}/${name}`;
}

/** The reverse of `objectKey`. */
export function parseKey(key: string): { readonly kind: string; readonly namespace: string; readonly name: string } {
  const [kind = '', namespace = '', name = ''] = key.split('/');
  return { kind, namespace, name };
}

/** `kind/name` in lower case, as kubectl prints objects. */
export function display(object: { readonly kind: string; readonly name: string }): string {
  return `${object.kind.toLowerCase()}/${object.name}`;
}

const LONGEST_MENTION = 80;

/** As `display`, for texts that have no room for a name of 253 characters. */
export function mention(object: { readonly kind: string; readonly name: string }): string {
  const text = display(object);
  return text.length <= LONGEST_MENTION ? text : `${text.slice(0, 50)}…${text.slice(-20)}`;
}

/** The reference to an object that Events, patches and owner references need. */
export function refOf(object: ObjectRef): ObjectRef {
  const { apiVersion, kind, namespace, name, uid } = object;
  return { apiVersion, kind, namespace, name, uid };
}

/** The same for a source or a snapshot, whose projection has no apiVersion: all are of the core group. */
export function configRef(object: Omit<ObjectRef, 'apiVersion'>): ObjectRef {
  return refOf({ ...object, apiVersion: 'v1' });
}
