// KUBECTL_EXTERNAL_DIFF, as `kubectl diff` honours it: a program, and flags of letters, digits, dashes and equal signs, that is
// given two directories. Source: DiffProgram in k8s.io/kubectl/pkg/cmd/diff.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shorten } from '../../core/names.ts';
import type { Content } from '../../core/types.ts';
import { messageOf } from '../../runtime/failure.ts';
import type { Shell } from '../command.ts';
import { CommandError } from '../errors.ts';
import type { Pair } from './render.ts';

const HARMLESS = /^[a-zA-Z0-9\-=]+$/;
const LONGEST_FILE_NAME = 255;

/** True when the program found a difference. Secrets are never among the pairs: their values would be in files. */
export async function runExternal(command: string, pairs: readonly Pair[], shell: Shell): Promise<boolean> {
  const [program = '', ...flags] = command.split(' ');
  const directories: string[] = [];
  try {
    for (const side of ['before', 'after'] as const) {
      // Made with mode 0700.
      const directory = await mkdtemp(join(tmpdir(), `${side.toUpperCase()}-`));
      directories.push(directory);
      for (const { source, [side]: half } of pairs) {
        await writeAll(directory, `${source.kind.toLowerCase()}.${source.name}`, half.content);
      }
    }
    const args = [...directories, ...flags.filter((flag) => HARMLESS.test(flag))];
    const code = await execute(shell, program, args);
    if (code > 1) throw new CommandError(`${program}, from KUBECTL_EXTERNAL_DIFF, exited with ${code}`);
    return code === 1;
  } finally {
    for (const directory of directories) await rm(directory, { recursive: true, force: true });
  }
}

async function execute(shell: Shell, program: string, args: readonly string[]): Promise<number> {
  try {
    return await shell.execute(program, args);
  } catch (error) {
    throw new CommandError(`cannot run ${program}, from KUBECTL_EXTERNAL_DIFF: ${messageOf(error)}`);
  }
}

async function writeAll(directory: string, prefix: string, { data, binaryData }: Content): Promise<void> {
  const path = (key: string) => join(directory, shorten(`${prefix}.${key}`, LONGEST_FILE_NAME));
  for (const [key, text] of Object.entries(data)) await writeFile(path(key), text);
  for (const [key, text] of Object.entries(binaryData)) await writeFile(path(key), Buffer.from(text, 'base64'));
}
