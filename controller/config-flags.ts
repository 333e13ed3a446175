// The flags, as --help explains them, and what to do instead of running.

import { Command, CommanderError, Option } from 'commander';

/** What to do instead of running: print `text` and exit with `code`. */
export class Exit extends Error {
  readonly code: number;
  readonly text: string;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
    this.text = text;
  }
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

const ENV_PREFIX = 'CONFIG_ROLLOUT_';

const FLAGS: readonly (readonly [flag: string, description: string])[] = [
  ['--kubeconfig <file>', 'kubeconfig to use; default: $KUBECONFIG, ~/.kube/config, or the pod’s service account'],
  ['--context <name>', 'context of the kubeconfig'],
  ['--namespaces <a,b>', 'namespaces to watch (default: all)'],
  [
    '--namespace-selector <selector>',
    'label selector of the namespaces to work in, as kubectl -l takes it; needs manifests/components/namespace-selector',
  ],
  [
    '--resource-label-selector <selector>',
    'label selector of the ConfigMaps and Secrets that may roll out (default: all that opt in)',
  ],
  ['--secrets', 'roll out changes of Secrets, too; needs manifests/components/secrets'],
  ['--reloader-annotations', 'read the annotations of Stakater Reloader (reloader.stakater.com/…) as opt-ins'],
  ['--concurrency <n>', 'keys reconciled at the same time, for each controller (default: 8)'],
  [
    '--settle <duration>',
    'how long the sources of a workload have to be quiet before they roll out: what is applied together rolls out together (default: 1s)',
  ],
  ['--sweep-grace <duration>', 'age at which a snapshot that nothing mounts is deleted (default: 1m)'],
  ['--log-level <level>', `${LOG_LEVELS.join(', ')} (default: info)`],
  ['--log-format <format>', 'json or text (default: text)'],
  [
    '--leader-elect',
    'work only while holding a lease: for several replicas, of which each watches and serves admission, and one works',
  ],
  ['--leader-elect-lease-duration <duration>', 'how long others wait for a leader that is gone (default: 15s)'],
  [
    '--leader-elect-renew-deadline <duration>',
    'how long a leader that cannot renew the lease goes on before it exits (default: 10s)',
  ],
  ['--leader-elect-retry-period <duration>', 'between two attempts to take or renew the lease (default: 2s)'],
  ['--leader-elect-resource-name <name>', 'name of the lease (default: config-rollout)'],
  [
    '--leader-elect-resource-namespace <name>',
    'namespace of the lease (default: that of the kubeconfig’s context, or of the service account)',
  ],
  ['--webhook-port <port>', 'port of the admission server (default: admission is not served)'],
  [
    '--webhook-certificates <mode>',
    'managed: made, rotated and made known by the controller; external: only read from the Secret config-rollout-webhook-tls (default: managed)',
  ],
  ['--shutdown-delay <duration>', 'how long admission is served after a SIGTERM (default: 0s)'],
  [
    '--health-probe-bind-address <address>',
    'where /healthz and /readyz are served: HOST:PORT, :PORT, or 0 for nowhere (default: 0)',
  ],
  ['--metrics-bind-address <address>', 'where /metrics is served: HOST:PORT, :PORT, or 0 for nowhere (default: 0)'],
  ['--dry-run', 'print what would be done, and write nothing'],
];

/**
 * The flags of the command line, by the names that commander gives them.
 *
 * @throws Exit for --help, --version, and flags that there are not.
 */
export function parseFlags(argv: readonly string[], version: string): Record<string, unknown> {
  let output = '';
  const write = (text: string): void => {
    output += text;
  };
  const command = new Command('config-rollout-controller')
    .description('Rolls out changes of ConfigMaps and Secrets, and lets `kubectl rollout undo` roll them back.')
    .version(version, '--version', 'print the version')
    .addHelpText(
      'after',
      `\nEach flag can be given as ${ENV_PREFIX}<FLAG> in the environment: ${ENV_PREFIX}LOG_LEVEL=debug.`,
    )
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write });
  for (const [flag, description] of FLAGS) command.addOption(new Option(flag, description));
  try {
    return command.parse(argv, { from: 'user' }).opts();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new Exit(error.exitCode, output);
  }
}

/** The name under which `parseFlags` has a flag's value. */
export function camelCase(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The variable that stands for a flag in the environment. */
export function variableOf(flag: string): string {
  return `${ENV_PREFIX}${flag.replaceAll('-', '_').toUpperCase()}`;
}
