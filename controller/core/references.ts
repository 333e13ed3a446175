// Pod template → the places that name a ConfigMap. The list of places is that of the pod API (core/v1 PodSpec);
// ephemeral containers are not part of a template.

import { createHash } from 'node:crypto';
import { canonical } from './canonical.ts';
import type { Reference, SourceKind, TemplateInfo } from './types.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Finds every reference to a ConfigMap in a pod template: volumes, projected volumes, envFrom and env, of containers
 * and initContainers. A template with no references has an empty list; places that are malformed are passed over, as
 * the API server would have refused them.
 */
export function findReferences(template: unknown): Reference[] {
  const spec = object(object(template)['spec']);
  const found: Reference[] = [];
  const take = (kind: SourceKind, holder: unknown, key: string, pointer: string): void => {
    const { [key]: name, optional } = object(holder);
    if (typeof name === 'string' && name !== '') {
      found.push({ kind, name, pointer: `${pointer}/${key}`, optional: optional === true });
    }
  };
  list(spec['volumes']).forEach((volume, v) => {
    const at = `/spec/volumes/${v}`;
    take('ConfigMap', volume['configMap'], 'name', `${at}/configMap`);
    list(object(volume['projected'])['sources']).forEach((source, s) => {
      take('ConfigMap', source['configMap'], 'name', `${at}/projected/sources/${s}/configMap`);
    });
  });
  for (const field of ['initContainers', 'containers']) {
    list(spec[field]).forEach((container, c) => {
      const at = `/spec/${field}/${c}`;
      list(container['envFrom']).forEach((entry, e) => {
        take('ConfigMap', entry['configMapRef'], 'name', `${at}/envFrom/${e}/configMapRef`);
      });
      list(container['env']).forEach((entry, e) => {
        const holder = object(entry['valueFrom'])['configMapKeyRef'];
        take('ConfigMap', holder, 'name', `${at}/env/${e}/valueFrom/configMapKeyRef`);
      });
    });
  }
  return found;
}

// The Deployment controller adds this label to the template of its ReplicaSets, and ignores it when it compares.
const TEMPLATE_HASH_LABEL = 'pod-template-hash';

/** The references of a template, and its shape; see TemplateInfo. Templates without references share one shape. */
export function inspectTemplate(template: unknown): TemplateInfo {
  const references = findReferences(template);
  if (references.length === 0) return { references, shape: '' };
  const blanked = new Set(references.map((reference) => reference.pointer));
  const ignored = `/metadata/labels/${TEMPLATE_HASH_LABEL}`;
  const text = canonical(template, (pointer) => pointer === ignored || blanked.has(pointer));
  return { references, shape: createHash('sha256').update(text).digest('base64').slice(0, 22) };
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}
