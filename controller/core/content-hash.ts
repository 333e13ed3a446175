// The name of a snapshot is the one that `kubectl create configmap --append-hash`, `kubectl create secret generic
// --append-hash` and kustomize would give, so that people can compute it themselves. Source of the rules:
// k8s.io/kubectl/pkg/util/hash (hash.go, encodeConfigMap and encodeSecret).

import { createHash } from 'node:crypto';
import type { Content, SourceKind } from './types.ts';

const HASH_LENGTH = 10;
const DEFAULT_TYPE = 'Opaque';
// Vowels and look-alikes are replaced, so that no hash spells a word.
const SAFE: Readonly<Record<string, string>> = { '0': 'g', '1': 'h', '3': 'k', a: 'm', e: 't' };

/**
 * The 10-character hash of a source's content. `name` is the source's own name, without any suffix.
 * Equal to kubectl's for every content that an API server accepts.
 */
export function contentHash(kind: SourceKind, name: string, content: Content): string {
  const binary = Object.keys(content.binaryData).length > 0 ? `"binaryData":${goMap(content.binaryData)},` : '';
  // `kubectl create secret generic` hashes an empty type, for which the API server then stores its default.
  const type = content.type === DEFAULT_TYPE ? '' : (content.type ?? '');
  const typed = kind === 'Secret' ? `,"type":${goString(type)}` : '';
  const text = `{${binary}"data":${goMap(content.data)},"kind":${goString(kind)},"name":${goString(name)}${typed}}`;
  const hex = createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
  return [...hex].map((character) => SAFE[character] ?? character).join('');
}

// Go sorts map keys by bytes; JavaScript would put integer-like keys first, so the text is built by hand.
function goMap(map: Readonly<Record<string, string>>): string {
  const keys = Object.keys(map).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${keys.map((key) => `${goString(key)}:${goString(map[key] ?? '')}`).join(',')}}`;
}

// Go's encoding/json is JSON.stringify plus escapes of what would be unsafe inside HTML or JavaScript.
function goString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, unicodeEscape);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
