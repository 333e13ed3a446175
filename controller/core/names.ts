// Every label, annotation, event reason and other name that leaves this process, in one place: they are the
// product's wire format, and what people write selectors, alerts and runbooks against.

import { createHash } from 'node:crypto';
import type { SourceKind } from './types.ts';

const DOMAIN = 'configrollout.dev';
/** All there are; which of them are watched is configuration. */
export const SOURCE_KINDS: readonly SourceKind[] = ['ConfigMap', 'Secret'];

/** The field manager of every write, the value of app.kubernetes.io/managed-by, and the Events' reporter. */
export const MANAGER = 'config-rollout';

/** On a source and on all its snapshots: the source's name (shortened when over 63), to select them as a group. */
export const SOURCE_LABEL = `${DOMAIN}/source`;
/** On snapshots only: the hash of the content. */
export const CONTENT_HASH_LABEL = `${DOMAIN}/content-hash`;
/**
 * On workloads: `all` is a person's opt-in for every source referenced, `owned` is the controller's marker. `none`, on a
 * workload or a source, is a person's word that it is not to be touched.
 */
export const MANAGED_LABEL = `${DOMAIN}/managed`;
/** On workloads: the newest revision's number when a rollout last changed the template. Older revisions do not say what ran since. */
export const AFTER_REVISION_LABEL = `${DOMAIN}/after-revision`;
/**
 * On workloads: the AFTER_REVISION_LABEL of the rollout that failed and was taken back. While both are equal, the last rollout
 * was; the next one counts the other up.
 */
export const FAILED_ROLLOUT_LABEL = `${DOMAIN}/failed-rollout`;
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';

/** On a source: `deployment/bar, deployment/baz`, the opt-in that needs no uid and deletes nothing. */
export const OWNERS_ANNOTATION = `${DOMAIN}/owners`;
export const SOURCE_NAME_ANNOTATION = `${DOMAIN}/source-name`;
export const SOURCE_UID_ANNOTATION = `${DOMAIN}/source-uid`;
export const SOURCE_VERSION_ANNOTATION = `${DOMAIN}/source-resource-version`;
/** On a snapshot of a ConfigMap: a digest of each key, as JSON, to name those that a later content changes. */
export const KEY_DIGESTS_ANNOTATION = `${DOMAIN}/key-digests`;
/** On a snapshot, `rolled.configrollout.dev/<workload uid>: <generation>`: outlives the label on the workload. */
export const ROLLED_RECORD_PREFIX = `rolled.${DOMAIN}/`;

/** The API of ConfigRollouts; crds/ defines it. */
export const API_VERSION = `${DOMAIN}/v1alpha1`;

/** What `kubectl rollout history` prints. */
export const CHANGE_CAUSE_ANNOTATION = 'kubernetes.io/change-cause';
/** Equal to the change cause when the controller wrote it; differs from it, or is absent, when a person did. */
export const OWN_CAUSE_ANNOTATION = `${DOMAIN}/change-cause`;

/** Reasons of Events. Constants, because people filter and alert on them; docs/semantics.md explains each. */
export const REASONS = {
  /** A workload was pinned to new content. */
  rolledOut: 'ConfigRolledOut',
  /** References that an apply or an undo had made raw were pinned again. */
  repinned: 'ConfigRepinned',
  /** A rollout failed, and was taken back. */
  rolledBack: 'ConfigRolledBack',
  /** A rollout failed, and there is nothing to go back to. */
  rollbackImpossible: 'ConfigRollbackImpossible',
  rolloutsSlowed: 'ConfigRolloutsSlowed',
  ownerNotFound: 'ConfigOwnerNotFound',
  ownerUidMismatch: 'ConfigOwnerUidMismatch',
  ownerKindUnsupported: 'ConfigOwnerKindUnsupported',
  ownersInvalid: 'ConfigOwnersInvalid',
  notReferenced: 'ConfigNotReferenced',
  sourceImmutable: 'ConfigSourceImmutable',
  secretRefused: 'ConfigSecretRefused',
  snapshotNameTaken: 'ConfigSnapshotNameTaken',
  snapshotMissing: 'ConfigSnapshotMissing',
  snapshotOwned: 'ConfigSnapshotOwnedByHand',
  quotaExceeded: 'ConfigQuotaExceeded',
  forbidden: 'ConfigForbidden',
  rejected: 'ConfigRejected',
} as const;
export type Reason = (typeof REASONS)[keyof typeof REASONS];

const LABEL_MAX = 63;
const DIGEST_LENGTH = 10;

/**
 * Shortens a name to `max` characters, keeping it unique by a digest of the whole, and valid as a DNS subdomain, a
 * label value or the name part of a label key. Names that fit are returned as they are.
 */
export function shorten(name: string, max: number): string {
  if (name.length <= max) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, DIGEST_LENGTH);
  const head = name.slice(0, max - DIGEST_LENGTH - 1).replace(/[^a-zA-Z0-9]+$/, '');
  return `${head}-${digest}`;
}

/** The value of SOURCE_LABEL for a source. */
export function sourceLabelValue(source: string): string {
  return shorten(source, LABEL_MAX);
}

/** The label on a workload that holds the hash it was last rolled to. Its name part holds 63 characters at most. */
export function rolledHashLabel(kind: SourceKind, source: string): string {
  return `${kind.toLowerCase()}.${DOMAIN}/${shorten(source, LABEL_MAX)}`;
}

const UNREFERENCED = '.unreferenced';
/** What a person writes in the place of a hash: this source is none of the workload's opt-ins, whatever else says so. */
export const EXCLUDED = 'excluded';

/** What the state label of a workload says of a source. */
export interface Rolled {
  readonly hash: string;
  /** The content came while the template did not mention the source: what was pinned before is not the content before. */
  readonly unreferenced: boolean;
}

/** Reads the state label; undefined when the workload was never rolled to the source. */
export function readRolled(
  labels: Readonly<Record<string, string>>,
  kind: SourceKind,
  source: string,
): Rolled | undefined {
  const value = labels[rolledHashLabel(kind, source)];
  if (value === undefined || value === EXCLUDED) return undefined;
  const unreferenced = value.endsWith(UNREFERENCED);
  return { hash: unreferenced ? value.slice(0, -UNREFERENCED.length) : value, unreferenced };
}

/** The value of the state label. */
export function rolledValue({ hash, unreferenced }: Rolled): string {
  return unreferenced ? `${hash}${UNREFERENCED}` : hash;
}

/** True for our labels on a workload: all that a projection keeps. */
export function isOwnWorkloadLabel(key: string): boolean {
  const isState = SOURCE_KINDS.some((kind) => key.startsWith(`${kind.toLowerCase()}.${DOMAIN}/`));
  return isState || [MANAGED_LABEL, AFTER_REVISION_LABEL, FAILED_ROLLOUT_LABEL].includes(key);
}
