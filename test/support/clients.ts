// The ways in which people and their tools put a manifest into a cluster: each a real client.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { env } from './controller.ts';
import type { Scenario } from './scenario.ts';

// biome-ignore lint/suspicious/noExplicitAny: manifests, as JSON
type Json = any;

/** Makes the cluster hold the manifest; the first time, creates it. Throws when the client fails. Gives what it printed. */
export type Sync = (scenario: Scenario, manifest: Json) => Promise<string>;

const kubectl =
  (...args: string[]): Sync =>
  (scenario, manifest) =>
    scenario.kubectlWith(manifest, ...args, '-f', '-');

const replace: Sync = async (scenario, manifest) => {
  const { code } = await scenario.tryKubectl('get', 'deployment', manifest.metadata.name);
  return scenario.kubectlWith(manifest, code === 0 ? 'replace' : 'create', '-f', '-');
};

const helm: Sync = async (scenario, manifest) => {
  const chart = mkdtempSync(join(tmpdir(), 'config-rollout-chart-'));
  mkdirSync(join(chart, 'templates'));
  writeFileSync(join(chart, 'Chart.yaml'), stringify({ apiVersion: 'v2', name: 'bar', version: '1.0.0' }));
  writeFileSync(join(chart, 'templates', 'bar.yaml'), stringify(manifest));
  const args = ['upgrade', '--install', 'bar', chart, '--namespace', scenario.namespace];
  const homes = { HELM_CACHE_HOME: chart, HELM_CONFIG_HOME: chart, HELM_DATA_HOME: chart };
  try {
    const options = { env: { ...process.env, ...homes, KUBECONFIG: env('TEST_KUBECONFIG') } };
    return (await promisify(execFile)(env('TEST_HELM'), args, options)).stdout;
  } finally {
    rmSync(chart, { recursive: true });
  }
};

/** `kubectl edit`, with an editor that puts what `manifest` says of the template in the place of what is there. */
const edit: Sync = async (scenario, manifest) => {
  const { name } = manifest.metadata;
  if ((await scenario.tryKubectl('get', 'deployment', name)).code !== 0) return kubectl('apply')(scenario, manifest);
  const folder = mkdtempSync(join(tmpdir(), 'config-rollout-editor-'));
  const editor = join(folder, 'editor.mjs');
  const yaml = import.meta.resolve('yaml');
  writeFileSync(
    editor,
    `import { readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from '${yaml}';
const file = process.argv[2];
const live = parse(readFileSync(file, 'utf8'));
live.spec.template.spec = ${JSON.stringify(manifest.spec.template.spec)};
writeFileSync(file, stringify(live));
`,
  );
  try {
    return await scenario.kubectlAs({ KUBE_EDITOR: `${process.execPath} ${editor}` }, 'edit', 'deployment', name);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

export const CLIENTS: Readonly<Record<string, Sync>> = {
  'kubectl apply': kubectl('apply'),
  'kubectl apply --server-side': kubectl('apply', '--server-side'),
  'kubectl apply --server-side --force-conflicts': kubectl('apply', '--server-side', '--force-conflicts'),
  'kubectl replace': replace,
  'kubectl edit': edit,
  'helm upgrade': helm,
};
