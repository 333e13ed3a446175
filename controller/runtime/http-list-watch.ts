// The list-and-watch protocol over any HTTP transport: what to ask for, and what an answer must look like.

import type { ListWatch } from './list-watch.ts';
import { decodeListPage, decodeWatchEvent, kindOf } from './raw-object.ts';

export interface AskOptions {
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly signal: AbortSignal;
  readonly accept?: string;
  readonly timeoutMs?: number;
}

export interface Transport {
  /** One answer that is a list, without its items: each is given to `take`. */
  list(path: string, options: AskOptions, take: (item: unknown) => void): Promise<unknown>;
  /** The values of an answer of newline-delimited JSON. */
  stream(path: string, options: AskOptions): AsyncIterable<unknown>;
}

export interface ListWatchOptions {
  /** Ask for PartialObjectMetadata only, and fail on anything else. */
  readonly metadataOnly?: boolean;
  /** Such as labelSelector and fieldSelector. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
}

/** A page of 500 large objects over a slow link may take its time, in ms. */
const LIST_TIMEOUT_MS = 60_000;

const METADATA_LIST = 'PartialObjectMetadataList';
const METADATA = 'PartialObjectMetadata';
/**
 * The media types in which an object, or a list, comes without its content. Sent alone: a server that cannot do it should
 * refuse, and not send a Secret's content.
 */
export const ACCEPT_METADATA = `application/json;as=${METADATA};g=meta.k8s.io;v=v1`;
export const ACCEPT_METADATA_LIST = `application/json;as=${METADATA_LIST};g=meta.k8s.io;v=v1`;

/** The port of a reflector for the collection at `path`. */
export function httpListWatch(transport: Transport, path: string, options: ListWatchOptions = {}): ListWatch {
  const { metadataOnly = false, query = {} } = options;
  const form = (accept: string): { accept?: string } => (metadataOnly ? { accept } : {});
  return {
    async list({ limit, continueToken, signal, take }) {
      const pageQuery = { ...query, limit, continue: continueToken };
      const ask = { query: pageQuery, signal, timeoutMs: LIST_TIMEOUT_MS, ...form(ACCEPT_METADATA_LIST) };
      const raw = await transport.list(path, ask, take);
      if (metadataOnly) expectKind(path, raw, METADATA_LIST);
      const page = decodeListPage(raw);
      if (page === undefined) throw new Error(`${path}: the answer is no list`);
      return page;
    },
    async *watch({ resourceVersion, timeoutSeconds, signal }) {
      const position = { resourceVersion, timeoutSeconds, watch: true, allowWatchBookmarks: true };
      const lines = transport.stream(path, { query: { ...query, ...position }, signal, ...form(ACCEPT_METADATA) });
      for await (const raw of lines) {
        const event = decodeWatchEvent(raw);
        if (event === undefined) throw new Error(`${path}: a line of the watch is no event`);
        // Asked in a form it does not know for watches, the server streams full objects: Secrets among them.
        if (metadataOnly && event.type !== 'ERROR') expectKind(path, event.object, METADATA);
        yield event;
      }
    },
  };
}

function expectKind(path: string, raw: unknown, kind: string): void {
  const actual = kindOf(raw) ?? 'something without a kind';
  if (actual !== kind) throw new Error(`${path}: asked for ${kind}, got ${actual}`);
}
