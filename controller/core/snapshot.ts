// Snapshots: how they are named, made and recognised.

import { createHash } from 'node:crypto';
import { writeKeyDigests } from './key-digests.ts';
import {
  CONTENT_HASH_LABEL,
  KEY_DIGESTS_ANNOTATION,
  MANAGED_BY_LABEL,
  MANAGER,
  ROLLED_RECORD_PREFIX,
  SOURCE_LABEL,
  SOURCE_NAME_ANNOTATION,
  SOURCE_UID_ANNOTATION,
  SOURCE_VERSION_ANNOTATION,
  shorten,
  sourceLabelValue,
} from './names.ts';
import type { ConfigObject, Content, OwnerReference, SnapshotInfo, SourceKind, Workload } from './types.ts';

const NAME_MAX = 253;
const SNAPSHOT_SUFFIX = /-([bcdfghkmt2456789]{10})(?:-[0-9a-f]{5})?$/;
const SALTS = 4;
// Tells an owner that the controller gave from one that a person gave, before there is a rollout to record.
const NEVER_ROLLED = '0';

/**
 * The names that a snapshot may have, in order of preference: `<source>-<hash>`, then salted ones, for when an object
 * that is not this snapshot has taken the name. Source names are shortened so that none is over 253 characters.
 */
export function* snapshotNames(source: string, hash: string): Generator<string, undefined> {
  const named = (suffix: string) => `${shorten(source, NAME_MAX - suffix.length - 1)}-${suffix}`;
  yield named(hash);
  for (let i = 0; i < SALTS; i += 1) {
    const salt = createHash('sha256').update(`${source}/${hash}/${i}`).digest('hex').slice(0, 5);
    yield named(`${hash}-${salt}`);
  }
}

/** Whether a snapshot of that content of the source may have the name. */
export function isNameOf(name: string, source: string, hash: string): boolean {
  return [...snapshotNames(source, hash)].includes(name);
}

/** The hash in a name that a snapshot of this source could have, whatever the content; undefined when it is none. */
export function hashInName(source: string, name: string): string | undefined {
  const hash = SNAPSHOT_SUFFIX.exec(name)?.[1];
  return hash !== undefined && isNameOf(name, source, hash) ? hash : undefined;
}

/** The owner reference that ties a dependent's life to `owner`, without blocking anybody's deletion. */
export function ownerReference(owner: {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}): OwnerReference {
  return { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.name, uid: owner.uid };
}

export interface SnapshotManifest {
  readonly apiVersion: 'v1';
  readonly kind: SourceKind;
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly ownerReferences: readonly OwnerReference[];
  };
  readonly immutable: true;
  /** Of a Secret only. */
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

/**
 * The immutable copy of `source`'s content, owned by the workloads that are about to mount it, so that nothing leaks
 * when the controller dies before they do. Nothing else of the source is copied: its labels, annotations, owners and
 * finalizers belong to other tools, that would act on the copy.
 */
export function snapshotManifest(
  source: ConfigObject,
  name: string,
  hash: string,
  content: Content,
  owners: readonly Workload[],
): SnapshotManifest {
  const digests = writeKeyDigests(source.kind, content);
  return {
    apiVersion: 'v1',
    kind: source.kind,
    metadata: {
      namespace: source.namespace,
      name,
      labels: {
        [MANAGED_BY_LABEL]: MANAGER,
        [SOURCE_LABEL]: sourceLabelValue(source.name),
        [CONTENT_HASH_LABEL]: hash,
      },
      annotations: {
        [SOURCE_NAME_ANNOTATION]: source.name,
        [SOURCE_UID_ANNOTATION]: source.uid,
        [SOURCE_VERSION_ANNOTATION]: source.resourceVersion,
        ...(digests !== undefined && { [KEY_DIGESTS_ANNOTATION]: digests }),
        ...Object.fromEntries(owners.map(({ uid }) => [`${ROLLED_RECORD_PREFIX}${uid}`, NEVER_ROLLED])),
      },
      ownerReferences: owners.map(ownerReference),
    },
    immutable: true,
    ...(content.type !== undefined && { type: content.type }),
    ...(Object.keys(content.data).length > 0 && { data: content.data }),
    ...(Object.keys(content.binaryData).length > 0 && { binaryData: content.binaryData }),
  };
}

/** Reads a snapshot's marks from its metadata. Undefined when the object is not one of ours. */
export function snapshotInfo(
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
): SnapshotInfo | undefined {
  const hash = labels[CONTENT_HASH_LABEL];
  const source = annotations[SOURCE_NAME_ANNOTATION];
  if (labels[MANAGED_BY_LABEL] !== MANAGER || hash === undefined || source === undefined) return undefined;
  const records = Object.entries(annotations)
    .filter(([key, value]) => key.startsWith(ROLLED_RECORD_PREFIX) && /^\d+$/.test(value))
    .map(([key, value]) => [key.slice(ROLLED_RECORD_PREFIX.length), Number(value)] as const);
  return {
    source,
    hash,
    sourceUid: annotations[SOURCE_UID_ANNOTATION],
    sourceResourceVersion: annotations[SOURCE_VERSION_ANNOTATION],
    keyDigests: annotations[KEY_DIGESTS_ANNOTATION],
    records: Object.fromEntries(records),
  };
}

/** True when `object` carries all marks of the snapshot of this content, so that it may be mounted without another look. */
export function isSnapshotOf(object: ConfigObject, source: string, hash: string): boolean {
  const info = object.snapshot;
  return info?.source === source && info.hash === hash && !object.deleting;
}
