// `kubectl config-rollout pause deployment/bar`, and resume: a person's wish, written into the ConfigRollout of the workload.

import { type Call, type Command, defineCommand, warn } from '../command.ts';
import { dryRunOf, fieldManagerFlag, WRITE_FLAGS } from '../common-flags.ts';
import { makePrinter } from '../printer.ts';
import { inOrder } from '../reading.ts';
import { printed, WORKLOAD_TYPES } from '../resources.ts';
import { parseSome } from '../view/selection.ts';
import { planPause, printedConfigRollout, read, type Wish, write } from './plan.ts';

const MANAGER = 'kubectl-config-rollout';

const FLAGS = { ...WRITE_FLAGS, ...fieldManagerFlag(MANAGER) } as const;

type PauseCall = Call<typeof FLAGS>;

export const pause: Command = defineCommand({
  help: {
    summary: 'Hold back changes of configuration from a workload, until they are resumed.',
    description: [
      ' While it is paused, no change of a ConfigMap or a Secret rolls out to the workload; what changed meanwhile rolls out\n as one revision when it is resumed. A rollout that has begun goes on, and so does everything else: images, "kubectl\n rollout undo", manifests that are applied.',
      ' It is the field spec.paused of the ConfigRollout of the workload, which is made where there is none; -o prints that.',
    ],
    examples: [
      ['Hold back changes of config from deployment bar', 'kubectl config-rollout pause deployment/bar'],
      ['See what waits', 'kubectl config-rollout status deployment/bar'],
    ],
    usage: `kubectl config-rollout pause ${WORKLOAD_TYPES}/NAME [...] [options]`,
  },
  flags: FLAGS,
  run: (call) => run(call, 'pause'),
});

export const resume: Command = defineCommand({
  help: {
    summary: 'Roll out to a workload what changed while it was paused.',
    description: [' What changed meanwhile rolls out as one revision. The opposite of "kubectl config-rollout pause".'],
    examples: [['Roll out what waits', 'kubectl config-rollout resume deployment/bar']],
    usage: `kubectl config-rollout resume ${WORKLOAD_TYPES}/NAME [...] [options]`,
  },
  flags: FLAGS,
  run: (call) => run(call, 'resume'),
});

async function run({ args, flags, shell, cluster: connect }: PauseCall, wish: Wish): Promise<number> {
  const targets = parseSome(args);
  const dryRun = dryRunOf(flags, (text) => warn(shell, [text]));
  const printer = makePrinter(flags, dryRun);
  const cluster = await connect();
  const options = { fieldManager: flags['field-manager'] ?? MANAGER, dryRun: dryRun === 'server' };
  // All are looked at before the first is written: a slip of the pen in the last leaves the first alone.
  const seen = await inOrder(targets.map((target) => read(cluster, target)));
  for (const [i, target] of targets.entries()) {
    const first = seen[i];
    const done =
      dryRun === 'client' && first !== undefined
        ? planPause(first, wish)
        : await write(cluster, { target, wish, options, first });
    const subject = flags.output === 'name' ? printedConfigRollout(done) : printed(target);
    shell.out(await printer.print(subject, done.verb, done.result));
    warn(shell, done.warnings);
  }
  return 0;
}
