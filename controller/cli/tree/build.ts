// What is made of what: a source, its snapshots, the workloads that name them, and their revisions and pods; or, seen from
// a workload, its sources, and below them what of each it names.

import { pinOf, referencesTo } from '../../core/decide.ts';
import type { SourceStatus } from '../../core/status.ts';
import { type ConfigObject, configRef, display, type ObjectRef, type Revision, refOf } from '../../core/types.ts';
import { CommandError } from '../errors.ts';
import { type Target, typed } from '../resources.ts';
import type { WorkloadStatus } from '../status/read.ts';
import { updatedPods } from '../status/render.ts';
import { sourceStateText, stateOf } from '../status/states.ts';
import type { NamespaceView, SourceName, WorkloadLook } from '../view/namespace-view.ts';
import type { Node } from './node.ts';
import type { Pod, Pods } from './pods.ts';

/** What trees are built of. */
export interface Forest {
  readonly view: NamespaceView;
  readonly statuses: readonly WorkloadStatus[];
  readonly pods: Pods;
  /** Each pod, instead of how many there are. */
  readonly showsPods: boolean;
}

type Template = Pick<Revision, 'references'>;

/** A source, and all that was made of it. */
export function sourceTree(forest: Forest, source: SourceName): Node {
  const { view, statuses } = forest;
  const users = statuses.filter((look) => isUser(look, source));
  const hash = users.flatMap((look) => statusIn(look, source) ?? []).find((each) => each.hash !== undefined)?.hash;
  const named = users.flatMap((look) => templatesOf(look).flatMap((template) => namesOf(look, template, source)));
  const gone = named.filter((name) => name !== source.name && view.object({ ...source, name }) === undefined);
  const existing = [...view.snapshotsOf(source)].sort((a, b) => b.createdAt - a.createdAt);
  const usersOf = (name: string) =>
    users
      .filter((look) => templatesOf(look).some((template) => namesOf(look, template, source).includes(name)))
      .map((look) => workloadBelow(forest, look, source, name));
  const states = users.flatMap((look) => statusIn(look, source)?.state ?? []);
  return {
    ...sourceNode(view, source, worst(states)),
    info: hash ?? '',
    children: [
      ...usersOf(source.name),
      ...existing.map((snapshot) =>
        snapshotNode(view, { ...source, name: snapshot.name }, hash, usersOf(snapshot.name)),
      ),
      ...[...new Set(gone)].map((name) => snapshotNode(view, { ...source, name }, hash, usersOf(name))),
    ],
  };
}

/** Whether the workload, or a revision of it, names the source or a snapshot of it. */
export function isUser(look: WorkloadLook, source: SourceName): boolean {
  return templatesOf(look).some((template) => namesOf(look, template, source).length > 0);
}

/** A workload, and the sources that its template and its revisions name. Throws CommandError when its status is not known. */
export function workloadTree(forest: Forest, { resource, name }: Target): Node {
  const look = forest.statuses.find((each) => each.resource === resource && each.name === name);
  if (look === undefined) throw new CommandError(`${typed({ resource, name })} has just been created; look again`);
  const raw = look.workload.references
    .filter((reference) => pinOf(look.pins, reference) === undefined)
    .map(({ kind, name }) => ({ kind, namespace: look.namespace, name }));
  const sources = new Map([...look.sources, ...raw].map((source) => [display(source), source]));
  return {
    ...workloadNode(forest.view, look),
    children: [...sources].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, source]) => sourceBelow(forest, look, source)),
  };
}

function sourceBelow(forest: Forest, look: WorkloadStatus, source: SourceName): Node {
  const { view } = forest;
  const status = statusIn(look, source);
  const newestFirst = [look.workload, ...look.revisions.toReversed()];
  const names = new Set(newestFirst.flatMap((template) => namesOf(look, template, source)));
  return {
    ...sourceNode(view, source, status?.state),
    info: status?.hash ?? '',
    children: [...names].flatMap((name) => {
      const revisions = revisionNodes(forest, look, source, name);
      return name === source.name ? revisions : [snapshotNode(view, { ...source, name }, status?.hash, revisions)];
    }),
  };
}

function sourceNode(view: NamespaceView, source: SourceName, state: SourceStatus['state'] | undefined): Node {
  const object = view.object(source);
  const known = state === undefined ? 'not managed' : sourceStateText(state);
  return {
    role: 'source',
    object: object ? configRef(object) : goneRef(source),
    status: object === undefined ? '✘ Gone' : known,
    info: '',
    createdAt: createdAt(object),
    children: [],
  };
}

function snapshotNode(
  view: NamespaceView,
  name: SourceName,
  current: string | undefined,
  children: readonly Node[],
): Node {
  const object = view.object(name);
  const isCurrent = current !== undefined && object?.snapshot?.hash === current;
  const unused = children.length === 0 ? 'unused (swept after a while)' : '';
  return {
    role: 'snapshot',
    object: object ? configRef(object) : goneRef(name),
    status: object === undefined ? '✘ Gone' : '',
    info: isCurrent ? 'current' : unused,
    createdAt: createdAt(object),
    children,
  };
}

/** Below a snapshot, or the source itself: `name` is what of it the workload has to do with. */
function workloadBelow(forest: Forest, look: WorkloadStatus, source: SourceName, name: string): Node {
  const isNow = namesOf(look, look.workload, source).includes(name);
  const node = workloadNode(forest.view, look);
  return {
    ...node,
    ...(!isNow && { status: '', info: 'former revisions' }),
    children: revisionNodes(forest, look, source, name),
  };
}

function workloadNode(view: NamespaceView, look: WorkloadStatus): Node {
  const { workload, reason } = look;
  return {
    role: 'workload',
    object: refOf(workload),
    status: stateOf(reason).text,
    info: updatedPods(look),
    createdAt: view.createdAt(workload),
    children: [],
  };
}

/** Newest first. */
function revisionNodes(forest: Forest, look: WorkloadStatus, source: SourceName, name: string): Node[] {
  return look.revisions
    .filter((revision) => namesOf(look, revision, source).includes(name))
    .map((revision) => revisionNode(forest, look, revision))
    .reverse();
}

function revisionNode({ view, pods, showsPods }: Forest, look: WorkloadStatus, revision: Revision): Node {
  const running = pods.of(revision);
  const count = showsPods || running.length === 0 ? [] : [`${running.length} ${running.length === 1 ? 'pod' : 'pods'}`];
  return {
    role: 'revision',
    object: refOf(revision),
    label: `revision:${revision.number} ${revision.name}`,
    status: revision === look.current ? stateOf(look.reason).text : '',
    info: [...count, ...(revision.cause === undefined ? [] : [revision.cause])].join(', '),
    createdAt: view.createdAt(revision),
    children: showsPods ? running.map(podNode) : [],
  };
}

function podNode({ phase, createdAt: since, ...pod }: Pod): Node {
  return {
    role: 'pod',
    object: { apiVersion: 'v1', kind: 'Pod', ...pod },
    status: phase,
    info: '',
    createdAt: since,
    children: [],
  };
}

function templatesOf({ workload, revisions }: WorkloadLook): readonly Template[] {
  return [workload, ...revisions];
}

/** What the template names of the source: itself, or snapshots of it. */
function namesOf({ pins }: WorkloadLook, { references }: Template, source: SourceName): string[] {
  return referencesTo(references, source, pins).map(({ name }) => name);
}

function statusIn({ status: { sources = [] } }: WorkloadStatus, source: SourceName): SourceStatus | undefined {
  return sources.find(({ kind, name }) => kind === source.kind && name === source.name);
}

const WORST_FIRST = ['Failed', 'Paused', 'Pending', 'RolledBack', 'Current'] as const;

function worst(states: readonly SourceStatus['state'][]): SourceStatus['state'] | undefined {
  return WORST_FIRST.find((state) => states.includes(state));
}

function createdAt(object: ConfigObject | undefined): number | undefined {
  return object?.createdAt || undefined;
}

function goneRef(name: SourceName): ObjectRef {
  return configRef({ ...name, uid: '' });
}
