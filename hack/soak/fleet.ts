// The workloads of a soak: of every kind, one source each, and what each should mount by now. A change is found by the name
// of its snapshot, which says the hash of the content: whatever is mounted under that name is that change.

import { contentHash } from '../../controller/core/content-hash.ts';
import { OWNERS_ANNOTATION } from '../../controller/core/names.ts';
import { snapshotNames } from '../../controller/core/snapshot.ts';

export type Content = Readonly<Record<string, string>>;

export interface KindInSoak {
  readonly apiVersion: string;
  readonly kind: string;
  readonly resource: string;
  /** What a manifest has to say besides selector and template. */
  readonly spec: object;
  /** `kubectl rollout undo` knows it. */
  readonly canUndo: boolean;
}

const apps = { apiVersion: 'apps/v1', canUndo: true } as const;
// So few that revisions and their snapshots are pruned all the time.
const revisionHistoryLimit = 3;

export const DEPLOYMENT: KindInSoak = {
  ...apps,
  kind: 'Deployment',
  resource: 'deployments',
  spec: { replicas: 1, revisionHistoryLimit },
};

const STATEFUL_SET: KindInSoak = {
  ...apps,
  kind: 'StatefulSet',
  resource: 'statefulsets',
  spec: { replicas: 1, revisionHistoryLimit, serviceName: 'none' },
};

const DAEMON_SET: KindInSoak = {
  ...apps,
  kind: 'DaemonSet',
  resource: 'daemonsets',
  spec: { revisionHistoryLimit },
};

/** Nobody makes revisions of it here: as where Argo's own controller is down, the template is what counts. */
export const ROLLOUT: KindInSoak = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  resource: 'rollouts',
  spec: { replicas: 1, revisionHistoryLimit },
  canUndo: false,
};

const KINDS: readonly KindInSoak[] = [DEPLOYMENT, STATEFUL_SET, DAEMON_SET, ROLLOUT];

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

/** Rollouts, as far as an API server has to know them to keep them. */
export const ROLLOUT_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'rollouts.argoproj.io' },
  spec: {
    group: 'argoproj.io',
    scope: 'Namespaced',
    names: { kind: 'Rollout', listKind: 'RolloutList', plural: 'rollouts', singular: 'rollout' },
    versions: [{ name: 'v1alpha1', served: true, storage: true, schema: { openAPIV3Schema: anything } }],
  },
};

/** What names the source's snapshot: a workload, or a revision of it. */
export interface Templated {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly volumes: readonly { readonly configMap: { readonly name: string } }[] };
    };
  };
}

/** One workload and its source, both of the same name. */
export class Target {
  readonly is: KindInSoak;
  readonly name: string;
  /** The snapshot that the template should name; empty before the first. */
  expected = '';
  /** The one before, while an undo would bring it back. */
  before: string | undefined;
  /** What the template names, as far as it was seen. */
  mounted = '';
  /** When somebody touched it last, in ms of performance.now(). */
  touchedAt = Number.NEGATIVE_INFINITY;
  /** All that was done to it, for whoever has to find out what went wrong. */
  readonly history: string[] = [];
  #version = 0;

  constructor(is: KindInSoak, index: number) {
    this.is = is;
    this.name = `${is.kind.toLowerCase()}-${index}`;
  }

  get isSettled(): boolean {
    return this.mounted === this.expected;
  }

  /** The next content, which nobody had before; from now on it is expected. */
  change(): Content {
    this.#version += 1;
    const data = { 'config.yml': `version: ${this.#version}\n`, padding: 'x'.repeat(1024) };
    this.before = this.expected || undefined;
    this.expected = this.pinOf(data);
    return data;
  }

  /** The name of the snapshot of this content. */
  pinOf(data: Content): string {
    const [pin = ''] = snapshotNames(this.name, contentHash('ConfigMap', this.name, { data, binaryData: {} }));
    return pin;
  }

  source(data: Content): object {
    const annotations = { [OWNERS_ANNOTATION]: `${this.is.kind.toLowerCase()}/${this.name}` };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: this.name, annotations }, data };
  }

  manifest(): object {
    const labels = { app: this.name };
    const volumes = [{ name: 'config', configMap: { name: this.name } }];
    const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'app:0' }], volumes } };
    const spec = { ...this.is.spec, selector: { matchLabels: labels }, template };
    return { apiVersion: this.is.apiVersion, kind: this.is.kind, metadata: { name: this.name }, spec };
  }
}

/** So many, of these kinds in turn. */
export function fleetOf(size: number, kinds = KINDS): readonly Target[] {
  return Array.from({ length: size }, (_, index) => new Target(kinds[index % kinds.length] ?? DEPLOYMENT, index));
}
