// The command line of the benchmark as data.

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { messageOf, Problem } from '../embedded/problem.ts';
import type { Scenario } from './scenario.ts';
import { TARGET_NAMES, type TargetName } from './targets.ts';

export interface CandidateOption {
  /** That of its target, with a number where there are several of them. */
  readonly name: string;
  readonly target: TargetName;
  readonly command: string;
}

export interface Options {
  readonly candidates: readonly CandidateOption[];
  /** Names, in the order of the list. */
  readonly scenarios: readonly string[];
  readonly quick: boolean;
  /** Whether config-rollout serves admission, as it does where it is installed. */
  readonly admission: boolean;
  readonly seconds: number;
  readonly output: 'table' | 'json';
  readonly help: boolean;
}

const OWN_COMMAND = 'dist/config-rollout-controller';
const OWN: CandidateOption = { name: 'config-rollout', target: 'config-rollout', command: OWN_COMMAND };

/** The scenario that measures admission alone. */
const ADMISSION = 'admission';

/** `quick` has its own; both give way to --seconds. */
const SECONDS = { full: 60, quick: 1 };

const FLAGS = {
  target: { type: 'string', multiple: true, default: [] as string[] },
  command: { type: 'string', multiple: true, default: [] as string[] },
  scenario: { type: 'string', multiple: true, default: [] as string[] },
  seconds: { type: 'string' },
  quick: { type: 'boolean', default: false },
  'no-admission': { type: 'boolean', default: false },
  output: { type: 'string', default: 'table' },
  help: { type: 'boolean', short: 'h', default: false },
} satisfies ParseArgsOptionsConfig;

/** `quickOnes` are those of the known that --quick means. Throws a Problem that says what is wrong, and what would be right. */
export function parseOptions(args: readonly string[], known: readonly string[], quickOnes: readonly string[]): Options {
  const { values, tokens } = parse(args);
  const { scenario, seconds, quick, output, help } = values;
  const admission = !values['no-admission'];
  const unknown = scenario.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Problem(`--scenario: there is no ${unknown}; there are ${known.join(', ')}.`);
  if (!admission && scenario.includes(ADMISSION))
    throw new Problem(`--no-admission leaves nothing of --scenario ${ADMISSION}.`);
  const all = (quick ? quickOnes : known).filter((name) => admission || name !== ADMISSION);
  const chosen = scenario.length > 0 ? scenario : all;
  if (output !== 'table' && output !== 'json') throw new Problem(`--output: ${output} is neither table nor json.`);
  return {
    candidates: candidatesOf(tokens),
    scenarios: known.filter((name) => chosen.includes(name)),
    quick,
    admission,
    seconds: whole('seconds', seconds ?? String(quick ? SECONDS.quick : SECONDS.full)),
    output,
    help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, tokens: true });
  } catch (error) {
    throw new Problem(messageOf(error));
  }
}

/** In the order of the command line: a command is that of the target before it. */
function candidatesOf(tokens: ReturnType<typeof parse>['tokens']): readonly CandidateOption[] {
  const asked: { target: string; command?: string }[] = [];
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, value = '' } = token;
    const last = asked.at(-1);
    if (name === 'target') asked.push({ target: value });
    else if (name === 'command' && last?.command === undefined && last !== undefined) last.command = value;
    else if (name === 'command') throw new Problem('--command: each belongs to the --target before it.');
  }
  if (asked.length === 0) return [OWN];
  return asked.map(({ target: name, command }, index) => {
    const target = TARGET_NAMES.find((candidate) => candidate === name);
    if (target === undefined) throw new Problem(`--target: ${name} is none of ${TARGET_NAMES.join(', ')}.`);
    const started = command ?? (target === OWN.target ? OWN.command : undefined);
    if (started === undefined) throw new Problem(`--target ${name} needs a --command that starts it.`);
    const earlier = asked.slice(0, index).filter((other) => other.target === name).length;
    return { name: earlier === 0 ? name : `${name} ${earlier + 1}`, target, command: started };
  });
}

function whole(flag: string, value: string): number {
  if (!/^[1-9]\d{0,5}$/.test(value)) throw new Problem(`--${flag}: "${value}" is no number from 1.`);
  return Number(value);
}

export function usage(scenarios: readonly Pick<Scenario, 'name' | 'about'>[], quickOnes: readonly string[]): string {
  const lines = scenarios.map(({ name, about }) => `  ${name.padEnd(11)} ${about}`);
  return `Measures controllers on a real API server of their own, side by side, and beside the bare requests of a rollout.

  make bench                       all of it for config-rollout, as it was built; ARGS='--quick' passes flags on

  --scenario NAME      only this one; may be given several times
  --quick              smaller; unless others are named, only ${quickOnes.join(', ')}: in two minutes
  --no-admission       config-rollout without its webhook, and the bare loop without one, too
  --seconds N          length of a load (default ${SECONDS.full}, with --quick ${SECONDS.quick})
  --target NAME        ${TARGET_NAMES.join(', ')}: how workloads opt in (default ${OWN.target}); several are
                       measured in turns, in one run, also two builds of the same
  --command '…'        what starts the target before it, with its cluster in $KUBECONFIG and in place of {kubeconfig}
                       (default for ${OWN.target}: ${OWN_COMMAND})
  --output json        figures as JSON on standard output, progress on standard error

  make bench ARGS="--target config-rollout --target reloader --command './reloader' --scenario S1"

Scenarios:
${lines.join('\n')}

Controllers run one at a time, in turns; config-rollout as it is installed, with admission. API servers then ask a webhook
about each patch of a workload, and so they do about the bare loop's, which says yes at once; unless one of the targets has
no admission: then nobody is asked about these. By default config-rollout waits a second before it rolls, so that what is
applied together rolls together: here it runs with --settle 0s but where it is said, to show what is work. The exit code
is 1 when something went wrong, not when something was slow.`;
}
