// The states of config rollouts in words, and which of them are an end: the reasons of the condition Ready, as
// core/status-conditions.ts gives them.

import type { SourceStatus } from '../../core/status.ts';

/** `done` and `failed` end a watch. */
export type End = 'done' | 'failed';

interface State {
  readonly text: string;
  /** Undefined: it goes on by itself. */
  readonly end: End | undefined;
}

const STATES: Readonly<Record<string, State>> = {
  Current: { text: '✔ Current', end: 'done' },
  RolledBack: { text: '↩ Rolled back', end: 'done' },
  Paused: { text: '॥ Paused', end: 'done' },
  NotManaged: { text: 'not managed', end: 'done' },
  Pending: { text: '◌ Pending', end: undefined },
  Progressing: { text: '◌ Progressing', end: undefined },
  RolloutFailed: { text: '✘ Failed', end: 'failed' },
  RolledBackAfterFailure: { text: '↩ Rolled back', end: 'failed' },
  SnapshotMissing: { text: '✘ Snapshot missing', end: 'failed' },
};

/** Of the reason of a condition Ready. */
export function stateOf(reason: string): State {
  return STATES[reason] ?? { text: reason, end: undefined };
}

const SOURCE_STATES: Readonly<Record<SourceStatus['state'], string>> = {
  Current: 'Current',
  RolledBack: 'RolledBack',
  Pending: 'Pending',
  Paused: 'Paused',
  Failed: 'RolloutFailed',
};

/** Of one source of a workload. */
export function sourceStateText(state: SourceStatus['state']): string {
  return stateOf(SOURCE_STATES[state]).text;
}
