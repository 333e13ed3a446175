// Which containers and volumes are meant.

import { CommandError } from '../errors.ts';
import type { SourceName, Sources } from '../sources.ts';
import { allContainers, type Container, type PodSpec, sourceOfVolume, type Volume } from './pod-template.ts';

/**
 * Undefined selects the regular containers; a pattern, init containers too.
 *
 * @throws CommandError when none matches. `workload` is `deployment.apps/bar`.
 */
export function selectContainers(
  spec: PodSpec,
  pattern: string | undefined,
  workload: string,
): (container: Container) => boolean {
  if (pattern === undefined) return (container) => spec.containers.includes(container);
  const literal = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  const matcher = new RegExp(`^${literal.join('.*')}$`);
  const all = allContainers(spec);
  if (!all.some(({ name }) => matcher.test(name))) {
    const names = all.map(({ name }) => name).join(', ');
    throw new CommandError(`${workload} does not have any containers matching "${pattern}" (it has: ${names})`);
  }
  return ({ name }) => matcher.test(name);
}

/** True when the volume mounts that source: itself, or a snapshot of it. */
export function mounts(volume: Volume, source: SourceName, sources: Sources): boolean {
  const name = sourceOfVolume(volume);
  return name !== undefined && sources.leadsTo(source, name);
}
