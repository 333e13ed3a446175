// Which snapshots a template mounts, and of what. By their marks where they can be read; a snapshot that is gone, or may not
// be read, by its name.

import { isFailure } from '../../app/errors.ts';
import { contentHash } from '../../core/content-hash.ts';
import { EXCLUDED, rolledHashLabel } from '../../core/names.ts';
import { hashInName } from '../../core/snapshot.ts';
import { type Content, display, type Reference, type Workload } from '../../core/types.ts';
import type { Cluster } from '../cluster.ts';
import { CommandError } from '../errors.ts';
import { SOURCES } from '../resources.ts';
import { optsIn, readSources, type SourceName, type Sources, withSources } from '../sources.ts';
import type { SourcePin } from './plan.ts';

export interface MountedPin extends SourcePin {
  /** The hash of the content that is mounted. */
  readonly hash: string;
}

const SUFFIX = /-[a-z0-9]{10}(-[0-9a-f]{5})?$/;

export interface Mounted {
  readonly pins: readonly MountedPin[];
  readonly sources: Sources;
}

/** Of all references of the template. */
export async function readPins(cluster: Cluster, workload: Workload): Promise<Mounted> {
  const { references } = workload;
  const strangers = references.flatMap(({ kind, name }) => (SUFFIX.test(name) ? [{ kind, name: stripped(name) }] : []));
  const sources = await withSources(cluster, await readSources(cluster, [...references, ...strangers]));
  return { pins: references.flatMap((reference) => pinOf(workload, reference, sources) ?? []), sources };
}

/**
 * Whether there is anything to take out: a pin, the controller's state, or an opt-in, that may not have been heeded yet. What
 * may not be read counts as one.
 */
export function isAnythingManaged(
  workload: Workload,
  { pins, sources }: Mounted,
  only: readonly SourceName[] | undefined,
): boolean {
  if (pins.length > 0 || workload.reloader !== undefined || hasState(workload, only)) return true;
  return (only ?? workload.references).some((name) => {
    const known = sources.get(name);
    return known === 'hidden' || (known !== 'missing' && optsIn(known, workload) !== undefined);
  });
}

/** A person's exclusions are none. */
function hasState({ labels }: Workload, only: readonly SourceName[] | undefined): boolean {
  const keys = only?.map(({ kind, name }) => rolledHashLabel(kind, name)) ?? Object.keys(labels);
  return keys.some((key) => labels[key] !== undefined && labels[key] !== EXCLUDED);
}

/** Throws CommandError for a pin whose source is gone. */
export function refuseLost({ pins, sources }: Mounted): void {
  const lost = pins.find(({ kind, source }) => sources.get({ kind, name: source }) === 'missing');
  if (lost === undefined) return;
  const { kind, source, snapshot } = lost;
  throw new CommandError(
    `${display({ kind, name: source })} does not exist, and pods that name it cannot start; create it first, perhaps from ${display({ kind, name: snapshot })}`,
  );
}

function pinOf(workload: Workload, { kind, name, pointer }: Reference, sources: Sources): MountedPin | undefined {
  const known = sources.get({ kind, name });
  if (typeof known === 'object') {
    const { snapshot } = known;
    return snapshot && { kind, source: snapshot.source, pointer, snapshot: name, hash: snapshot.hash };
  }
  const source = stripped(name);
  const hash = hashInName(source, name);
  const isKnown = typeof sources.get({ kind, name: source }) === 'object';
  const wasRolled = rolledHashLabel(kind, source) in workload.labels;
  return hash !== undefined && (isKnown || wasRolled) ? { kind, source, pointer, snapshot: name, hash } : undefined;
}

function stripped(name: string): string {
  return name.replace(SUFFIX, '');
}

/** Pins whose pods get another content from their source than they ran with. */
export interface Differences {
  readonly changed: readonly MountedPin[];
  /** Of these, the source may not be read. */
  readonly unknown: readonly MountedPin[];
}

export async function compareWithSources(cluster: Cluster, pins: readonly MountedPin[]): Promise<Differences> {
  const sources = new Map(pins.map(({ kind, source }) => [display({ kind, name: source }), { kind, name: source }]));
  const hashes = new Map<string, string | undefined>();
  for (const [key, { kind, name }] of sources) hashes.set(key, await hashOf(cluster, kind, name));
  const now = ({ kind, source }: MountedPin) => hashes.get(display({ kind, name: source }));
  return {
    changed: pins.filter((pin) => now(pin) !== undefined && now(pin) !== pin.hash),
    unknown: pins.filter((pin) => now(pin) === undefined),
  };
}

/** Of a Secret too: nothing but the hash is kept. Undefined for what may not be read. */
async function hashOf(cluster: Cluster, kind: SourcePin['kind'], name: string): Promise<string | undefined> {
  try {
    const { data = {}, binaryData = {}, type } = (await cluster.get(SOURCES[kind], name)) as Partial<Content>;
    return contentHash(kind, name, { data, binaryData, type });
  } catch (error) {
    if (isFailure(error, 'Forbidden') || isFailure(error, 'NotFound')) return undefined;
    throw error;
  }
}
