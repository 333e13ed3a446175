// How a workload gets rid of its pins: every reference names its source again, and a label keeps it so. One patch, because
// between two, controller or admission would pin again.

import type { Operation } from 'fast-json-patch';
import type { Change } from '../../core/decide.ts';
import {
  AFTER_REVISION_LABEL,
  EXCLUDED,
  FAILED_ROLLOUT_LABEL,
  MANAGED_LABEL,
  rolledHashLabel,
} from '../../core/names.ts';
import { droppingCause, marking, removal, repointing } from '../../core/pin-operations.ts';
import type { SourceKind, Workload } from '../../core/types.ts';

export interface SourcePin {
  readonly kind: SourceKind;
  readonly source: string;
  readonly pointer: string;
  readonly snapshot: string;
}

interface Named {
  readonly kind: SourceKind;
  readonly name: string;
}

/** @param only of these sources; undefined: of all, and of the workload as a whole. Empty when it is so already. */
export function unpinning(
  workload: Workload,
  pins: readonly SourcePin[],
  only: readonly Named[] | undefined,
): Operation[] {
  const changes = pins.map(({ pointer, snapshot, source }): Change => ({ pointer, from: snapshot, to: source }));
  const labels = only === undefined ? wholeLabels(workload) : excluding(workload, only);
  const stale = only === undefined ? staleLabels(workload) : [];
  if (changes.length === 0 && Object.keys(labels).length === 0 && stale.length === 0) return [];
  return [
    { op: 'test', path: '/metadata/uid', value: workload.uid },
    { op: 'test', path: '/metadata/resourceVersion', value: workload.resourceVersion },
    ...repointing(workload, [{ changes }]),
    ...marking(workload, labels, {}),
    ...stale.flatMap((key) => removal('labels', key, workload.labels[key])),
    ...droppingCause(workload),
  ];
}

function wholeLabels({ labels }: Workload): Record<string, string> {
  return labels[MANAGED_LABEL] === 'none' ? {} : { [MANAGED_LABEL]: 'none' };
}

function excluding({ labels }: Workload, only: readonly Named[]): Record<string, string> {
  const keys = only.map(({ kind, name }) => rolledHashLabel(kind, name)).filter((key) => labels[key] !== EXCLUDED);
  return Object.fromEntries(keys.map((key) => [key, EXCLUDED]));
}

// A person's exclusions stay, for the day on which it is opted in again.
function staleLabels({ labels }: Workload): string[] {
  const isState = (key: string) => ![MANAGED_LABEL, AFTER_REVISION_LABEL, FAILED_ROLLOUT_LABEL].includes(key);
  return Object.entries(labels)
    .filter(([key, value]) => key !== MANAGED_LABEL && !(isState(key) && value === EXCLUDED))
    .map(([key]) => key);
}
