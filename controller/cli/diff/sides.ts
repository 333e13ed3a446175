// What is compared with what: two revisions, or a revision and the content of now, and of each the content of a source.

import { isOlder } from '../../core/revision-order.ts';
import type { Content, Revision } from '../../core/types.ts';
import type { Wording } from '../command.ts';
import { CommandError, UsageError } from '../errors.ts';
import { printed } from '../resources.ts';
import { configIn, onlySnapshot } from '../view/configs.ts';
import type { NamespaceView, SourceName, WorkloadLook } from '../view/namespace-view.ts';
import { parseRevision, revisionOf } from '../view/revisions.ts';
import { nothingRollsOut } from '../view/unmanaged.ts';

/** `live` is the source as it is now: what would roll out. */
export type Side = Revision | 'live';

/** `--revision A`, or `A,B`, of which B may be `live`. */
export interface Request {
  readonly before: number | undefined;
  readonly after: number | 'live' | undefined;
}

/** One side of one source. */
export interface Half {
  /** `revision 6 (foo-98hk5tdbg4)`. */
  readonly title: string;
  readonly content: Content;
}

const NOTHING: Content = { data: {}, binaryData: {} };

/** Throws UsageError for what is neither. */
export function parseRequest(text: string | undefined): Request {
  if (text === undefined) return { before: undefined, after: undefined };
  const [before = '', after, ...more] = text.split(',').map((word) => word.trim());
  if (more.length > 0) throw new UsageError(`"${text}" is more than two revisions; write --revision A,B`);
  if (before === 'live') throw new UsageError('live is what a revision is compared with; write --revision A,live');
  return {
    before: parseRevision(before),
    after: after === undefined || after === 'live' ? after : parseRevision(after),
  };
}

/** By default the revision of now, and the one before it. Throws CommandError where there are none. */
export function sidesOf(look: WorkloadLook, { before, after }: Request, wording: Wording): readonly [Side, Side] {
  const current = after === undefined || after === 'live' ? currentOf(look) : revisionOf(look, after);
  const to = after === 'live' ? after : current;
  if (before !== undefined) return [revisionOf(look, before), to];
  const previous = look.revisions.findLast((revision) => isOlder(revision, current));
  if (previous === undefined) {
    // What is live rolls out to it no more than anything else does.
    if (look.managed.length === 0) throw nothingRollsOut(look, wording);
    throw new CommandError(
      `${printed(look)} has one revision with configuration only: there is nothing to compare it with but --revision ${current.number},live`,
    );
  }
  return [previous, to];
}

function currentOf(look: WorkloadLook): Revision {
  const current = look.current ?? look.revisions.at(-1);
  if (current !== undefined) return current;
  throw new CommandError(`no revision of ${printed(look)} has configuration that is rolled out to it`);
}

/** A text that says why, when the content is not known. */
export async function halfOf(
  view: NamespaceView,
  look: WorkloadLook,
  side: Side,
  source: SourceName,
): Promise<Half | string> {
  if (side === 'live') return read(view, source, 'live');
  const title = `revision ${side.number}`;
  const config = configIn(look, side, source);
  if (config === undefined) return { title, content: NOTHING };
  const snapshot = onlySnapshot(config);
  if (snapshot !== undefined) return read(view, { ...source, name: snapshot }, `${title} (${snapshot})`);
  // Its pods see the source itself.
  if (config.raw && config.snapshots.length === 0 && side === look.current) return read(view, source, `${title} (raw)`);
  if (config.gone.length > 0) return `the snapshot ${config.gone.join()} of ${title} was deleted`;
  return config.raw ? `${title} did not pin it` : `${title} names several snapshots of it: ${config.snapshots.join()}`;
}

async function read(view: NamespaceView, name: SourceName, title: string): Promise<Half | string> {
  const found = await view.content(name);
  return found ? { title, content: found.content } : `${name.name} does not exist, or may not be read`;
}
