// Command-line flags with the habits of pflag, which everybody who types kubectl has in their fingers: flags anywhere
// between the arguments, `--flag=value` and `--flag value`, `-nvalue` and `-n=value`, `--switch=false`, and kubectl's
// own error texts. node:util does the lexing, this file the meaning.

import { parseArgs } from 'node:util';
import { UsageError } from './errors.ts';

interface Described {
  readonly usage: string;
  readonly short?: string;
  /** A second spelling, not shown in the help. */
  readonly alias?: string;
  /** What the help shows as default. */
  readonly shows?: string;
}

/** text: the last one counts. list: each adds one. csv: each adds one or several, with commas between. */
export type Flag =
  | (Described & {
      readonly type: 'text';
      /** The value of the flag when it is given without one, which then has to be given as `--flag=value`. */
      readonly bare?: string;
    })
  | (Described & { readonly type: 'switch' | 'list' | 'csv' });

export type FlagTable = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F['type'] extends 'switch'
  ? boolean
  : F['type'] extends 'text'
    ? string | undefined
    : readonly string[];

/** What was given on the command line, by the flag's name. */
export type Values<T extends FlagTable> = { readonly [Name in keyof T]: ValueOf<T[Name]> };

const SWITCH: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false] as const),
]);

/** Throws UsageError, in pflag's words. */
export function parseFlags<T extends FlagTable>(
  argv: readonly string[],
  table: T,
): { readonly flags: Values<T>; readonly args: readonly string[] } {
  const spellings = Object.entries(table).flatMap(([name, { alias }]) =>
    [name, ...(alias === undefined ? [] : [alias])].map((spelling) => [spelling, name] as const),
  );
  const names: ReadonlyMap<string, string> = new Map(spellings);
  const values = new Map<string, unknown>(Object.entries(table).map(([name, { type }]) => [name, initial(type)]));
  const args: string[] = [];
  for (const token of lex(argv, table, names)) {
    if (token.kind === 'positional') args.push(token.value);
    if (token.kind !== 'option') continue;
    const name = names.get(token.name);
    const flag = name === undefined ? undefined : table[name];
    if (name === undefined || flag === undefined) throw unknown(token.rawName, argv[token.index] ?? '');
    const value = givenValue(name, flag, token, argv[token.index] ?? '');
    values.set(name, combine(name, flag, values.get(name), value));
  }
  return { flags: Object.fromEntries(values) as Values<T>, args };
}

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function lex(argv: readonly string[], table: FlagTable, names: ReadonlyMap<string, string>) {
  const options = [...names].map(([spelling, name]) => {
    const flag = table[name];
    // parseArgs calls boolean what takes no following argument.
    const type = flag?.type === 'switch' || (flag?.type === 'text' && flag.bare !== undefined) ? 'boolean' : 'string';
    return [spelling, { type, ...(flag?.short !== undefined && spelling === name && { short: flag.short }) }] as const;
  });
  const parsed = parseArgs({
    args: [...argv],
    options: Object.fromEntries(options),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return parsed.tokens;
}

function initial(type: Flag['type']): unknown {
  if (type === 'text') return undefined;
  return type === 'switch' ? false : [];
}

function givenValue(name: string, flag: Flag, token: OptionToken, word: string): string {
  const { rawName, value } = token;
  if (value !== undefined) {
    // parseArgs takes the `=` of `-n=value` for a part of the value.
    return rawName.startsWith('--') || !token.inlineValue ? value : value.replace(/^=/, '');
  }
  if (flag.type === 'switch') return 'true';
  if (flag.type === 'text' && flag.bare !== undefined) return flag.bare;
  const what = rawName.startsWith('--') ? `--${name}` : `'${rawName.slice(1)}' in ${word}`;
  throw new UsageError(`flag needs an argument: ${what}`);
}

function combine(name: string, flag: Flag, before: unknown, value: string): unknown {
  switch (flag.type) {
    case 'text':
      return value;
    case 'switch': {
      const on = SWITCH[value];
      const shown = flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`;
      if (on === undefined)
        throw new UsageError(`invalid argument "${value}" for "${shown}" flag: it is true or false`);
      return on;
    }
    case 'list':
      return [...(before as readonly string[]), value];
    case 'csv':
      return [...(before as readonly string[]), ...splitCsv(value)];
    default:
      throw flag satisfies never;
  }
}

// As Go's encoding/csv reads one record: a field in double quotes may hold commas, and "" for a quote.
function splitCsv(text: string): string[] {
  const fields = text.match(/("([^"]|"")*"|[^,]*)(,|$)/g)?.slice(0, text.endsWith(',') ? undefined : -1) ?? [];
  return fields
    .map((field) => field.replace(/,$/, ''))
    .map((field) => (/^".*"$/s.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field));
}

function unknown(rawName: string, word: string): UsageError {
  return new UsageError(
    rawName.startsWith('--') ? `unknown flag: ${rawName}` : `unknown shorthand flag: '${rawName.slice(1)}' in ${word}`,
  );
}
