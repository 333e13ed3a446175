// ConfigMaps and Secrets on the API.

import type { ConfigObject, SourceKind } from '../core/types.ts';
import type { ResourceName } from '../workloads/kind.ts';

export const SOURCES: Readonly<Record<SourceKind, ResourceName>> = {
  ConfigMap: { apiVersion: 'v1', kind: 'ConfigMap', resource: 'configmaps' },
  Secret: { apiVersion: 'v1', kind: 'Secret', resource: 'secrets' },
};

/** The media type in which an object comes without its content. */
export const PARTIAL_METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/** Raw JSON, of the object or of its metadata alone, as the caches keep it. */
export type ProjectSource = (kind: SourceKind, raw: unknown) => ConfigObject | undefined;
