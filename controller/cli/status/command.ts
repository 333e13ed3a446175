// `kubectl config-rollout status deployment/bar`: does it run with the config that it should run with? Reads only, and needs
// no controller.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Call, defineCommand, type Shell, warn } from '../command.ts';
import { UsageError } from '../errors.ts';
import type { FlagTable } from '../flags.ts';
import { LIST_FLAGS } from '../listing.ts';
import { formatOf, LIST_FORMATS, type ListFormat } from '../output-format.ts';
import { WORKLOAD_TYPES } from '../resources.ts';
import { parseSelection } from '../view/selection.ts';
import { follow, parseTimeout } from './follow.ts';
import { readStatuses } from './read.ts';
import { render } from './render.ts';

const FLAGS = {
  selector: { type: 'text', short: 'l', usage: 'Selector (label query) to filter on, as with kubectl get.' },
  'all-namespaces': { type: 'switch', short: 'A', usage: 'If present, look at every namespace.' },
  watch: {
    type: 'text',
    short: 'w',
    bare: 'true',
    shows: "'true for names and selectors'",
    usage: 'Wait until no rollout of config goes on, telling how it gets on. --watch=false looks once.',
  },
  timeout: {
    type: 'text',
    shows: "'0s'",
    usage: 'How long to wait before giving up, such as 90s or 1m30s; 0 waits for ever.',
  },
  ...LIST_FLAGS,
} as const satisfies FlagTable;

export const status = defineCommand({
  help: {
    summary: 'Show how the rollouts of configuration stand, and wait for their end.',
    description: [
      ' Of the workloads that are named, or of all that have ConfigMaps or Secrets rolled out to them. What is named, or\n selected with -l, is watched until it has ended, as "kubectl rollout status" does, and the exit code is 1 when a\n rollout failed. Nothing is written, and no controller needs to run.',
      ' STATE is one of:\n    ✔ Current           runs with the content of now\n    ◌ Pending           a change is about to roll out\n    ◌ Progressing       pods are being replaced\n    ॥ Paused            a change waits for "kubectl config-rollout resume"\n    ↩ Rolled back       runs with older content; the next change rolls out again\n    ✘ Failed            the pods with the content of now missed their deadline\n    ✘ Snapshot missing  what it mounts was deleted: new pods cannot start\n    not managed         nothing rolls out to it',
      ' SOURCES are those that are current, of all that roll out to it. UPDATED are the pods with the template of now: with the\n strategy OnDelete, or a partition, a rollout is over though others keep what they have, and MESSAGE says so.\n -o wide adds which snapshot of each source the template mounts.',
      ' -o json and -o yaml print items of apiVersion, kind, namespace, name, uid, revision, updated, desired, paused, and\n status: what the controller writes into the status of the ConfigRollout of the workload.',
    ],
    examples: [
      ['All of this namespace', 'kubectl config-rollout status'],
      ['Wait until deployment bar runs with the config of now', 'kubectl config-rollout status deployment/bar'],
      ['The same in a pipeline', 'kubectl config-rollout status deployment/bar --timeout 5m'],
      ['Everything with a label, once', 'kubectl config-rollout status -l team=a --watch=false'],
    ],
    usage: `kubectl config-rollout status [${WORKLOAD_TYPES}[/NAME] ...] [-l SELECTOR] [options]`,
  },
  flags: FLAGS,
  run,
});

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { args, flags, shell } = call;
  const selection = parseSelection(args, flags.selector);
  const allNamespaces = flags['all-namespaces'];
  const isNamed = 'targets' in selection;
  if (isNamed && allNamespaces) throw new UsageError('a resource cannot be retrieved by name across all namespaces');
  const format = formatOf(flags.output, LIST_FORMATS, 'table');
  const timeoutMs = parseTimeout(flags.timeout ?? '0');
  const isAsked = isNamed || flags.selector !== undefined;
  // Without a value it is true; the reader of flags has made true or false of all others.
  const watches = (flags.watch ?? String(isAsked)) === 'true';
  const cluster = await call.cluster();
  const look = () => readStatuses(cluster, { ...selection, allNamespaces });
  const tell = format === 'table' || format === 'wide' ? shell.out : () => undefined;
  const tellWarning = (text: string) => warn(shell, [text]);
  const { statuses, warnings } = watches
    ? await follow({ look, tell, warn: tellWarning, timeoutMs, sleep, now: () => performance.now() })
    : await look();
  shell.out(await render(statuses, { format, headers: !flags['no-headers'], allNamespaces }));
  if (statuses.length === 0) tellNothing(shell, format, allNamespaces ? undefined : cluster.namespace);
  // Those of a watch have been told while it went on.
  if (!watches) warn(shell, warnings);
  return (watches || isAsked) && statuses.some(({ end }) => end === 'failed') ? 1 : 0;
}

// Programs are told by an empty list.
function tellNothing(shell: Pick<Shell, 'err'>, format: ListFormat, namespace: string | undefined): void {
  if (format === 'json' || format === 'yaml') return;
  shell.err(namespace === undefined ? 'No resources found\n' : `No resources found in ${namespace} namespace.\n`);
}
