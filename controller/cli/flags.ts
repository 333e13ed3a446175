// Command-line flags with the habits of pflag, which everybody who types kubectl has in their fingers: flags anywhere
// between the arguments, `--flag=value` and `--flag value`, `-nvalue` and `-n=value`, `--switch=false` and `-s=false`, and
// kubectl's own error texts. node:util does the lexing, this file the meaning.

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
      /**
       * The value of the flag when it is given without one, which then has to be given as `--flag=value`. Where it is
       * `true`, the flag is a switch that may also not be given, and its value is `true` or `false`.
       */
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
  const words = spelledOut(argv, table);
  for (const token of lex(words, table, names)) {
    if (token.kind === 'positional') args.push(token.value);
    if (token.kind !== 'option') continue;
    const name = names.get(token.name);
    const flag = name === undefined ? undefined : table[name];
    if (name === undefined || flag === undefined) throw unknown(token.rawName, words[token.index] ?? '');
    const value = givenValue(name, flag, token, words[token.index] ?? '');
    values.set(name, combine(name, flag, values.get(name), value));
  }
  return { flags: Object.fromEntries(values) as Values<T>, args };
}

/** The name of the flag at the end of the word, as `-n`, `-An` or `--namespace`, whose value is the next word. */
export function openFlag(word: string, table: FlagTable): string | undefined {
  const [, long, group = ''] = /^(?:--([^=]+)|-([^-].*))$/s.exec(word) ?? [];
  const named = long === undefined ? lettersOf(group, table) : [{ name: nameOf(long, table), rest: '' }];
  const { name, rest } = named.at(-1) ?? {};
  const flag = name === undefined ? undefined : table[name];
  return flag !== undefined && takesValue(flag) && rest === '' ? name : undefined;
}

/** What a flag is called that is known by this name, or has it as its second spelling. */
export function nameOf(spelling: string, table: FlagTable): string | undefined {
  return Object.entries(table).find(([name, { alias }]) => name === spelling || alias === spelling)?.[0];
}

/** The flags of `-Aw` up to the first that takes a value, or is unknown, each with what stands behind it. */
function lettersOf(group: string, table: FlagTable): { readonly name: string | undefined; readonly rest: string }[] {
  const letters = [...group].map((letter, i) => {
    const name = Object.entries(table).find(([, { short }]) => short === letter)?.[0];
    return { name, rest: group.slice(i + 1) };
  });
  const last = letters.findIndex(({ name }) => {
    const flag = name === undefined ? undefined : table[name];
    return flag === undefined || takesValue(flag);
  });
  return last < 0 ? letters : letters.slice(0, last + 1);
}

/** True of a flag that is nothing without a value. */
function takesValue(flag: Flag): boolean {
  return flag.type !== 'switch' && !(flag.type === 'text' && flag.bare !== undefined);
}

/** parseArgs takes the letters behind a switch for further switches: `-Aw=false` has to be `-A --watch=false` for it. */
function spelledOut(argv: readonly string[], table: FlagTable): string[] {
  const words: string[] = [];
  let open: string | undefined;
  for (const [i, word] of argv.entries()) {
    if (word === '--' && open === undefined) return [...words, ...argv.slice(i)];
    // What follows a flag is its value, whatever it looks like.
    words.push(...(open === undefined ? withLongSwitch(word, table) : [word]));
    open = open === undefined ? openFlag(word, table) : undefined;
  }
  return words;
}

function withLongSwitch(word: string, table: FlagTable): string[] {
  const [, before = '', letter = '', value = ''] = /^-([^-=]*)([^-=])=(.+)$/s.exec(word) ?? [];
  const letters = lettersOf(before + letter, table);
  const name = letters.at(-1)?.name;
  const flag = name === undefined ? undefined : table[name];
  if (flag === undefined || takesValue(flag) || letters.length < before.length + 1) return [word];
  return [...(before === '' ? [] : [`-${before}`]), `--${name}=${value}`];
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
    const type = flag !== undefined && takesValue(flag) ? 'string' : 'boolean';
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
      return flag.bare === 'true' ? String(switchOf(name, flag, value)) : value;
    case 'switch':
      return switchOf(name, flag, value);
    case 'list':
      return [...(before as readonly string[]), value];
    case 'csv':
      return [...(before as readonly string[]), ...splitCsv(value)];
    default:
      throw flag satisfies never;
  }
}

function switchOf(name: string, { short }: Flag, value: string): boolean {
  const on = SWITCH[value];
  const shown = short === undefined ? `--${name}` : `-${short}, --${name}`;
  if (on === undefined) throw new UsageError(`invalid argument "${value}" for "${shown}" flag: it is true or false`);
  return on;
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
