// Which command is meant: by the name that the program was called by, or the first argument of `kubectl config-rollout`.
// Every plugin is also a subcommand, because krew installs one name only.

import { basename } from 'node:path';
import type { Command, Shell } from './command.ts';
import { renderError, UsageError } from './errors.ts';

const ROOT = 'kubectl config-rollout';
/** kubectl runs `kubectl_complete-set_owner` for what is typed after `kubectl set-owner`. */
const COMPLETES = /^kubectl_complete-/;

/** Loaded when called, so that one command does not pay for another. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  'set-owner': async () => (await import('./set-owner/command.ts')).setOwner,
  'set-volume': async () => (await import('./set-volume/command.ts')).setVolume,
  'who-uses': async () => (await import('./who-uses/command.ts')).whoUses,
  history: async () => (await import('./history/command.ts')).history,
  diff: async () => (await import('./diff/command.ts')).diff,
  undo: async () => (await import('./undo/command.ts')).undo,
  status: async () => (await import('./status/command.ts')).status,
  tree: async () => (await import('./tree/command.ts')).tree,
  pause: async () => (await import('./pause/command.ts')).pause,
  resume: async () => (await import('./pause/command.ts')).resume,
  unpin: async () => (await import('./unpin/command.ts')).unpin,
  create: async () => (await import('./create/command.ts')).create,
};

/** Known to the root itself, that has all the help there is of them. */
const OTHERS: readonly string[] = ['help', 'version'];

/** kubectl runs `kubectl-set_owner` for `kubectl set-owner`; a dash there would be a space. */
const PLUGINS: readonly string[] = ['set-owner', 'set-volume'];

/** `calledAs` is the path of the program. Returns the exit code; every error has been told on stderr. */
export async function runProgram(
  calledAs: string,
  argv: readonly string[],
  shell: Shell,
  version: string,
): Promise<number> {
  const plugin = PLUGINS.find((name) => name === pluginOf(calledAs));
  if (COMPLETES.test(basename(calledAs))) return completions(plugin, argv, shell);
  let self = plugin === undefined ? ROOT : `kubectl ${plugin}`;
  let errorCode = 1;
  try {
    const [first, ...rest] = argv;
    const name = plugin ?? first;
    const load = name === undefined ? undefined : loaderOf(name);
    if (name === undefined || load === undefined) return await runRoot(argv, shell, version);
    if (plugin === undefined) self = `${ROOT} ${name}`;
    const command = await load();
    errorCode = command.errorCode;
    return await command.run(plugin === undefined ? rest : argv, self, shell);
  } catch (error) {
    shell.err(renderError(error, self));
    return errorCode;
  }
}

function loaderOf(name: string): (() => Promise<Command>) | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}

function pluginOf(path: string): string {
  return basename(path)
    .replace(/\.(exe|[cm]?js|ts)$/, '')
    .replace(COMPLETES, 'kubectl-')
    .replace(/^kubectl[-_]/, '')
    .replaceAll('_', '-');
}

async function completions(plugin: string | undefined, words: readonly string[], shell: Shell): Promise<number> {
  const { printCompletions } = await import('./completion/complete.ts');
  return printCompletions(words, { commands: COMMANDS, plugin, shell });
}

async function runRoot([first = 'help', ...rest]: readonly string[], shell: Shell, version: string): Promise<number> {
  switch (first) {
    case '-h':
    case '--help':
    case 'help':
      await help(rest[0], shell);
      return 0;
    // As programs with cobra have it: what the file that rootHelp tells of calls.
    case '__complete':
      return completions(undefined, rest, shell);
    case '--version':
    case 'version':
      shell.out(`config-rollout ${version}\n`);
      return 0;
    default:
      if (first.startsWith('-')) {
        throw new UsageError(`${first}: flags come after the command, as in ${ROOT} set-owner -n NAMESPACE …`);
      }
      throw unknown(first);
  }
}

async function help(name: string | undefined, shell: Shell): Promise<void> {
  if (name === undefined || name.startsWith('-') || OTHERS.includes(name)) return shell.out(await rootHelp());
  const load = loaderOf(name);
  if (load === undefined) throw unknown(name);
  await (await load()).run(['--help'], `${ROOT} ${name}`, shell);
}

function unknown(name: string): UsageError {
  return new UsageError(`unknown command "${name}" for "${ROOT}"`);
}

async function rootHelp(): Promise<string> {
  const commands = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => `  ${name.padEnd(12)}${(await load()).summary}`),
  );
  return [
    'Roll out changes of ConfigMaps and Secrets as revisions of workloads, and roll them back with "kubectl rollout undo".',
    `Commands:\n${commands.join('\n')}\n  version     Print the version.`,
    `Usage:\n  ${ROOT} COMMAND [options]`,
    'kubectl completes command lines of this when it finds kubectl_complete-config_rollout on the PATH: a copy of this program,\nor, where only this program is installed, an executable file that says\n  #!/bin/sh\n  exec kubectl-config_rollout __complete "$@"',
    `Use "${ROOT} COMMAND --help" for more information about a command.\n`,
  ].join('\n\n');
}
