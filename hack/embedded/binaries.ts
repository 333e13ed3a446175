// Where the programs of the control plane come from: the first source that fits. No container image is needed for any
// but Docker's, which brings its own whole cluster.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildFromDebian, debianFolder } from './debian.ts';
import { k3sImage } from './k3s.ts';
import { Problem } from './problem.ts';
import type { Log } from './starter.ts';

export interface BinaryFolder {
  readonly kind: 'folder';
  readonly folder: string;
  /** Like v1.20.2. */
  readonly version: string;
  readonly minor: number;
}

export interface K3sSource {
  readonly kind: 'k3s';
  readonly image: string;
}

const CONTROL_PLANE = ['etcd', 'kube-apiserver', 'kube-controller-manager'];

async function describe(folder: string): Promise<BinaryFolder> {
  const { stdout } = await promisify(execFile)(join(folder, 'kube-apiserver'), ['--version']);
  const found = /v1\.(\d+)\.\S+/.exec(stdout);
  if (found === null) throw new Problem(`${folder}/kube-apiserver does not tell its version, but: ${stdout.trim()}`);
  return { kind: 'folder', folder, version: found[0], minor: Number(found[1]) };
}

/** The folder of envtest (setup-envtest), if it is of use here. */
function assets(realNode: boolean, log: Log): string | undefined {
  const folder = process.env['KUBEBUILDER_ASSETS'];
  if (folder === undefined || folder === '') return undefined;
  if (realNode) {
    log('KUBEBUILDER_ASSETS brings no container runtime, which --node needs: looking further.');
    return undefined;
  }
  const missing = CONTROL_PLANE.filter((name) => !existsSync(join(folder, name)));
  if (missing.length === 0) return folder;
  log(`KUBEBUILDER_ASSETS (${folder}) has no ${missing.join(' and no ')}: looking further.`);
  return undefined;
}

export interface Preference {
  readonly realNode: boolean;
  readonly k3sFirst: boolean;
}

export async function findBinaries(
  { realNode, k3sFirst }: Preference,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<BinaryFolder | K3sSource> {
  const given = assets(realNode, log);
  if (given !== undefined) return describe(given);
  const cached = debianFolder();
  if (existsSync(cached) && !k3sFirst) return describe(cached);
  const image = await k3sImage(log);
  if (image !== undefined) return { kind: 'k3s', image };
  return describe(existsSync(cached) ? cached : await buildFromDebian(log, signal));
}
