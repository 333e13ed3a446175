// Shell completion, as kubectl asks for it: it runs `kubectl_complete-config_rollout` with the words after the plugin's name,
// the last of which is being typed, and reads one candidate a line, with a description behind a tab, and a directive of
// cobra's at the end. (Source of the protocol: plugin_completion.go in k8s.io/kubectl/pkg/cmd/plugin.)

import type { Cluster } from '../cluster.ts';
import type { Command, Shell } from '../command.ts';
import type { Flag, FlagTable } from '../flags.ts';
import { type Resource, SOURCES, WORKLOADS } from '../resources.ts';
import { ALL_RESOURCES, namesOf, namespaces, objects, SOURCE_RESOURCES } from './names.ts';
import { type Line, readLine } from './words.ts';

type Loader = () => Promise<Command>;

/** Of cobra's ShellCompDirective, what is used here. Without `noFiles` the shell offers files. */
const DIRECTIVES = { files: 0, noSpace: 2, noFiles: 4 } as const;

interface Candidates {
  readonly words: readonly (readonly [word: string, description: string])[];
  readonly directive: number;
}

const NOTHING: Candidates = { words: [], directive: DIRECTIVES.noFiles };
const FILES: Candidates = { words: [], directive: DIRECTIVES.files };

/** A shell that waits is worse than one that does not know. */
const TIMEOUT = '2s';

export interface Completion {
  readonly commands: Readonly<Record<string, Loader>>;
  /** The plugin that is a command by itself; undefined: the first word names one. */
  readonly plugin: string | undefined;
  readonly shell: Shell;
}

/** Prints the candidates. Whatever fails, there are none, and nothing is said. */
export async function printCompletions(words: readonly string[], completion: Completion): Promise<number> {
  const { words: found, directive } = await complete(words, completion).catch(() => NOTHING);
  const lines = found.map(([word, description]) => (description === '' ? word : `${word}\t${description}`));
  completion.shell.out([...lines, `:${directive}`].map((line) => `${line}\n`).join(''));
  return 0;
}

async function complete(words: readonly string[], { commands, plugin, shell }: Completion): Promise<Candidates> {
  const [first = '', ...rest] = plugin === undefined ? words : [plugin, ...words];
  if (plugin === undefined && (rest.length === 0 || (first === 'help' && rest.length === 1))) {
    return matching(await subcommands(commands, rest.length === 0), rest[0] ?? first);
  }
  const command = await commands[first]?.();
  if (command === undefined) return NOTHING;
  const line = readLine(rest, command.flags);
  const cluster = () => shell.connect({ ...line.flags, 'request-timeout': TIMEOUT });
  switch (line.last.is) {
    case 'flag':
      return matching({ words: flagsOf(command.flags), directive: DIRECTIVES.noFiles }, line.last.word);
    case 'value':
      return matching(await valuesOf(line.last.name, line.last.flag, line.last.word, cluster), line.last.word);
    case 'argument':
      return matching(await argumentsOf(first, line, cluster), line.last.word);
    default:
      throw line.last satisfies never;
  }
}

function matching({ words, directive }: Candidates, typed: string): Candidates {
  return { words: words.filter(([word]) => word.startsWith(typed)), directive };
}

async function subcommands(commands: Readonly<Record<string, Loader>>, andOthers: boolean): Promise<Candidates> {
  const words = await Promise.all(
    Object.entries(commands).map(async ([name, load]) => [name, (await load()).summary] as const),
  );
  const others = [
    ['help', 'Help about any command'],
    ['version', 'Print the version'],
  ] as const;
  return { words: [...words, ...(andOthers ? others : [])], directive: DIRECTIVES.noFiles };
}

function flagsOf(table: FlagTable): Candidates['words'] {
  return Object.entries(table).map(([name, { usage }]) => [`--${name}`, usage]);
}

const FIXED: Readonly<Record<string, readonly string[]>> = {
  'dry-run': ['none', 'server', 'client'],
  watch: ['true', 'false'],
  color: ['auto', 'always', 'never'],
  type: ['configmap', 'secret'],
};

const FILE_FLAGS = [
  'from-file',
  'from-env-file',
  'kubeconfig',
  'certificate-authority',
  'client-certificate',
  'client-key',
];

async function valuesOf(
  name: string,
  { usage }: Flag,
  word: string,
  cluster: () => Promise<Cluster>,
): Promise<Candidates> {
  if (FILE_FLAGS.includes(name)) return FILES;
  const fixed = FIXED[name] ?? (name === 'output' ? outputsIn(usage) : undefined);
  if (fixed !== undefined) return plain(fixed);
  switch (name) {
    case 'namespace':
      return plain(await namespaces(await cluster()));
    case 'configmap-name':
      return plain(await namesOf(await cluster(), SOURCES.ConfigMap));
    case 'secret-name':
      return plain(await namesOf(await cluster(), SOURCES.Secret));
    case 'source':
      return typed(await objects(cluster, SOURCE_RESOURCES, [], word));
    case 'owner':
      return typed(await objects(cluster, WORKLOADS, [], word));
    default:
      return NOTHING;
  }
}

/** As the help says them: `One of: (json, yaml, name).` */
function outputsIn(usage: string): string[] {
  return (/One of: \(([^)]*)\)/.exec(usage)?.[1] ?? '').split(', ');
}

/** What the arguments of each command are; none of the others are objects that exist. */
const ARGUMENTS: Readonly<Record<string, readonly Resource[]>> = {
  'set-owner': ALL_RESOURCES,
  'set-volume': WORKLOADS,
  'who-uses': SOURCE_RESOURCES,
  tree: ALL_RESOURCES,
  history: WORKLOADS,
  diff: WORKLOADS,
  undo: WORKLOADS,
  status: WORKLOADS,
  pause: WORKLOADS,
  resume: WORKLOADS,
  unpin: WORKLOADS,
};

async function argumentsOf(
  command: string,
  { args, last: { word } }: Line,
  cluster: () => Promise<Cluster>,
): Promise<Candidates> {
  const resources = ARGUMENTS[command];
  return resources === undefined ? NOTHING : typed(await objects(cluster, resources, args, word));
}

function typed({ words, goesOn }: { readonly words: readonly string[]; readonly goesOn: boolean }): Candidates {
  const { words: found, directive } = plain(words);
  return { words: found, directive: directive | (goesOn ? DIRECTIVES.noSpace : 0) };
}

function plain(words: readonly string[]): Candidates {
  return { words: words.map((word) => [word, '']), directive: DIRECTIVES.noFiles };
}
