// What goes over the wire of one request, and back: JSON, or whatever else a server or a proxy sends.

import type { IncomingMessage } from 'node:http';
import { type Asked, errorFromMalformed } from './api-error.ts';

/** Of a body that is `json`, sent as the given type. */
export function bodyHeaders(json: string, contentType: string): Record<string, string> {
  return { 'content-type': contentType, 'content-length': String(Buffer.byteLength(json)) };
}

/** JSON decoded, text of any other type as a string, undefined for an empty answer. Throws ApiError. */
export function decode(asked: Asked, response: IncomingMessage, text: string): unknown {
  if (text === '') return undefined;
  if (!(response.headers['content-type'] ?? '').includes('json')) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw errorFromMalformed(asked, `the answer of ${text.length} characters is no JSON`);
  }
}
