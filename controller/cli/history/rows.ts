// A workload's revisions → the lines of the answer, as data: one a revision and source.

import { pinKey } from '../../core/decide.ts';
import type { Content, Revision } from '../../core/types.ts';
import { aFewAtATime } from '../reading.ts';
import { type Config, configIn, onlySnapshot } from '../view/configs.ts';
import { compareKeys, type KeyChanges } from '../view/key-changes.ts';
import type { NamespaceView, SourceName, WorkloadLook } from '../view/namespace-view.ts';

/** The keys that differ from the revision before; `unknown` where one of the two contents is not known. */
export type Changes = KeyChanges | 'first' | 'unknown';

export interface Row {
  readonly look: WorkloadLook;
  readonly revision: Revision;
  readonly isCurrent: boolean;
  readonly source: SourceName;
  readonly config: Config;
  readonly createdAt: number | undefined;
  readonly images: readonly string[];
  readonly changes: Changes;
}

interface Entry extends Omit<Row, 'changes'> {
  /** What the nearest older revision with this source ran with. */
  readonly before: Config | undefined;
}

const SAME: KeyChanges = { changed: [], added: [], removed: [] };

/** Of all revisions, or of those with this number. Reads the snapshots that have to be compared, and no other. */
export async function rowsOf(view: NamespaceView, look: WorkloadLook, only: number | undefined): Promise<Row[]> {
  const entries = entriesOf(view, look).filter(({ revision }) => only === undefined || revision.number === only);
  const contents = await readAll(view, entries.flatMap(comparedBy));
  return entries.map((entry) => ({ ...entry, changes: changesOf(entry, contents) }));
}

function entriesOf(view: NamespaceView, look: WorkloadLook): Entry[] {
  const before = new Map<string, Config>();
  return look.revisions.flatMap((revision) =>
    look.sources.flatMap((source) => {
      const config = configIn(look, revision, source);
      if (config === undefined) return [];
      const previous = before.get(pinKey(source));
      before.set(pinKey(source), config);
      const isCurrent = revision === look.current;
      const createdAt = view.createdAt(revision);
      return [
        {
          look,
          revision,
          isCurrent,
          source,
          config,
          createdAt,
          images: imagesOf(view.raw(revision)),
          before: previous,
        },
      ];
    }),
  );
}

/** The two snapshots whose contents tell what changed; none when their names do. */
function comparedBy({ source, config, before }: Entry): SourceName[] {
  const [from, to] = [before && onlySnapshot(before), onlySnapshot(config)];
  if (from === undefined || to === undefined || from === to) return [];
  return [from, to].map((name) => ({ ...source, name }));
}

async function readAll(view: NamespaceView, names: readonly SourceName[]): Promise<ReadonlyMap<string, Content>> {
  const found = new Map<string, Content>();
  const distinct = new Map(names.map((name) => [pinKey(name), name]));
  await aFewAtATime(distinct, async ([key, name]) => {
    const read = await view.content(name);
    if (read !== undefined) found.set(key, read.content);
  });
  return found;
}

function changesOf(entry: Entry, contents: ReadonlyMap<string, Content>): Changes {
  const { config, before } = entry;
  if (before === undefined) return 'first';
  const snapshot = onlySnapshot(config);
  if (snapshot !== undefined && snapshot === onlySnapshot(before)) return SAME;
  const [from, to] = comparedBy(entry).map((name) => contents.get(pinKey(name)));
  return from && to ? compareKeys(from, to) : 'unknown';
}

interface Containers {
  readonly containers?: readonly { readonly image?: string }[];
}

/** Of the containers of a ReplicaSet's template, or of the one that a ControllerRevision keeps. */
function imagesOf(raw: unknown): string[] {
  type Holder = { readonly spec?: { readonly template?: { readonly spec?: Containers } } };
  const { data, ...own } = raw as Holder & { readonly data?: Holder };
  const { containers = [] } = (data ?? own).spec?.template?.spec ?? {};
  return containers.map(({ image = '' }) => image);
}
