// Lists of things, as commands print them: columns for people, names for pipes, items for machines.

import type { Json } from './cluster.ts';
import type { FlagTable } from './flags.ts';
import type { ListFormat } from './output-format.ts';
import { toJson, toYaml } from './printer.ts';
import { renderTable } from './table.ts';

/** The flags of -o that every command that lists has. */
export const LIST_FLAGS = {
  output: { type: 'text', short: 'o', usage: 'Output format. One of: (json, yaml, name, wide).' },
  'no-headers': { type: 'switch', usage: 'If true, print the table without its header.' },
} as const satisfies FlagTable;

export interface ListLayout {
  readonly format: ListFormat;
  readonly headers: boolean;
}

export interface Column<R, L> {
  readonly header: string;
  readonly isShown?: (layout: L) => boolean;
  cell(row: R, layout: L): string;
}

/** How the rows of one command are printed. */
export interface Listing<R, L> {
  readonly columns: readonly Column<R, L>[];
  /** `deployment.apps/bar`. */
  name(row: R): string;
  item(row: R): Json;
}

/** Empty when there is nothing to print. */
export async function renderList<R, L extends ListLayout>(
  rows: readonly R[],
  layout: L,
  { columns, name, item }: Listing<R, L>,
): Promise<string> {
  switch (layout.format) {
    case 'json':
      return toJson({ items: rows.map(item) });
    case 'yaml':
      return toYaml({ items: rows.map(item) });
    case 'name':
      return [...new Set(rows.map(name))].map((each) => `${each}\n`).join('');
    case 'table':
    case 'wide':
      return rows.length === 0 ? '' : renderColumns(rows, layout, columns);
    default:
      throw layout.format satisfies never;
  }
}

function renderColumns<R, L extends ListLayout>(
  rows: readonly R[],
  layout: L,
  columns: readonly Column<R, L>[],
): string {
  const shown = columns.filter(({ isShown }) => isShown === undefined || isShown(layout));
  return renderTable(
    layout.headers ? shown.map(({ header }) => header) : undefined,
    rows.map((row) => shown.map((column) => column.cell(row, layout))),
  );
}
