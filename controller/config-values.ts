// From the text of a flag to its value. Undefined: it is none.

import { isIPv6 } from 'node:net';

export interface Address {
  /** Undefined: every address of the machine. */
  readonly host: string | undefined;
  /** 0: a free one. */
  readonly port: number;
}

export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
// A larger number is no longer a pause but a mistake; timers hold 24 days at most.
const LONGEST_MS = 24 * 3_600_000;
const LONGEST_NAME = 253;

/** One of several words. */
export function oneOf<T extends string>(...allowed: readonly T[]) {
  return (value: string): T | undefined => allowed.find((candidate) => candidate === value);
}

/** A whole number. */
export function between(least: number, most: number) {
  return (value: string): number | undefined => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    return number >= least && number <= most ? number : undefined;
  };
}

/** Names of namespaces, with commas between them; each once. */
export function namespaces(value: string): string[] | undefined {
  const names = [...new Set(value.split(',').map((name) => name.trim()))];
  return names.every((name) => DNS_LABEL.test(name)) ? names : undefined;
}

/** The name of one namespace. */
export function namespace(value: string): string | undefined {
  return DNS_LABEL.test(value) ? value : undefined;
}

/** The name of an object: labels with dots between them. */
export function objectName(value: string): string | undefined {
  const labels = value.split('.');
  return value.length <= LONGEST_NAME && labels.every((label) => DNS_LABEL.test(label)) ? value : undefined;
}

/** In ms. */
export function duration(value: string): number | undefined {
  const [, amount, unit = ''] = DURATION.exec(value) ?? [];
  const ms = Math.round(Number(amount) * (UNIT_MS[unit] ?? Number.NaN));
  return ms >= 0 && ms <= LONGEST_MS ? ms : undefined;
}

/** Where a server listens, `HOST:PORT` or `:PORT`; or `0`, for nowhere. */
export function bindAddress(value: string): { readonly address: Address | undefined } | undefined {
  if (value === '0') return { address: undefined };
  const [, inBrackets, host = inBrackets, digits = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d+)$/.exec(value) ?? [];
  const port = between(0, 65_535)(digits);
  const isHost = inBrackets === undefined ? /^[-.a-zA-Z0-9]*$/.test(host ?? '') : isIPv6(inBrackets);
  return port === undefined || !isHost ? undefined : { address: { host: host || undefined, port } };
}
