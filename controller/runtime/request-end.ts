// What a client tells of its requests to whoever counts them.

/** One request that has ended; of a stream, one whose headers came. No path: it would name objects. */
export interface RequestEnd {
  readonly method: string;
  readonly host: string;
  /** 0 when there was no answer, or none that can be read. */
  readonly status: number;
  readonly seconds: number;
}
