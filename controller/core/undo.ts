// Back to the config that a revision ran with, image and all else kept: for a rollout that failed, and for people.

import { type Change, type Pins, pinOf, referencesTo } from './decide.ts';
import type { Revision, SourceKind, Workload } from './types.ts';

/** What has to change for one source. No changes: the template names already what the revision named. */
export interface Restoration<S> {
  readonly source: S;
  readonly changes: readonly Change[];
  /** Places that go on as they are: the revision named no snapshot of the source that still exists. */
  readonly unknown: number;
}

/**
 * Points the references to each source to the snapshot that the revision named in the same place, or else anywhere. The
 * state labels stay as they are: that is why the controller does not roll forward again, until a source changes.
 */
export function restore<S extends { readonly kind: SourceKind; readonly name: string }>(
  workload: Workload,
  sources: readonly S[],
  revision: Revision,
  pins: Pins,
): readonly Restoration<S>[] {
  return sources.map((source) => {
    const named = referencesTo(revision.references, source, pins).filter((each) => pinOf(pins, each)?.exists === true);
    const inPlace = new Map(named.map(({ pointer, name }) => [pointer, name]));
    const here = referencesTo(workload.references, source, pins);
    const targets = here.map(({ pointer, name }) => ({
      pointer,
      from: name,
      to: inPlace.get(pointer) ?? named[0]?.name,
    }));
    return {
      source,
      changes: targets.flatMap(({ pointer, from, to }) =>
        to === undefined || to === from ? [] : [{ pointer, from, to }],
      ),
      unknown: targets.filter(({ to }) => to === undefined).length,
    };
  });
}
