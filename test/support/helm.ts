// The real Helm, with homes of its own: nothing of the machine's is read or written.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { helmPath } from '../../hack/embedded/kubectl.ts';
import { type Manifest, parseManifests } from '../../hack/kustomize.ts';

export const CHART = 'manifests/helm/config-rollout';
const NAME = 'config-rollout';

export interface HelmResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let home: string | undefined;
afterAll(() => {
  if (home !== undefined) rmSync(home, { recursive: true });
});

export async function runHelm(args: readonly string[], kubeconfig = ''): Promise<HelmResult> {
  home ??= mkdtempSync(join(tmpdir(), 'config-rollout-helm-'));
  const homes = { HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
  const options = { env: { ...process.env, ...homes, KUBECONFIG: kubeconfig }, maxBuffer: 1 << 28 };
  const program = await helmPath();
  return new Promise((resolve) => {
    execFile(program, [...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, stdout, stderr });
    });
  });
}

/** What the chart makes, in the namespace that kustomize takes by default. Throws when it makes nothing. */
export async function rendered(...args: readonly string[]): Promise<Manifest[]> {
  const { code, stdout, stderr } = await runHelm(['template', NAME, CHART, '--namespace', NAME, ...args]);
  if (code !== 0) throw new Error(`helm template ${args.join(' ')}: ${stderr}`);
  return parseManifests(stdout);
}
