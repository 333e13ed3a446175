// Debian packages without installing them: an apt with lists and caches of its own downloads them, and they are
// unpacked into a folder. The machine stays as it is (no services, no upgrades), and nobody has to be root.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDeb822, parseSourcesList, type SourcesEntry, withSourcePackages } from './apt-sources.ts';
import { Problem } from './problem.ts';
import type { Runner } from './runner.ts';

function machineEntries(): SourcesEntry[] {
  const folder = '/etc/apt/sources.list.d';
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const read = (path: string) => readFileSync(path, 'utf8');
  return [
    ...(existsSync('/etc/apt/sources.list') ? parseSourcesList(read('/etc/apt/sources.list')) : []),
    ...names.filter((name) => name.endsWith('.list')).flatMap((name) => parseSourcesList(read(join(folder, name)))),
    ...names.filter((name) => name.endsWith('.sources')).flatMap((name) => parseDeb822(read(join(folder, name)))),
  ];
}

export class PrivateApt {
  readonly #run: Runner;
  readonly #folder: string;
  readonly #options: readonly string[];

  constructor(run: Runner, folder: string, codename: string) {
    const sources = withSourcePackages(machineEntries(), codename);
    if (sources === undefined) {
      throw new Problem(`No entry for Debian ${codename} with component main was found below /etc/apt.`);
    }
    for (const name of ['sources', 'lists/partial', 'cache/archives/partial']) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    writeFileSync(join(folder, 'sources', 'debian.sources'), sources);
    this.#run = run;
    this.#folder = folder;
    this.#options = [
      '--quiet',
      '--option=Dir::Etc::SourceList=/dev/null',
      `--option=Dir::Etc::SourceParts=${join(folder, 'sources')}`,
      `--option=Dir::State::Lists=${join(folder, 'lists')}`,
      `--option=Dir::Cache=${join(folder, 'cache')}`,
      '--option=Acquire::Retries=3',
      // Its own user could not read a folder in somebody's home.
      '--option=APT::Sandbox::User=root',
      // Hooks of the machine may only work for root, and nothing of the machine changes.
      '--option=APT::Update::Post-Invoke::=true',
      '--option=APT::Get::List-Cleanup=false',
    ];
  }

  async update(): Promise<void> {
    // Otherwise a mirror that is not there is only a warning.
    await this.#apt(this.#folder, ['update', '--error-on=any']);
  }

  /** Unpacks these packages, and none that they depend on, below `root`; and what they say of themselves below `controls`. */
  async unpack(packages: readonly string[], root: string, controls?: string): Promise<void> {
    const folder = join(this.#folder, 'packages');
    mkdirSync(folder, { recursive: true });
    mkdirSync(root, { recursive: true });
    await this.#apt(folder, ['download', ...packages]);
    for (const name of readdirSync(folder)) {
      await this.#run('dpkg-deb', ['--extract', join(folder, name), root]);
      if (controls === undefined) continue;
      const control = join(controls, name.replace(/_.*/, ''));
      mkdirSync(control, { recursive: true });
      await this.#run('dpkg-deb', ['--control', join(folder, name), control]);
    }
  }

  /** The files of a source package; gives its upstream version. */
  async source(name: string, folder: string): Promise<string> {
    mkdirSync(folder, { recursive: true });
    await this.#apt(folder, ['source', '--download-only', '--only-source', name]);
    const description = readdirSync(folder).find((file) => file.endsWith('.dsc'));
    const version = /^Version:.*?(\d+\.\d+\.\d+)(?=-)/m.exec(
      description === undefined ? '' : readFileSync(join(folder, description), 'utf8'),
    )?.[1];
    if (version === undefined) throw new Problem(`The source package ${name} does not tell its version.`);
    return version;
  }

  async #apt(cwd: string, args: readonly string[]): Promise<void> {
    await this.#run('apt-get', [...this.#options, ...args], { cwd });
  }
}
