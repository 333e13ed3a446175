// `kubectl set-owner configmap/foo deployment/bar`: reads, plans, writes one guarded patch, and says what it did.

import { isFailure } from '../../app/errors.ts';
import type { Workload } from '../../core/types.ts';
import { WORKLOAD_KINDS } from '../../workloads/kinds.ts';
import { projectConfigMap } from '../../workloads/raw.ts';
import { admissionWarning } from '../admission.ts';
import type { Cluster, Json } from '../cluster.ts';
import { type Call, defineCommand, warn } from '../command.ts';
import { dryRunOf, fieldManagerFlag, WRITE_FLAGS } from '../common-flags.ts';
import { readConfigMaps } from '../config-maps.ts';
import { CommandError, UsageError } from '../errors.ts';
import { makePrinter } from '../printer.ts';
import { inOrder, retryOnConflict } from '../reading.ts';
import { CONFIG_MAPS, isWorkload, parseTargets, printed, type Target } from '../resources.ts';
import { type NamedOwner, type OwnerPlan, planOwners } from './plan.ts';

const MANAGER = 'kubectl-set-owner';

const FLAGS = {
  ...WRITE_FLAGS,
  ...fieldManagerFlag(MANAGER),
  remove: { type: 'switch', usage: 'If true, take the owners away instead. They need not exist any more.' },
} as const;

export const setOwner = defineCommand({
  help: {
    summary: 'Make Deployments the owners of a ConfigMap, so that its changes roll out to them.',
    description: [
      ' The owner reference opts the ConfigMap in: each change of its content becomes a new revision of the\n Deployments that own it, and "kubectl rollout undo" brings the former content back.',
      ' Kubernetes deletes a ConfigMap when the last of its owners is deleted. To opt in without that, declare the\n owners in the annotation configrollout.dev/owners of the ConfigMap ("deployment/bar, deployment/baz"), or label\n the Deployment with configrollout.dev/managed=all.',
      ' To have the first ReplicaSet pinned already when a manifest is created from Git, label the Deployment with\n configrollout.dev/managed: owned (with the annotation on the ConfigMap) or all.',
    ],
    examples: [
      ['Roll out changes of configmap foo to deployment bar', 'kubectl set-owner configmap/foo deployment/bar'],
      ['To several deployments', 'kubectl set-owner configmap/foo deployment/bar deployment/baz'],
      ['No longer roll them out', 'kubectl set-owner configmap/foo deployment/bar --remove'],
      [
        'Print the ConfigMap that would be written, and write nothing',
        'kubectl set-owner configmap/foo deployment/bar --dry-run=client -o yaml',
      ],
    ],
    usage: 'kubectl set-owner configmap/NAME deployment/NAME [deployment/NAME ...] [--remove] [options]',
  },
  flags: FLAGS,
  run,
});

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { args, flags, shell, wording } = call;
  const { configMap, owners } = split(parseTargets(args));
  const dryRun = dryRunOf(flags, (text) => warn(shell, [text]));
  const printer = makePrinter(flags, dryRun);
  const cluster = await call.cluster();
  const plan = await retryOnConflict(async (): Promise<OwnerPlan> => {
    const seen = await read(cluster, configMap, owners, flags.remove);
    const planned = planOwners({ ...seen, remove: flags.remove, wording });
    if (planned.patch === undefined || dryRun === 'client') return planned;
    const options = { fieldManager: flags['field-manager'] ?? MANAGER, dryRun: dryRun === 'server' };
    const result = await cluster.patch(CONFIG_MAPS, configMap.name, { type: 'merge', body: planned.patch }, options);
    return { ...planned, result };
  });
  shell.out(await printer.print(printed(configMap), plan.verb, plan.result));
  warn(shell, plan.warnings);
  // Not when it was an owner before: said when it becomes true, as the other warnings are.
  if (!flags.remove && plan.patch !== undefined && dryRun !== 'client') {
    const warning = await admissionWarning(cluster, configMap.name);
    if (warning !== undefined) warn(shell, [warning]);
  }
  return 0;
}

/** In whatever order they were named. */
function split(targets: readonly Target[]): { configMap: Target; owners: readonly Target[] } {
  const owners = targets.filter(isWorkload);
  const [configMap, ...more] = targets.filter((target) => !isWorkload(target));
  if (configMap === undefined || owners.length === 0) {
    throw new UsageError('one configmap and at least one deployment are required: configmap/NAME deployment/NAME');
  }
  if (more.length > 0) throw new UsageError('one configmap at a time: run the command once for each');
  return { configMap, owners };
}

async function read(cluster: Cluster, configMap: Target, owners: readonly Target[], remove: boolean) {
  const [raw = {}, ...workloads] = await inOrder<Json | undefined>([
    cluster.get(CONFIG_MAPS, configMap.name),
    ...owners.map((owner) => readOwner(cluster, owner, remove)),
  ]);
  const projected = projectConfigMap(raw);
  if (projected === undefined) throw new CommandError(`the server answered with something that is no ConfigMap`);
  const named = owners.map((target, i): NamedOwner => ({ target, workload: project(workloads[i]) }));
  await refuseUnknown(cluster, projected.owners, named);
  const names = named.flatMap(({ workload }) => workload?.references.map(({ name }) => name) ?? []);
  const configMaps = await readConfigMaps(
    cluster,
    names.filter((name) => name !== configMap.name),
  );
  return { raw, configMap: projected, owners: named, configMaps };
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

function project(raw: Json | undefined): Workload | undefined {
  const kind = WORKLOAD_KINDS.find((candidate) => candidate.kind === raw?.['kind']);
  return kind?.project(raw);
}
