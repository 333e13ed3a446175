// What a run has come to: a table for people, JSON for machines.

import type { Machine } from './machine.ts';
import type { Options } from './options.ts';
import type { Figure } from './scenario.ts';

export interface Outcome {
  readonly scenario: string;
  readonly figures: readonly Figure[];
  /** Why it gave none. */
  readonly failure?: string;
}

export interface Report {
  readonly machine: Machine;
  readonly options: Pick<Options, 'candidates' | 'quick' | 'admission' | 'seconds'>;
  readonly outcomes: readonly Outcome[];
}

/** Undefined where there is nothing to compare with. */
export function ratioOf({ value, floor }: Figure): number | undefined {
  return floor === undefined || floor === 0 ? undefined : value / floor;
}

/** Undefined where nothing is aimed at. */
export function isMet(figure: Figure): boolean | undefined {
  const { value, atMost, ratioAtMost } = figure;
  if (atMost !== undefined) return value <= atMost;
  return ratioAtMost === undefined ? undefined : (ratioOf(figure) ?? Number.NaN) <= ratioAtMost;
}

/** True when a scenario gave no figures, or some that are wrong. */
export function isWrong({ outcomes }: Report): boolean {
  return outcomes.some(
    ({ figures, failure }) =>
      failure !== undefined || figures.some((figure) => figure.strict === true && isMet(figure) !== true),
  );
}

export function asJson({ machine, options, outcomes }: Report): string {
  const figures = outcomes.flatMap(({ scenario, figures: own }) =>
    own.map((figure) => ({
      scenario,
      ...figure,
      name: figure.name.trim(),
      ratio: ratioOf(figure),
      met: isMet(figure),
    })),
  );
  const failures = outcomes.flatMap(({ scenario, failure }) => (failure === undefined ? [] : [{ scenario, failure }]));
  return JSON.stringify({ machine, ...options, figures, failures }, null, 2);
}

const HEADERS = ['', 'value', '', 'floor', 'ratio', 'where it should be', ''];

/** The table of one scenario: a block for each candidate. */
export function asTable({ scenario, figures, failure }: Outcome): string {
  if (failure !== undefined) return `${scenario}: ${failure}`;
  const blocks = [...Map.groupBy(figures, ({ candidate }) => candidate)].map(([candidate, own]) => {
    return [[`${scenario}: ${candidate}`, ...HEADERS.slice(1)], ...own.map(rowOf)];
  });
  const widths = HEADERS.map((_, column) => Math.max(...blocks.flat().map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 || column === 2 || column > 4
          ? cell.padEnd(widths[column] ?? 0)
          : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return blocks.map((rows) => rows.map(line).join('\n')).join('\n\n');
}

function rowOf(figure: Figure): string[] {
  const { name, value, unit, floor, atMost, ratioAtMost } = figure;
  const ratio = ratioOf(figure);
  const aim = atMost !== undefined ? `≤ ${atMost}` : ratioAtMost !== undefined ? `≤ ${ratioAtMost} × floor` : '';
  const met = isMet(figure);
  return [
    `  ${name}`,
    digits(value),
    unit,
    floor === undefined ? '' : digits(floor),
    ratio === undefined ? '' : ratio.toFixed(2),
    aim,
    met === undefined ? '' : met ? 'met' : 'MISSED',
  ];
}

/** Three digits that tell something, and no more. */
function digits(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
