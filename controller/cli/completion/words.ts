// Half a command line → what its last word is: a flag, the value of one, or an argument; and what the words before it say.

import { CONNECTION_FLAGS, type ConnectionFlags } from '../common-flags.ts';
import { UsageError } from '../errors.ts';
import { type Flag, type FlagTable, nameOf, openFlag, parseFlags } from '../flags.ts';

export interface Line {
  readonly args: readonly string[];
  readonly flags: ConnectionFlags;
  readonly last:
    | { readonly is: 'flag' | 'argument'; readonly word: string }
    | { readonly is: 'value'; readonly word: string; readonly name: string; readonly flag: Flag };
}

/** `words` end with the one that is being typed, which may be empty. */
export function readLine(words: readonly string[], table: FlagTable): Line {
  const word = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const isOver = before.includes('--');
  const open = isOver ? undefined : flagAtEnd(before, table);
  const complete = open === undefined ? before : before.slice(0, -1);
  return { ...parsed(complete, table), last: isOver ? { is: 'argument', word } : lastOf(word, open, table) };
}

function lastOf(word: string, open: string | undefined, table: FlagTable): Line['last'] {
  const [, inline, value = ''] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  const name = open ?? (inline && nameOf(inline.slice(2), table));
  const flag = name === undefined ? undefined : table[name];
  if (name === undefined || flag === undefined) return { is: word.startsWith('-') ? 'flag' : 'argument', word };
  return { is: 'value', word: open === undefined ? value : word, name, flag };
}

/** The flag at the end of the words, when its value comes next. */
function flagAtEnd(words: readonly string[], table: FlagTable): string | undefined {
  // A value may look like a flag: only reading from the start tells.
  let open: string | undefined;
  for (const word of words) open = open === undefined ? openFlag(word, table) : undefined;
  return open;
}

/** Lenient: the line is not finished. */
function parsed(words: readonly string[], table: FlagTable): Pick<Line, 'args' | 'flags'> {
  try {
    const { args, flags } = parseFlags(words, { ...table, ...CONNECTION_FLAGS });
    // The table holds those of the connection.
    return { args, flags: flags as unknown as ConnectionFlags };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { args: words.filter((word) => !word.startsWith('-')), flags: parseFlags([], CONNECTION_FLAGS).flags };
  }
}
