// The one error that is meant for the reader: its message is a whole sentence, and no stack belongs with it.

export class Problem extends Error {
  override readonly name = 'Problem';
  /** The end of a log, or other text worth showing below the sentence. */
  readonly detail: string | undefined;

  constructor(message: string, detail?: string) {
    super(message);
    this.detail = detail;
  }
}

/** Nothing is wrong, but this machine cannot do what was asked for. */
export class Obstacle extends Problem {}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
