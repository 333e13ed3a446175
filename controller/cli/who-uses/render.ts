// The answer as a table, as names, or for machines.

import type { Json } from '../cluster.ts';
import type { ListFormat } from '../output-format.ts';
import { toJson, toYaml } from '../printer.ts';
import { renderTable } from '../table.ts';
import type { Row } from './rows.ts';
import { describeState } from './state.ts';

export interface Layout {
  readonly format: ListFormat;
  readonly headers: boolean;
  readonly allNamespaces: boolean;
  /** Several were asked about: say which one a line is about. */
  readonly severalSources: boolean;
}

/** Empty when there is nothing to print. */
export async function render(rows: readonly Row[], layout: Layout): Promise<string> {
  switch (layout.format) {
    case 'json':
      return toJson({ items: rows.map(itemOf) });
    case 'yaml':
      return toYaml({ items: rows.map(itemOf) });
    case 'name':
      return [...new Set(rows.map(nameOf))].map((name) => `${name}\n`).join('');
    case 'table':
    case 'wide':
      return rows.length === 0 ? '' : renderRows(rows, layout);
    default:
      throw layout.format satisfies never;
  }
}

interface Column {
  readonly header: string;
  readonly isShown?: (layout: Layout) => boolean;
  cell(row: Row): string;
}

const COLUMNS: readonly Column[] = [
  { header: 'NAMESPACE', isShown: ({ allNamespaces }) => allNamespaces, cell: ({ user }) => user.namespace },
  {
    header: 'SOURCE',
    isShown: ({ severalSources }) => severalSources,
    cell: ({ subject: { named } }) => `${named.kind.toLowerCase()}/${named.name}`,
  },
  { header: 'NAME', cell: nameOf },
  { header: 'REFERENCE', cell: ({ place }) => place.text },
  { header: 'CONTAINER', cell: ({ containers }) => containers.join(',') || '<none>' },
  { header: 'STATE', cell: ({ state }) => describeState(state) },
  { header: 'ON CHANGE', isShown: ({ format }) => format === 'wide', cell: ({ effect }) => effect },
];

function renderRows(rows: readonly Row[], layout: Layout): string {
  const columns = COLUMNS.filter(({ isShown }) => isShown === undefined || isShown(layout));
  const header = layout.headers ? columns.map((column) => column.header) : undefined;
  return renderTable(
    header,
    rows.map((row) => columns.map((column) => column.cell(row))),
  );
}

function nameOf({ user }: Row): string {
  return `${user.kind.printed}/${user.name}`;
}

function itemOf({ subject, user, place, containers, state, effect }: Row): Json {
  const { apiVersion, kind, template } = user.kind;
  return {
    source: { ...subject.named, namespace: subject.namespace },
    user: { apiVersion, kind, namespace: user.namespace, name: user.name, uid: user.uid },
    reference: {
      text: place.text,
      name: place.name,
      path: `${template.map((key) => `/${key}`).join('')}${place.pointer}`,
      containers,
    },
    state: state.name,
    ...(state.snapshot !== undefined && { snapshot: state.snapshot }),
    onChange: effect,
  };
}
