// `kubectl config-rollout undo deployment/bar`: the config of an older revision, with the image of now.

import { applyPatch } from 'fast-json-patch/commonjs/core.js';
import type { Cluster, Json } from '../cluster.ts';
import { type Call, defineCommand, warn } from '../command.ts';
import { type DryRun, dryRunOf, fieldManagerFlag, WRITE_FLAGS } from '../common-flags.ts';
import { UsageError } from '../errors.ts';
import type { FlagTable } from '../flags.ts';
import { makePrinter } from '../printer.ts';
import { retryOnConflict } from '../reading.ts';
import { printed, type Target, WORKLOAD_TYPES } from '../resources.ts';
import { SOURCE_FLAG } from '../view/asked-sources.ts';
import { viewNamespace } from '../view/load.ts';
import type { NamespaceView, WorkloadView } from '../view/namespace-view.ts';
import { parseRevision } from '../view/revisions.ts';
import { parseOne } from '../view/selection.ts';
import { planUndo, type UndoPlan } from './plan.ts';

const MANAGER = 'kubectl-config-rollout';

const FLAGS = {
  ...WRITE_FLAGS,
  ...fieldManagerFlag(MANAGER),
  'to-revision': {
    type: 'text',
    shows: '0',
    usage: 'The revision to go back to. 0: the newest older one that ran with another config.',
  },
  ...SOURCE_FLAG,
} as const satisfies FlagTable;

export const undo = defineCommand({
  help: {
    summary: 'Bring the configuration of an older revision back, and nothing else of it: the image stays.',
    description: [
      ' Points the pod template to the snapshots that the older revision ran with, which makes a new revision. "kubectl\n rollout undo" brings image and configuration back together.',
      ' The ConfigMaps and Secrets themselves stay as they are. It sticks, also when the manifest is applied again, until one\n of them changes: that rolls out its content of then. "kubectl config-rollout pause" keeps changes back.',
      ' What is not managed, as after "kubectl config-rollout unpin", is left alone unless --source names it: nothing would\n ever roll it forward again.',
    ],
    examples: [
      ['Which revisions are there?', 'kubectl config-rollout history deployment/bar'],
      ['What would change?', 'kubectl config-rollout diff deployment/bar --revision 6'],
      ['Back to the configuration before', 'kubectl config-rollout undo deployment/bar'],
      ['To that of revision 6', 'kubectl config-rollout undo deployment/bar --to-revision 6'],
      ['Of one ConfigMap only', 'kubectl config-rollout undo deployment/bar --to-revision 6 --source configmap/foo'],
    ],
    usage: `kubectl config-rollout undo ${WORKLOAD_TYPES}/NAME [--to-revision N] [--source configmap|secret/NAME] [options]`,
  },
  flags: FLAGS,
  run,
});

type UndoCall = Call<typeof FLAGS>;

async function run(call: UndoCall): Promise<number> {
  const { flags, shell } = call;
  const target = parseOne(call.args);
  const dryRun = dryRunOf(flags, (text) => warn(shell, [text]));
  const printer = makePrinter(flags, dryRun);
  const number = numberOf(flags['to-revision']);
  const cluster = await call.cluster();
  const { plan, result, refusals } = await retryOnConflict(async () => {
    const { plan, view } = await look(call, cluster, target, number);
    return { plan, refusals: view.refusals, result: await write(call, { cluster, target, view, plan, dryRun }) };
  });
  const isDone = plan.operations.length > 0;
  const verb = isDone ? 'rolled back' : `skipped rollback (current config is that of revision ${plan.revision.number})`;
  shell.out(await printer.print(printed(target), verb, result));
  warn(shell, [...refusals, ...plan.warnings]);
  return 0;
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || text === '0' ? undefined : parseRevision(text);
}

async function look(call: UndoCall, cluster: Cluster, target: Target, number: number | undefined) {
  const all: NamespaceView = await viewNamespace(cluster, { targets: [target] });
  const [located] = all.targets;
  if (located === undefined) throw new UsageError(`name one workload, as ${WORKLOAD_TYPES}/NAME`);
  const view = await all.observe(located);
  const plan = planUndo(view, call.flags.source, number, call.wording);
  return { plan, view };
}

interface Writing {
  readonly cluster: Cluster;
  readonly target: Target;
  readonly view: WorkloadView;
  readonly plan: UndoPlan;
  readonly dryRun: DryRun;
}

/** The object as it is afterwards. */
async function write({ flags }: UndoCall, { cluster, target, view, plan, dryRun }: Writing): Promise<Json> {
  const { operations } = plan;
  if (operations.length === 0) return view.raw;
  if (dryRun === 'client') return applyPatch(structuredClone(view.raw), operations).newDocument;
  const options = { fieldManager: flags['field-manager'] ?? MANAGER, dryRun: dryRun === 'server' };
  return cluster.patch(target.resource, target.name, { type: 'json', operations: [...operations] }, options);
}
