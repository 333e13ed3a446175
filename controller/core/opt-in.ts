// Which workloads a source opts in, and what is wrong with how it says so.

import { EXCLUDED, MANAGED_LABEL, OWNERS_ANNOTATION, REASONS, type Reason, rolledHashLabel } from './names.ts';
import { reloaderAsksFor } from './reloader.ts';
import { type ConfigObject, mention, type OwnerReference, type Workload } from './types.ts';

/** One workload that a source names as its owner. */
export interface OptIn {
  readonly kind: string;
  readonly name: string;
  /** Given by an owner reference; undefined for a declared owner. */
  readonly uid: string | undefined;
}

/** Something that a person has to mend; ends as an Event on the source. */
export interface Problem {
  readonly reason: Reason;
  readonly note: string;
  /** Not said before the source is so old, in milliseconds. */
  readonly graceMs?: number;
}

/** What the core needs to know of a workload kind to read opt-ins. `aliases` are kubectl's names: `deployment`, `deploy`. */
export interface KindName {
  readonly kind: string;
  readonly apiGroup: string;
  readonly aliases: readonly string[];
}

// Owners of other groups are operators that own their ConfigMaps; those mean no opt-in, and deserve no Event.
const GROUPS_OF_WORKLOADS = new Set(['apps', 'batch']);
// In one `kubectl apply` the source comes before its owner.
const OWNER_GRACE_MS = 5000;
// Tokens that a cluster's own controllers make and revoke, and the records that Helm keeps of its releases.
const REFUSED_TYPES = ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token', 'helm.sh/release'];
const DECLARED = /^([A-Za-z.]+)\/([a-z0-9]([-a-z0-9.]*[a-z0-9])?)$/;

/** What a source says of its owners. */
export interface Declaration {
  readonly optIns: readonly OptIn[];
  readonly problems: readonly Problem[];
}

/** The workloads that `source` names as owners, in reference or annotation, and the entries that name none. */
export function optIns(source: ConfigObject, kinds: readonly KindName[]): Declaration {
  const found: OptIn[] = [];
  const problems: Problem[] = [];
  for (const owner of source.owners) {
    const group = groupOf(owner);
    if (kinds.some((kind) => kind.kind === owner.kind && kind.apiGroup === group)) {
      found.push({ kind: owner.kind, name: owner.name, uid: owner.uid });
    } else if (GROUPS_OF_WORKLOADS.has(group) && owner.controller !== true) {
      problems.push(unsupported(source, `owner reference to ${mention(owner)}`, kinds));
    }
  }
  for (const entry of declaredEntries(source)) {
    const [, resource, name] = DECLARED.exec(entry) ?? [];
    if (resource === undefined || name === undefined) {
      const note = `annotation ${OWNERS_ANNOTATION}: "${clip(entry)}" is not of the form deployment/NAME; correct the annotation`;
      problems.push({ reason: REASONS.ownersInvalid, note });
      continue;
    }
    const kind = kinds.find((candidate) => candidate.aliases.includes(resource.toLowerCase()));
    if (kind === undefined)
      problems.push(unsupported(source, `annotation ${OWNERS_ANNOTATION}: ${clip(entry)}`, kinds));
    else if (!found.some((other) => other.uid === undefined && other.kind === kind.kind && other.name === name)) {
      found.push({ kind: kind.kind, name, uid: undefined });
    }
  }
  return { optIns: found, problems };
}

/** What keeps an opt-in from taking effect, or undefined. `workload` is the one of that kind and name, if there is one. */
export function problemOf(
  source: ConfigObject,
  optIn: OptIn,
  workload: Workload | undefined,
  referenced: boolean,
): Problem | undefined {
  const owner = mention(optIn);
  const self = mention(source);
  if (workload === undefined && optIn.uid === undefined) {
    const note = `${owner} does not exist in namespace ${source.namespace}; ${self} rolls out once it is created`;
    return { reason: REASONS.ownerNotFound, note, graceMs: OWNER_GRACE_MS };
  }
  if (workload === undefined) {
    const note = `${owner} does not exist in namespace ${source.namespace}, and Kubernetes deletes objects whose owners do not exist; run: kubectl set-owner ${self} ${owner} --remove`;
    return { reason: REASONS.ownerNotFound, note };
  }
  if (optIn.uid !== undefined && optIn.uid !== workload.uid) {
    const note = `the owner reference to ${owner} has uid ${optIn.uid}, but ${owner} has uid ${workload.uid} (was it recreated?); Kubernetes takes such a reference for an owner that is gone, and deletes ${self} if it has no other: create it again if it is gone, and run: kubectl set-owner ${self} ${owner}`;
    return { reason: REASONS.ownerUidMismatch, note };
  }
  if (!referenced) {
    const note = `${owner} does not reference ${self}; mount it (kubectl set-volume ${owner} -t ${source.kind.toLowerCase()} --${source.kind.toLowerCase()}-name ${clip(source.name)} --mount-path PATH), or take the owner away (kubectl set-owner ${self} ${owner} --remove)`;
    return { reason: REASONS.notReferenced, note };
  }
  return undefined;
}

/** True when the opt-in means this very workload, and not a predecessor of its name. */
export function isOptInOf({ kind, name, uid }: OptIn, workload: Workload): boolean {
  return kind === workload.kind && name === workload.name && (uid === undefined || uid === workload.uid);
}

/** Whether workloads may opt in by Reloader's annotations, too. */
export interface OptInWays {
  readonly reloader: boolean;
}

// Kubernetes puts it into every namespace, and changes it only with the cluster's own certificate.
const ROOT_CERTIFICATE = 'kube-root-ca.crt';

/** True when the workload itself asks for sources that it references, without naming each. */
export function asksForSources(workload: Workload, ways: OptInWays): boolean {
  return workload.labels[MANAGED_LABEL] === 'all' || (ways.reloader && workload.reloader !== undefined);
}

/** True when the workload asks for this source, provided that it references it. */
export function asksFor(workload: Workload, source: ConfigObject, ways: OptInWays): boolean {
  if (workload.labels[MANAGED_LABEL] === 'all') return source.name !== ROOT_CERTIFICATE;
  return ways.reloader && workload.reloader !== undefined && reloaderAsksFor(workload.reloader, source);
}

/** True when a person excluded the source, the workload, or this source of this workload: that wins over every opt-in. */
export function isExcluded(workload: Workload, source: ConfigObject): boolean {
  const { labels } = workload;
  return (
    source.ignored || labels[MANAGED_LABEL] === 'none' || labels[rolledHashLabel(source.kind, source.name)] === EXCLUDED
  );
}

/** The entries of the owners annotation, trimmed. */
export function declaredEntries(source: { readonly declaredOwners: string | undefined }): string[] {
  return (source.declaredOwners ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

function groupOf(owner: OwnerReference): string {
  return owner.apiVersion.includes('/') ? (owner.apiVersion.split('/')[0] ?? '') : '';
}

function unsupported(source: ConfigObject, what: string, kinds: readonly KindName[]): Problem {
  const names = kinds.map((kind) => kind.kind).join(', ');
  const note = `${what}: this kind cannot own ${mention(source)} (supported: ${names}); nothing is rolled out for it`;
  return { reason: REASONS.ownerKindUnsupported, note };
}

// Notes of Events hold 1,024 characters at most.
function clip(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Why the content of a source can never roll out; undefined when it can. */
export function obstacleOf(source: ConfigObject, immutable: boolean, type: string | undefined): Problem | undefined {
  const self = mention(source);
  if (immutable) {
    const note = `${self} is immutable: it cannot change, so nothing will ever roll out; take its owner away, or recreate it without immutable`;
    return { reason: REASONS.sourceImmutable, note };
  }
  if (type !== undefined && REFUSED_TYPES.some((refused) => type.startsWith(refused))) {
    const note = `${self} is of type ${clip(type)}, of which no copies are made: other programs find such Secrets by their type, and delete them; take its owner away`;
    return { reason: REASONS.secretRefused, note };
  }
  return undefined;
}
