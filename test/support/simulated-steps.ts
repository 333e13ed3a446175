// What can happen in the shop, as steps of random histories.

import fc from 'fast-check';
import { EXCLUDED, MANAGED_LABEL } from '../../controller/core/names.ts';
import type { Strings } from './simulated-objects.ts';
import {
  type Pair,
  type Shop,
  SOURCES,
  type Source,
  type Variant,
  WORKLOADS,
  type WorkloadName,
} from './simulated-shop.ts';

export type Excluded = 'workload' | 'source' | 'pair';
export type Step =
  | { readonly do: 'edit'; readonly source: Source; readonly value: string }
  | { readonly do: 'annotate'; readonly source: Source; readonly value: string }
  | { readonly do: 'setImage' | 'apply'; readonly workload: WorkloadName; readonly image: string }
  | { readonly do: 'undo'; readonly workload: WorkloadName; readonly back: number }
  | {
      readonly do: 'replace' | 'scale' | 'togglePause' | 'deleteOldestRevision' | 'deletePods';
      readonly workload: WorkloadName;
    }
  | { readonly do: 'recreateSource'; readonly source: Source }
  | {
      readonly do: 'exclude' | 'include';
      readonly what: Excluded;
      readonly workload: WorkloadName;
      readonly source: Source;
    }
  | { readonly do: 'restartController' };

const source = fc.constantFrom(...SOURCES);
const workload = fc.constantFrom(...WORKLOADS);
const value = fc.constantFrom('a', 'b', 'c');
const image = fc.constantFrom('img:1', 'img:2');
const back = fc.integer({ min: 1, max: 3 });

/** Any step but an undo. */
export const forwardStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('edit' as const), source, value }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('annotate' as const), source, value }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('setImage' as const, 'apply' as const), workload, image }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('replace' as const, 'scale' as const), workload }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('deleteOldestRevision' as const, 'deletePods' as const), workload }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('recreateSource' as const), source }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restartController' as const) }) },
);
const undoStep: fc.Arbitrary<Step> = fc.record({ do: fc.constant('undo' as const), workload, back });
const exclusionStep: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('exclude' as const, 'include' as const),
  what: fc.constantFrom<Excluded>('workload', 'source', 'pair'),
  workload,
  source,
});
export const humanStep = fc.oneof({ weight: 4, arbitrary: forwardStep }, { weight: 1, arbitrary: undoStep });
/** The same, and people who want to be left alone for a while. */
export const sometimesExcluding = (steps: fc.Arbitrary<Step>) =>
  fc.oneof({ weight: 7, arbitrary: steps }, { weight: 1, arbitrary: exclusionStep });

const kind = fc.constantFrom('Deployment' as const, 'StatefulSet' as const);
export const variant: fc.Arbitrary<Variant> = fc.record({
  sources: fc.constantFrom<Pair>('mixed', 'swapped', 'namesakes'),
  kinds: fc.record({ web: kind, api: kind }),
  updateStrategy: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constant({ type: 'RollingUpdate' as const, rollingUpdate: { partition: 0 } }),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        { type: 'RollingUpdate' as const, rollingUpdate: { partition: 1 } },
        { type: 'OnDelete' as const },
      ),
    },
  ),
});

/** Done at once where no admission is installed. */
export async function perform(shop: Shop, step: Step): Promise<void> {
  const { cluster } = shop;
  switch (step.do) {
    case 'edit':
    case 'annotate':
    case 'recreateSource':
      performOnSource(shop, step);
      return;
    case 'exclude':
    case 'include':
      await performExclusion(shop, step);
      return;
    case 'apply':
      shop.images[step.workload] = step.image;
      await cluster.writeWorkload('apply', step.workload, (copy) => {
        copy.spec.template = shop.manifest(step.workload);
      });
      return;
    case 'setImage':
      await cluster.writeWorkload('setImage', step.workload, ({ spec }) => {
        for (const each of (spec.template.spec as { containers: { image: string }[] }).containers)
          each.image = step.image;
      });
      return;
    case 'undo': {
      const target = cluster.history(step.workload).at(-1 - step.back);
      if (target) await cluster.undo(step.workload, target.number);
      return;
    }
    case 'replace':
      await cluster.writeWorkload('replace', step.workload, (copy) => {
        copy.metadata.labels = writtenByPeople(copy.metadata.labels);
        delete copy.metadata.annotations;
        copy.spec.template = shop.manifest(step.workload);
      });
      return;
    case 'scale':
      await cluster.writeWorkload('edit', step.workload, ({ spec }) => {
        spec.replicas = 3 - spec.replicas;
      });
      return;
    case 'togglePause':
      await cluster.writeWorkload('pause', step.workload, ({ spec }) => {
        spec.paused = !spec.paused;
      });
      return;
    case 'deleteOldestRevision':
      deleteOldestRevision(shop, step.workload);
      return;
    case 'deletePods':
      cluster.deletePods(step.workload);
      return;
    case 'restartController':
      shop.restart();
      return;
    default:
      step satisfies never;
  }
}

function performOnSource(shop: Shop, step: Extract<Step, { do: 'edit' | 'annotate' | 'recreateSource' }>): void {
  const { cluster } = shop;
  const { kind, name } = shop.source(step.source);
  switch (step.do) {
    case 'edit':
      cluster.editConfig(kind, name, (copy) => {
        copy.data = shop.dataOf(step.source, step.value);
      });
      return;
    case 'annotate':
      cluster.editConfig(kind, name, ({ metadata }) => {
        metadata.annotations = { ...metadata.annotations, note: step.value };
      });
      return;
    case 'recreateSource': {
      const before = cluster.config(kind, name);
      if (before === undefined) return;
      const { data = {}, metadata } = before;
      cluster.delete(kind, name);
      const labels = writtenByPeople(metadata.labels);
      cluster.createConfig(
        kind,
        name,
        { data },
        {
          ...(Object.keys(labels).length > 0 && { labels }),
          ...(metadata.annotations && { annotations: metadata.annotations }),
          ...(metadata.ownerReferences && { ownerReferences: metadata.ownerReferences }),
        },
      );
      return;
    }
    default:
      step satisfies never;
  }
}

// What stands in a manifest, too.
function writtenByPeople(labels: Readonly<Strings> = {}): Strings {
  const isTheirs = ([key, value]: [string, string]) =>
    value === EXCLUDED || (key === MANAGED_LABEL && ['all', 'none'].includes(value));
  return Object.fromEntries(Object.entries(labels).filter(isTheirs));
}

async function performExclusion(shop: Shop, step: Extract<Step, { do: 'exclude' | 'include' }>): Promise<void> {
  const { cluster } = shop;
  const { kind, name } = shop.source(step.source);
  const excludes = step.do === 'exclude';
  const key = step.what === 'pair' ? shop.stateLabel(step.source) : MANAGED_LABEL;
  const mark = step.what === 'pair' ? EXCLUDED : 'none';
  const before = step.what === 'workload' && shop.optIn === 'all' ? 'all' : undefined;
  const edit = (labels: Readonly<Strings> = {}): Strings => {
    const { [key]: value, ...others } = labels;
    if (excludes) return { ...others, [key]: mark };
    if (value !== mark) return { ...labels };
    return { ...others, ...(before && { [key]: before }) };
  };
  if (step.what === 'source')
    cluster.editConfig(kind, name, ({ metadata }) => {
      metadata.labels = edit(metadata.labels);
    });
  else
    await cluster.writeWorkload('label', step.workload, ({ metadata }) => {
      metadata.labels = edit(metadata.labels);
    });
  const labels = step.what === 'source' ? cluster.config(kind, name)?.metadata.labels : labelsOf(shop, step.workload);
  if (!excludes && labels?.[key] === mark) cluster.mishaps.push(`${key} of ${step.workload} cannot be taken away`);
  // Nobody is held to what they cannot have seen.
  cluster.deliver();
}

function labelsOf({ cluster }: Shop, name: WorkloadName): Strings | undefined {
  return cluster.workload(name).metadata.labels;
}

// One that has pods is nobody's to delete.
function deleteOldestRevision({ cluster }: Shop, name: WorkloadName): void {
  const [oldest, ...newer] = cluster.history(name);
  if (oldest === undefined || newer.length === 0) return;
  const { name: revision } = oldest.metadata;
  const { status } = cluster.workload(name);
  const used = [status?.currentRevision, ...cluster.pods(name).map((pod) => pod.revision)];
  if (!used.includes(revision)) cluster.delete(oldest.kind, revision);
}

const EVERY_EXCLUSION = [
  ...SOURCES.map((each) => ({ what: 'source' as const, workload: 'web' as const, source: each })),
  ...WORKLOADS.map((each) => ({ what: 'workload' as const, workload: each, source: 'foo' as const })),
  ...WORKLOADS.flatMap((each) => SOURCES.map((other) => ({ what: 'pair' as const, workload: each, source: other }))),
];

/** Takes every exclusion away. */
export async function includeAll(shop: Shop): Promise<void> {
  for (const exclusion of EVERY_EXCLUSION) await perform(shop, { do: 'include', ...exclusion });
}
