// Pod template → the places that name a ConfigMap or a Secret as configuration. The list of places is that of the pod API
// (core/v1 PodSpec); ephemeral containers are not part of a template. Left alone is what names a Secret for the kubelet or
// a driver, and not for the pod: imagePullSecrets, and the secret references of CSI and other storage volumes.

import { createHash } from 'node:crypto';
import { canonical } from './canonical.ts';
import type { Reference, SourceKind, TemplateInfo } from './types.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Finds every reference to a ConfigMap or a Secret in a pod template: volumes, projected volumes, envFrom and env, of
 * containers and initContainers. A template with no references has an empty list; places that are malformed are passed over, as
 * the API server would have refused them.
 */
export function findReferences(template: unknown): Reference[] {
  const spec = object(object(template)['spec']);
  const found: Reference[] = [];
  const take = (kind: SourceKind, holder: unknown, key: string, pointer: string): void => {
    const name = object(holder)[key];
    if (typeof name === 'string' && name !== '') found.push({ kind, name, pointer: `${pointer}/${key}` });
  };
  list(spec['volumes']).forEach((volume, v) => {
    const at = `/spec/volumes/${v}`;
    take('ConfigMap', volume['configMap'], 'name', `${at}/configMap`);
    take('Secret', volume['secret'], 'secretName', `${at}/secret`);
    list(object(volume['projected'])['sources']).forEach((source, s) => {
      take('ConfigMap', source['configMap'], 'name', `${at}/projected/sources/${s}/configMap`);
      take('Secret', source['secret'], 'name', `${at}/projected/sources/${s}/secret`);
    });
  });
  for (const field of ['initContainers', 'containers']) {
    list(spec[field]).forEach((container, c) => {
      const at = `/spec/${field}/${c}`;
      list(container['envFrom']).forEach((entry, e) => {
        take('ConfigMap', entry['configMapRef'], 'name', `${at}/envFrom/${e}/configMapRef`);
        take('Secret', entry['secretRef'], 'name', `${at}/envFrom/${e}/secretRef`);
      });
      list(container['env']).forEach((entry, e) => {
        const { configMapKeyRef, secretKeyRef } = object(entry['valueFrom']);
        take('ConfigMap', configMapKeyRef, 'name', `${at}/env/${e}/valueFrom/configMapKeyRef`);
        take('Secret', secretKeyRef, 'name', `${at}/env/${e}/valueFrom/secretKeyRef`);
      });
    });
  }
  return found;
}

// What the controllers of workloads add to the template of a revision, and ignore when they compare: a label of
// ReplicaSets (Argo Rollouts has one of its own), the directive of the patch that a ControllerRevision is, and a null that
// servers write or not.
const IGNORED = new Set([
  '/metadata/labels/pod-template-hash',
  '/metadata/labels/rollouts-pod-template-hash',
  '/metadata/creationTimestamp',
  '/$patch',
]);

/** The references of a template, and its shape; see TemplateInfo. Templates without references share one shape. */
export function inspectTemplate(template: unknown): TemplateInfo {
  const references = findReferences(template);
  if (references.length === 0) return { references, shape: '' };
  const blanked = new Set(references.map((reference) => reference.pointer));
  const text = canonical(template, (pointer) => IGNORED.has(pointer) || blanked.has(pointer));
  return { references, shape: createHash('sha256').update(text).digest('base64').slice(0, 22) };
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}
