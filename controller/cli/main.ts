// The composition root of the kubectl plugins, the only file of theirs that touches the process. One program: which
// command it is, it reads from the name that it was called by.

import { spawn } from 'node:child_process';
import packageJson from '../../package.json' with { type: 'json' };
import { type Shell, warn } from './command.ts';
import { runProgram } from './program.ts';

const shell: Shell = {
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY === true,
  execute: run,
  async connect(flags) {
    // Not at the top: what it imports takes longer to load than --help takes to print.
    const { connect } = await import('./connect.ts');
    return connect(flags, {
      env: process.env,
      userAgent: `kubectl-config_rollout/${packageJson.version}`,
      trace: (line) => void process.stderr.write(`${line}\n`),
      warn: (text) => warn(shell, [text]),
    });
  },
};

function run(program: string, args: readonly string[]): Promise<number> {
  // Ctrl-C goes to both: the program ends by it, and the command goes on to clean up.
  const wait = () => undefined;
  process.on('SIGINT', wait);
  return new Promise<number>((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  }).finally(() => process.off('SIGINT', wait));
}

// The reader of a pipe may have seen enough: `kubectl set-volume deploy/bar | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

runProgram(process.argv[1] ?? '', process.argv.slice(2), shell, packageJson.version).then((code) => {
  process.exitCode = code;
});
