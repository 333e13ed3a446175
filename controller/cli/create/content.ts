// --from-file and --from-literal → the content of a ConfigMap: the rules and the errors of `kubectl create configmap`.

import { isUtf8 } from 'node:buffer';
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import type { Content } from '../../core/types.ts';
import { CommandError } from '../errors.ts';
import { readEnvFile } from './env-file.ts';

export interface ContentSources {
  readonly files: readonly string[];
  readonly literals: readonly string[];
  readonly envFiles: readonly string[];
}

const KEY = /^[-._a-zA-Z0-9]+$/;
const KEY_MAX = 253;

/** `env` gives the values of variables that an env file names without one. Throws CommandError. */
export function readContent(
  name: string,
  { files, literals, envFiles }: ContentSources,
  env: Readonly<Record<string, string | undefined>>,
): Content {
  if (envFiles.length > 0 && (files.length > 0 || literals.length > 0)) {
    throw new CommandError('from-env-file cannot be combined with from-file or from-literal');
  }
  const content = new ContentBuilder(name);
  for (const file of files) addFileSource(content, file);
  for (const literal of literals) content.addText(...splitLiteral(literal));
  for (const path of envFiles) {
    if (stat(path).isDirectory()) throw new CommandError('env config file cannot be a directory');
    for (const [key, value] of readEnvFile(path, readBytes(path), env)) content.addText(key, value);
  }
  return content.build();
}

/** Collects keys, and refuses what a ConfigMap cannot hold. */
class ContentBuilder {
  readonly #name: string;
  readonly #data = new Map<string, string>();
  readonly #binaryData = new Map<string, string>();

  constructor(name: string) {
    this.#name = name;
  }

  addText(key: string, value: string): void {
    this.#check(key);
    this.#data.set(key, value);
  }

  /** What is no UTF-8 goes to binaryData. */
  addFile(key: string, path: string): void {
    const bytes = readBytes(path);
    this.#check(key);
    if (isUtf8(bytes)) this.#data.set(key, bytes.toString('utf8'));
    else this.#binaryData.set(key, bytes.toString('base64'));
  }

  build(): Content {
    return { data: Object.fromEntries(this.#data), binaryData: Object.fromEntries(this.#binaryData) };
  }

  #check(key: string): void {
    const problem = keyProblem(key);
    if (problem !== undefined) throw new CommandError(`"${key}" is not a valid key name for a ConfigMap: ${problem}`);
    const holder = this.#data.has(key) ? 'Data' : this.#binaryData.has(key) ? 'BinaryData' : undefined;
    if (holder !== undefined) {
      throw new CommandError(
        `cannot add key "${key}", another key by that name already exists in ${holder} for ConfigMap "${this.#name}"`,
      );
    }
  }
}

function keyProblem(key: string): string | undefined {
  if (key.length > KEY_MAX) return `must be no more than ${KEY_MAX} characters`;
  if (!KEY.test(key)) {
    return `a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`;
  }
  if (key === '.' || key === '..') return `must not be '${key}'`;
  return key.startsWith('..') ? "must not start with '..'" : undefined;
}

/** `path`, `key=path`, or a directory, each regular file of which is a key. */
function addFileSource(content: ContentBuilder, source: string): void {
  const [key, path] = splitFileSource(source);
  if (!stat(path).isDirectory()) {
    content.addFile(key, path);
    return;
  }
  if (source.includes('=')) throw new CommandError('cannot give a key name for a directory path');
  for (const name of listDirectory(path)) {
    const entry = `${path.replace(/\/+$/, '') || ''}/${name}`;
    // Neither directories nor links, as kubectl does: a mounted ConfigMap is full of links to itself.
    if (lstatSync(entry).isFile()) content.addFile(name, entry);
  }
}

function splitFileSource(source: string): [key: string, path: string] {
  const [first = '', second, ...more] = source.split('=');
  if (second === undefined) return [first.replace(/\/+$/, '').split('/').at(-1) ?? first, first];
  if (more.length > 0) throw new CommandError("key names or file paths cannot contain '='");
  if (first === '') throw new CommandError(`key name for file path ${second} missing`);
  if (second === '') throw new CommandError(`file path for key name ${first} missing`);
  return [first, second];
}

function splitLiteral(literal: string): [key: string, value: string] {
  const at = literal.indexOf('=');
  if (at < 1) throw new CommandError(`invalid literal source ${literal}, expected key=value`);
  return [literal.slice(0, at), literal.slice(at + 1)];
}

function stat(path: string) {
  return reading(path, () => statSync(path));
}

function readBytes(path: string): Buffer {
  return reading(path, () => readFileSync(path));
}

function listDirectory(path: string): string[] {
  // By bytes, as Go sorts; the order shows in which of two errors comes first.
  return reading(path, () => readdirSync(path)).sort((a, b) => (a < b ? -1 : 1));
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw new CommandError(
      `error reading ${path}: ${errno === undefined ? String(error) : getSystemErrorMessage(errno)}`,
    );
  }
}
