// The command line of hack/cluster as data. `kubectl` takes everything behind it untouched, so --data counts only
// before it.

import { Problem } from './problem.ts';

interface Common {
  readonly dataDir: string | undefined;
}

export type Request = Common &
  (
    | { readonly command: 'help' }
    | { readonly command: 'up'; readonly node: boolean }
    | { readonly command: 'load'; readonly archives: readonly string[] }
    | { readonly command: 'down' }
    | { readonly command: 'status' }
    | { readonly command: 'kubeconfig'; readonly path: boolean }
    | { readonly command: 'kubectl'; readonly args: readonly string[] }
  );

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  help: [],
  up: ['--node'],
  down: [],
  status: [],
  kubeconfig: ['--path'],
};

export const USAGE = `hack/cluster: a real Kubernetes control plane for tests, the demo and development

  hack/cluster up [--node]         start it; --node: with a real kubelet and containers (needs root)
  hack/cluster load FILE…          bring archives of images to its node: what "make image" or "docker save" wrote
  hack/cluster down                stop it and remove all of it
  hack/cluster status              what runs; exit code 1 when it does not run
  hack/cluster kubeconfig          print its kubeconfig; --path: print where that file is
  hack/cluster kubectl ARGS…       run kubectl 1.35 against it

  --data DIR (before kubectl)      another cluster beside the default one, with its data in DIR

It uses no other cluster's kubeconfig and no container image. The first \`up\` may have to build Kubernetes from
Debian's source package (about 7 minutes with two cores); later ones take seconds. Another source of the programs:
KUBEBUILDER_ASSETS, a folder with etcd, kube-apiserver and kube-controller-manager.`;

/** Takes --data out of the arguments, up to the word kubectl. */
function takeDataDir(args: readonly string[]): { dataDir: string | undefined; rest: readonly string[] } {
  const end = args.indexOf('kubectl');
  const [own, passed] = end === -1 ? [args, []] : [args.slice(0, end), args.slice(end)];
  const rest: string[] = [];
  let dataDir: string | undefined;
  const words = own.values();
  for (const word of words) {
    if (word === '--data') dataDir = words.next().value ?? '';
    else if (word.startsWith('--data=')) dataDir = word.slice('--data='.length);
    else rest.push(word);
  }
  if (dataDir === '') throw new Problem('--data needs a folder: --data DIR.');
  return { dataDir, rest: [...rest, ...passed] };
}

export function parseArguments(args: readonly string[]): Request {
  const { dataDir, rest } = takeDataDir(args);
  const [command = 'help', ...others] = rest;
  if (command === 'kubectl') return { command, dataDir, args: others };
  if (command === '--help' || command === '-h' || others.includes('--help') || others.includes('-h')) {
    return { command: 'help', dataDir };
  }
  if (command === 'load') return { command, dataDir, archives: archivesOf(others) };
  const flags = FLAGS[command];
  if (flags === undefined) throw new Problem(`There is no command ${command}: see hack/cluster --help.`);
  const unknown = others.find((word) => !flags.includes(word));
  if (unknown !== undefined) throw new Problem(`${command} does not know ${unknown}: see hack/cluster --help.`);
  if (command === 'up') return { command, dataDir, node: others.includes('--node') };
  if (command === 'kubeconfig') return { command, dataDir, path: others.includes('--path') };
  return { command: command as 'help' | 'down' | 'status', dataDir };
}

function archivesOf(words: readonly string[]): readonly string[] {
  const flag = words.find((word) => word.startsWith('-'));
  if (flag !== undefined) throw new Problem(`load does not know ${flag}: see hack/cluster --help.`);
  if (words.length === 0) throw new Problem('load needs the archive of an image: hack/cluster load FILE.');
  return words;
}
