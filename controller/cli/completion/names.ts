// Names of objects, asked of the cluster: metadata alone, no snapshots, and silence where that fails.

import { CONTENT_HASH_LABEL } from '../../core/names.ts';
import type { ResourceName } from '../../workloads/kind.ts';
import { rawObject } from '../../workloads/raw.ts';
import type { Cluster } from '../cluster.ts';
import { type Resource, SOURCES, WORKLOADS } from '../resources.ts';

const NAMESPACES: ResourceName = { apiVersion: 'v1', kind: 'Namespace', resource: 'namespaces' };

export const SOURCE_RESOURCES: readonly Resource[] = Object.values(SOURCES);
export const ALL_RESOURCES: readonly Resource[] = [...SOURCE_RESOURCES, ...WORKLOADS];

/** Nobody names a snapshot on a command line, and there are many of them. */
export async function namesOf(cluster: Cluster, resource: Resource): Promise<string[]> {
  const labelSelector = SOURCE_RESOURCES.includes(resource) ? `!${CONTENT_HASH_LABEL}` : '';
  const options = { metadataOnly: true, ...(labelSelector !== '' && { labelSelector }) };
  const names: string[] = [];
  for await (const raw of cluster.list(resource, options)) names.push(rawObject(raw)?.metadata.name ?? '');
  return names.filter((name) => name !== '').sort();
}

export async function namespaces(cluster: Cluster): Promise<string[]> {
  const names: string[] = [];
  // They are in none.
  for await (const raw of cluster.list(NAMESPACES, { allNamespaces: true, metadataOnly: true })) {
    const { name } = raw['metadata'] as { readonly name: string };
    names.push(name);
  }
  return names.sort();
}

/**
 * `deployment/bar` and `deployment bar`. Without a type so far, the types, to which a name has to be added.
 *
 * @param args the arguments before it
 */
export async function objects(
  cluster: () => Promise<Cluster>,
  resources: readonly Resource[],
  args: readonly string[],
  word: string,
): Promise<{ readonly words: readonly string[]; readonly goesOn: boolean }> {
  const [type = '', ...rest] = word.split('/');
  if (rest.length > 0) {
    const resource = resourceOf(type, resources);
    const names = resource ? await namesOf(await cluster(), resource) : [];
    return { words: names.map((name) => `${type}/${name}`), goesOn: false };
  }
  const typed = args.findLastIndex((each) => resourceOf(each, resources) !== undefined);
  const resource = resourceOf(args[typed] ?? '', resources);
  const named = args.slice(typed + 1);
  if (resource !== undefined && !named.some((each) => each.includes('/'))) {
    const names = await namesOf(await cluster(), resource);
    return { words: names.filter((name) => !named.includes(name)), goesOn: false };
  }
  const types = resources.map(({ kind }) => kind.toLowerCase());
  return { words: [...types, ...(resourceOf(word, resources) ? [word] : [])].map((each) => `${each}/`), goesOn: true };
}

function resourceOf(type: string, resources: readonly Resource[]): Resource | undefined {
  return resources.find(({ aliases }) => aliases.includes(type.toLowerCase()));
}
