import { describe, expect, test } from '@jest/globals';
import { parseTargets, printed } from '../../controller/cli/resources.ts';

const read = (line: string) => parseTargets(line.split(' ').filter(Boolean)).map(printed).join(' ');

describe('objects as they are named to kubectl', () => {
  test.each([
    ['cm foo', 'configmap/foo'],
    ['cm/foo', 'configmap/foo'],
    ['configmap/foo', 'configmap/foo'],
    ['configmaps/foo', 'configmap/foo'],
    ['ConfigMap/foo', 'configmap/foo'],
    ['deploy/bar', 'deployment.apps/bar'],
    ['deploy bar', 'deployment.apps/bar'],
    ['deployment.apps/bar', 'deployment.apps/bar'],
    ['deployments.apps/bar', 'deployment.apps/bar'],
    ['deployments.v1.apps/bar', 'deployment.apps/bar'],
    ['configmaps.v1./foo', 'configmap/foo'],
    ['cm foo deploy/bar', 'configmap/foo deployment.apps/bar'],
    ['cm/foo deploy bar baz', 'configmap/foo deployment.apps/bar deployment.apps/baz'],
    ['cm foo deploy bar baz', 'configmap/foo deployment.apps/bar deployment.apps/baz'],
    ['cm foo deployment.apps bar', 'configmap/foo deployment.apps/bar'],
    ['deploy/bar deploy/baz cm/foo', 'deployment.apps/bar deployment.apps/baz configmap/foo'],
    // Names that are also types.
    ['cm deploy', 'configmap/deploy'],
    ['cm cm deploy/deploy', 'configmap/cm deployment.apps/deploy'],
    ['deploy bar cm', 'deployment.apps/bar deployment.apps/cm'],
    ['', ''],
  ])('%s', (line, expected) => {
    expect(read(line)).toBe(expected);
  });

  test.each([
    ['cm', 'resource type "cm" lacks a name; write cm/NAME'],
    ['cm deploy/bar', 'resource type "cm" lacks a name; write cm/NAME'],
    ['cm/', 'arguments in resource/name form must have a single resource and name, not "cm/"'],
    ['/foo', 'arguments in resource/name form must have a single resource and name, not "/foo"'],
    ['cm/foo/bar', 'arguments in resource/name form must have a single resource and name, not "cm/foo/bar"'],
    ['widget/foo', 'unknown resource type "widget"; name objects as configmap/NAME and deployment/NAME'],
    ['constructor/foo', 'unknown resource type "constructor"'],
    ['cm,secret x', 'unknown resource type "cm,secret"'],
    ['foo', 'unknown resource type "foo"'],
    [
      'statefulset/x',
      'statefulset/x: objects of kind StatefulSet are not supported yet (supported: ConfigMap, Deployment)',
    ],
    ['ds.apps/x', 'ds.apps/x: objects of kind DaemonSet are not supported yet'],
    ['cm foo sts bar', 'sts: objects of kind StatefulSet are not supported yet'],
    ['secret/x', 'secret/x: objects of kind Secret are not supported yet'],
  ])('%s is refused', (line, message) => {
    expect(() => read(line)).toThrow(message);
  });
});
