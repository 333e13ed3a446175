// The answer as a table, as names, or for machines.

import type { Json } from '../cluster.ts';
import { type Column, type ListLayout, renderList } from '../listing.ts';
import type { Row } from './rows.ts';
import { describeState } from './state.ts';

export interface Layout extends ListLayout {
  readonly allNamespaces: boolean;
  /** Several were asked about: say which one a line is about. */
  readonly severalSources: boolean;
}

/** Empty when there is nothing to print. */
export function render(rows: readonly Row[], layout: Layout): Promise<string> {
  return renderList(rows, layout, { columns: COLUMNS, name: nameOf, item: itemOf });
}

const COLUMNS: readonly Column<Row, Layout>[] = [
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
