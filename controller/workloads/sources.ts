// ConfigMaps and Secrets on the API.

import type { SourceKind } from '../core/types.ts';
import type { ResourceName } from './kind.ts';

export const SOURCES = {
  ConfigMap: { apiVersion: 'v1', kind: 'ConfigMap', resource: 'configmaps' },
  Secret: { apiVersion: 'v1', kind: 'Secret', resource: 'secrets' },
} as const satisfies Readonly<Record<SourceKind, ResourceName>>;
