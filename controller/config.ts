// Flags and environment → one frozen Config. Every error is reported at once: fixing them one restart at a time is no
// way to spend an evening.

import { camelCase, Exit, LOG_LEVELS, parseFlags, variableOf } from './config-flags.ts';
import {
  type Address,
  between,
  bindAddress,
  duration,
  namespace,
  namespaces,
  objectName,
  oneOf,
} from './config-values.ts';
import { type LabelSelector, parseLabelSelector } from './core/label-selector.ts';
import { messageOf } from './runtime/failure.ts';
import type { ElectionTimings } from './runtime/lease-holder.ts';

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
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly logFormat: 'json' | 'text';
  readonly dryRun: boolean;
  /** Undefined: works without a lease. */
  readonly leaderElection: LeaderElectionConfig | undefined;
  /** Undefined: admission is not served. */
  readonly webhookPort: number | undefined;
  /** Who makes the certificate of the admission server: the controller, or somebody else, such as cert-manager. */
  readonly webhookCertificates: 'managed' | 'external';
  /** How long admission is served after a SIGTERM. */
  readonly shutdownDelayMs: number;
  /** Undefined: not served. */
  readonly healthProbeBindAddress: Address | undefined;
  /** Undefined: not served. */
  readonly metricsBindAddress: Address | undefined;
}

export interface LeaderElectionConfig {
  readonly timings: ElectionTimings;
  readonly resourceName: string;
  /** Undefined: that of the kubeconfig. */
  readonly resourceNamespace: string | undefined;
}

const DURATION = 'a duration such as 500ms, 5s or 2m (24h at most)';
const ADDRESS = 'HOST:PORT, :PORT or 0; an IPv6 host is in brackets';
// As client-go's, whose followers wait up to so much longer than the retry period.
const RETRY_SHARE = 1.2;

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
  const reader = new Reader(parseFlags(argv, version), env);
  const dryRun = reader.isOn('dry-run');
  const config: Config = {
    kubeconfig: reader.text('kubeconfig'),
    context: reader.text('context'),
    namespaces: reader.read('namespaces', [], namespaces, 'a comma-separated list of namespaces'),
    namespaceSelector: reader.selector('namespace-selector')?.text,
    resourceLabelSelector: reader.selector('resource-label-selector')?.parsed,
    secrets: reader.isOn('secrets'),
    reloaderAnnotations: reader.isOn('reloader-annotations'),
    concurrency: reader.read('concurrency', 8, between(1, 256), 'a number from 1 to 256'),
    settleMs: reader.read('settle', 1000, duration, DURATION),
    sweepGraceMs: reader.read('sweep-grace', 60_000, duration, DURATION),
    logLevel: reader.read('log-level', 'info', oneOf(...LOG_LEVELS), `one of ${LOG_LEVELS.join(', ')}`),
    logFormat: reader.read('log-format', 'text', oneOf('json', 'text'), 'json or text'),
    dryRun,
    leaderElection: readLeaderElection(reader, dryRun),
    webhookPort: reader.read('webhook-port', undefined, between(1, 65_535), 'a port from 1 to 65535'),
    webhookCertificates: reader.read(
      'webhook-certificates',
      'managed',
      oneOf('managed', 'external'),
      'managed or external',
    ),
    shutdownDelayMs: reader.read('shutdown-delay', 0, duration, DURATION),
    healthProbeBindAddress: reader.read('health-probe-bind-address', undefined, bindAddress, ADDRESS)?.address,
    metricsBindAddress: reader.read('metrics-bind-address', undefined, bindAddress, ADDRESS)?.address,
  };
  if (reader.problems.length > 0) {
    const lines = reader.problems.map((problem) => `error: ${problem}`);
    throw new Exit(1, `${lines.join('\n')}\nSee 'config-rollout-controller --help' for usage.\n`);
  }
  return Object.freeze(config);
}

/** Undefined when it is off; a dry run writes nothing, not even a lease. What is wrong is said all the same. */
function readLeaderElection(reader: Reader, dryRun: boolean): LeaderElectionConfig | undefined {
  const flag = (name: string) => `leader-elect-${name}`;
  const timings = {
    leaseDurationMs: reader.read(flag('lease-duration'), 15_000, duration, DURATION),
    renewDeadlineMs: reader.read(flag('renew-deadline'), 10_000, duration, DURATION),
    retryPeriodMs: reader.read(flag('retry-period'), 2000, duration, DURATION),
  };
  const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = timings;
  const { problems } = reader;
  if (leaseDurationMs <= renewDeadlineMs)
    problems.push(`--${flag('lease-duration')}: has to be longer than --${flag('renew-deadline')}`);
  if (renewDeadlineMs <= retryPeriodMs * RETRY_SHARE)
    problems.push(`--${flag('renew-deadline')}: has to be longer than ${RETRY_SHARE} times --${flag('retry-period')}`);
  if (retryPeriodMs === 0) problems.push(`--${flag('retry-period')}: has to be longer than nothing`);
  const resourceName = reader.read(flag('resource-name'), 'config-rollout', objectName, 'the name of an object');
  const resourceNamespace = reader.read(flag('resource-namespace'), undefined, namespace, 'the name of a namespace');
  return reader.isOn('leader-elect') && !dryRun ? { timings, resourceName, resourceNamespace } : undefined;
}

/** Looks values up, and collects what is wrong with them. */
class Reader {
  readonly problems: string[] = [];
  readonly #flags: Readonly<Record<string, unknown>>;
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(flags: Readonly<Record<string, unknown>>, env: Readonly<Record<string, string | undefined>>) {
    this.#flags = flags;
    this.#env = env;
  }

  text(flag: string): string | undefined {
    const value = this.#flags[camelCase(flag)];
    return typeof value === 'string' ? value : this.#env[variableOf(flag)] || undefined;
  }

  read<T, F>(flag: string, fallback: F, convert: (value: string) => T | undefined, expected: string): T | F {
    const value = this.text(flag);
    if (value === undefined) return fallback;
    const converted = convert(value);
    if (converted === undefined) this.problems.push(`--${flag}: "${value}" is not ${expected}`);
    return converted ?? fallback;
  }

  isOn(flag: string): boolean {
    const convert = (value: string) => ({ true: true, false: false })[value];
    return this.#flags[camelCase(flag)] === true || this.read(flag, false, convert, 'true or false');
  }

  selector(flag: string): { readonly text: string; readonly parsed: LabelSelector } | undefined {
    const value = this.text(flag);
    try {
      return value === undefined ? undefined : { text: value, parsed: parseLabelSelector(value) };
    } catch (error) {
      this.problems.push(`--${flag}: ${messageOf(error)}`);
      return undefined;
    }
  }
}
