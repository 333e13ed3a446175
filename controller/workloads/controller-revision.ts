// ControllerRevisions as revisions: each keeps a patch that puts a template back. Which of them have pods, only the status
// of their workload tells.

import { CHANGE_CAUSE_ANNOTATION } from '../core/names.ts';
import { inspectTemplate } from '../core/references.ts';
import type { Revision } from '../core/types.ts';
import type { ResourceName } from './kind.ts';
import { createdAt, ownerOf, projectMeta, rawObject } from './raw.ts';

export const CONTROLLER_REVISIONS: ResourceName = {
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  resource: 'controllerrevisions',
};

interface RawControllerRevision {
  /** A patch of the workload. */
  readonly data?: { readonly spec?: { readonly template?: unknown } };
  readonly revision?: number;
}

/** The patch is `{"spec": {"template": …}}`, of StatefulSets and of DaemonSets. */
export function projectControllerRevision(value: unknown, owner: ResourceName): Revision | undefined {
  const raw = rawObject(value);
  if (raw === undefined) return undefined;
  const { data, revision = 0 } = value as RawControllerRevision;
  const template = inspectTemplate(data?.spec?.template);
  if (template.references.length === 0) return undefined;
  return {
    ...projectMeta(raw),
    ...template,
    apiVersion: CONTROLLER_REVISIONS.apiVersion,
    kind: CONTROLLER_REVISIONS.kind,
    workload: ownerOf(raw, owner),
    number: revision,
    createdAt: createdAt(raw),
    cause: raw.metadata.annotations?.[CHANGE_CAUSE_ANNOTATION],
    keepsCause: true,
    scaledDown: true,
  };
}
