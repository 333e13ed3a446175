// Trees with conditions, written as templates of Helm's.

import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import type { Branch, Tree } from './switches.ts';

// What stands between these is an expression of Helm's, and all else is text. No manifest has these characters.
const [OPEN, CLOSE] = ['\u{E000}', '\u{E001}'];
const BLOCK = '\u{E002}';
const INDENTATION = '\u{E003}';

/** A scalar that an expression makes, or a part of one. */
export function expression(text: string): string {
  return `${OPEN}${text}${CLOSE}`;
}

/** Instead of a value: what an expression makes, as YAML in lines of its own. */
export function blockOf(text: string): string {
  return expression(`- ${text} | nindent ${INDENTATION}`);
}

/** Instead of an element of a list, or as a key of a mapping: further elements, or keys. */
export function moreOf(text: string): string {
  return BLOCK + blockOf(text);
}

/** The lines of a document. */
export function template(tree: Tree): string[] {
  return lines(tree, '');
}

function conditional(conditions: readonly string[], body: readonly string[], indent: string): string[] {
  if (conditions.length === 0) return [...body];
  const [first = ''] = conditions;
  const all = conditions.length === 1 ? first.replace(/^\((.*)\)$/, '$1') : `and ${conditions.join(' ')}`;
  return [`${indent}{{- if ${all} }}`, ...body, `${indent}{{- end }}`];
}

function lines(tree: Tree, indent: string): string[] {
  switch (tree.type) {
    case 'plain':
      return plain(tree.value, indent);
    case 'choice': {
      const [on, off] = [scalar(tree.on, ''), scalar(tree.off, '')];
      return [`${indent}{{ if ${tree.condition} }}${on}{{ else }}${off}{{ end }}`];
    }
    case 'mapping':
      return inOrder(tree.entries, ({ key, tree: value }) => under(key, value, indent), indent);
    case 'sequence':
      return inOrder(tree.items, (item) => element(item, indent), indent);
    default:
      return tree satisfies never;
  }
}

/** The lines of each, and the conditions around them; neighbours with the same share them. */
export function inOrder<B extends Branch>(
  branches: readonly B[],
  write: (branch: B) => string[],
  indent = '',
): string[] {
  const groups: B[][] = [];
  for (const branch of branches) {
    const last = groups.at(-1);
    if (last?.[0] !== undefined && isDeepStrictEqual(last[0].conditions, branch.conditions)) last.push(branch);
    else groups.push([branch]);
  }
  return groups.flatMap((group) => conditional(group[0]?.conditions ?? [], group.flatMap(write), indent));
}

/** What has no conditions in it. */
function plain(value: unknown, indent: string): string[] {
  if (Array.isArray(value) && value.length > 0) {
    const items = value.map((item): Branch => ({ tree: { type: 'plain', value: item }, conditions: [] }));
    return lines({ type: 'sequence', items }, indent);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
    const entries = Object.entries(value).map(([key, of]) => {
      const tree: Tree = { type: 'plain', value: of };
      return { key, tree, conditions: [] };
    });
    return lines({ type: 'mapping', entries }, indent);
  }
  return scalar(value, indent);
}

/** One line, or, of a text of several, a block of lines. */
function scalar(value: unknown, indent: string): string[] {
  const text = stringify({ key: value }, { lineWidth: 0 })
    .replace(/^key: /, '')
    .replace(/\n$/, '');
  return text
    .replaceAll('{{', '{{ "{{" }}')
    .replaceAll(INDENTATION, String(indent.length))
    .replace(/\u{E000}(- )?/gu, (_, trimming?: string) => (trimming === undefined ? '{{ ' : '{{- '))
    .replaceAll(CLOSE, ' }}')
    .split('\n')
    .map((line, i) => (i === 0 ? indent + line : line && indent.slice(2) + line));
}

function isScalar(tree: Tree): boolean {
  if (tree.type !== 'plain') return tree.type === 'choice';
  return typeof tree.value !== 'object' || tree.value === null || Object.keys(tree.value).length === 0;
}

function under(key: string, tree: Tree, indent: string): string[] {
  if (key.startsWith(BLOCK)) return scalar(key.slice(1), indent);
  const name = `${scalar(key, indent).join('')}:`;
  const [first = '', ...rest] = lines(tree, `${indent}  `);
  return isScalar(tree) ? [`${name} ${first.trimStart()}`, ...rest] : [name, first, ...rest];
}

function element({ tree }: Branch, indent: string): string[] {
  if (tree.type === 'plain' && typeof tree.value === 'string' && tree.value.startsWith(BLOCK)) {
    return scalar(tree.value.slice(1), indent);
  }
  const [first = '', ...rest] = lines(tree, `${indent}  `);
  // A condition in the place of the first key would take the dash with it.
  return first.trimStart().startsWith('{{-')
    ? [`${indent}-`, first, ...rest]
    : [`${indent}- ${first.trimStart()}`, ...rest];
}
