// The templates of the Helm chart, made of what kustomize makes: a component is a switch of the chart, and what people set
// by a value stands in the place of what the manifests say. The rest of the chart (values, schema, helpers, notes) is
// written by hand; test/unit/manifests.test.ts compares what Helm makes of it all with what kustomize does.

import { manifestsWith, type Selection } from '../kustomize.ts';
import { ADDITIONS, adapt, idOf, isForEachNamespace, type Objects } from './chart-values.ts';
import { combine, type Entry, type Version } from './switches.ts';
import { inOrder, template } from './template.ts';

export const CHART = 'manifests/helm/config-rollout';
const HEADER = '{{- /* Generated from the kustomize manifests by `make generate`. */}}';

const CRDS = '$.Values.crds.install';
const WEBHOOK = '$.Values.webhook.enabled';
/** The components that are switches, and when they are on. */
const COMPONENTS: Readonly<Record<string, string>> = {
  'cert-manager': '$.Values.webhook.certManager',
  secrets: '$.Values.secrets.enabled',
  'namespace-selector': '$.Values.namespaceSelector',
  monitoring: '$.Values.monitoring.enabled',
  'network-policy': '$.Values.networkPolicy.enabled',
  'owner-policy': '$.Values.ownerPolicy.enabled',
  'old-servers': '(semverCompare "<1.25-0" $.Capabilities.KubeVersion.Version)',
};
const USER_ROLES = ['ClusterRole/config-rollout-view', 'ClusterRole/config-rollout-edit'];
const FILES = { crds: CRDS, webhook: WEBHOOK, ...COMPONENTS };

/** The text of each file, by its name below templates/. */
export async function chartTemplates(): Promise<Map<string, string>> {
  const all = combine(await versions());
  if (all.type !== 'mapping') throw new Error('no switch changes anything');
  const files = Map.groupBy(all.entries, fileOf);
  return new Map([...files].map(([name, entries]) => [`${name}.yaml`, textOf(entries)]));
}

function textOf(entries: readonly Entry[]): string {
  return `${[HEADER, ...inOrder(entries, documentOf)].join('\n')}\n`;
}

async function versions(): Promise<Version[]> {
  const whole = await objects();
  const crds = Object.fromEntries(Object.entries(whole).filter(([id]) => isWithCrds(id)));
  const withoutCrds = Object.fromEntries(Object.entries(whole).filter(([id]) => !isWithCrds(id)));
  const base = await objects({ resource: 'base', namespace: 'config-rollout' });
  const components = Object.entries(COMPONENTS).map(async ([name, condition]) => {
    return { condition, on: await objects({ components: [name] }), off: whole };
  });
  const additions = ADDITIONS.map(({ condition, add }) => {
    const on = structuredClone(whole);
    add(on);
    return { condition, on, off: whole };
  });
  return [
    { condition: CRDS, on: whole, off: withoutCrds },
    { condition: WEBHOOK, on: whole, off: { ...base, ...crds } },
    ...(await Promise.all(components)),
    ...additions,
  ];
}

/** By kind and name; Helm makes the namespace. */
async function objects(selection: Selection = {}): Promise<Objects> {
  const manifests = (await manifestsWith(selection)).filter(({ kind }) => kind !== 'Namespace');
  return Object.fromEntries(manifests.map((manifest) => [idOf(manifest), adapt(manifest)]));
}

/** The CRD, and the rights that people have to its objects. */
function isWithCrds(id: string): boolean {
  return id.startsWith('CustomResourceDefinition/') || USER_ROLES.includes(id);
}

/** By the switch that it is there for; what is always there, by its kind. */
function fileOf({ key: id, conditions }: Entry): string {
  const file = Object.entries(FILES).find(([, condition]) => condition === conditions[0]);
  const [kind = ''] = id.split('/');
  return file?.[0] ?? kind.replace(/(?<=[a-z])[A-Z]/g, '-$&').toLowerCase();
}

function documentOf({ key: id, tree }: Entry): string[] {
  const document = ['---', ...template(tree)];
  return isForEachNamespace(id)
    ? ['{{- range $namespace := $.Values.namespaces | default (list "") }}', ...document, '{{- end }}']
    : document;
}
