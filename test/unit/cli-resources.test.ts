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
    ['secret/foo sts/bar', 'secret/foo statefulset.apps/bar'],
    ['ds bar ro/baz', 'daemonset.apps/bar rollout.argoproj.io/baz'],
    ['rollouts.v1alpha1.argoproj.io/bar', 'rollout.argoproj.io/bar'],
    ['cm,secret foo', 'configmap/foo secret/foo'],
    ['cm,secret foo bar deploy baz', 'configmap/foo secret/foo configmap/bar secret/bar deployment.apps/baz'],
    ['deploy baz cm,secret foo', 'deployment.apps/baz configmap/foo secret/foo'],
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
    [
      'widget/foo',
      'unknown resource type "widget"; name objects as configmap/NAME, secret/NAME and deployment|statefulset|daemonset|rollout/NAME',
    ],
    ['constructor/foo', 'unknown resource type "constructor"'],
    ['cm,widget x', 'unknown resource type "widget"'],
    ['cm,secret', 'resource type "cm,secret" lacks a name; write cm,secret/NAME'],
    ['cm,secret/x', 'unknown resource type "cm,secret"'],
    ['foo', 'unknown resource type "foo"'],
    [
      'pod/x',
      'pod/x: objects of kind Pod are not supported (supported: ConfigMap, Secret, Deployment, StatefulSet, DaemonSet, Rollout)',
    ],
    ['rs.apps/x', 'rs.apps/x: objects of kind ReplicaSet are not supported'],
    ['cm foo cj bar', 'cj: objects of kind CronJob are not supported'],
  ])('%s is refused', (line, message) => {
    expect(() => read(line)).toThrow(message);
  });
});
