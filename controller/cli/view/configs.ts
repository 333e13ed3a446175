// What a template, of now or of a revision, runs with: the snapshots that it names of one source.

import { pinOf, referencesTo } from '../../core/decide.ts';
import type { TemplateInfo } from '../../core/types.ts';
import type { SourceName, WorkloadLook } from './namespace-view.ts';

export interface Config {
  /** The snapshots that it names, and that exist. */
  readonly snapshots: readonly string[];
  /** Those that were deleted. */
  readonly gone: readonly string[];
  /** It names the source itself: what it ran with then is not known. */
  readonly raw: boolean;
}

/** Undefined when the template does not name the source. */
export function configIn({ pins }: WorkloadLook, template: TemplateInfo, source: SourceName): Config | undefined {
  const references = referencesTo(template.references, source, pins);
  if (references.length === 0) return undefined;
  const namesWhere = (exists: boolean) =>
    references.filter((reference) => pinOf(pins, reference)?.exists === exists).map(({ name }) => name);
  return {
    snapshots: [...new Set(namesWhere(true))],
    gone: [...new Set(namesWhere(false))],
    raw: references.some((reference) => pinOf(pins, reference) === undefined),
  };
}

/** The one snapshot that it runs with; undefined when there is none, or when its places disagree. */
export function onlySnapshot({ snapshots, gone, raw }: Config): string | undefined {
  return snapshots.length === 1 && gone.length === 0 && !raw ? snapshots[0] : undefined;
}

/** For tables: a name, `<raw>`, `<gone>`. */
export function describeConfig({ snapshots, gone, raw }: Config): string {
  return [...snapshots, ...(gone.length > 0 ? ['<gone>'] : []), ...(raw ? ['<raw>'] : [])].join();
}
