// Columns, as kubectl prints them.

const GAP = '   ';
// Mount paths and contents may hold anything, and a terminal would obey it.
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
const HIGH = 0x80;
// They turn the text around that follows: what is read is not what is there.
const BIDI = /[\u202a-\u202e\u2066-\u2069]/g;

/** Each column as wide as its widest cell; nothing after the last. `header` undefined: none. */
export function renderTable(header: readonly string[] | undefined, rows: readonly (readonly string[])[]): string {
  const lines = [...(header ? [header] : []), ...rows].map((cells) => cells.map((cell) => visible(cell)));
  const widths = (lines[0] ?? []).map((_, i) => Math.max(...lines.map((cells) => widthOf(cells[i] ?? ''))));
  return lines
    .map(
      (cells) =>
        `${cells
          .map((cell, i) => pad(cell, widths[i] ?? 0))
          .join(GAP)
          .trimEnd()}\n`,
    )
    .join('');
}

/** With control characters in caret notation, as `cat -v` shows them: `^[`, `M-^[`; and those of direction as `<U+202E>`. */
export function visible(text: string): string {
  const plain = text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    return `${code >= HIGH ? 'M-' : ''}^${String.fromCharCode((code % HIGH) ^ 0x40)}`;
  });
  return plain.replace(BIDI, (character) => `<U+${character.charCodeAt(0).toString(16).toUpperCase()}>`);
}

function pad(cell: string, width: number): string {
  return cell + ' '.repeat(width - widthOf(cell));
}

function widthOf(cell: string): number {
  return [...cell].length;
}
