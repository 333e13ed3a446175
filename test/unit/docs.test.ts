// What people filter, alert and search for is documented: every reason of an Event and of a condition, every flag.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readConfig } from '../../controller/config.ts';
import type { Exit } from '../../controller/config-flags.ts';
import { REASONS } from '../../controller/core/names.ts';

const operations = readFileSync('docs/operations.md', 'utf8');
const semantics = readFileSync('docs/semantics.md', 'utf8');

/** As the anchors of a rendered page. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the documentation', () => {
  test.each(Object.values(REASONS))('explains the Event reason %s, in a section of its own', (reason) => {
    expect(operations).toContain(`\n### ${reason}\n`);
    expect(semantics).toContain(`| \`${reason}\` |`);
  });

  test('explains no Event reason that does not exist', () => {
    const [, events = ''] = operations.split('The Events, by reason:');
    const explained = [...events.matchAll(/^### (Config[A-Z]\w+)$/gm)].map(([, reason]) => reason);
    expect(explained.sort()).toEqual(Object.values(REASONS).sort());
  });

  test('lists every reason of a condition', () => {
    const code = readFileSync('controller/core/status-conditions.ts', 'utf8');
    const reasons = [...code.matchAll(/\b(?:yes|no)\('(\w+)'/g)].map(([, reason = '']) => reason);
    expect(reasons.length).toBeGreaterThan(10);
    for (const reason of reasons) expect(semantics).toContain(`\`${reason}\``);
  });

  test('names every flag of the controller', () => {
    let help = '';
    try {
      readConfig(['--help'], {}, '0');
    } catch (error) {
      help = (error as Exit).text;
    }
    const flags = [...help.matchAll(/^ +(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
    expect(flags.length).toBeGreaterThan(15);
    for (const flag of flags) expect([flag, operations.includes(`\`${flag}`)]).toEqual([flag, true]);
  });

  const pages = ['README.md', ...readdirSync('docs').map((name) => join('docs', name))];
  test.each(pages)('%s links to what is there', (page) => {
    const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    for (const link of links.filter((each) => !/^[a-z]+:/.test(each))) {
      const [path = '', anchor] = link.split('#');
      const text = readFileSync(path === '' ? page : join(dirname(page), path), 'utf8');
      if (anchor) expect([link, anchorsOf(text)]).toEqual([link, expect.arrayContaining([anchor])]);
    }
  });
});
