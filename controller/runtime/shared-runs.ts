// Work whose outcome many want at once, such as a look at a whole namespace. Who asks while it is being done shares the next
// run with all others who do: it begins after they asked, so that nobody is answered with what was true before.

export class SharedRuns<T> {
  readonly #work: (key: string) => Promise<T>;
  readonly #running = new Map<string, Promise<T>>();
  readonly #next = new Map<string, Promise<T>>();

  constructor(work: (key: string) => Promise<T>) {
    this.#work = work;
  }

  /** The outcome of a run that begins after this call. Rejects as the work does, for all who share it. */
  after(key: string): Promise<T> {
    const known = this.#next.get(key);
    if (known) return known;
    const next = this.#run(key);
    this.#next.set(key, next);
    return next;
  }

  async #run(key: string): Promise<T> {
    await this.#running.get(key)?.catch(() => undefined);
    this.#next.delete(key);
    const run = this.#work(key);
    this.#running.set(key, run);
    try {
      return await run;
    } finally {
      if (this.#running.get(key) === run) this.#running.delete(key);
    }
  }
}
