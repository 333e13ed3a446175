// Makes the instruments of one registry: none is global, so that two in one process share nothing.

import { Counter, Gauge, Histogram, type LabelValues, type Registry } from 'prom-client';

export class Instruments {
  readonly #registers: Registry[];

  constructor(registry: Registry) {
    this.#registers = [registry];
  }

  counter<T extends string>(name: string, help: string, labelNames: readonly T[]): Counter<T> {
    return new Counter({ name, help, labelNames, registers: this.#registers });
  }

  gauge<T extends string>(name: string, help: string, labelNames: readonly T[]): Gauge<T> {
    return new Gauge({ name, help, labelNames, registers: this.#registers });
  }

  histogram<T extends string>(
    name: string,
    help: string,
    labelNames: readonly T[],
    buckets: readonly number[],
  ): Histogram<T> {
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: this.#registers });
  }

  /** A gauge that `read` gives all values of, each time it is looked at. */
  readGauge<T extends string>(
    name: string,
    help: string,
    labelNames: readonly T[],
    read: () => Iterable<readonly [LabelValues<T>, number]>,
  ): void {
    const collect = () => {
      gauge.reset();
      for (const [labels, value] of read()) gauge.set(labels, value);
    };
    const gauge = new Gauge({ name, help, labelNames, registers: this.#registers, collect });
  }
}
