// Whether to print in colour, decided once: what a person sees on a terminal, and nothing that a program may read.

import picocolors from 'picocolors';
import type { Shell } from './command.ts';
import { UsageError } from './errors.ts';
import type { FlagTable, Values } from './flags.ts';

export type Colours = ReturnType<typeof picocolors.createColors>;

export const COLOUR_FLAG = {
  color: {
    type: 'text',
    bare: 'always',
    shows: "'auto'",
    usage: 'Print in colour: auto (on a terminal, unless NO_COLOR is set or TERM is dumb), always or never.',
  },
} as const satisfies FlagTable;

/** Throws UsageError for a flag that is none of auto, always, never. */
export function coloursOf({ color = 'auto' }: Values<typeof COLOUR_FLAG>, shell: Shell): Colours {
  return picocolors.createColors(isWanted(color, shell));
}

function isWanted(flag: string, { env, isTerminal }: Shell): boolean {
  switch (flag) {
    case 'always':
    case 'never':
      return flag === 'always';
    case 'auto':
      // https://no-color.org: any value but an empty one.
      return isTerminal && env['TERM'] !== 'dumb' && !env['NO_COLOR'];
    default:
      throw new UsageError(`invalid argument "${flag}" for "--color" flag: it is auto, always or never`);
  }
}
