// `cm foo`, `configmap/foo`, `deployments.apps/bar`: the words by which kubectl's users name objects → which objects.

import type { SourceKind } from '../core/types.ts';
import type { ResourceName } from '../workloads/kind.ts';
import { WORKLOAD_KINDS } from '../workloads/kinds.ts';
import { SOURCES as API_SOURCES } from '../workloads/sources.ts';
import { CommandError, UsageError } from './errors.ts';

export interface Resource extends ResourceName {
  /** As kubectl prints it before the slash: `deployment.apps`. */
  readonly printed: string;
  readonly aliases: readonly string[];
}

/** An object that was named on the command line. */
export interface Target {
  readonly resource: Resource;
  readonly name: string;
}

export interface SourceResource extends Resource {
  readonly kind: SourceKind;
}

/** A ConfigMap or a Secret that was named on the command line. */
export interface SourceTarget extends Target {
  readonly resource: SourceResource;
}

export const CONFIG_MAPS: SourceResource = {
  ...API_SOURCES.ConfigMap,
  printed: 'configmap',
  aliases: ['configmap', 'configmaps', 'cm'],
};

const SECRETS: SourceResource = {
  ...API_SOURCES.Secret,
  printed: 'secret',
  aliases: ['secret', 'secrets'],
};

export const SOURCES: Readonly<Record<SourceKind, SourceResource>> = { ConfigMap: CONFIG_MAPS, Secret: SECRETS };

export const WORKLOADS: readonly Resource[] = WORKLOAD_KINDS.map(
  ({ apiVersion, kind, resource, apiGroup, aliases }) => ({
    apiVersion,
    kind,
    resource,
    printed: `${kind.toLowerCase()}.${apiGroup}`,
    aliases,
  }),
);

const SUPPORTED: readonly Resource[] = [...Object.values(SOURCES), ...WORKLOADS];

/** For the help and for errors: `deployment|statefulset|…`. */
export const WORKLOAD_TYPES = WORKLOADS.map(({ kind }) => kind.toLowerCase()).join('|');

// Known, so that the error can say "not this one" rather than "what is that".
const UNSUPPORTED: readonly (readonly [kind: string, ...aliases: string[]])[] = [
  ['ReplicaSet', 'replicaset', 'replicasets', 'rs'],
  ['ReplicationController', 'replicationcontroller', 'replicationcontrollers', 'rc'],
  ['CronJob', 'cronjob', 'cronjobs', 'cj'],
  ['Job', 'job', 'jobs'],
  ['Pod', 'pod', 'pods', 'po'],
];

/** `configmap/foo`, `deployment.apps/bar`: as kubectl prints the object. */
export function printed({ resource, name }: Target): string {
  return `${resource.printed}/${name}`;
}

/** `deployment/bar`: as a person would type it. */
export function typed({ resource, name }: Target): string {
  return `${resource.kind.toLowerCase()}/${name}`;
}

export function isWorkload({ resource }: Target): boolean {
  return WORKLOADS.includes(resource);
}

export function isSource(target: Target): target is SourceTarget {
  return Object.values(SOURCES).some((resource) => resource === target.resource);
}

/**
 * Reads TYPE/NAME, TYPE NAME [NAME…] and TYPE,TYPE NAME [NAME…], mixed at will: `cm foo deploy/bar`. A word without a slash
 * is a name when it follows a type; when it is itself a type, and another word follows, it starts the next group.
 *
 * @throws UsageError for what cannot be read, CommandError for kinds that are not supported.
 */
export function parseTargets(words: readonly string[]): Target[] {
  const targets: Target[] = [];
  let resources: readonly Resource[] = [];
  let named = true;
  words.forEach((word, i) => {
    const next = words[i + 1];
    if (word.includes('/')) {
      if (!named) throw lacksName(words[i - 1] ?? '');
      targets.push(parseSlashed(word));
      resources = [];
    } else if (resources.length === 0 || (named && isType(word) && next !== undefined && !next.includes('/'))) {
      resources = word.split(',').map((type) => resourceOf(type, word));
      named = false;
    } else {
      targets.push(...resources.map((resource) => ({ resource, name: word })));
      named = true;
    }
  });
  if (!named) throw lacksName(words.at(-1) ?? '');
  return targets;
}

function parseSlashed(word: string): Target {
  const [type = '', name = '', ...more] = word.split('/');
  if (type === '' || name === '' || more.length > 0) {
    throw new UsageError(`arguments in resource/name form must have a single resource and name, not "${word}"`);
  }
  return { resource: resourceOf(type, word), name };
}

function resourceOf(type: string, word: string): Resource {
  const short = shortType(type);
  const found = SUPPORTED.find(({ aliases }) => aliases.includes(short));
  if (found !== undefined) return found;
  const supported = SUPPORTED.map(({ kind }) => kind).join(', ');
  const [known] = UNSUPPORTED.find(([, ...aliases]) => aliases.includes(short.split('.')[0] ?? '')) ?? [];
  if (known !== undefined) {
    throw new CommandError(`${word}: objects of kind ${known} are not supported (supported: ${supported})`);
  }
  throw new UsageError(
    `unknown resource type "${type}"; name objects as configmap/NAME, secret/NAME and ${WORKLOAD_TYPES}/NAME`,
  );
}

function isType(word: string): boolean {
  return word.split(',').every((part) => {
    const [first = ''] = part.toLowerCase().split('.');
    return [...SUPPORTED, ...UNSUPPORTED.map(([, ...aliases]) => ({ aliases }))].some(({ aliases }) =>
      aliases.includes(first),
    );
  });
}

// `deployments.v1.apps` names a version, which is not ours to choose.
function shortType(type: string): string {
  return type
    .toLowerCase()
    .replace(/\.v\d\w*(\.|$)/, '$1')
    .replace(/\.$/, '');
}

function lacksName(type: string): UsageError {
  return new UsageError(`resource type "${type}" lacks a name; write ${type}/NAME`);
}
