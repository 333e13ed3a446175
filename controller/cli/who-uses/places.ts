// Pod template → each place that names a ConfigMap or a Secret, in words: `volume foo (/etc/foo)`, `env LEVEL (key level)`,
// and the containers that see it. The places that the controller pins are those of core/references.ts; the others name a
// Secret for the kubelet or a driver, and are listed because a person asks who uses it.

import { findReferences } from '../../core/references.ts';
import type { SourceName } from '../sources.ts';

type Json = Readonly<Record<string, unknown>>;

export interface Place extends SourceName {
  /** JSON pointer to the name, from the pod template. */
  readonly pointer: string;
  readonly text: string;
  readonly containers: readonly string[];
  /** False for what the controller leaves alone. */
  readonly pinnable: boolean;
  /** A running pod sees the change of what it names: mounted files, but no environment and no sub-path. */
  readonly isLive: boolean;
}

/** All places of the template. One that different containers see in different words is there once for each of these. */
export function findPlaces(template: unknown): Place[] {
  const spec = object(object(template)['spec']);
  const pinned = findReferences(template).flatMap(({ kind, name, pointer }) =>
    describe(spec, pointer).map((view) => ({ kind, name, pointer, ...view, pinnable: true })),
  );
  return [...pinned, ...otherVolumes(spec), ...imagePullSecrets(spec)];
}

interface View {
  readonly text: string;
  readonly containers: readonly string[];
  readonly isLive: boolean;
}

const POINTER = /^\/spec\/(\w+)\/(\d+)\/(\w+)(?:\/(\d+))?/;

function describe(spec: Json, pointer: string): View[] {
  const [, list = '', index = '', field = '', inner = ''] = POINTER.exec(pointer) ?? [];
  const holder = entry(spec, list, index);
  if (list === 'volumes') return describeVolume(spec, holder, field === 'projected' ? 'projected volume' : 'volume');
  const item = entry(holder, field, inner);
  return [{ text: describeVariable(field, item), containers: [text(holder['name'])], isLive: false }];
}

function describeVariable(field: string, item: Json): string {
  if (field === 'envFrom') {
    const prefix = text(item['prefix']);
    return prefix === '' ? 'envFrom' : `envFrom (prefix ${prefix})`;
  }
  const { configMapKeyRef, secretKeyRef } = object(item['valueFrom']);
  return `env ${text(item['name'])} (key ${text(object(configMapKeyRef ?? secretKeyRef)['key'])})`;
}

function describeVolume(spec: Json, volume: Json, what: string): View[] {
  const name = text(volume['name']);
  const views = new Map<string, View>();
  for (const container of [...entries(spec, 'initContainers'), ...entries(spec, 'containers')]) {
    const mounts = entries(container, 'volumeMounts').filter((mount) => mount['name'] === name);
    if (mounts.length === 0) continue;
    const words = `${what} ${name} (${mounts.map(describeMount).join(', ')})`;
    const containers = [...(views.get(words)?.containers ?? []), text(container['name'])];
    views.set(words, { text: words, containers, isLive: mounts.some((mount) => !isSubPath(mount)) });
  }
  return views.size > 0
    ? [...views.values()]
    : [{ text: `${what} ${name} (not mounted)`, containers: [], isLive: false }];
}

function describeMount(mount: Json): string {
  const subPath = text(mount['subPath'] ?? mount['subPathExpr']);
  return subPath === '' ? text(mount['mountPath']) : `${text(mount['mountPath'])} sub-path ${subPath}`;
}

function isSubPath(mount: Json): boolean {
  return text(mount['subPath'] ?? mount['subPathExpr']) !== '';
}

// The Secrets of storage drivers: csi, rbd, iscsi and their like.
function otherVolumes(spec: Json): Place[] {
  return entries(spec, 'volumes').flatMap((volume, i) =>
    Object.entries(volume).flatMap(([type, value]) => {
      if (type === 'secret') return [];
      const views = describeVolume(spec, volume, `${type} volume`);
      return driverSecrets(object(value)).flatMap(({ name, at }) =>
        views.map((view): Place => {
          const pointer = `/spec/volumes/${i}/${type}/${at}`;
          return { ...view, kind: 'Secret', name, pointer, pinnable: false, isLive: false };
        }),
      );
    }),
  );
}

function driverSecrets(driver: Json): { name: string; at: string }[] {
  return [
    { name: driver['secretName'], at: 'secretName' },
    ...['secretRef', 'nodePublishSecretRef'].map((key) => ({ name: object(driver[key])['name'], at: `${key}/name` })),
  ].flatMap(({ name, at }) => (typeof name === 'string' && name !== '' ? [{ name, at }] : []));
}

function imagePullSecrets(spec: Json): Place[] {
  return entries(spec, 'imagePullSecrets').map(({ name }, i) => ({
    kind: 'Secret',
    name: text(name),
    pointer: `/spec/imagePullSecrets/${i}/name`,
    text: 'imagePullSecret',
    containers: [],
    pinnable: false,
    isLive: false,
  }));
}

function entries(holder: Json, key: string): Json[] {
  const value = holder[key];
  return Array.isArray(value) ? value.map(object) : [];
}

function entry(holder: Json, key: string, index: string): Json {
  return entries(holder, key)[Number(index)] ?? {};
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
