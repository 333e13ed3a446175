// The commands of hack/cluster.

import { existsSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { parseArguments, type Request, USAGE } from './arguments.ts';
import { down, isRunning, nodeText, up } from './cluster.ts';
import { runKubectl } from './kubectl.ts';
import { loadImages } from './load.ts';
import { type Layout, layout, resolveDataDir } from './paths.ts';
import { Problem } from './problem.ts';
import { isAlive } from './processes.ts';
import { type Component, readState } from './state.ts';

// Progress goes to standard error: standard output is for what was asked for.
const log = (line: string) => console.error(line);

function existing(path: string, files: Layout): string {
  if (!existsSync(path)) throw new Problem(`There is no cluster in ${files.dataDir}: start one with hack/cluster up.`);
  return path;
}

function componentLine({ name, process: id, ports, log: file }: Component): string {
  const state = isAlive(id) ? `pid ${id.pid}` : `ended (was pid ${id.pid})`;
  const listening = ports.length === 0 ? '' : `, port ${ports.join(' and ')}`;
  return `  ${name.padEnd(24)} ${state}${listening}, log ${file}`;
}

async function status(files: Layout): Promise<number> {
  const state = readState(files);
  if (state === undefined) {
    console.log(`no cluster in ${files.dataDir}`);
    return 1;
  }
  const running = await isRunning(state);
  console.log(`cluster in ${files.dataDir}: ${running ? 'running' : 'not running'}`);
  console.log(`server: ${state.server}, Kubernetes ${state.serverVersion}`);
  console.log(`node: ${nodeText(state)}`);
  console.log('components:');
  if (state.container !== undefined) console.log('  k3s, in a Docker container');
  for (const component of state.components) console.log(componentLine(component));
  return running ? 0 : 1;
}

/** Ctrl-C gives up in good order; what has been started is stopped on the way out. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => controller.abort(new Problem(`Interrupted by ${name}.`)));
  }
  return controller.signal;
}

async function run(request: Request): Promise<number> {
  const files = layout(resolveDataDir(request.dataDir));
  switch (request.command) {
    case 'help':
      console.log(USAGE);
      return 0;
    case 'up':
      await up({ dataDir: files.dataDir, node: request.node, log, signal: interruption() });
      log(`Use it with: hack/cluster kubectl …, or KUBECONFIG=${files.kubeconfig}`);
      return 0;
    case 'load':
      for (const archive of request.archives) process.stdout.write(await loadImages(archive, files.dataDir));
      return 0;
    case 'down':
      await down(files.dataDir, log);
      return 0;
    case 'status':
      return status(files);
    case 'kubeconfig':
      existing(files.kubeconfig, files);
      process.stdout.write(request.path ? `${files.kubeconfig}\n` : readFileSync(files.kubeconfig));
      return 0;
    case 'kubectl':
      return runKubectl(existing(files.kubeconfig, files), request.args);
  }
}

try {
  process.exitCode = await run(parseArguments(process.argv.slice(2)));
} catch (error) {
  if (error instanceof Problem && error.detail !== undefined) console.error(error.detail);
  const message = error instanceof Problem ? error.message : inspect(error);
  console.error(`hack/cluster: ${message}`);
  process.exitCode = 1;
}
