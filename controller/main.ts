// The composition root of the controller: the only file that touches the process.

import { hostname } from 'node:os';
import packageJson from '../package.json' with { type: 'json' };
import { readConfig } from './config.ts';
import { Exit } from './config-flags.ts';
import { makeLog } from './logger.ts';
import { run } from './run.ts';
import { messageOf } from './runtime/failure.ts';

async function main(): Promise<void> {
  const { version } = packageJson;
  const config = readConfig(process.argv.slice(2), process.env, version);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  const log = makeLog(config);
  await run(config, stop, {
    env: process.env,
    hostname: hostname(),
    version,
    print: (line) => process.stdout.write(`${line}\n`),
    die: (message) => {
      log('error', message);
      process.exit(1);
    },
    log,
  });
}

main().catch((error: unknown) => {
  if (error instanceof Exit) {
    (error.code === 0 ? process.stdout : process.stderr).write(error.text);
    process.exitCode = error.code;
    return;
  }
  process.stderr.write(`error: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
