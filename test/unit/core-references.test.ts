import { describe, expect, test } from '@jest/globals';
import { getValueByPointer } from 'fast-json-patch';
import { findReferences, inspectTemplate } from '../../controller/core/references.ts';
import { aTemplate, namesOf } from '../support/builders.ts';

const spec = (fields: Record<string, unknown>) => ({ metadata: {}, spec: fields });
const container = (fields: Record<string, unknown>) => ({ name: 'main', image: 'nginx', ...fields });
const keyRef = { name: 'foo', key: 'k' };

describe('a reference is found in', () => {
  test.each<[where: string, template: unknown, pointer: string]>([
    ['a volume', spec({ volumes: [{ name: 'v', configMap: { name: 'foo' } }] }), '/spec/volumes/0/configMap/name'],
    [
      'a volume with items and mode',
      spec({ volumes: [{ configMap: { name: 'foo', defaultMode: 420, items: [{ key: 'k', path: 'p' }] } }] }),
      '/spec/volumes/0/configMap/name',
    ],
    [
      'a projected volume, beside other sources',
      spec({
        volumes: [{ emptyDir: {} }, { projected: { sources: [{ secret: { name: 's' } }, { configMap: keyRef }] } }],
      }),
      '/spec/volumes/1/projected/sources/1/configMap/name',
    ],
    [
      'envFrom',
      spec({ containers: [container({ envFrom: [{ secretRef: { name: 's' } }, { configMapRef: { name: 'foo' } }] })] }),
      '/spec/containers/0/envFrom/1/configMapRef/name',
    ],
    [
      'env',
      spec({
        containers: [container({}), container({ env: [{ name: 'A', valueFrom: { configMapKeyRef: keyRef } }] })],
      }),
      '/spec/containers/1/env/0/valueFrom/configMapKeyRef/name',
    ],
    [
      'envFrom of an init container',
      spec({ initContainers: [container({ envFrom: [{ prefix: 'P_', configMapRef: { name: 'foo' } }] })] }),
      '/spec/initContainers/0/envFrom/0/configMapRef/name',
    ],
    [
      'env of an init container',
      spec({ initContainers: [container({ env: [{ name: 'A', valueFrom: { configMapKeyRef: keyRef } }] })] }),
      '/spec/initContainers/0/env/0/valueFrom/configMapKeyRef/name',
    ],
  ])('%s', (_, template, pointer) => {
    const found = findReferences(template).filter(({ kind }) => kind === 'ConfigMap');
    expect(found).toEqual([{ kind: 'ConfigMap', name: 'foo', pointer }]);
    expect(getValueByPointer(template, pointer)).toBe('foo');
  });

  test.each<[where: string, template: unknown, pointer: string]>([
    [
      'a volume of a Secret',
      spec({ volumes: [{ configMap: keyRef }, { secret: { secretName: 'foo' } }] }),
      '/spec/volumes/1/secret/secretName',
    ],
    [
      'a projected volume, of a Secret',
      spec({ volumes: [{ projected: { sources: [{ configMap: keyRef }, { secret: { name: 'foo' } }] } }] }),
      '/spec/volumes/0/projected/sources/1/secret/name',
    ],
    [
      'envFrom, of a Secret',
      spec({ initContainers: [container({ envFrom: [{ secretRef: { name: 'foo' } }] })] }),
      '/spec/initContainers/0/envFrom/0/secretRef/name',
    ],
    [
      'env, of a Secret',
      spec({ containers: [container({ env: [{ name: 'A', valueFrom: { secretKeyRef: keyRef } }] })] }),
      '/spec/containers/0/env/0/valueFrom/secretKeyRef/name',
    ],
  ])('%s', (_, template, pointer) => {
    const found = findReferences(template).filter(({ kind }) => kind === 'Secret');
    expect(found).toEqual([{ kind: 'Secret', name: 'foo', pointer }]);
    expect(getValueByPointer(template, pointer)).toBe('foo');
  });

  test('every place at once, each with its own pointer, also when they name one source', () => {
    const template = spec({
      volumes: [{ configMap: { name: 'foo' } }, { projected: { sources: [{ configMap: { name: 'foo' } }] } }],
      initContainers: [container({ envFrom: [{ configMapRef: { name: 'foo' } }] })],
      containers: [
        container({ env: [{ valueFrom: { configMapKeyRef: keyRef } }], envFrom: [{ configMapRef: keyRef }] }),
      ],
    });
    const found = findReferences(template);
    expect(new Set(found.map(({ pointer }) => pointer)).size).toBe(5);
    expect(found.map(({ pointer }) => getValueByPointer(template, pointer))).toEqual(Array(5).fill('foo'));
  });
});

describe('references', () => {
  test.each<[what: string, template: unknown]>([
    ['undefined', undefined],
    ['a number', 7],
    ['no spec', { metadata: {} }],
    ['null where lists belong', spec({ volumes: null, containers: null, initContainers: null })],
    ['objects where lists belong', spec({ volumes: { configMap: { name: 'foo' } }, containers: {} })],
    ['null in lists', spec({ volumes: [null], containers: [null, { env: [null], envFrom: [null] }] })],
    ['a name that is no text', spec({ volumes: [{ configMap: { name: 7 } }] })],
    ['an empty name', spec({ volumes: [{ configMap: { name: '' } }] })],
    ['no name', spec({ volumes: [{ configMap: { optional: true } }] })],
    [
      'Secrets for the kubelet or a driver only',
      spec({
        imagePullSecrets: [{ name: 'foo' }],
        volumes: [
          { csi: { driver: 'd', nodePublishSecretRef: { name: 'foo' } } },
          { azureFile: { secretName: 'foo', shareName: 's' } },
          { cephfs: { monitors: [], secretRef: { name: 'foo' } } },
        ],
      }),
    ],
    [
      'ephemeral containers, which no template has',
      spec({ ephemeralContainers: [{ envFrom: [{ configMapRef: keyRef }] }] }),
    ],
  ])('are none in a template with %s', (_, template) => {
    expect(findReferences(template)).toEqual([]);
  });
});

describe('the shape of a template', () => {
  const shape = (template: unknown) => inspectTemplate(template).shape;
  const raw = aTemplate(['foo', 'bar']);
  const volumes = [
    { name: 'v0', configMap: { name: 'foo' } },
    { name: 'v1', configMap: { name: 'bar' } },
  ];
  const withVolumes = (edited: unknown) => ({ ...raw, spec: { ...(raw['spec'] as object), volumes: edited } });
  const first = (configMap: object, beside: object = {}) =>
    withVolumes([{ name: 'v0', configMap: { name: 'foo', ...configMap }, ...beside }, volumes[1]]);

  test('is compared below with one that these helpers make', () => {
    expect(shape(first({}))).toBe(shape(raw));
  });

  test('is equal for a raw template and its pinned twin', () => {
    expect(shape(aTemplate(['foo-hhbcdfghkm', 'bar']))).toBe(shape(raw));
  });

  test('is equal with the pod-template-hash that the Deployment controller adds', () => {
    const labels = { app: 'web', 'pod-template-hash': '5d4f' };
    expect(shape({ ...raw, metadata: { labels } })).toBe(shape(raw));
  });

  test('is equal in a ControllerRevision, which is a patch, and as servers before 1.34 write times', () => {
    const labels = { app: 'web', 'rollouts-pod-template-hash': '5d4f' };
    expect(shape({ ...raw, metadata: { labels, creationTimestamp: null }, $patch: 'replace' })).toBe(shape(raw));
  });

  test('does not depend on the order of keys', () => {
    const { metadata, spec: podSpec } = raw as { metadata: unknown; spec: Record<string, unknown> };
    const reversed = Object.fromEntries(Object.entries(podSpec).reverse());
    expect(shape({ spec: reversed, metadata })).toBe(shape(raw));
  });

  test.each<[what: string, template: unknown]>([
    ['another image', aTemplate(['foo', 'bar'], 'nginx:2')],
    ['one volume fewer', aTemplate(['foo'])],
    ['one volume more', aTemplate(['foo', 'bar', 'bar'])],
    ['another label', { ...raw, metadata: { labels: { app: 'web', tier: 'front' } } }],
    [
      'an annotation, as `rollout restart` sets',
      { ...raw, metadata: { ...(raw['metadata'] as object), annotations: {} } },
    ],
    ['items', first({ items: [] })],
    ['optional', first({ optional: true })],
    ['volumes in another order', withVolumes(volumes.toReversed())],
    ['a Secret beside it', first({}, { secret: { secretName: 'foo' } })],
  ])('differs for %s', (_, template) => {
    expect(shape(template)).not.toBe(shape(raw));
  });

  test('is one for all templates without references, whose revisions never matter', () => {
    expect(inspectTemplate(aTemplate([]))).toEqual({ references: [], shape: '' });
  });

  test('leaves the names in the references', () => {
    expect(namesOf(inspectTemplate(raw).references)).toEqual(['foo', 'bar']);
  });
});
