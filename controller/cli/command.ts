// What a command is: help, flags, and a function from what was typed to an exit code. Streams, environment and cluster
// are handed in, so that every command runs in a test as it runs in a shell.

import type { Cluster, Connect } from './cluster.ts';
import { CONNECTION_FLAGS, type ConnectionFlags } from './common-flags.ts';
import { type FlagTable, parseFlags, type Values } from './flags.ts';
import { type Help, renderHelp } from './help.ts';

/** The process, as far as commands may see it. */
export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
  /** Whether a person reads stdout. */
  readonly isTerminal: boolean;
  /** Runs a program on the same streams; its exit code. Throws an Error when it cannot be started. */
  execute(program: string, args: readonly string[]): Promise<number>;
  readonly connect: Connect;
}

/** One call of a command. */
export interface Call<F extends FlagTable> {
  readonly args: readonly string[];
  readonly flags: Values<F> & ConnectionFlags;
  readonly shell: Shell;
  readonly wording: Wording;
  /** Connects at the first call. */
  cluster(): Promise<Cluster>;
}

/** How to write commands that a person can paste: under the program's name here, and for the namespace in use. */
export interface Wording {
  /** `kubectl set-owner`, or `kubectl config-rollout set-owner` where that is what was called. */
  plugin(command: string): string;
  /** ` -n NAMESPACE` if that was given, else empty. */
  readonly inNamespace: string;
}

export interface Command {
  readonly summary: string;
  /** All that it takes, those of the connection too. */
  readonly flags: FlagTable;
  /** The exit code after an error has been told. */
  readonly errorCode: number;
  /** `self` is the command as it was called. Throws what renderError renders. */
  run(argv: readonly string[], self: string, shell: Shell): Promise<number>;
}

const HELP_FLAG = { help: { type: 'switch', short: 'h', usage: 'Show this help' } } as const satisfies FlagTable;
const PLUGIN = 'kubectl config-rollout';

/** Exit codes are 0 and 1 but for commands that say otherwise. */
export function defineCommand<F extends FlagTable>(definition: {
  readonly help: Help;
  readonly flags: F;
  readonly errorCode?: number;
  run(call: Call<F>): Promise<number>;
}): Command {
  const { help, flags } = definition;
  const table = { ...flags, ...CONNECTION_FLAGS, ...HELP_FLAG };
  return {
    summary: help.summary,
    flags: table,
    errorCode: definition.errorCode ?? 1,
    async run(argv, self, shell) {
      const parsed = parseFlags(argv, table);
      // The table is the union of three; TypeScript does not see that its values are.
      const values = parsed.flags as Values<F> & ConnectionFlags & Values<typeof HELP_FLAG>;
      const asSubcommand = self.startsWith(`${PLUGIN} `);
      if (values.help) {
        const text = renderHelp(help, flags);
        shell.out(asSubcommand ? text.replaceAll(/kubectl (set-owner|set-volume)/g, `${PLUGIN} $1`) : text);
        return 0;
      }
      let cluster: Promise<Cluster> | undefined;
      return definition.run({
        args: parsed.args,
        flags: values,
        shell,
        wording: {
          plugin: (command) => `${asSubcommand || command === 'create' ? PLUGIN : 'kubectl'} ${command}`,
          inNamespace: values.namespace ? ` -n ${values.namespace}` : '',
        },
        cluster() {
          cluster ??= shell.connect(values);
          return cluster;
        },
      });
    },
  };
}

/** Warnings go to stderr, one or several lines each. */
export function warn(shell: Pick<Shell, 'err'>, warnings: readonly string[]): void {
  for (const text of warnings) shell.err(`Warning: ${text}\n`);
}
