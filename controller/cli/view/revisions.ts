// `--revision 6`: the words by which people name revisions → which revisions.

import type { Revision } from '../../core/types.ts';
import { CommandError, UsageError } from '../errors.ts';
import { printed } from '../resources.ts';
import type { WorkloadLook } from './namespace-view.ts';

/** Throws UsageError for what is no number of a revision. */
export function parseRevision(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new UsageError(`"${text}" is no revision: it is a number from 1 on`);
  return Number(text);
}

/** Throws CommandError when there is no such revision. */
export function revisionOf(look: WorkloadLook, number: number): Revision {
  const found = look.revisions.find((revision) => revision.number === number);
  if (found !== undefined) return found;
  throw new CommandError(`${printed(look)} has no revision ${number} with configuration${there(look)}`);
}

function there({ revisions }: WorkloadLook): string {
  return revisions.length === 0 ? '' : ` (there are: ${revisions.map(({ number }) => number).join(', ')})`;
}
