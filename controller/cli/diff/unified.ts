// Two texts → a unified diff, in time that is bounded: comparing texts that have little in common takes quadratic time.

import { structuredPatch } from 'diff';
import type { Colours } from '../colour.ts';
import { visible } from '../table.ts';

const CONTEXT = 3;
const PATIENCE_MS = 1000;
const NO_NEWLINE = '\\ No newline at end of file';

export interface Hunk {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  /** Each begins with a blank, `-`, `+` or a backslash. */
  readonly lines: readonly string[];
}

/** None when the texts are the same. `patienceMs` bounds the search for the smallest difference. */
export function hunksOf(before: string, after: string, patienceMs = PATIENCE_MS): readonly Hunk[] {
  const found =
    patienceMs > 0
      ? structuredPatch('', '', before, after, undefined, undefined, { context: CONTEXT, timeout: patienceMs })
      : undefined;
  return found?.hunks ?? wholesale(before, after);
}

/** With the two names above it, for a terminal or a pipe. */
export function renderUnified(
  names: readonly [before: string, after: string],
  hunks: readonly Hunk[],
  colours: Colours,
): string {
  const lines = [
    colours.bold(visible(`--- ${names[0]}`)),
    colours.bold(visible(`+++ ${names[1]}`)),
    ...hunks.flatMap((hunk) => [
      colours.cyan(`@@ -${range(hunk.oldStart, hunk.oldLines)} +${range(hunk.newStart, hunk.newLines)} @@`),
      ...hunk.lines.map((line) => paint(line, colours)),
    ]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

// One line is not counted; an empty range begins before its first line, as GNU diff has it.
function range(start: number, count: number): string {
  return count === 1 ? `${start}` : `${count === 0 ? start - 1 : start},${count}`;
}

function paint(line: string, colours: Colours): string {
  // Tabs do no harm, and YAML and Makefiles are read by them.
  const shown = line.split('\t').map(visible).join('\t');
  switch (line[0]) {
    case '+':
      return colours.green(shown);
    case '-':
      return colours.red(shown);
    default:
      return shown;
  }
}

/** One hunk: all that lies between the lines that both texts begin and end with is removed, and added. */
function wholesale(before: string, after: string): Hunk[] {
  if (before === after) return [];
  const [a, b] = [linesOf(before), linesOf(after)];
  const shorter = Math.min(a.length, b.length);
  let head = 0;
  while (head < shorter && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < shorter - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const start = Math.max(0, head - CONTEXT);
  const rest = Math.max(0, tail - CONTEXT);
  const slices = [
    [' ', a.slice(start, head)],
    ['-', a.slice(head, a.length - tail)],
    ['+', b.slice(head, b.length - tail)],
    [' ', a.slice(a.length - tail, a.length - rest)],
  ] as const;
  return [
    {
      oldStart: start + 1,
      oldLines: a.length - rest - start,
      newStart: start + 1,
      newLines: b.length - rest - start,
      lines: slices.flatMap(([sign, lines]) => lines.flatMap((line) => signed(sign, line))),
    },
  ];
}

/** With their line ends, so that a missing one makes a difference. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function signed(sign: string, line: string): string[] {
  return line.endsWith('\n') ? [`${sign}${line.slice(0, -1)}`] : [`${sign}${line}`, NO_NEWLINE];
}
