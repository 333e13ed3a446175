// Writes the files that are derived from others; with --check, only says whether they are up to date, and whether what
// is derived from them by others, at installation, can be.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CRD_TYPES, crdTypes } from './crd-types.ts';
import { CHART, chartTemplates } from './generate/chart.ts';
import { kustomize, type Selection } from './kustomize.ts';

const INSTALL = 'manifests/install.yaml';
const HEADER =
  '# Generated from the kustomize overlay cluster-wide by `make generate`. Install: kubectl apply -f manifests/install.yaml\n';
const TEMPLATES = join(CHART, 'templates');

const files = new Map([[INSTALL, HEADER + (await kustomize())]]);
for (const [name, text] of await chartTemplates()) files.set(join(TEMPLATES, name), text);
files.set(CRD_TYPES, formatted(CRD_TYPES, crdTypes()));
// What was generated once, and is no more.
const leftovers = readdirSync(TEMPLATES)
  .map((name) => join(TEMPLATES, name))
  .filter((path) => path.endsWith('.yaml') && !files.has(path));

if (process.argv.includes('--check')) await check();
else write();

function write(): void {
  for (const path of leftovers) rmSync(path);
  for (const [path, text] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

async function check(): Promise<void> {
  for (const [path, text] of files) {
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) fail(`${path} is out of date; run: make generate`);
  }
  for (const path of leftovers) fail(`${path} is made of nothing; run: make generate`);
  for (const name of readdirSync('manifests/components')) {
    // What is installed by default has this one.
    await build({ components: [name], ...(name === 'webhook' && { resource: 'base' }) });
  }
  await build({ resource: 'overlays/namespaced', namespace: 'shop', components: ['secrets', 'roles'] });
}

async function build(selection: Selection): Promise<void> {
  const what = JSON.stringify(selection);
  await kustomize(selection).catch(() => fail(`kustomize does not build ${what}, for the reason above`));
}

function fail(problem: string): void {
  console.error(`error: ${problem}`);
  process.exitCode = 1;
}

function formatted(path: string, text: string): string {
  const args = ['format', `--stdin-file-path=${path}`];
  return execFileSync('node_modules/.bin/biome', args, { input: text, encoding: 'utf8' });
}
