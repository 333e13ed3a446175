// `kubectl config-rollout unpin deployment/bar`: the way out. It names its ConfigMaps and Secrets themselves again, and
// neither the controller nor admission touches it any more.

// Not from the package's root, whose names Node cannot tell when it is imported as a module.
import { applyPatch } from 'fast-json-patch/commonjs/core.js';
import { referencesTo } from '../../core/decide.ts';
import type { Workload } from '../../core/types.ts';
import { WORKLOAD_KINDS } from '../../workloads/kinds.ts';
import type { Cluster, Json } from '../cluster.ts';
import { type Call, defineCommand, warn } from '../command.ts';
import { type DryRun, dryRunOf, fieldManagerFlag, WRITE_FLAGS } from '../common-flags.ts';
import { CommandError, UsageError } from '../errors.ts';
import { makePrinter } from '../printer.ts';
import { inOrder, retryOnConflict } from '../reading.ts';
import { isSource, parseTargets, printed, type Target, typed, WORKLOAD_TYPES } from '../resources.ts';
import type { SourceName } from '../sources.ts';
import { SOURCE_FLAG } from '../view/asked-sources.ts';
import { parseSome } from '../view/selection.ts';
import { compareWithSources, isAnythingManaged, type Mounted, readPins, refuseLost } from './pins.ts';
import { unpinning } from './plan.ts';
import { warningsOf } from './warnings.ts';

const MANAGER = 'kubectl-config-rollout';
const UNPINNED = 'unpinned';

const FLAGS = {
  ...WRITE_FLAGS,
  ...fieldManagerFlag(MANAGER),
  ...SOURCE_FLAG,
} as const;

export const unpin = defineCommand({
  help: {
    summary: 'Take a workload out of management: its template names its ConfigMaps and Secrets themselves again.',
    description: [
      ' Every snapshot that the template names is replaced by its source, the labels that the controller keeps there are\n taken away, and configrollout.dev/managed=none is put there, so that nothing is pinned again. The pods restart once,\n with the content of now, where the strategy is not OnDelete. Former revisions keep their snapshots.',
      ' With --source, only that ConfigMap or Secret is taken out, by the label configmap.configrollout.dev/NAME=excluded.',
    ],
    examples: [
      ['Manage deployment bar no more', 'kubectl config-rollout unpin deployment/bar'],
      ['See the warnings first', 'kubectl config-rollout unpin deployment/bar --dry-run=client'],
      ['Only configmap foo', 'kubectl config-rollout unpin deployment/bar --source configmap/foo'],
    ],
    usage: `kubectl config-rollout unpin ${WORKLOAD_TYPES}/NAME [...] [--source configmap|secret/NAME] [options]`,
  },
  flags: FLAGS,
  run,
});

async function run({ args, flags, shell, wording, cluster: connect }: Call<typeof FLAGS>): Promise<number> {
  const targets = parseSome(args);
  const only = flags.source.length === 0 ? undefined : sourcesIn(parseTargets(flags.source));
  const dryRun = dryRunOf(flags, (text) => warn(shell, [text]));
  const printer = makePrinter(flags, dryRun);
  const cluster = await connect();
  // All are looked at before the first is written: a slip of the pen in the last leaves the first alone.
  await inOrder(targets.map((target) => read(cluster, target, only)));
  for (const target of targets) {
    const manager = flags['field-manager'] ?? MANAGER;
    const { seen, result, verb } = await write(cluster, { target, only, dryRun, manager });
    shell.out(await printer.print(printed(target), verb, result));
    if (verb !== UNPINNED) continue;
    const differences = await compareWithSources(cluster, seen.pins);
    warn(shell, warningsOf({ ...seen, target, only, differences, wording }));
  }
  return 0;
}

interface Seen extends Mounted {
  readonly raw: Json;
  readonly workload: Workload;
}

/** With the pins that are meant, of all that it has. */
async function read(
  cluster: Cluster,
  { resource, name }: Target,
  only: readonly SourceName[] | undefined,
): Promise<Seen> {
  const raw = await cluster.get(resource, name);
  const workload = WORKLOAD_KINDS.find(({ kind }) => kind === resource.kind)?.project(raw);
  if (workload === undefined) throw new CommandError(`the server answered with something that is no ${resource.kind}`);
  const mounted = await readPins(cluster, workload);
  const isMeant = (kind: string, source: string) =>
    only === undefined || only.some((each) => each.kind === kind && each.name === source);
  const pins = mounted.pins.filter(({ kind, source }) => isMeant(kind, source));
  const stranger = only?.find((source) => !mentions(workload, mounted, source));
  if (stranger !== undefined) {
    throw new CommandError(
      `${typed({ resource, name })} does not name ${stranger.kind} ${stranger.name}, nor a snapshot of it`,
    );
  }
  const seen = { ...mounted, pins, raw, workload };
  refuseLost(seen);
  return seen;
}

function mentions(workload: Workload, { pins }: Mounted, { kind, name }: SourceName): boolean {
  const isPinned = pins.some((pin) => pin.kind === kind && pin.source === name);
  return isPinned || referencesTo(workload.references, { kind, name }, new Map()).length > 0;
}

interface Order {
  readonly target: Target;
  readonly only: readonly SourceName[] | undefined;
  readonly dryRun: DryRun;
  readonly manager: string;
}

function write(cluster: Cluster, { target, only, dryRun, manager }: Order) {
  return retryOnConflict(async () => {
    const seen = await read(cluster, target, only);
    const operations = unpinning(seen.workload, seen.pins, only);
    if (operations.length === 0) return { seen, verb: 'unchanged', result: seen.raw };
    if (!isAnythingManaged(seen.workload, seen, only)) {
      return { seen, verb: 'unchanged (nothing rolls out to it)', result: seen.raw };
    }
    if (dryRun === 'client') {
      return { seen, verb: UNPINNED, result: applyPatch(structuredClone(seen.raw), operations).newDocument };
    }
    const options = { fieldManager: manager, dryRun: dryRun === 'server' };
    const result = await cluster.patch(target.resource, target.name, { type: 'json', operations }, options);
    return { seen, verb: UNPINNED, result };
  });
}

function sourcesIn(targets: readonly Target[]): SourceName[] {
  return targets.map((target) => {
    if (isSource(target)) return { kind: target.resource.kind, name: target.name };
    throw new UsageError(`--source ${typed(target)} is no ConfigMap or Secret`);
  });
}
