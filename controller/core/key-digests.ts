// One short digest a key, so that two contents can be compared by key without keeping them.

import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Content, SourceKind } from './types.ts';

export type KeyDigests = ReadonlyMap<string, string>;

// Of this process alone: nobody who sees its memory can try passwords on the digests of a Secret.
const KEY = randomBytes(32);
const LENGTH = 16;
// Each snapshot is kept in the caches; those with so many keys are read instead.
const LONGEST_TEXT = 1024;

/** Text told from bytes. */
export function keyValues({ data, binaryData }: Content): ReadonlyMap<string, string> {
  return new Map([
    ...Object.entries(data).map(([key, value]) => [key, `t${value}`] as const),
    ...Object.entries(binaryData).map(([key, value]) => [key, `b${value}`] as const),
  ]);
}

/** Those of Secrets can only be compared with others of the same process. */
export function keyDigests(kind: SourceKind, content: Content): KeyDigests {
  const digest = (value: string) => {
    const hash = kind === 'Secret' ? createHmac('sha256', KEY) : createHash('sha256');
    return hash.update(value).digest('base64').slice(0, LENGTH);
  };
  return new Map([...keyValues(content)].map(([key, value]) => [key, digest(value)]));
}

/** The keys that were added, removed or changed between two contents, by their values or by the digests of these; sorted. */
export function changedKeys(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys].filter((key) => before.get(key) !== after.get(key)).sort();
}

/** For the metadata of a snapshot. Undefined for a Secret, of which nobody is to keep digests, and where it would be long. */
export function writeKeyDigests(kind: SourceKind, content: Content): string | undefined {
  if (kind === 'Secret') return undefined;
  const text = JSON.stringify(Object.fromEntries(keyDigests(kind, content)));
  return text.length > LONGEST_TEXT ? undefined : text;
}

/** Undefined for what `writeKeyDigests` never wrote. */
export function readKeyDigests(text: string): KeyDigests | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const entries = Object.entries(parsed);
    return entries.every(([, digest]) => typeof digest === 'string') ? new Map(entries) : undefined;
  } catch {
    return undefined;
  }
}
