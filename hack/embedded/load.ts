// Brings an archive of images to the node of a running cluster, as a pull would: there is no registry to pull from.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadIntoK3s } from './k3s.ts';
import { NODE_COMPONENT, NODE_SOCKET } from './node-config.ts';
import { layout, resolveDataDir } from './paths.ts';
import { messageOf, Problem } from './problem.ts';
import { readState, type State } from './state.ts';

/** Gives what the import printed. The archive is one of `docker save`, of `make image`, or in OCI's layout. */
export async function loadImages(archive: string, dataDir?: string): Promise<string> {
  const files = layout(resolveDataDir(dataDir));
  const state = readState(files);
  if (state?.ready !== true)
    throw new Problem(`There is no cluster in ${files.dataDir}: start one with hack/cluster up.`);
  if (!existsSync(archive)) throw new Problem(`There is no file ${archive}.`);
  switch (state.node) {
    case 'kubelet':
      return loadIntoNode(state, archive);
    case 'k3s':
      return loadIntoK3s(files.dataDir, archive);
    case 'stand-in':
      throw new Problem('Pods run no containers here, so no image is needed: start the cluster with --node.');
    default:
      return state.node satisfies never;
  }
}

async function loadIntoNode({ components, binaries }: State, archive: string): Promise<string> {
  const node = components.find(({ name }) => name === NODE_COMPONENT);
  if (node === undefined) throw new Problem('The node of this cluster is not known.');
  // Its mounts are its own; the archive is read on this side.
  const socket = join('/proc', String(node.process.pid), 'root', NODE_SOCKET);
  const args = ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', archive];
  try {
    return (await promisify(execFile)(join(binaries, 'ctr'), args)).stdout;
  } catch (error) {
    throw new Problem(`containerd did not take ${archive}: ${messageOf(error).trim()}.`);
  }
}
