// What a command says of the object it wrote: one line in kubectl's words, or the object for -o.

import type { Json } from './cluster.ts';
import type { DryRun, WriteFlags } from './common-flags.ts';
import { formatOf } from './output-format.ts';

const SUFFIX: Readonly<Record<DryRun, string>> = { none: '', client: ' (dry run)', server: ' (server dry run)' };

const FORMATS = ['json', 'name', 'yaml'] as const;

export interface Printer {
  /** `object` is `configmap/foo`, `verb` is `owner updated`. */
  print(object: string, verb: string, value: Json): Promise<string>;
}

/** Checks -o before anything is written. */
export function makePrinter(flags: Pick<WriteFlags, 'output' | 'show-managed-fields'>, dryRun: DryRun): Printer {
  const format = formatOf(flags.output, FORMATS, 'text');
  let count = 0;
  return {
    async print(object, verb, value) {
      count += 1;
      const shown = flags['show-managed-fields'] ? value : withoutManagedFields(value);
      switch (format) {
        case 'text':
          return `${object} ${verb}${SUFFIX[dryRun]}\n`;
        case 'name':
          return `${object}\n`;
        case 'json':
          return toJson(shown);
        case 'yaml':
          return `${count > 1 ? '---\n' : ''}${await toYaml(shown)}`;
        default:
          throw format satisfies never;
      }
    },
  };
}

/** Keys sorted, indented as kubectl does. */
export function toJson(value: Json): string {
  return `${JSON.stringify(sorted(value), undefined, 4)}\n`;
}

// kubectl's YAML reader takes more for numbers than YAML 1.1 says (0o17, 1_0), and text may look like one.
const LOOKS_LIKE_NUMBER = /^[-+.]*\d[\w.+:-]*$/;

/** YAML that kubectl reads back as the same object. Loaded when it is needed: --help has no use for it. */
export async function toYaml(value: Json): Promise<string> {
  const { Document, visit } = await import('yaml');
  const document = new Document(value, { version: '1.1', sortMapEntries: true });
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && LOOKS_LIKE_NUMBER.test(node.value)) {
        node.type = 'QUOTE_DOUBLE';
      }
    },
  });
  // The %YAML line that names the version would be the first of every output.
  return document.toString({ lineWidth: 0, directives: false, indentSeq: false });
}

function withoutManagedFields(value: Json): Json {
  const { managedFields: _, ...metadata } = (value['metadata'] ?? {}) as Json;
  return { ...value, metadata };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
