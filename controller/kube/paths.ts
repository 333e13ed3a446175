// URLs of the Kubernetes API.

import type { ResourceName } from '../workloads/kind.ts';

/** The URL of a collection, or of one object in it. Without a namespace: of all, or of a resource that is in none. */
export function resourcePath({ apiVersion, resource }: ResourceName, namespace?: string, name?: string): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${resource}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}
