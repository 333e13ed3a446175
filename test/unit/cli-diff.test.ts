import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import picocolors from 'picocolors';
import { hunksOf, renderUnified } from '../../controller/cli/diff/unified.ts';
import { MemoryCluster, run } from '../support/cli.ts';
import {
  bar,
  DB,
  DB1,
  DB2,
  FOO,
  FOO1,
  FOO2,
  foo,
  PASSWORDS,
  revision,
  shop,
  snapshot,
} from '../support/cli-revisions.ts';

const DIFF = 'kubectl config-rollout diff';
const diff = (cluster: MemoryCluster, args: string, env: Record<string, string> = {}, isTerminal = false) =>
  run(cluster, `${DIFF} ${args}`.trim(), env, isTerminal);
const nameOf = (object: { readonly metadata?: unknown }) => (object.metadata as { name: string }).name;

/** Deployment `bar` that went from one content of `foo` to another. */
function changed(before: ReturnType<typeof snapshot>, after: ReturnType<typeof snapshot>): MemoryCluster {
  const [from, to] = [nameOf(before), nameOf(after)];
  return new MemoryCluster(
    foo(),
    before,
    after,
    bar([to], [to]),
    revision('bar', 1, [from]),
    revision('bar', 2, [to], { image: 'app:2' }),
  );
}

const of = (before: string, after: string) =>
  changed(snapshot('foo', { 'a.txt': before }), snapshot('foo', { 'a.txt': after }));

describe('diff', () => {
  test('compares the revision of now with the one before: text by line, Secrets by the names of keys', async () => {
    expect(await diff(shop(), 'deployment/bar')).toEqual({
      code: 1,
      out: [
        `--- configmap/foo revision 6 (${FOO1}) config.yml`,
        `+++ configmap/foo revision 7 (${FOO2}) config.yml`,
        '@@ -1,2 +1,2 @@',
        ' a: 1',
        '-b: 2',
        '+b: 3',
        `--- configmap/foo revision 6 (${FOO1}) old.yml`,
        '+++ /dev/null',
        '@@ -1 +0,0 @@',
        '-x',
        '--- /dev/null',
        `+++ configmap/foo revision 7 (${FOO2}) tls.yml`,
        '@@ -0,0 +1 @@',
        '+y',
        `secret/db revision 6 (${DB1}) → revision 7 (${DB2})`,
        'secret/db: keys changed: ~password +ca.crt',
        '',
      ].join('\n'),
      err: '',
    });
  });

  test('compares any two revisions, and a revision with the content of now', async () => {
    expect((await diff(shop(), 'sts/store --revision 3,2 --key config.yml')).out).toContain('-b: 3\n+b: 2\n');
    expect((await diff(shop(), 'sts/store --revision 2 --key config.yml')).out).toContain(
      `+++ configmap/foo revision 3 (${FOO2}) config.yml\n`,
    );
    const cluster = shop();
    cluster.put(foo({ ...FOO[1], 'config.yml': 'a: 1\nb: 4\n' }));
    const { code, out } = await diff(cluster, 'deploy/bar --source cm/foo --revision 7,live');
    expect({ code, lines: out.split('\n').slice(0, 6) }).toEqual({
      code: 1,
      lines: [
        `--- configmap/foo revision 7 (${FOO2}) config.yml`,
        '+++ configmap/foo live config.yml',
        '@@ -1,2 +1,2 @@',
        ' a: 1',
        '-b: 3',
        '+b: 4',
      ],
    });
  });

  test('says nothing, and exits with 0, where nothing differs', async () => {
    expect(await diff(shop(), 'deploy/bar --revision 7,live')).toEqual({ code: 0, out: '', err: '' });
    expect(await diff(shop(), 'deploy/bar --revision 6,6')).toEqual({ code: 0, out: '', err: '' });
  });

  test('takes the content of now for what a raw revision of now runs with', async () => {
    const cluster = new MemoryCluster(
      foo(),
      snapshot('foo', FOO[0]),
      bar(['foo'], [FOO1]),
      revision('bar', 1, [FOO1]),
      revision('bar', 2, ['foo'], { image: 'app:2' }),
    );
    expect((await diff(cluster, 'deploy/bar --key config.yml')).out).toContain(
      '+++ configmap/foo revision 2 (raw) config.yml\n',
    );
  });

  test('compares what both sides know, and exits with 2 for the rest', async () => {
    const cluster = shop();
    cluster.forbidden = [DB1];
    const { code, out, err } = await diff(cluster, 'deploy/bar');
    expect(code).toBe(2);
    expect(out).toContain('+b: 3\n');
    expect(err).toBe(`error: secret/db cannot be compared: ${DB1} does not exist, or may not be read\n`);
  });

  test.each<[args: string, err: RegExp]>([
    ['', /^error: name one workload, /],
    ['deploy/bar sts/store', /^error: name one workload, /],
    ['deploy', /^error: name one workload, /],
    ['deploy/none', /^Error from server \(NotFound\): deployments\.apps "none" not found\n$/],
    ['deploy/bar --nope', /^error: unknown flag: --nope\nSee 'kubectl config-rollout diff --help' for usage\.\n$/],
    ['deploy/bar --revision 4', /has no revision 4 /],
    ['deploy/bar --revision 1,2,3', /more than two revisions/],
    ['deploy/bar --revision live,7', /write --revision A,live/],
    [
      'deploy/bar --revision 5,7',
      /^error: configmap\/foo cannot be compared: revision 5 did not pin it\nerror: secret\/db /,
    ],
    ['sts/store --revision 1,2', /the snapshot foo-\w+ of revision 1 was deleted/],
    [
      'deploy/bar --source cm/other',
      /^error: configmap\/other is not among the sources of deployment\.apps\/bar \(they are: configmap\/foo, secret\/db\)\n$/,
    ],
    ['deploy/bar --source deploy/bar', /is no ConfigMap or Secret/],
    ['deploy/bar --key typo', /^error: neither side has a key typo\n$/],
    ['deploy/bar --color=maybe', /it is auto, always or never/],
    [
      'deploy/unmanaged',
      /^error: no ConfigMap or Secret rolls out to deployment\.apps\/unmanaged; opt one in with: kubectl config-rollout set-owner configmap\/NAME deployment\/unmanaged\n$/,
    ],
    ['deploy/unmanaged --revision 1', /^error: no ConfigMap or Secret rolls out to deployment\.apps\/unmanaged;/],
    ['sts/store --revision 1', /cannot be compared/],
  ])('diff %s exits with 2', async (args, err) => {
    const outcome = await diff(shop(), args);
    expect(outcome).toMatchObject({ code: 2, out: '' });
    expect(outcome.err).toMatch(err);
  });

  test('has nothing to compare the only revision with', async () => {
    const cluster = new MemoryCluster(
      foo(),
      snapshot('foo', FOO[1]),
      bar([FOO2], [FOO2]),
      revision('bar', 1, [FOO2], { image: 'app:2' }),
    );
    expect((await diff(cluster, 'deploy/bar')).err).toMatch(
      /one revision with configuration only.*--revision 1,live\n$/,
    );
    expect((await diff(cluster, 'deploy/bar --revision 1,live')).code).toBe(0);
  });
});

describe('what a diff shows of content', () => {
  test('control characters in caret notation, tabs as they are', async () => {
    const { out } = await diff(of('a\tb\r\n', 'a\tb\u001b]0;x\u0007\u009b2J\n'), 'deploy/bar');
    expect(out).toContain('-a\tb^M\n+a\tb^[]0;x^GM-^[2J\n');
  });

  test('a missing line end', async () => {
    expect((await diff(of('a\n', 'a'), 'deploy/bar')).out).toContain('-a\n+a\n\\ No newline at end of file\n');
  });

  test('of binary values, that they differ', async () => {
    const cluster = changed(
      snapshot('foo', {}, { binaryData: { 'logo.png': 'AAEC' } }),
      snapshot('foo', { 'b.txt': 'x\n' }, { binaryData: { 'logo.png': 'AAED' } }),
    );
    const { code, out } = await diff(cluster, 'deploy/bar');
    expect(code).toBe(1);
    expect(out).toMatch(/^\+\+\+ configmap\/foo revision 2 \(foo-\w+\) logo\.png\nBinary values differ\n/m);
    expect(out).not.toContain('AAE');
  });

  test('keys that are words of JavaScript', async () => {
    const cluster = changed(snapshot('foo', {}), snapshot('foo', { constructor: 'x\n' }));
    expect((await diff(cluster, 'deploy/bar')).out).toMatch(/^--- \/dev\/null\n.*constructor\n@@ -0,0 \+1 @@\n\+x\n$/);
  });

  test('no value of a Secret, in whatever form', async () => {
    for (const env of [{}, { KUBECTL_EXTERNAL_DIFF: 'cat' }]) {
      const { out, err } = await diff(shop(), 'deploy/bar --color=always', env as Record<string, string>);
      for (const password of [...PASSWORDS, ...Object.values(DB[0]), ...Object.values(DB[1])]) {
        expect(out + err).not.toContain(password);
      }
    }
  });
});

describe('colour', () => {
  const RED = '\u001b[31m-b: 2\u001b[39m\n';
  test.each<[what: string, args: string, env: Record<string, string>, isTerminal: boolean, isColoured: boolean]>([
    ['on a terminal', '', {}, true, true],
    ['not in a pipe', '', { CI: '1', FORCE_COLOR: '1' }, false, false],
    ['not on a dumb terminal', '', { TERM: 'dumb' }, true, false],
    ['not against NO_COLOR', '', { NO_COLOR: '1' }, true, false],
    ['where NO_COLOR is empty', '', { NO_COLOR: '' }, true, true],
    ['where it is asked for', '--color=always', { NO_COLOR: '1' }, false, true],
    ['where it is asked for, as with git', '--color', {}, false, true],
    ['not where it is not wanted', '--color=never', {}, true, false],
  ])('%s', async (_, args, env, isTerminal, isColoured) => {
    const { out } = await diff(shop(), `deploy/bar ${args}`.trim(), env, isTerminal);
    expect(out.includes(RED)).toBe(isColoured);
    expect(out.includes('\u001b')).toBe(isColoured);
  });
});

describe('KUBECTL_EXTERNAL_DIFF', () => {
  const left = () => readdirSync(tmpdir()).filter((name) => /^(BEFORE|AFTER)-/.test(name));

  test('is given two directories that nobody else may read, and that are gone afterwards', async () => {
    const before = left();
    const { code, out } = await diff(shop(), 'deploy/bar', { KUBECTL_EXTERNAL_DIFF: 'diff -ru' });
    expect(code).toBe(1);
    expect(out).toMatch(/^-b: 2\n\+b: 3\n/m);
    expect(out).toMatch(/^Only in .*BEFORE-.*: configmap\.foo\.old\.yml$/m);
    expect(out).toContain('secret/db: keys changed: ~password +ca.crt\n');
    const listed = await diff(shop(), 'deploy/bar --source cm/foo', { KUBECTL_EXTERNAL_DIFF: 'ls -ld' });
    expect(listed.out.match(/^drwx------ /gm)).toHaveLength(2);
    expect(left()).toEqual(before);
  });

  test('decides whether there is a difference, but not about Secrets', async () => {
    expect((await diff(shop(), 'deploy/bar --source cm/foo', { KUBECTL_EXTERNAL_DIFF: 'true' })).code).toBe(0);
    expect((await diff(shop(), 'deploy/bar', { KUBECTL_EXTERNAL_DIFF: 'true' })).code).toBe(1);
    expect((await diff(shop(), 'deploy/bar --source cm/foo', { KUBECTL_EXTERNAL_DIFF: 'false' })).code).toBe(1);
  });

  test('that fails is an error', async () => {
    const before = left();
    expect(await diff(shop(), 'deploy/bar', { KUBECTL_EXTERNAL_DIFF: 'diff --nope' })).toMatchObject({
      code: 2,
      err: 'error: diff, from KUBECTL_EXTERNAL_DIFF, exited with 2\n',
    });
    expect(await diff(shop(), 'deploy/bar', { KUBECTL_EXTERNAL_DIFF: 'no-such-program' })).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^error: cannot run no-such-program, from KUBECTL_EXTERNAL_DIFF: /),
    });
    expect(left()).toEqual(before);
  });

  test('sees binary values as they are', async () => {
    const cluster = changed(
      snapshot('foo', {}, { binaryData: { 'logo.png': Buffer.from('png-1').toString('base64') } }),
      snapshot('foo', {}, { binaryData: { 'logo.png': Buffer.from('png-2').toString('base64') } }),
    );
    expect((await diff(cluster, 'deploy/bar', { KUBECTL_EXTERNAL_DIFF: 'diff -r --text' })).out).toContain('> png-2');
  });
});

describe('a unified diff', () => {
  const none = picocolors.createColors(false);
  const apply = (before: string, text: string) => {
    // As patch(1) does, strictly: every line of context has to be there.
    const lines = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
    const out: string[] = [];
    let at = 0;
    for (const hunk of text.split(/^(?=@@ )/m).slice(1)) {
      const [head = '', ...rest] = hunk.match(/[^\n]*\n/g) ?? [];
      const [, start = '0', count = '1'] = /^@@ -(\d+)(?:,(\d+))? /.exec(head) ?? [];
      const first = count === '0' ? Number(start) : Number(start) - 1;
      out.push(...lines.slice(at, first));
      at = first;
      rest.forEach((line, i) => {
        const body = rest[i + 1]?.startsWith('\\') ? line.slice(1, -1) : line.slice(1);
        if (line[0] === ' ' || line[0] === '-') expect(lines[at++]).toBe(body);
        if (line[0] === ' ' || line[0] === '+') out.push(body);
      });
    }
    return [...out, ...lines.slice(at)].join('');
  };
  const text = fc
    .tuple(fc.array(fc.constantFrom('a', 'b', 'c', '', '-', '+', '@@ -1 +1 @@'), { maxLength: 30 }), fc.boolean())
    .map(([lines, ends]) => lines.join('\n') + (ends && lines.length > 0 ? '\n' : ''));

  test.each([
    ['of the shortest kind', 1000],
    ['where there is no time to find that', 0],
  ])('%s turns one text into the other', (_, patience) => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const hunks = hunksOf(before, after, patience);
        expect(hunks.length === 0).toBe(before === after);
        expect(apply(before, renderUnified(['a', 'b'], hunks, none))).toBe(after);
      }),
    );
  });

  test('of texts that have nothing in common takes no longer than its patience', () => {
    const lines = (seed: string) => Array.from({ length: 20_000 }, (_, i) => `${seed}${i}`).join('\n');
    const start = performance.now();
    const [hunk, ...more] = hunksOf(`same\n${lines('a')}`, `same\n${lines('b')}`, 200);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(more).toEqual([]);
    expect(hunk?.lines).toHaveLength(1 + 40_000 + 2);
  });
});
