// Statuses as a table, as names, or for machines.

import { display } from '../../core/types.ts';
import type { Json } from '../cluster.ts';
import { type Column, type ListLayout, renderList } from '../listing.ts';
import { printed } from '../resources.ts';
import { configIn } from '../view/configs.ts';
import { keepingOf, untilWhen } from '../view/kept-pods.ts';
import type { WorkloadStatus } from './read.ts';
import { sourceStateText, stateOf } from './states.ts';

export interface Layout extends ListLayout {
  readonly allNamespaces: boolean;
}

/** Empty when there is nothing to print. */
export function render(statuses: readonly WorkloadStatus[], layout: Layout): Promise<string> {
  return renderList(statuses, layout, { columns: COLUMNS, name: printed, item: itemOf });
}

const COLUMNS: readonly Column<WorkloadStatus, Layout>[] = [
  { header: 'NAMESPACE', isShown: ({ allNamespaces }) => allNamespaces, cell: ({ namespace }) => namespace },
  { header: 'NAME', cell: printed },
  { header: 'STATE', cell: ({ reason }) => stateOf(reason).text },
  { header: 'SOURCES', cell: currentSources },
  { header: 'REVISION', cell: (status) => String(revisionOf(status) ?? '<none>') },
  { header: 'UPDATED', cell: updatedPods },
  { header: 'SNAPSHOTS', isShown: ({ format }) => format === 'wide', cell: snapshots },
  { header: 'MESSAGE', cell: messageOf },
];

/** While a watch goes on: `deployment.apps/bar: ◌ Progressing, 2/3 updated`. */
export function progressLine(status: WorkloadStatus): string {
  const { reason } = status;
  const isMoving = reason === 'Progressing' || messageOf(status) === '';
  return `${printed(status)}: ${stateOf(reason).text}, ${isMoving ? `${updatedPods(status)} updated` : messageOf(status)}\n`;
}

/** Pods that run the template of now, of all that are wanted. */
export function updatedPods({ workload: { progress } }: WorkloadStatus): string {
  return `${progress.updated}/${progress.desired}`;
}

function currentSources({ status: { sources = [] } }: WorkloadStatus): string {
  if (sources.length === 0) return '<none>';
  return `${sources.filter(({ state }) => state === 'Current').length}/${sources.length}`;
}

function revisionOf({ current, workload }: WorkloadStatus): number | undefined {
  return current?.number ?? workload.currentRevision;
}

/** `✔ configmap/foo-6ct58987ht`: what the template names of each source. */
function snapshots(status: WorkloadStatus): string {
  const { sources = [] } = status.status;
  const named = sources.map(({ kind, name, snapshot, state }) => {
    const [symbol] = sourceStateText(state);
    return `${symbol} ${snapshot === undefined ? `${display({ kind, name })} (raw)` : display({ kind, name: snapshot })}`;
  });
  return [...named, ...unmanagedPins(status)].join(', ') || '<none>';
}

/** Pins that nothing ever rolls forward, in the words of who-uses. */
function unmanagedPins(status: WorkloadStatus): string[] {
  const pinned = status.unmanaged.flatMap(({ source }) => {
    const { snapshots: present, gone } = configIn(status, status.workload, source) ?? { snapshots: [], gone: [] };
    return [...present, ...gone].map((name) => display({ kind: source.kind, name }));
  });
  return pinned.length === 0 ? [] : [`not managed (pinned: ${pinned.join(', ')})`];
}

function messageOf(each: WorkloadStatus): string {
  const { status, reason, policy } = each;
  const said = status.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
  if (reason === 'NotManaged') return said;
  const paused = policy.paused ? 'paused: the next change waits' : '';
  return [reason === 'Current' ? paused : said, keptPods(each)].filter((text) => text !== '').join('; ');
}

/** Of a rollout that is complete without them. */
function keptPods({ raw, workload: { progress } }: WorkloadStatus): string {
  const count = progress.desired - progress.updated;
  const keeping = progress.state === 'Complete' && count > 0 ? keepingOf(raw) : undefined;
  if (keeping === undefined) return '';
  return `${count === 1 ? '1 pod keeps' : `${count} pods keep`} older config ${untilWhen(keeping, count)}`;
}

function itemOf(each: WorkloadStatus): Json {
  const { workload, policy, status } = each;
  const { apiVersion, kind, namespace, name, uid, progress } = workload;
  const revision = revisionOf(each);
  return {
    apiVersion,
    kind,
    namespace,
    name,
    uid,
    ...(revision !== undefined && { revision }),
    updated: progress.updated,
    desired: progress.desired,
    paused: policy.paused,
    status,
  };
}
