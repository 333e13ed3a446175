// `kubectl config-rollout who-uses configmap/foo`: what restarts if I change this? Reads only, and needs no controller.

import { display } from '../../core/types.ts';
import type { Cluster } from '../cluster.ts';
import { type Call, defineCommand, warn } from '../command.ts';
import { UsageError } from '../errors.ts';
import type { FlagTable } from '../flags.ts';
import { LIST_FLAGS } from '../listing.ts';
import { formatOf, LIST_FORMATS } from '../output-format.ts';
import { inOrder } from '../reading.ts';
import { isSource, parseTargets, typed } from '../resources.ts';
import type { SourceName } from '../sources.ts';
import { render } from './render.ts';
import { Family, needsHash, type Row, rowsOf } from './rows.ts';
import { mayName, Subjects } from './subjects.ts';
import { listUsers, type User } from './users.ts';

const FLAGS = {
  'all-namespaces': {
    type: 'switch',
    short: 'A',
    usage: 'If present, look at every namespace; each has a ConfigMap or Secret of that name of its own.',
  },
  ...LIST_FLAGS,
} as const satisfies FlagTable;

export const whoUses = defineCommand({
  help: {
    summary: 'Show what uses a ConfigMap or a Secret, and what rolls out when it changes.',
    description: [
      ' Lists the Deployments, StatefulSets, DaemonSets, Rollouts, CronJobs, ReplicaSets, Jobs and Pods that name it, or a\n snapshot of it: as a volume, in the environment, or to pull images. What a workload controls is listed with -o wide,\n or where the workload itself does not name it. Nothing is written, and no controller needs to run.',
      ' STATE is one of:\n    not managed       changes roll nothing out there; "pinned" names the snapshot that it mounts all the same\n    ✔ Current         managed, and runs with the content of now\n    ↩ Rolled back     managed, and was rolled back to older content; the next change rolls out again\n    ◌ Pending         managed, and the content of now is not rolled out yet\n    former revision   what is left of an older revision of a managed workload',
      ' -o wide says in ON CHANGE what a change does: it rolls out, files are updated in pods that run, the next run sees it,\n or nothing happens until somebody restarts the pods. The content of Secrets is never read.',
    ],
    examples: [
      ['What uses configmap foo?', 'kubectl config-rollout who-uses configmap/foo'],
      ['And secret foo, in every namespace?', 'kubectl config-rollout who-uses configmap/foo secret/foo -A'],
      ['With the ReplicaSets, Jobs and Pods', 'kubectl config-rollout who-uses configmap/foo -o wide'],
      [
        'Restart the deployments that use it, managed or not',
        'kubectl config-rollout who-uses secret/foo -o name | grep ^deployment | xargs kubectl rollout restart',
      ],
    ],
    usage: 'kubectl config-rollout who-uses configmap|secret/NAME [...] [options]',
  },
  flags: FLAGS,
  run,
});

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { flags, shell } = call;
  const named = namedSources(call.args);
  const format = formatOf(flags.output, LIST_FORMATS, 'table');
  const cluster = await call.cluster();
  const allNamespaces = flags['all-namespaces'];
  const [users, subjects] = await Promise.all([
    listUsers(cluster, allNamespaces, (place) => named.some((name) => mayName(name, place))),
    inOrder(named.map((name) => Subjects.read(cluster, name, allNamespaces))),
  ]);
  const [refused] = users.refused;
  // An empty answer would say that nothing uses it.
  if (refused !== undefined && users.listed.length === 0) throw refused.error;
  const rows = await answer(subjects, users.all, format === 'wide');
  const layout = { format, headers: !flags['no-headers'], allNamespaces, severalSources: named.length > 1 };
  shell.out(await render(rows, layout));
  if (rows.length === 0 && format !== 'json' && format !== 'yaml') {
    shell.err(allNamespaces ? 'No resources found\n' : `No resources found in ${cluster.namespace} namespace.\n`);
  }
  warn(shell, [
    ...subjects.flatMap((subject) => missing(subject, cluster, allNamespaces)),
    ...new Set(subjects.flatMap(({ refusals }) => refusals)),
    ...users.refused.map(({ kind, error }) => `${kind.resource} are not looked at: ${error.message}`),
    ...pendingSecrets(rows),
  ]);
  return 0;
}

function namedSources(args: readonly string[]): SourceName[] {
  const targets = parseTargets(args);
  if (targets.length === 0) throw new UsageError('name one or more, as configmap/NAME or secret/NAME');
  const names = targets.map((target) => {
    if (isSource(target)) return { kind: target.resource.kind, name: target.name };
    throw new UsageError(
      `${typed(target)} is no ConfigMap or Secret; name those whose users are to be listed, as configmap/NAME or secret/NAME`,
    );
  });
  return [...new Map(names.map((name) => [display(name), name])).values()];
}

async function answer(subjects: readonly Subjects[], users: readonly User[], wide: boolean): Promise<Row[]> {
  const family = new Family(users);
  const byNamespace = Map.groupBy(
    users.filter(({ places }) => places.length > 0),
    ({ namespace }) => namespace,
  );
  const namespaces = [...byNamespace.keys()].sort();
  for (const each of subjects) {
    await each.lookAtStrangers(
      new Map([...byNamespace].map(([namespace, there]) => [namespace, namesIn(there, each)])),
    );
    await each.readHashes(
      namespaces.filter((namespace) => needsHash(each.in(namespace), byNamespace.get(namespace) ?? [])),
    );
  }
  return namespaces.flatMap((namespace) =>
    subjects.flatMap((each) => rowsOf(each.in(namespace), byNamespace.get(namespace) ?? [], family, wide)),
  );
}

/** The names in use that may be the subject's, or a snapshot's of it. */
function namesIn(users: readonly User[], { named }: Subjects): Set<string> {
  const places = users.flatMap((user) => user.places.filter((place) => mayName(named, place)));
  return new Set(places.map(({ name }) => name));
}

function missing({ exists, named }: Subjects, { namespace }: Cluster, allNamespaces: boolean): string[] {
  if (exists) return [];
  return [`${display(named)} does not exist in ${allNamespaces ? 'any namespace' : `namespace ${namespace}`}`];
}

/** Whether the controller manages Secrets cannot be seen from here. */
function pendingSecrets(rows: readonly Row[]): string[] {
  const pending = rows.filter(({ subject, state }) => subject.named.kind === 'Secret' && state.name === 'Pending');
  const names = new Set(pending.map(({ subject }) => display(subject.named)));
  return [...names].map((name) => `${name}: changes of Secrets roll out only where the controller runs with --secrets`);
}
