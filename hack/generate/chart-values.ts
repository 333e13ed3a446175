// What of the manifests is a value in the chart.

import type { Manifest } from '../kustomize.ts';
import { blockOf, expression, moreOf } from './template.ts';

/** Manifests by kind and name. */
export type Objects = Record<string, Manifest>;

const NAME = 'config-rollout';
const NAMESPACE = expression('$.Release.Namespace');
const QUOTED_NAMESPACE = expression('$.Release.Namespace | quote');
/** Rights that are those of a namespace, for each of the value `namespaces`. */
const SCOPED = [NAME, `${NAME}-secrets`].flatMap((name) => [`ClusterRole/${name}`, `ClusterRoleBinding/${name}`]);
/** Texts with the namespace in them, before and after it. */
const AROUND_NAMESPACE = [
  ['', '/config-rollout-webhook'],
  ['config-rollout-webhook.', '.svc'],
  ['system:serviceaccount:', ':config-rollout'],
] as const;

export function idOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}

export function isForEachNamespace(id: string): boolean {
  return SCOPED.includes(id);
}

/** The manifest with expressions in the place of what every installation has its own of. */
export function adapt(manifest: Manifest): Manifest {
  const adapted = inReleaseNamespace(manifest);
  const { 'app.kubernetes.io/name': _, 'app.kubernetes.io/managed-by': __, ...labels } = adapted.metadata.labels ?? {};
  adapted.metadata.labels = { [moreOf(`include "${NAME}.labels" $`)]: '', ...labels };
  if (isForEachNamespace(idOf(manifest))) adaptRights(adapted);
  if (adapted.kind === 'Deployment') adaptDeployment(adapted);
  // Helm would take all ConfigRollouts with it.
  if (adapted.kind === 'CustomResourceDefinition') {
    adapted.metadata.annotations = { ...adapted.metadata.annotations, 'helm.sh/resource-policy': 'keep' };
  }
  return adapted;
}

/** Of the cluster, or, where `$namespace` is one, of that. */
function adaptRights(rights: Manifest): void {
  const kindOf = (kind: string) =>
    expression(`$namespace | empty | ternary "${kind}" "${kind.replace('Cluster', '')}"`);
  rights.kind = kindOf(rights.kind);
  rights.metadata[moreOf(`include "${NAME}.scope" $namespace`)] = '';
  if (rights.roleRef !== undefined) rights.roleRef.kind = kindOf(rights.roleRef.kind);
}

function adaptDeployment({ spec }: Manifest): void {
  const [container] = spec.template.spec.containers;
  spec.replicas = expression('$.Values.replicas');
  container.image = expression(`include "${NAME}.image" $ | quote`);
  container.resources = blockOf('toYaml $.Values.resources');
  container.args = container.args.map((argument: string) =>
    argument.startsWith('--namespace-selector=') ? flag('namespace-selector', '$.Values.namespaceSelector') : argument,
  );
}

function inReleaseNamespace(value: Manifest, key?: string): Manifest {
  if (Array.isArray(value)) return value.map((item) => inReleaseNamespace(item, key));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, inReleaseNamespace(of, name)]));
  }
  if (value === NAME && (key === 'namespace' || key === 'values')) return QUOTED_NAMESPACE;
  if (typeof value !== 'string') return value;
  return AROUND_NAMESPACE.reduce(
    (text, [before, after]) => text.replaceAll(before + NAME + after, before + NAMESPACE + after),
    value,
  );
}

export interface Addition {
  readonly condition: string;
  /** Changes the objects into what they are when the condition holds. */
  readonly add: (objects: Objects) => void;
}

/** What the manifests leave out, or have one way. */
export const ADDITIONS: readonly Addition[] = [
  argument('$.Values.namespaces', flag('namespaces', '(join "," $.Values.namespaces)')),
  argument('$.Values.logLevel', flag('log-level', '$.Values.logLevel')),
  argument('$.Values.settle', flag('settle', '$.Values.settle')),
  argument('$.Values.reloaderAnnotations', '--reloader-annotations'),
  argument('$.Values.extraArgs', moreOf('toYaml $.Values.extraArgs')),
  inContainer('image.pullPolicy', (container) => {
    container.imagePullPolicy = expression('$.Values.image.pullPolicy');
  }),
  inPod('podAnnotations', ({ metadata }, value) => {
    metadata.annotations = value;
  }),
  inPod('imagePullSecrets', ({ spec }, value) => {
    spec.imagePullSecrets = value;
  }),
  inPod('nodeSelector', ({ spec }, value) => {
    spec.nodeSelector = value;
  }),
  inPod('tolerations', ({ spec }, value) => {
    spec.tolerations = value;
  }),
  inPod('affinity', ({ spec }) => {
    spec.affinity = { [moreOf('toYaml $.Values.affinity')]: '' };
  }),
];

function flag(name: string, value: string): string {
  return expression(`printf "--${name}=%s" ${value} | quote`);
}

function argument(condition: string, text: string): Addition {
  return { condition, add: (objects) => void podOf(objects).spec.containers[0].args.push(text) };
}

function inContainer(value: string, change: (container: Manifest) => void): Addition {
  return { condition: `$.Values.${value}`, add: (objects) => change(podOf(objects).spec.containers[0]) };
}

function inPod(value: string, change: (pod: Manifest, value: string) => void): Addition {
  const expressed = blockOf(`toYaml $.Values.${value}`);
  return { condition: `$.Values.${value}`, add: (objects) => change(podOf(objects), expressed) };
}

function podOf(objects: Objects): Manifest {
  return objects[`Deployment/${NAME}`].spec.template;
}
