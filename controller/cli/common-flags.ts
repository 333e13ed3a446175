// The flags that every command has, spelt and explained as kubectl does.

import { UsageError } from './errors.ts';
import type { FlagTable, Values } from './flags.ts';

/** Which cluster, as whom, in which namespace. */
export const CONNECTION_FLAGS = {
  namespace: { type: 'text', short: 'n', usage: 'If present, the namespace scope for this CLI request' },
  context: { type: 'text', usage: 'The name of the kubeconfig context to use' },
  cluster: { type: 'text', usage: 'The name of the kubeconfig cluster to use' },
  user: { type: 'text', usage: 'The name of the kubeconfig user to use' },
  kubeconfig: { type: 'text', usage: 'Path to the kubeconfig file to use for CLI requests.' },
  server: { type: 'text', short: 's', usage: 'The address and port of the Kubernetes API server' },
  token: { type: 'text', usage: 'Bearer token for authentication to the API server' },
  as: { type: 'text', usage: 'Username to impersonate for the operation' },
  'as-group': { type: 'list', usage: 'Group to impersonate for the operation, this flag can be repeated' },
  'as-uid': { type: 'text', usage: 'UID to impersonate for the operation' },
  'certificate-authority': { type: 'text', usage: 'Path to a cert file for the certificate authority' },
  'client-certificate': { type: 'text', usage: 'Path to a client certificate file for TLS' },
  'client-key': { type: 'text', usage: 'Path to a client key file for TLS' },
  'insecure-skip-tls-verify': { type: 'switch', usage: "If true, the server's certificate will not be checked" },
  'tls-server-name': { type: 'text', usage: 'Server name to use for server certificate validation' },
  'request-timeout': {
    type: 'text',
    usage: 'The length of time to wait before giving up on a single server request: 1s, 2m, 3h; 0 waits for ever',
  },
  v: { type: 'text', short: 'v', usage: 'Log verbosity; from 6 on, requests are told on stderr' },
} as const satisfies FlagTable;

export type ConnectionFlags = Values<typeof CONNECTION_FLAGS>;

/** How results are written and printed; every command that writes has these. */
export const WRITE_FLAGS = {
  'dry-run': {
    type: 'text',
    bare: 'unchanged',
    shows: "'none'",
    usage:
      'Must be "none", "server", or "client". If client strategy, only print the object that would be sent, without sending it. If server strategy, submit server-side request without persisting the resource.',
  },
  output: { type: 'text', short: 'o', usage: 'Output format. One of: (json, yaml, name).' },
  'show-managed-fields': {
    type: 'switch',
    usage: 'If true, keep the managedFields when printing objects in JSON or YAML format.',
  },
} as const satisfies FlagTable;

export type WriteFlags = Values<typeof WRITE_FLAGS>;

/** kubectl's --field-manager, with the default of this command. */
export function fieldManagerFlag(manager: string) {
  const usage = 'Name of the manager used to track field ownership.';
  return { 'field-manager': { type: 'text', shows: `'${manager}'`, usage } } as const satisfies FlagTable;
}

export type DryRun = 'none' | 'client' | 'server';

/** `warn` hears of the bare `--dry-run`, that kubectl still takes for client. */
export function dryRunOf(flags: Pick<WriteFlags, 'dry-run'>, warn: (text: string) => void): DryRun {
  const value = flags['dry-run'] ?? 'none';
  switch (value) {
    case 'none':
    case 'client':
    case 'server':
      return value;
    case 'unchanged':
      warn('--dry-run is deprecated and can be replaced with --dry-run=client.');
      return 'client';
    default:
      throw new UsageError(`Invalid dry-run value (${value}). Must be "none", "server", or "client".`);
  }
}

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
// As long as a timer can be set for: 24 days.
const FOREVER_MS = 2 ** 31 - 1;

/** Milliseconds of --request-timeout; undefined when it is not given. */
export function requestTimeoutOf(flags: Pick<ConnectionFlags, 'request-timeout'>): number | undefined {
  const text = flags['request-timeout'];
  if (text === undefined) return undefined;
  const [, amount, unit = 's'] = DURATION.exec(text) ?? [];
  if (amount === undefined) {
    throw new UsageError(
      `Invalid timeout value (${text}). Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)`,
    );
  }
  const ms = Number(amount) * (UNIT_MS[unit] ?? 0);
  return ms === 0 ? FOREVER_MS : Math.min(ms, FOREVER_MS);
}
