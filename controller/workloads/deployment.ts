// Deployments, whose revisions are ReplicaSets.

import { claimsOf } from '../core/managed-fields.ts';
import { CHANGE_CAUSE_ANNOTATION, isOwnWorkloadLabel, MANAGED_LABEL, OWN_CAUSE_ANNOTATION } from '../core/names.ts';
import { inspectTemplate } from '../core/references.ts';
import type { Revision, Workload } from '../core/types.ts';
import type { WorkloadKind } from './kind.ts';
import { pick, projectMeta, rawObject } from './raw.ts';

const KIND = { apiVersion: 'apps/v1', kind: 'Deployment', resource: 'deployments' } as const;
const REVISIONS = { apiVersion: 'apps/v1', kind: 'ReplicaSet', resource: 'replicasets' } as const;

// Set by the Deployment controller on the ReplicaSets that it makes.
const REVISION_ANNOTATION = 'deployment.kubernetes.io/revision';

export const deployment: WorkloadKind = {
  ...KIND,
  apiGroup: 'apps',
  aliases: ['deployment', 'deployments', 'deploy', 'deployment.apps', 'deployments.apps'],
  revisions: REVISIONS,
  project,
  projectRevision,
};

function project(value: unknown): Workload | undefined {
  const raw = rawObject(value);
  if (raw === undefined) return undefined;
  const { labels, annotations, generation = 0, managedFields = [] } = raw.metadata;
  return {
    ...projectMeta(raw),
    ...inspectTemplate(raw.spec?.template),
    apiVersion: KIND.apiVersion,
    kind: KIND.kind,
    generation,
    templatePointer: '/spec/template',
    labels: Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => isOwnWorkloadLabel(key))),
    hasLabels: labels !== undefined,
    hasAnnotations: annotations !== undefined,
    bookkeeping: pick(annotations, [REVISION_ANNOTATION]),
    claims: labels?.[MANAGED_LABEL] === undefined ? [] : claimsOf(managedFields),
    cause: annotations?.[CHANGE_CAUSE_ANNOTATION],
    ownCause: annotations?.[OWN_CAUSE_ANNOTATION],
  };
}

function projectRevision(value: unknown): Revision | undefined {
  const raw = rawObject(value);
  const template = inspectTemplate(raw?.spec?.template);
  if (raw === undefined || template.references.length === 0) return undefined;
  const { annotations = {}, ownerReferences = [] } = raw.metadata;
  const owner = ownerReferences.find(({ kind, controller }) => kind === KIND.kind && controller === true);
  return {
    ...projectMeta(raw),
    ...template,
    apiVersion: REVISIONS.apiVersion,
    kind: REVISIONS.kind,
    workload: owner && { kind: owner.kind, name: owner.name, uid: owner.uid },
    number: Number(annotations[REVISION_ANNOTATION] ?? 0),
    cause: annotations[CHANGE_CAUSE_ANNOTATION],
    scaledDown: (raw.spec?.replicas ?? 1) === 0 && (raw.status?.replicas ?? 0) === 0,
  };
}
