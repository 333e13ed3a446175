// `--help`, laid out as kubectl lays out its own.

import type { Flag, FlagTable } from './flags.ts';

export interface Help {
  /** One sentence: the first line of the help, and the line in the list of commands. */
  readonly summary: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  /** What it does, and how it is typed. */
  readonly examples: readonly (readonly [comment: string, command: string])[];
  readonly usage: string;
}

/** `flags` are those of the command; those of the connection are told in one line. */
export function renderHelp(help: Help, flags: FlagTable): string {
  const examples = help.examples.map(([comment, command]) => `  # ${comment}\n  ${command}\n`);
  const options = Object.entries(flags)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => renderFlag(name, flag));
  return [
    help.summary,
    ...help.description,
    `Examples:\n${examples.join('\n')}`.trimEnd(),
    `Options:\n${options.join('\n')}`.trimEnd(),
    `Usage:\n  ${help.usage}`,
    'Flags that say which cluster, namespace and user (-n, --context, --kubeconfig, --as …) are those of "kubectl options".\nThey come after the name of the command: kubectl takes none before a plugin.\n',
  ].join('\n\n');
}

function renderFlag(name: string, flag: Flag): string {
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  return `    ${short}--${name}=${flag.shows ?? defaultOf(flag)}:\n\t${flag.usage}\n`;
}

function defaultOf({ type }: Flag): string {
  switch (type) {
    case 'text':
      return "''";
    case 'switch':
      return 'false';
    case 'list':
    case 'csv':
      return '[]';
    default:
      throw type satisfies never;
  }
}
