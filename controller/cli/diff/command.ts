// `kubectl config-rollout diff deployment/bar`: what a revision changed in the content of its configuration. Reads only, and
// needs no controller.

import { display } from '../../core/types.ts';
import { COLOUR_FLAG, type Colours, coloursOf } from '../colour.ts';
import { type Call, defineCommand, type Shell, warn } from '../command.ts';
import { CommandError, UsageError } from '../errors.ts';
import type { FlagTable } from '../flags.ts';
import { inOrder } from '../reading.ts';
import { WORKLOAD_TYPES } from '../resources.ts';
import { askedSources, SOURCE_FLAG } from '../view/asked-sources.ts';
import { viewNamespace } from '../view/load.ts';
import type { NamespaceView, SourceName, WorkloadLook } from '../view/namespace-view.ts';
import { parseOne } from '../view/selection.ts';
import { nothingRollsOut } from '../view/unmanaged.ts';
import { runExternal } from './external.ts';
import { hasKey, type Pair, renderPair } from './render.ts';
import { type Half, halfOf, parseRequest, type Side, sidesOf } from './sides.ts';

const FLAGS = {
  revision: {
    type: 'text',
    usage:
      'A,B: compare revision A with revision B; "live" as B is the content of now, that rolls out next. A alone: compare it with the revision of now. Otherwise the revision before is compared with that of now.',
  },
  ...SOURCE_FLAG,
  key: { type: 'list', usage: 'Only this key; may be repeated.' },
  ...COLOUR_FLAG,
} as const satisfies FlagTable;

export const diff = defineCommand({
  help: {
    summary: 'Show how the configuration of two revisions of a workload differs.',
    description: [
      ' Prints a unified diff of each key of each ConfigMap. Of Secrets, only the names of the keys that differ are ever\n shown. Control characters are shown as ^[. Nothing is written, and no controller needs to run.',
      ' KUBECTL_EXTERNAL_DIFF names a program that compares two directories with the ConfigMaps instead, as with kubectl diff.',
      ' Exit status: 0 no difference, 1 there is one, 2 an error, also where a content is not known.',
    ],
    examples: [
      ['What did the last revision change?', 'kubectl config-rollout diff deployment/bar'],
      ['Between two revisions, one key', 'kubectl config-rollout diff deployment/bar --revision 5,7 --key config.yml'],
      ['What would an undo to revision 5 change back?', 'kubectl config-rollout diff deployment/bar --revision 5'],
      [
        'What is waiting to roll out to a workload that is paused, or was rolled back?',
        'kubectl config-rollout diff deployment/bar --revision 7,live',
      ],
    ],
    usage: `kubectl config-rollout diff ${WORKLOAD_TYPES}/NAME [--revision A[,B]] [--source configmap|secret/NAME] [options]`,
  },
  flags: FLAGS,
  errorCode: 2,
  run,
});

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { flags, shell } = call;
  const request = parseRequest(flags.revision);
  const colours = coloursOf(flags, shell);
  const target = parseOne(call.args);
  const view = await viewNamespace(await call.cluster(), { targets: [target] });
  const [look] = view.targets.map((each) => view.look(each));
  if (look === undefined) throw new UsageError(`name a workload, as ${WORKLOAD_TYPES}/NAME`);
  warn(shell, look.refusals);
  if (look.sources.length === 0) throw nothingRollsOut(look, call.wording);
  const sides = sidesOf(look, request, call.wording);
  const sources = askedSources(look, flags.source);
  const halves = await inOrder(sources.map((source) => bothOf(view, look, sides, source)));
  const known = halves.flatMap((each) => ('problem' in each ? [] : [onlyKeys(each, flags.key)]));
  refuseUnknownKeys(known, flags.key, halves.length === known.length);
  const differs = await show(known, colours, shell);
  const problems = halves.flatMap((each) => ('problem' in each ? [each.problem] : []));
  if (problems.length > 0) throw new CommandError(problems.join('\nerror: '));
  return differs ? 1 : 0;
}

async function bothOf(
  view: NamespaceView,
  look: WorkloadLook,
  sides: readonly [Side, Side],
  source: SourceName,
): Promise<Pair | { readonly problem: string }> {
  const [before, after] = await Promise.all([
    halfOf(view, look, sides[0], source),
    halfOf(view, look, sides[1], source),
  ]);
  if (isKnown(before) && isKnown(after)) return { source, before, after };
  const why = [before, after].filter((half) => !isKnown(half));
  return { problem: `${display(source)} cannot be compared: ${[...new Set(why)].join('; ')}` };
}

function isKnown(half: Half | string): half is Half {
  return typeof half === 'object';
}

async function show(pairs: readonly Pair[], colours: Colours, shell: Shell): Promise<boolean> {
  const external = shell.env['KUBECTL_EXTERNAL_DIFF'];
  const isForProgram = ({ source }: Pair) => external !== undefined && external !== '' && source.kind !== 'Secret';
  const text = pairs
    .filter((pair) => !isForProgram(pair))
    .map((pair) => renderPair(pair, colours))
    .join('');
  shell.out(text);
  const others = pairs.filter(isForProgram);
  const found = external && others.length > 0 ? await runExternal(external, others, shell) : false;
  return text !== '' || found;
}

function onlyKeys({ source, before, after }: Pair, keys: readonly string[]): Pair {
  if (keys.length === 0) return { source, before, after };
  const pick = (values: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(values).filter(([key]) => keys.includes(key)));
  const reduce = ({ title, content }: Half): Half => ({
    title,
    content: { data: pick(content.data), binaryData: pick(content.binaryData) },
  });
  return { source, before: reduce(before), after: reduce(after) };
}

/** A slip of the pen must not look like "no difference". */
function refuseUnknownKeys(pairs: readonly Pair[], keys: readonly string[], isComplete: boolean): void {
  const unknown = keys.filter(
    (key) => !pairs.some(({ before, after }) => hasKey(before.content, key) || hasKey(after.content, key)),
  );
  if (isComplete && unknown.length > 0) throw new CommandError(`neither side has a key ${unknown.join(', ')}`);
}
