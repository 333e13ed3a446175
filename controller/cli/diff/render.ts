// The difference between two contents of one source as text: unified diffs of a ConfigMap's keys, the names of a Secret's.

import { type Content, display } from '../../core/types.ts';
import type { Colours } from '../colour.ts';
import { visible } from '../table.ts';
import { compareKeys, describeKeyChanges } from '../view/key-changes.ts';
import type { SourceName } from '../view/namespace-view.ts';
import type { Half } from './sides.ts';
import { hunksOf, renderUnified } from './unified.ts';

/** One source, with both of its contents. */
export interface Pair {
  readonly source: SourceName;
  readonly before: Half;
  readonly after: Half;
}

/** Empty when they are the same. Nothing of a Secret's values is in it. */
export function renderPair(pair: Pair, colours: Colours): string {
  const { source, before, after } = pair;
  const changes = compareKeys(before.content, after.content);
  const words = describeKeyChanges(changes);
  if (words.length === 0) return '';
  if (source.kind === 'Secret') {
    const title = `${display(source)} ${before.title} → ${after.title}`;
    return `${colours.bold(visible(title))}\n${display(source)}: keys changed: ${visible(words.join(' '))}\n`;
  }
  const keys = [...changes.changed, ...changes.added, ...changes.removed].sort();
  return keys.map((key) => renderKey(pair, key, colours)).join('');
}

function renderKey({ source, before, after }: Pair, key: string, colours: Colours): string {
  const names = [before, after].map(({ title, content }) =>
    hasKey(content, key) ? `${display(source)} ${title} ${key}` : '/dev/null',
  );
  const header = [names[0] ?? '', names[1] ?? ''] as const;
  const isBinary = [before, after].some(({ content }) => Object.hasOwn(content.binaryData, key));
  if (isBinary) return `${renderUnified(header, [], colours)}Binary values differ\n`;
  const hunks = hunksOf(textOf(before, key), textOf(after, key));
  return renderUnified(header, hunks, colours);
}

function textOf({ content: { data } }: Half, key: string): string {
  return (Object.hasOwn(data, key) ? data[key] : undefined) ?? '';
}

/** Keys may be called `constructor`. */
export function hasKey({ data, binaryData }: Content, key: string): boolean {
  return Object.hasOwn(data, key) || Object.hasOwn(binaryData, key);
}
