// What people do in the random histories on a real API server, as data that fast-check can make and shrink.

import fc from 'fast-check';

export const SOURCES = ['foo', 'bar'] as const;
export const WORKLOADS = ['web', 'api'] as const;
export type SourceName = (typeof SOURCES)[number];
export type WorkloadName = (typeof WORKLOADS)[number];
export type SourceKind = 'ConfigMap' | 'Secret';
export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet';
export type OptIn = 'reference' | 'declared' | 'all';

/** What the objects of a history are. `web` uses all sources, `api` the first. */
export interface Setting {
  readonly optIn: OptIn;
  readonly sources: { readonly foo: SourceKind; readonly bar?: SourceKind | undefined };
  readonly workloads: { readonly web: WorkloadKind; readonly api?: WorkloadKind | undefined };
  readonly historyLimit: number;
}

export type Step =
  | { readonly do: 'edit' | 'annotate'; readonly source: SourceName; readonly value: string }
  /** All sources, one right after the other. */
  | { readonly do: 'editAll'; readonly value: string }
  | { readonly do: 'deleteSource'; readonly source: SourceName }
  | { readonly do: 'setImage'; readonly workload: WorkloadName; readonly image: string }
  | { readonly do: 'apply' | 'applyServerSide' | 'replace'; readonly workload: WorkloadName; readonly image: string }
  | {
      readonly do: 'undo';
      readonly workload: WorkloadName;
      readonly back: number;
      /** By kubectl itself, not by a request like its own. */
      readonly byKubectl: boolean;
    }
  | { readonly do: 'setLimit'; readonly workload: WorkloadName; readonly limit: number }
  | {
      readonly do: 'scale' | 'togglePause' | 'deleteOldestRevision' | 'deleteNewestRevision' | 'recreate';
      readonly workload: WorkloadName;
    };

export interface History {
  readonly setting: Setting;
  readonly steps: readonly Step[];
}

const source = fc.constantFrom(...SOURCES);
const workload = fc.constantFrom(...WORKLOADS);
const value = fc.constantFrom('a', 'b', 'c', 'd');
const image = fc.constantFrom('app:1', 'app:2');
const limit = fc.integer({ min: 1, max: 4 });
const to = <T extends string>(...them: T[]) => fc.constantFrom(...them);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: to('edit'), source, value }) },
  { weight: 2, arbitrary: fc.record({ do: to('editAll'), value }) },
  { weight: 1, arbitrary: fc.record({ do: to('annotate', 'edit'), source, value }) },
  { weight: 1, arbitrary: fc.record({ do: to('deleteSource'), source }) },
  { weight: 2, arbitrary: fc.record({ do: to('setImage'), workload, image }) },
  { weight: 4, arbitrary: fc.record({ do: to('apply', 'applyServerSide', 'replace'), workload, image }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: to('undo'),
      workload,
      back: fc.integer({ min: 1, max: 3 }),
      byKubectl: fc.integer({ min: 0, max: 9 }).map((n) => n === 9),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: to('setLimit'), workload, limit }) },
  { weight: 3, arbitrary: fc.record({ do: to('scale', 'togglePause'), workload }) },
  { weight: 2, arbitrary: fc.record({ do: to('deleteOldestRevision', 'deleteNewestRevision'), workload }) },
  { weight: 1, arbitrary: fc.record({ do: to('recreate'), workload }) },
);

const sourceKind = to<SourceKind>('ConfigMap', 'ConfigMap', 'Secret');
const workloadKind = to<WorkloadKind>('Deployment', 'Deployment', 'StatefulSet', 'DaemonSet');
const setting: fc.Arbitrary<Setting> = fc.record({
  optIn: to<OptIn>('declared', 'reference', 'all'),
  sources: fc.record({ foo: sourceKind, bar: fc.option(sourceKind, { nil: undefined }) }),
  workloads: fc.record({ web: workloadKind, api: fc.option(workloadKind, { nil: undefined }) }),
  historyLimit: limit,
});

export const MOST_STEPS = 9;
export const history: fc.Arbitrary<History> = fc.record({
  setting,
  steps: fc.array(step, { minLength: 3, maxLength: MOST_STEPS, size: 'max' }),
});

/** The sources that a workload uses. */
export function usedBy({ sources }: Setting, name: WorkloadName): readonly SourceName[] {
  return name === 'web' && sources.bar !== undefined ? SOURCES : ['foo'];
}

/** The workloads that there are. */
export function workloadsOf({ workloads }: Setting): readonly WorkloadName[] {
  return workloads.api === undefined ? ['web'] : WORKLOADS;
}

/** The sources that there are. */
export function sourcesOf({ sources }: Setting): readonly SourceName[] {
  return sources.bar === undefined ? ['foo'] : SOURCES;
}
