// The port through which a reflector reads the API server: the HTTP client implements it, tests may script it.

export interface ListPage {
  /** Version of the whole list; the same on every page. */
  readonly resourceVersion: string;
  /** Present when more pages follow. */
  readonly continueToken: string | undefined;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  /** The object; with BOOKMARK only its resourceVersion counts; with ERROR a Status. */
  readonly object: unknown;
}

/**
 * Errors may carry `status` (HTTP) and `retryAfterMs`. Both calls must end at once when the signal aborts, a watch by
 * ending or by throwing.
 */
export interface ListWatch {
  /**
   * One page; `limit` 0 asks for everything in one page. Gives its raw objects to `take`, each as soon as it has come; what
   * was taken counts for nothing when the call fails.
   */
  list(options: {
    limit: number;
    continueToken?: string;
    signal: AbortSignal;
    take: (raw: unknown) => void;
  }): Promise<ListPage>;
  /** Asks for bookmarks. Ends normally when the server closes the watch, throws when the connection breaks. */
  watch(options: { resourceVersion: string; timeoutSeconds: number; signal: AbortSignal }): AsyncIterable<WatchEvent>;
}
