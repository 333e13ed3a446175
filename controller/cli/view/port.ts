// What the controller's observations read, read through kubectl's connection.

import { isFailure } from '../../app/errors.ts';
import type { SourceName, SourceRead, SourceReader } from '../../app/ports.ts';
import type { ConfigObject, Content } from '../../core/types.ts';
import { projectSource } from '../../workloads/raw.ts';
import type { Cluster, Json } from '../cluster.ts';
import { SOURCES } from '../resources.ts';

type RawContent = Partial<Content> & { readonly immutable?: boolean };

export class ReadingPort implements SourceReader {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Undefined also for what the user may not read: it goes on as unknown. */
  async readSource(name: SourceName): Promise<SourceRead | undefined> {
    const found = await this.#find(name, (cluster) => cluster.get(SOURCES[name.kind], name.name));
    if (found === undefined) return undefined;
    const { data = {}, binaryData = {}, immutable = false, type } = found.raw as RawContent;
    return { object: found.object, content: { data, binaryData, ...(type !== undefined && { type }) }, immutable };
  }

  async readMetadata(name: SourceName): Promise<ConfigObject | undefined> {
    return (await this.#find(name, (cluster) => cluster.getMetadata(SOURCES[name.kind], name.name)))?.object;
  }

  async #find({ kind, namespace }: SourceName, read: (cluster: Cluster) => Promise<Json>) {
    try {
      const raw = await read(this.#cluster.inNamespace(namespace));
      const object = projectSource(kind, raw);
      return object && { raw, object };
    } catch (error) {
      if (isFailure(error, 'NotFound') || isFailure(error, 'Forbidden')) return undefined;
      throw error;
    }
  }
}
