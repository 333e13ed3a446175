// The lines of an env file, by kubectl's rules: `key=value` as it stands, `#` comments, and a key alone for the value
// that the environment has.

import { isUtf8 } from 'node:buffer';
import { CommandError } from '../errors.ts';

const KEY = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
const BYTE_ORDER_MARK = '\uFEFF';

/** The pairs of the file, in its order. Throws CommandError. */
export function readEnvFile(
  path: string,
  bytes: Buffer,
  env: Readonly<Record<string, string | undefined>>,
): [key: string, value: string][] {
  const pairs: [string, string][] = [];
  lines(bytes).forEach((line, i) => {
    if (!isUtf8(line)) {
      throw new CommandError(`env file ${path} contains invalid utf8 bytes at line ${i + 1}: [${[...line].join(' ')}]`);
    }
    const text = line.toString('utf8');
    // What JavaScript trims includes the mark; only the first line's counts as none.
    const trimmed = (i === 0 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text).replace(/^[^\S\uFEFF]+/, '');
    if (trimmed === '' || trimmed.startsWith('#')) return;
    const at = trimmed.indexOf('=');
    const key = at < 0 ? trimmed : trimmed.slice(0, at);
    const problem = keyProblem(key);
    if (problem !== undefined) throw new CommandError(`"${key}" is not a valid key name: ${problem}`);
    pairs.push([key, at < 0 ? (env[key] ?? '') : trimmed.slice(at + 1)]);
  });
  return pairs;
}

function keyProblem(key: string): string | undefined {
  if (!KEY.test(key)) {
    return `a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')`;
  }
  if (key === '.' || key === '..') return `must not be '${key}'`;
  return key.startsWith('..') ? "must not start with '..'" : undefined;
}

/** Split by bytes, so that an invalid line can be named. A carriage return before the line feed is no content. */
function lines(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed;
    found.push(bytes.subarray(start, bytes[end - 1] === 0x0d && end > start ? end - 1 : end));
    start = end + 1;
  }
  return found;
}
