// Reads the machine's list of Debian mirrors, in both of apt's formats, and turns it into one that also names the
// source packages. Pure: apt.ts reads and writes the files.

/** One entry, as fields of the deb822 format: `Types`, `URIs`, `Suites`, `Components`, `Signed-By` … */
export type SourcesEntry = Readonly<Record<string, string>>;

function field(entry: SourcesEntry, name: string): string {
  const key = Object.keys(entry).find((candidate) => candidate.toLowerCase() === name.toLowerCase());
  return key === undefined ? '' : (entry[key] ?? '');
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/** The format of *.sources: paragraphs of fields, which may go on in indented lines. */
export function parseDeb822(text: string): SourcesEntry[] {
  const paragraphs = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/\n[ \t]*\n/);
  return paragraphs.flatMap((paragraph) => {
    const entry: Record<string, string> = {};
    let last: string | undefined;
    for (const line of paragraph.split('\n')) {
      const start = /^([A-Za-z][\w-]*):\s*(.*)$/.exec(line);
      if (start !== null) {
        last = start[1] ?? '';
        entry[last] = start[2] ?? '';
      } else if (last !== undefined && /^[ \t]/.test(line)) {
        entry[last] = `${entry[last]}\n${line}`;
      }
    }
    return last === undefined ? [] : [entry];
  });
}

const ONE_LINE_OPTIONS: Readonly<Record<string, string>> = { 'signed-by': 'Signed-By', trusted: 'Trusted' };

function parseOneLine(line: string): SourcesEntry[] {
  const found = /^(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*(.*)$/.exec(line.replace(/#.*/, '').trim());
  if (found === null) return [];
  const [, type = '', options = '', uri = '', suite = '', components = ''] = found;
  const entry: Record<string, string> = { Types: type, URIs: uri, Suites: suite, Components: components };
  for (const option of words(options)) {
    const [name = '', value = ''] = option.split('=');
    const known = ONE_LINE_OPTIONS[name.toLowerCase()];
    if (known !== undefined) entry[known] = value.replaceAll(',', ' ');
  }
  return [entry];
}

/** The format of sources.list: one entry a line. */
export function parseSourcesList(text: string): SourcesEntry[] {
  return text.split('\n').flatMap(parseOneLine);
}

/** Debian's own mirrors: a suite of this release, and component main. Others' repositories have suites of other names. */
function isDebianOwn(entry: SourcesEntry, codename: string): boolean {
  const enabled = field(entry, 'Enabled').toLowerCase() !== 'no';
  const suites = words(field(entry, 'Suites'));
  const ours = (suite: string) => suite.replace(/[-/].*$/, '') === codename;
  const debian = words(field(entry, 'URIs')).every((uri) => /debian/i.test(uri));
  return (
    enabled &&
    debian &&
    suites.length > 0 &&
    suites.every(ours) &&
    words(field(entry, 'Types')).includes('deb') &&
    words(field(entry, 'Components')).includes('main')
  );
}

function render(entry: SourcesEntry): string {
  const changed: Record<string, string> = { Types: 'deb deb-src', Components: 'main' };
  const kept = Object.entries(entry).filter(([name]) => !['types', 'components'].includes(name.toLowerCase()));
  return [...Object.entries(changed), ...kept].map(([name, value]) => `${name}: ${value}`).join('\n');
}

/** A *.sources file with binary and source packages; undefined when Debian's own mirrors are not among the entries. */
export function withSourcePackages(entries: readonly SourcesEntry[], codename: string): string | undefined {
  const own = entries.filter((entry) => isDebianOwn(entry, codename));
  return own.length === 0 ? undefined : `${own.map(render).join('\n\n')}\n`;
}
