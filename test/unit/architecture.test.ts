// The layers of docs/architecture.md, held: who may import whom, and what the pure core may not do.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const LONGEST_FILE = 260;

interface File {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Layer → what it may import: layers of the project, and packages. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: ['core', 'node:crypto', 'node:util', 'fast-json-patch'],
  workloads: ['workloads', 'core'],
  runtime: ['runtime', 'node:*'],
  app: ['app', 'core', 'workloads', 'runtime', 'lru-cache', 'fast-json-patch', 'node:util'],
  kube: [
    'kube',
    'app',
    'core',
    'workloads',
    'runtime',
    'lru-cache',
    'fast-json-patch',
    '@kubernetes/client-node',
    'node:*',
  ],
  server: ['server', 'app', 'core', 'runtime', 'node:*', '@peculiar/x509', 'reflect-metadata', 'prom-client'],
  cli: [
    'cli',
    'core',
    'workloads',
    'app',
    'runtime',
    'commander',
    'diff',
    'fast-json-patch',
    'picocolors',
    'yaml',
    'node:*',
  ],
};

/** Where the command line is put together: the client behind the ports of its commands. */
const COMPOSITION: Readonly<Record<string, readonly string[]>> = {
  'controller/cli/main.ts': ['kube', 'package.json'],
  'controller/cli/connect.ts': ['kube', '@kubernetes/client-node'],
};

/** What the core may not mention: it is synchronous, and knows no clock, no chance and no process. */
const IMPURE =
  /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bsetTimeout\b|\bsetInterval\b|\basync\b|\bawait\b|\bPromise\b|\bfetch\b/;

function importsOf({ text }: File): string[] {
  const statements = /^\s*(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm;
  const calls = /\bimport\(\s*['"]([^'"]+)['"]/g;
  return [statements, calls].flatMap((pattern) => [...text.matchAll(pattern)].map(([, target = '']) => target));
}

/** `controller/core/x.ts` → core; a file at the top, such as main.ts, is in no layer. */
function layerOf(path: string): string | undefined {
  const [root, layer, ...rest] = path.split('/');
  return root === 'controller' && rest.length > 0 ? layer : undefined;
}

/** The words of code: without comments, and without what strings and regular expressions say. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, '""');
}

function mayImport(layer: string, file: File, target: string): boolean {
  const allowed = [...(ARROWS[layer] ?? []), ...(COMPOSITION[file.path] ?? [])];
  if (!target.startsWith('.')) {
    return (
      allowed.some((each) => target === each || target.startsWith(`${each}/`)) ||
      (target.startsWith('node:') && allowed.includes('node:*'))
    );
  }
  const path = normalize(join(dirname(file.path), target));
  const to = layerOf(path);
  return path === 'package.json' ? allowed.includes(path) : to !== undefined && allowed.includes(to);
}

/** Every rule that the file breaks, in words. */
function broken(file: File): string[] {
  const { path, text } = file;
  const layer = layerOf(path);
  const code = codeOf(text);
  const lines = text.trimEnd().split('\n').length;
  const imports = layer === undefined ? [] : importsOf(file).filter((target) => !mayImport(layer, file, target));
  const rules: readonly (readonly [boolean, string])[] = [
    [layer !== undefined && ARROWS[layer] === undefined, `is in a layer that ARROWS does not know: ${layer}`],
    [!path.endsWith('/main.ts') && /\bprocess\./.test(code), 'mentions process'],
    [layer === 'core' && IMPURE.test(code), `is impure: ${IMPURE.exec(code)?.[0]}`],
    [/^export default\b/m.test(code), 'has a default export'],
    [lines > LONGEST_FILE, `has ${lines} lines`],
  ];
  return [
    ...imports.map((target) => `imports ${target}`),
    ...rules.filter(([isBroken]) => isBroken).map(([, what]) => what),
  ].map((what) => `${path} ${what}`);
}

const files: readonly File[] = globSync('controller/**/*.ts').map((path) => ({
  path,
  text: readFileSync(path, 'utf8'),
}));

describe('the architecture', () => {
  test('is looked at as a whole', () => {
    const layers = new Set(files.map(({ path }) => layerOf(path)));
    for (const layer of ['core', 'workloads', 'app', 'runtime', 'kube', 'server']) expect(layers).toContain(layer);
    expect(files.flatMap(importsOf).length).toBeGreaterThan(files.length);
  });

  test('holds in every file', () => {
    expect(files.flatMap(broken)).toEqual([]);
  });
});

describe('the architecture is broken by', () => {
  test.each<[path: string, text: string, complaint: string]>([
    ['controller/core/x.ts', "import { keyOf } from '../runtime/store.ts';", 'imports ../runtime/store.ts'],
    ['controller/core/x.ts', "import { World } from '../app/world.ts';", 'imports ../app/world.ts'],
    ['controller/core/x.ts', "import { readFileSync } from 'node:fs';", 'imports node:fs'],
    ['controller/core/x.ts', "import {\n  a,\n  b,\n} from 'lru-cache';", 'imports lru-cache'],
    ['controller/core/x.ts', "import type { Config } from '../config.ts';", 'imports ../config.ts'],
    ['controller/core/x.ts', "export type { World } from '../app/world.ts';", 'imports ../app/world.ts'],
    ['controller/core/x.ts', "import '../app/world.ts';", 'imports ../app/world.ts'],
    ['controller/core/x.ts', "const x = import('../app/world.ts');", 'imports ../app/world.ts'],
    ['controller/core/deep/x.ts', "import { y } from '../../kube/y.ts';", 'imports ../../kube/y.ts'],
    ['controller/workloads/x.ts', "import { World } from '../app/world.ts';", 'imports ../app/world.ts'],
    ['controller/app/x.ts', "import { KubeClient } from '../kube/client.ts';", 'imports ../kube/client.ts'],
    ['controller/app/x.ts', "import { config } from '../config.ts';", 'imports ../config.ts'],
    ['controller/runtime/x.ts', "import type { Workload } from '../core/types.ts';", 'imports ../core/types.ts'],
    ['controller/kube/x.ts', "import { x } from '../cli/x.ts';", 'imports ../cli/x.ts'],
    ['controller/server/x.ts', "import { KubeClient } from '../kube/client.ts';", 'imports ../kube/client.ts'],
    ['controller/app/x.ts', "import { x509 } from '../server/x509.ts';", 'imports ../server/x509.ts'],
    ['controller/cli/x.ts', "import { KubeClient } from '../kube/client.ts';", 'imports ../kube/client.ts'],
    ['controller/core/x.ts', 'const now = Date.now();', 'is impure: Date.now'],
    ['controller/core/x.ts', 'const now = new Date();', 'is impure: new Date()'],
    ['controller/core/x.ts', 'const pick = Math.random();', 'is impure: Math.random'],
    ['controller/core/x.ts', 'export async function f() {}', 'is impure: async'],
    ['controller/core/x.ts', 'setTimeout(f, 1);', 'is impure: setTimeout'],
    ['controller/core/x.ts', 'function f(): Promise<void> {}', 'is impure: Promise'],
    ['controller/app/x.ts', 'const home = process.env.HOME;', 'mentions process'],
    ['controller/logger.ts', 'process.stderr.write("x");', 'mentions process'],
    ['controller/app/x.ts', 'export default class X {}', 'has a default export'],
    ['controller/app/x.ts', 'const x = 1;\n'.repeat(261), 'has 261 lines'],
    ['controller/utils/x.ts', '', 'is in a layer that ARROWS does not know: utils'],
  ])('%s that says %j', (path, text, complaint) => {
    expect(broken({ path, text })).toEqual([`${path} ${complaint}`]);
  });

  test.each<[path: string, text: string]>([
    ['controller/main.ts', "import { World } from './app/world.ts';\nprocess.exit(0);"],
    ['controller/cli/main.ts', "import { KubeClient } from '../kube/client.ts';\nprocess.exit(0);"],
    ['controller/core/x.ts', '// A Promise of the design: async, with Date.now and process.env.\nexport const x = 1;'],
    ['controller/core/x.ts', "import { createHash } from 'node:crypto';\nimport { y } from './y.ts';"],
    ['controller/app/x.ts', 'const text = "process.env is not read here";'],
    ['controller/app/x.ts', 'const x = 1;\n'.repeat(260)],
  ])('not %s that says %j', (path, text) => {
    expect(broken({ path, text })).toEqual([]);
  });
});
