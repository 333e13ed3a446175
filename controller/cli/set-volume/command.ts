// `kubectl set-volume deployment/bar -t configmap --configmap-name foo --mount-path /etc/foo`: reads, plans, writes one
// guarded patch for each workload, and says what it did.

import { WORKLOAD_KINDS } from '../../workloads/kinds.ts';
import type { Cluster } from '../cluster.ts';
import { type Call, defineCommand, warn } from '../command.ts';
import { dryRunOf } from '../common-flags.ts';
import { CommandError, UsageError } from '../errors.ts';
import { makePrinter, type Printer } from '../printer.ts';
import { retryOnConflict } from '../reading.ts';
import { isWorkload, parseTargets, printed, type Target, WORKLOAD_TYPES } from '../resources.ts';
import { readSources, withSources } from '../sources.ts';
import { describeVolumes } from './list.ts';
import { noTemplate, planVolume, type VolumeInput } from './plan.ts';
import { mountedSources, podSpecOf } from './pod-template.ts';
import { type ListRequest, MANAGER, readRequest, VOLUME_FLAGS, type VolumeRequest } from './request.ts';

export const setVolume = defineCommand({
  help: {
    summary: 'Add, remove or list the volumes of a workload that hold ConfigMaps and Secrets.',
    description: [
      ' A volume is named like its ConfigMap or Secret unless --name is given, so that the same command twice changes\n nothing. Where the workload mounts a snapshot of it, that counts as the ConfigMap or Secret, and stays.',
      ' Without a flag that asks for a change, volumes are listed.',
    ],
    examples: [
      ['List the volumes of deployment bar', 'kubectl set-volume deployment/bar'],
      [
        'Mount configmap foo in all containers of deployment bar',
        'kubectl set-volume deployment/bar -t configmap --configmap-name foo --mount-path /etc/foo',
      ],
      [
        'Mount one key as a file in container app',
        'kubectl set-volume deployment/bar -t configmap --configmap-name foo -m /etc/app.yml --sub-path app.yml -c app',
      ],
      [
        'Mount the volume foo elsewhere',
        'kubectl set-volume deployment/bar --name foo --mount-path /config --overwrite',
      ],
      [
        'Mount secret foo in all containers of statefulset bar',
        'kubectl set-volume statefulset/bar -t secret --secret-name foo --mount-path /etc/foo',
      ],
      ['Remove the volume foo and its mounts', 'kubectl set-volume deployment/bar --remove --name foo'],
    ],
    usage: `kubectl set-volume ${WORKLOAD_TYPES}/NAME [...] [--add|--remove] [options]`,
  },
  flags: VOLUME_FLAGS,
  run,
});

type VolumeCall = Call<typeof VOLUME_FLAGS>;

async function run(call: VolumeCall): Promise<number> {
  const { args, flags, shell } = call;
  const targets = parseTargets(args);
  if (targets.length === 0) throw new UsageError('one or more workloads are required, as deployment/NAME');
  const stranger = targets.find((target) => !isWorkload(target));
  if (stranger !== undefined) {
    throw new UsageError(
      `${printed(stranger)} has no pod template; what to mount is named by --configmap-name or --secret-name`,
    );
  }
  const request = readRequest(flags);
  const dryRun = dryRunOf(flags, (text) => warn(shell, [text]));
  const printer = makePrinter(flags, dryRun);
  const cluster = await call.cluster();
  // One after the other, so that what is said of each stays together.
  for (const target of targets) {
    if (request.operation === 'list') await list(call, cluster, target, request);
    else await change({ call, cluster, target, request, dryRun, printer });
  }
  return 0;
}

async function list(call: VolumeCall, cluster: Cluster, target: Target, request: ListRequest): Promise<void> {
  const raw = await cluster.get(target.resource, target.name);
  const spec = podSpecOf(raw);
  if (spec === undefined) throw new CommandError(noTemplate(target));
  call.shell.out(describeVolumes(target, spec, request, await readSources(cluster, mountedSources(spec))));
}

interface Change {
  readonly call: VolumeCall;
  readonly cluster: Cluster;
  readonly target: Target;
  readonly request: Exclude<VolumeRequest, ListRequest>;
  readonly dryRun: ReturnType<typeof dryRunOf>;
  readonly printer: Printer;
}

async function change({ call, cluster, target, request, dryRun, printer }: Change): Promise<void> {
  const { flags, shell, wording } = call;
  const plan = await retryOnConflict(async () => {
    const seen = await read(cluster, target, request);
    const planned = planVolume({ ...seen, target, wording }, request);
    if (planned.operations.length === 0 || dryRun === 'client') return planned;
    const { operations } = planned;
    const options = { fieldManager: flags['field-manager'] ?? MANAGER, dryRun: dryRun === 'server' };
    const result = await cluster.patch(target.resource, target.name, { type: 'json', operations }, options);
    return { ...planned, result };
  });
  shell.out(await printer.print(printed(target), plan.verb, plan.result));
  warn(shell, plan.warnings);
}

async function read(
  cluster: Cluster,
  target: Target,
  { source }: Change['request'],
): Promise<Pick<VolumeInput, 'raw' | 'workload' | 'sources'>> {
  const raw = await cluster.get(target.resource, target.name);
  const workload = WORKLOAD_KINDS.find(({ kind }) => kind === target.resource.kind)?.project(raw);
  if (workload === undefined)
    throw new CommandError(`the server answered with something that is no ${target.resource.kind}`);
  const mounted = mountedSources(podSpecOf(raw) ?? { containers: [] });
  const sources = await readSources(cluster, source === undefined ? mounted : [source, ...mounted]);
  return { raw, workload, sources: await withSources(cluster, sources) };
}
