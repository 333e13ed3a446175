// `kubectl config-rollout tree configmap/foo`: what was made of it, down to the pods. Reads only, and needs no controller.

import type { Cluster } from '../cluster.ts';
import { type Call, defineCommand, warn } from '../command.ts';
import { UsageError } from '../errors.ts';
import type { FlagTable } from '../flags.ts';
import { formatOf } from '../output-format.ts';
import { toJson, toYaml } from '../printer.ts';
import { aFewAtATime, inOrder } from '../reading.ts';
import { isSource, parseTargets, type Target, WORKLOAD_TYPES, WORKLOADS } from '../resources.ts';
import { readStatus, type WorkloadStatus } from '../status/read.ts';
import { viewNamespace } from '../view/load.ts';
import type { Located, NamespaceView, SourceName } from '../view/namespace-view.ts';
import { type Forest, isUser, sourceTree, workloadTree } from './build.ts';
import { type Node, renderTrees, toItem } from './node.ts';
import { Pods } from './pods.ts';

const FLAGS = {
  output: { type: 'text', short: 'o', usage: 'Output format. One of: (json, yaml, wide).' },
  'no-headers': { type: 'switch', usage: 'If true, print the table without its header.' },
} as const satisfies FlagTable;

export const tree = defineCommand({
  help: {
    summary: 'Show what was made of a ConfigMap, a Secret or a workload, down to the pods.',
    description: [
      ' Of a ConfigMap or a Secret: its snapshots, the workloads that mount them, and their revisions. Of a workload: its\n ConfigMaps and Secrets, and the snapshots and revisions of each. Nothing is written, and no controller needs to run.',
      ' ⚙ a ConfigMap or a Secret   ⧉ a snapshot of it   ⟳ a workload   # a revision   □ a pod (with -o wide)',
      ' STATUS is that of "kubectl config-rollout status". INFO of a source is the hash of its content of now, of a workload\n the pods that run its template of now, of all that it wants; of a revision, how many pods run it, and its change cause.',
    ],
    examples: [
      ['What was made of configmap foo', 'kubectl config-rollout tree configmap/foo'],
      ['What deployment bar is configured by', 'kubectl config-rollout tree deployment/bar'],
      ['With each pod', 'kubectl config-rollout tree configmap/foo -o wide'],
    ],
    usage: `kubectl config-rollout tree configmap|secret|${WORKLOAD_TYPES}/NAME [...] [options]`,
  },
  flags: FLAGS,
  run,
});

const FORMATS = ['json', 'wide', 'yaml'] as const;

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { flags, shell } = call;
  const targets = parseTargets(call.args);
  if (targets.length === 0) throw new UsageError('name one or more, as configmap/NAME or deployment/NAME');
  const format = formatOf(flags.output, FORMATS, 'table');
  const cluster = await call.cluster();
  const [view, pods] = await Promise.all([
    // Of a source, every workload may be a user.
    viewNamespace(cluster, targets.some(isSource) ? { kinds: WORKLOADS } : { targets }),
    Pods.list(cluster, format === 'wide'),
  ]);
  const subjects = await inOrder(targets.map((target) => subjectOf(cluster, view, target)));
  const statuses = await statusesOf(view, subjects);
  const forest: Forest = { view, statuses, pods, showsPods: format === 'wide' };
  const roots = subjects.map((subject) =>
    'resource' in subject ? workloadTree(forest, subject) : sourceTree(forest, subject),
  );
  shell.out(await render(roots, format, !flags['no-headers']));
  warn(shell, [
    ...view.refusals,
    ...new Set(statuses.flatMap(({ refusals }) => refusals)),
    ...(pods.refusal === undefined ? [] : [`pods are not looked at: ${pods.refusal}`]),
  ]);
  return 0;
}

/** The workload, the source, or what it is a snapshot of. Throws when there is neither it nor a snapshot of it. */
async function subjectOf(cluster: Cluster, view: NamespaceView, target: Target): Promise<Located | SourceName> {
  const { resource, name } = target;
  const { namespace } = cluster;
  if (!isSource(target)) {
    const located = view.targets.find((each) => each.resource === resource && each.name === name);
    // Asked again for the server's own words.
    if (located === undefined) await cluster.get(resource, name);
    return { ...target, namespace };
  }
  const source = { kind: target.resource.kind, namespace, name };
  const object = view.object(source);
  if (object === undefined && view.snapshotsOf(source).length === 0) await cluster.getMetadata(resource, name);
  return object?.snapshot === undefined ? source : { ...source, name: object.snapshot.source };
}

/** Of those that the trees are about: what has to be read of a workload costs more than what was listed. */
async function statusesOf(view: NamespaceView, subjects: readonly (Located | SourceName)[]): Promise<WorkloadStatus[]> {
  const relevant = view.targets.filter((target) => {
    const look = view.look(target);
    return subjects.some((subject) =>
      'resource' in subject
        ? subject.resource === target.resource && subject.name === target.name
        : isUser(look, subject),
    );
  });
  const found = new Map<Located, WorkloadStatus>();
  await aFewAtATime(relevant, async (target) => {
    found.set(target, await readStatus(view, target));
  });
  return relevant.flatMap((target) => found.get(target) ?? []);
}

async function render(
  roots: readonly Node[],
  format: (typeof FORMATS)[number] | 'table',
  headers: boolean,
): Promise<string> {
  switch (format) {
    case 'json':
      return toJson({ items: roots.map(toItem) });
    case 'yaml':
      return toYaml({ items: roots.map(toItem) });
    case 'table':
    case 'wide':
      return renderTrees(roots, headers, Date.now());
    default:
      throw format satisfies never;
  }
}
