// The answer as a table, as names, or for machines.

import { timestampOf } from '../../core/timestamp.ts';
import { display } from '../../core/types.ts';
import type { Json } from '../cluster.ts';
import { type Column, type ListLayout, renderList } from '../listing.ts';
import { printed } from '../resources.ts';
import { ageOf } from '../view/age.ts';
import { describeConfig } from '../view/configs.ts';
import { describeKeyChanges } from '../view/key-changes.ts';
import type { Changes, Row } from './rows.ts';

export interface Layout extends ListLayout {
  /** Several were asked about: say which one a line is about. */
  readonly severalWorkloads: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Empty when there is nothing to print. */
export function render(rows: readonly Row[], layout: Layout): Promise<string> {
  return renderList(rows, layout, { columns: COLUMNS, name: objectOf, item: itemOf });
}

const isWide = ({ format }: Layout) => format === 'wide';

const COLUMNS: readonly Column<Row, Layout>[] = [
  { header: 'NAME', isShown: ({ severalWorkloads }) => severalWorkloads, cell: ({ look }) => printed(look) },
  { header: 'REVISION', cell: ({ revision, isCurrent }) => `${revision.number}${isCurrent ? '*' : ''}` },
  { header: 'SOURCE', cell: ({ source }) => display(source) },
  { header: 'SNAPSHOT', cell: ({ config }) => describeConfig(config) },
  { header: 'AGE', cell: ({ createdAt }, { now }) => ageOf(createdAt, now) },
  { header: 'CHANGED', cell: ({ changes }, layout) => describe(changes, isWide(layout)) },
  { header: 'CHANGE-CAUSE', cell: ({ revision }) => revision.cause ?? '<none>' },
  { header: 'OBJECT', isShown: isWide, cell: objectOf },
  { header: 'IMAGES', isShown: isWide, cell: ({ images }) => images.join() },
];

const MOST_KEYS = 5;

function describe(changes: Changes, all: boolean): string {
  if (changes === 'first' || changes === 'unknown') return changes === 'first' ? '(first)' : '<unknown>';
  const words = describeKeyChanges(changes);
  if (words.length === 0) return '<none>';
  const more = all ? 0 : words.length - MOST_KEYS;
  return more > 0 ? `${words.slice(0, MOST_KEYS).join(' ')} and ${more} more` : words.join(' ');
}

/** `replicaset.apps/bar-74b948fccb`. */
function objectOf({ revision: { apiVersion, kind, name } }: Row): string {
  return `${kind.toLowerCase()}.${apiVersion.split('/')[0]}/${name}`;
}

function itemOf({ look, revision, isCurrent, source, config, createdAt, images, changes }: Row): Json {
  const { apiVersion, kind, namespace, name, uid } = look.workload;
  return {
    workload: { apiVersion, kind, namespace, name, uid },
    revision: revision.number,
    current: isCurrent,
    object: { apiVersion: revision.apiVersion, kind: revision.kind, name: revision.name, uid: revision.uid },
    ...(createdAt !== undefined && { created: timestampOf(createdAt) }),
    ...(revision.cause !== undefined && { changeCause: revision.cause }),
    images,
    source: { kind: source.kind, name: source.name },
    snapshots: config.snapshots,
    gone: config.gone,
    raw: config.raw,
    ...(changes === 'unknown' ? {} : { first: changes === 'first' }),
    ...(typeof changes === 'object' && { changes }),
  };
}
