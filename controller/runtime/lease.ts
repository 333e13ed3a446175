// A lease as leader election sees it: the record, where it is kept, and how long it is still good for.

export interface LeaseRecord {
  /** Empty: nobody. */
  readonly holder: string;
  /** How long others wait for a holder that is not heard of any more. */
  readonly durationSeconds: number;
  /** By the holder's clock, in ms since the epoch: for people to read. Nothing is decided by it. */
  readonly acquiredAt: number;
  readonly renewedAt: number;
  /** How often it went from one holder to another. */
  readonly transitions: number;
}

export interface LeaseRead {
  readonly record: LeaseRecord;
  /** By which the port replaces exactly what was read. */
  readonly raw: unknown;
}

/** Where the lease is kept. What fails carries `status`: 409 when another write came first, 404 when there is none. */
export interface LeasePort {
  read(signal: AbortSignal): Promise<LeaseRead | undefined>;
  create(record: LeaseRecord, signal: AbortSignal): Promise<LeaseRead>;
  update(record: LeaseRecord, replaced: LeaseRead, signal: AbortSignal): Promise<LeaseRead>;
  /** Resolves when it sees that nobody holds the lease, or when the signal aborts. May miss it. Never rejects. */
  untilReleased(signal: AbortSignal): Promise<void>;
}

/** What one replica knows of the lease. `now` is of its own monotonic clock, in ms. */
export class LeaseView {
  readonly #identity: string;
  #latest: LeaseRead | undefined;
  #unchangedSince = 0;

  constructor(identity: string) {
    this.#identity = identity;
  }

  get holder(): string {
    return this.#latest?.record.holder ?? '';
  }

  /** What was read last, when it says that the lease is ours. */
  get own(): LeaseRead | undefined {
    return this.holder === this.#identity ? this.#latest : undefined;
  }

  /** Takes in what was read or written. Unchanged but for metadata, the record goes on to age. */
  observe(read: LeaseRead, now: number): void {
    if (JSON.stringify(read.record) !== JSON.stringify(this.#latest?.record)) this.#unchangedSince = now;
    this.#latest = read;
  }

  /** A lease that was deleted by hand is its holder's for as long as before: nobody told the holder. */
  isHeldByAnother(now: number): boolean {
    return this.holder !== '' && this.holder !== this.#identity && this.expiresInMs(now) > 0;
  }

  /** By the duration that the holder promised, which may not be ours: flags change from one version to the next. */
  expiresInMs(now: number): number {
    return this.#unchangedSince + (this.#latest?.record.durationSeconds ?? 0) * 1000 - now;
  }
}
