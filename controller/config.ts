// Flags and environment → one frozen Config. Every error is reported at once: fixing them one restart at a time is no
// way to spend an evening.

import { Command, CommanderError, Option } from 'commander';
import { type LabelSelector, parseLabelSelector } from './core/label-selector.ts';
import { messageOf } from './runtime/failure.ts';

export interface Config {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** As the API server takes it. */
  readonly namespaceSelector: string | undefined;
  /** Undefined: all sources. */
  readonly resourceLabelSelector: LabelSelector | undefined;
  readonly secrets: boolean;
  readonly reloaderAnnotations: boolean;
  readonly concurrency: number;
  readonly settleMs: number;
  readonly sweepGraceMs: number;
  readonly logLevel: LogLevelName;
  readonly logFormat: 'json' | 'text';
  readonly dryRun: boolean;
  /** Undefined: admission is not served. */
  readonly webhookPort: number | undefined;
  /** Who makes the certificate of the admission server: the controller, or somebody else, such as cert-manager. */
  readonly webhookCertificates: 'managed' | 'external';
  /** How long admission is served after a SIGTERM. */
  readonly shutdownDelayMs: number;
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
type LogLevelName = (typeof LOG_LEVELS)[number];

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

const ENV_PREFIX = 'CONFIG_ROLLOUT_';
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
// A larger number is no longer a pause but a mistake; timers hold 24 days at most.
const LONGEST_MS = 24 * 3_600_000;

/**
 * Reads the configuration. Flags win over the environment, the environment over defaults.
 *
 * @throws Exit for --help, --version, and for bad input, with all that is wrong with it.
 */
export function readConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  version: string,
): Config {
  const problems: string[] = [];
  const values = parse(argv, version);
  const text = (flag: string): string | undefined => {
    const value = values[camelCase(flag)];
    return typeof value === 'string'
      ? value
      : env[`${ENV_PREFIX}${flag.replaceAll('-', '_').toUpperCase()}`] || undefined;
  };
  const read = <T, F>(
    flag: string,
    fallback: F,
    convert: (value: string) => T | undefined,
    expected: string,
  ): T | F => {
    const value = text(flag);
    if (value === undefined) return fallback;
    const converted = convert(value);
    if (converted === undefined) problems.push(`--${flag}: "${value}" is not ${expected}`);
    return converted ?? fallback;
  };
  const selector = (flag: string) => {
    const value = text(flag);
    try {
      return value === undefined ? undefined : { text: value, parsed: parseLabelSelector(value) };
    } catch (error) {
      problems.push(`--${flag}: ${messageOf(error)}`);
      return undefined;
    }
  };
  const isOn = (flag: string): boolean =>
    values[camelCase(flag)] === true ||
    read(flag, false, (value) => ({ true: true, false: false })[value], 'true or false');
  const oneOf =
    <T extends string>(...allowed: readonly T[]) =>
    (value: string) =>
      allowed.find((candidate) => candidate === value);
  const config: Config = {
    webhookPort: read('webhook-port', undefined, between(1, 65_535), 'a port from 1 to 65535'),
    webhookCertificates: read('webhook-certificates', 'managed', oneOf('managed', 'external'), 'managed or external'),
    shutdownDelayMs: read('shutdown-delay', 0, duration, 'a duration such as 5s (24h at most)'),
    kubeconfig: text('kubeconfig'),
    context: text('context'),
    namespaces: read('namespaces', [], namespaces, 'a comma-separated list of namespaces'),
    concurrency: read('concurrency', 8, between(1, 256), 'a number from 1 to 256'),
    settleMs: read('settle', 1000, duration, 'a duration such as 500ms or 2s (24h at most)'),
    sweepGraceMs: read('sweep-grace', 60_000, duration, 'a duration such as 30s or 5m (24h at most)'),
    logLevel: read('log-level', 'info', oneOf(...LOG_LEVELS), `one of ${LOG_LEVELS.join(', ')}`),
    logFormat: read('log-format', 'text', oneOf('json', 'text'), 'json or text'),
    dryRun: isOn('dry-run'),
    secrets: isOn('secrets'),
    reloaderAnnotations: isOn('reloader-annotations'),
    namespaceSelector: selector('namespace-selector')?.text,
    resourceLabelSelector: selector('resource-label-selector')?.parsed,
  };
  if (problems.length > 0) {
    const lines = problems.map((problem) => `error: ${problem}`);
    throw new Exit(1, `${lines.join('\n')}\nSee 'config-rollout-controller --help' for usage.\n`);
  }
  return Object.freeze(config);
}

function parse(argv: readonly string[], version: string): Record<string, unknown> {
  let output = '';
  const write = (text: string): void => {
    output += text;
  };
  const option = (flags: string, description: string) => new Option(flags, description);
  const command = new Command('config-rollout-controller')
    .description('Rolls out changes of ConfigMaps and Secrets, and lets `kubectl rollout undo` roll them back.')
    .addOption(
      option(
        '--kubeconfig <file>',
        'kubeconfig to use; default: $KUBECONFIG, ~/.kube/config, or the pod’s service account',
      ),
    )
    .addOption(option('--context <name>', 'context of the kubeconfig'))
    .addOption(option('--namespaces <a,b>', 'namespaces to watch (default: all)'))
    .addOption(
      option(
        '--namespace-selector <selector>',
        'label selector of the namespaces to work in, as kubectl -l takes it; needs manifests/components/namespace-selector',
      ),
    )
    .addOption(
      option(
        '--resource-label-selector <selector>',
        'label selector of the ConfigMaps and Secrets that may roll out (default: all that opt in)',
      ),
    )
    .addOption(option('--secrets', 'roll out changes of Secrets, too; needs manifests/components/secrets'))
    .addOption(
      option(
        '--reloader-annotations',
        'read the annotations of Stakater Reloader (reloader.stakater.com/…) as opt-ins',
      ),
    )
    .addOption(option('--concurrency <n>', 'keys reconciled at the same time, for each controller (default: 8)'))
    .addOption(
      option(
        '--settle <duration>',
        'how long the sources of a workload have to be quiet before they roll out: what is applied together rolls out together (default: 1s)',
      ),
    )
    .addOption(
      option('--sweep-grace <duration>', 'age at which a snapshot that nothing mounts is deleted (default: 1m)'),
    )
    .addOption(option('--log-level <level>', `${LOG_LEVELS.join(', ')} (default: info)`))
    .addOption(option('--log-format <format>', 'json or text (default: text)'))
    .addOption(option('--webhook-port <port>', 'port of the admission server (default: admission is not served)'))
    .addOption(
      option(
        '--webhook-certificates <mode>',
        'managed: made, rotated and made known by the controller; external: only read from the Secret config-rollout-webhook-tls (default: managed)',
      ),
    )
    .addOption(option('--shutdown-delay <duration>', 'how long admission is served after a SIGTERM (default: 0s)'))
    .addOption(option('--dry-run', 'print what would be done, and write nothing'))
    .version(version, '--version', 'print the version')
    .addHelpText(
      'after',
      `\nEach flag can be given as ${ENV_PREFIX}<FLAG> in the environment: ${ENV_PREFIX}LOG_LEVEL=debug.`,
    )
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write });
  try {
    return command.parse(argv, { from: 'user' }).opts();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new Exit(error.exitCode, output);
  }
}

/** As commander names the value of a flag. */
function camelCase(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function namespaces(value: string): string[] | undefined {
  const names = [...new Set(value.split(',').map((name) => name.trim()))];
  return names.every((name) => DNS_LABEL.test(name)) ? names : undefined;
}

function between(least: number, most: number) {
  return (value: string): number | undefined => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    return number >= least && number <= most ? number : undefined;
  };
}

function duration(value: string): number | undefined {
  const [, amount, unit = ''] = DURATION.exec(value) ?? [];
  const ms = Math.round(Number(amount) * (UNIT_MS[unit] ?? Number.NaN));
  return ms >= 0 && ms <= LONGEST_MS ? ms : undefined;
}
