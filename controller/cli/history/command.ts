// `kubectl config-rollout history deployment/bar`: which config each revision ran with, and what changed. Reads only, and
// needs no controller.

import { type Call, defineCommand, warn } from '../command.ts';
import { UsageError } from '../errors.ts';
import type { FlagTable } from '../flags.ts';
import { LIST_FLAGS } from '../listing.ts';
import { formatOf, LIST_FORMATS } from '../output-format.ts';
import { inOrder } from '../reading.ts';
import { printed, WORKLOAD_TYPES } from '../resources.ts';
import { viewNamespace } from '../view/load.ts';
import { parseRevision, revisionOf } from '../view/revisions.ts';
import { parseSelection } from '../view/selection.ts';
import { render } from './render.ts';
import { rowsOf } from './rows.ts';

const FLAGS = {
  revision: { type: 'text', usage: 'Show this revision only.' },
  selector: { type: 'text', short: 'l', usage: 'Selector (label query) to filter on, as with kubectl get.' },
  ...LIST_FLAGS,
} as const satisfies FlagTable;

export const history = defineCommand({
  help: {
    summary: 'Show which snapshot of its configuration each revision of a workload ran with, and what changed.',
    description: [
      ' One line for each revision, and each ConfigMap or Secret that it was configured by; * marks the revision of now.\n AGE is that of its ReplicaSet or ControllerRevision: one that is used again keeps the age of its first time.\n Nothing is written, and no controller needs to run.',
      ' SNAPSHOT is the immutable copy that the revision names. <raw>: it named the ConfigMap itself, so that its content of\n that time is not known. <gone>: the snapshot was deleted, and nothing can go back to it.',
      ' CHANGED compares with the revision before: ~ changed, + added, - removed, by key. (first): there is none before.\n <none>: something else than configuration changed. Of Secrets, only the names of keys are ever shown.',
      ' -o wide adds the ReplicaSet or ControllerRevision, and the images; -o name prints these objects alone.',
    ],
    examples: [
      ['The configuration of deployment bar, over time', 'kubectl config-rollout history deployment/bar'],
      ['Of everything with a label', 'kubectl config-rollout history deployments,statefulsets -l team=a'],
      ['What ran with revision 6', 'kubectl config-rollout history deployment/bar --revision 6 -o wide'],
      ['The lines that changed, then', 'kubectl config-rollout diff deployment/bar --revision 5,6'],
    ],
    usage: `kubectl config-rollout history ${WORKLOAD_TYPES}/NAME [...] | TYPE [-l SELECTOR] [options]`,
  },
  flags: FLAGS,
  run,
});

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { args, flags, shell } = call;
  if (args.length === 0) throw new UsageError(`name a workload, as ${WORKLOAD_TYPES}/NAME`);
  const selection = parseSelection(args, flags.selector);
  const format = formatOf(flags.output, LIST_FORMATS, 'table');
  const only = flags.revision === undefined ? undefined : parseRevision(flags.revision);
  const cluster = await call.cluster();
  const view = await viewNamespace(cluster, selection);
  const looks = view.targets.map((target) => view.look(target));
  const isNamed = 'targets' in selection;
  // Of many, those without this revision are passed over.
  if (only !== undefined && isNamed) for (const look of looks) revisionOf(look, only);
  const rows = (await inOrder(looks.map((look) => rowsOf(view, look, only)))).flat();
  const severalWorkloads = !isNamed || looks.length > 1;
  shell.out(await render(rows, { format, headers: !flags['no-headers'], severalWorkloads, now: Date.now() }));
  if (rows.length === 0 && !isNamed && format !== 'json' && format !== 'yaml') {
    shell.err(`No resources found in ${cluster.namespace} namespace.\n`);
  }
  const without = looks.filter((look) => isNamed && !rows.some((row) => row.look === look));
  warn(shell, [
    ...view.refusals,
    ...new Set(looks.flatMap(({ refusals }) => refusals)),
    ...without.map((look) => `no revision of ${printed(look)} has configuration that is rolled out to it`),
  ]);
  return 0;
}
