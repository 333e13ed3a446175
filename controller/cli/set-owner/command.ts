// `kubectl set-owner configmap/foo deployment/bar`: reads, plans, writes one guarded patch, and says what it did.

import { isFailure } from '../../app/errors.ts';
import type { Workload } from '../../core/types.ts';
import { WORKLOAD_KINDS } from '../../workloads/kinds.ts';
import { projectSource } from '../../workloads/raw.ts';
import { admissionWarning } from '../admission.ts';
import type { Cluster, Json } from '../cluster.ts';
import { type Call, defineCommand, warn } from '../command.ts';
import { type DryRun, dryRunOf, fieldManagerFlag, WRITE_FLAGS } from '../common-flags.ts';
import { CommandError, UsageError } from '../errors.ts';
import { makePrinter } from '../printer.ts';
import { inOrder, retryOnConflict } from '../reading.ts';
import {
  isSource,
  isWorkload,
  parseTargets,
  printed,
  type SourceTarget,
  type Target,
  WORKLOAD_TYPES,
} from '../resources.ts';
import { readSources } from '../sources.ts';
import { type NamedOwner, type OwnerPlan, planOwners } from './plan.ts';

const MANAGER = 'kubectl-set-owner';

const FLAGS = {
  ...WRITE_FLAGS,
  ...fieldManagerFlag(MANAGER),
  remove: { type: 'switch', usage: 'If true, take the owners away instead. They need not exist any more.' },
} as const;

export const setOwner = defineCommand({
  help: {
    summary: 'Make workloads the owners of ConfigMaps and Secrets, so that their changes roll out to them.',
    description: [
      ' The owner reference opts the ConfigMap or Secret in: each change of its content becomes a new revision of the\n Deployments, StatefulSets, DaemonSets and Rollouts that own it, and "kubectl rollout undo" brings the former content\n back. Changes of Secrets roll out where the controller runs with --secrets. Of a Secret only the metadata is read.',
      ' Kubernetes deletes an object when the last of its owners is deleted. To opt in without that, declare the\n owners in the annotation configrollout.dev/owners of the ConfigMap ("deployment/bar, statefulset/baz"), or label\n the workload with configrollout.dev/managed=all.',
      ' To have the first revision pinned already when a manifest is created from Git, label the workload with\n configrollout.dev/managed: owned (with the annotation on the ConfigMap) or all.',
    ],
    examples: [
      ['Roll out changes of configmap foo to deployment bar', 'kubectl set-owner configmap/foo deployment/bar'],
      ['To several workloads', 'kubectl set-owner configmap/foo deployment/bar statefulset/baz'],
      ['Those of secret foo, too', 'kubectl set-owner configmap/foo secret/foo deployment/bar'],
      ['No longer roll them out', 'kubectl set-owner configmap/foo deployment/bar --remove'],
      [
        'Print the ConfigMap that would be written, and write nothing',
        'kubectl set-owner configmap/foo deployment/bar --dry-run=client -o yaml',
      ],
    ],
    usage: `kubectl set-owner configmap|secret/NAME [...] ${WORKLOAD_TYPES}/NAME [...] [--remove] [options]`,
  },
  flags: FLAGS,
  run,
});

type OwnerCall = Call<typeof FLAGS>;

async function run(call: OwnerCall): Promise<number> {
  const { args, flags, shell } = call;
  const { sources, owners } = split(parseTargets(args));
  const dryRun = dryRunOf(flags, (text) => warn(shell, [text]));
  const printer = makePrinter(flags, dryRun);
  const cluster = await call.cluster();
  // All are looked at before the first is written: a slip of the pen in the last leaves the first alone.
  const plans = await inOrder(sources.map((source) => plan(call, cluster, source, owners)));
  const written: string[] = [];
  for (const [i, source] of sources.entries()) {
    const done = await write(call, { cluster, source, owners, dryRun, first: plans[i] });
    shell.out(await printer.print(printed(source), done.verb, done.result));
    warn(shell, done.warnings);
    if (done.patch !== undefined) written.push(printed(source));
  }
  // Not when they were owners before: said when it becomes true, as the other warnings are.
  if (!flags.remove && written.length > 0 && dryRun !== 'client') {
    const warning = await admissionWarning(cluster, written.join(' or '));
    if (warning !== undefined) warn(shell, [warning]);
  }
  return 0;
}

/** In whatever order they were named. */
function split(targets: readonly Target[]): { sources: readonly SourceTarget[]; owners: readonly Target[] } {
  const owners = targets.filter(isWorkload);
  const sources = targets.filter(isSource);
  if (sources.length === 0 || owners.length === 0) {
    throw new UsageError(
      'a configmap or secret and a workload are required at least, as in configmap/NAME deployment/NAME',
    );
  }
  return { sources, owners };
}

interface Writing {
  readonly cluster: Cluster;
  readonly source: SourceTarget;
  readonly owners: readonly Target[];
  readonly dryRun: DryRun;
  /** What to write, unless another writer is in between. */
  readonly first: OwnerPlan | undefined;
}

async function write(call: OwnerCall, { cluster, source, owners, dryRun, first }: Writing): Promise<OwnerPlan> {
  const { flags } = call;
  const options = {
    fieldManager: flags['field-manager'] ?? MANAGER,
    dryRun: dryRun === 'server',
    // Nothing of a Secret's content is asked for, and so none can be printed: not with -o either.
    metadataOnly: source.resource.kind === 'Secret',
  };
  let fresh = first;
  return retryOnConflict(async () => {
    const planned = fresh ?? (await plan(call, cluster, source, owners));
    fresh = undefined;
    if (planned.patch === undefined || dryRun === 'client') return planned;
    const patch = { type: 'merge', body: planned.patch } as const;
    const result = await cluster.patch(source.resource, source.name, patch, options);
    return { ...planned, result: options.metadataOnly ? withoutLastApplied(result) : result };
  });
}

async function plan(
  { flags, wording }: OwnerCall,
  cluster: Cluster,
  source: SourceTarget,
  owners: readonly Target[],
): Promise<OwnerPlan> {
  const seen = await read(cluster, source, owners, flags.remove);
  return planOwners({ ...seen, remove: flags.remove, wording });
}

async function read(cluster: Cluster, { resource, name }: SourceTarget, owners: readonly Target[], remove: boolean) {
  const { kind } = resource;
  const [raw = {}, ...workloads] = await inOrder<Json | undefined>([
    kind === 'Secret' ? cluster.getMetadata(resource, name).then(withoutLastApplied) : cluster.get(resource, name),
    ...owners.map((owner) => readOwner(cluster, owner, remove)),
  ]);
  const projected = projectSource(kind, raw);
  if (projected === undefined) throw new CommandError(`the server answered with something that is no ${kind}`);
  const named = owners.map((target, i): NamedOwner => ({ target, workload: project(target, workloads[i]) }));
  await refuseUnknown(cluster, projected.owners, named);
  const references = named.flatMap(({ workload }) => workload?.references ?? []);
  const mayBePins = references.filter((reference) => reference.kind === kind && reference.name !== name);
  return { raw, source: projected, owners: named, sources: await readSources(cluster, mayBePins) };
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Without the annotation in which `kubectl apply` keeps the whole manifest, a Secret's content and all. */
function withoutLastApplied(raw: Json): Json {
  const { annotations = {}, ...metadata } = raw['metadata'] as { readonly annotations?: Json };
  const { [LAST_APPLIED]: _, ...shown } = annotations;
  return { ...raw, metadata: { ...metadata, ...(Object.keys(shown).length > 0 && { annotations: shown }) } };
}

async function readOwner(cluster: Cluster, { resource, name }: Target, remove: boolean): Promise<Json | undefined> {
  try {
    return await cluster.get(resource, name);
  } catch (error) {
    // The owner that is gone is the one most worth removing.
    if (remove && isFailure(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** To remove an owner that neither exists nor is named by the ConfigMap is a slip of the pen. */
async function refuseUnknown(
  cluster: Cluster,
  references: readonly { readonly kind: string; readonly name: string }[],
  owners: readonly NamedOwner[],
): Promise<void> {
  const unknown = owners.find(
    ({ target, workload }) =>
      workload === undefined &&
      !references.some(({ kind, name }) => kind === target.resource.kind && name === target.name),
  );
  // Asked again for the server's own words.
  if (unknown !== undefined) await cluster.get(unknown.target.resource, unknown.target.name);
}

function project({ resource }: Target, raw: Json | undefined): Workload | undefined {
  return WORKLOAD_KINDS.find(({ kind }) => kind === resource.kind)?.project(raw);
}
