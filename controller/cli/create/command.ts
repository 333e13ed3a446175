// `kubectl config-rollout create foo --from-file=config.yml --owner deployment/bar`: what `kubectl create configmap` does,
// with the opt-in in the same request, so that no moment passes in which the ConfigMap has none.

import { isFailure } from '../../app/errors.ts';
import type { Workload } from '../../core/types.ts';
import { WORKLOAD_KINDS } from '../../workloads/kinds.ts';
import { admissionWarning } from '../admission.ts';
import type { Cluster, Json } from '../cluster.ts';
import { type Call, defineCommand, warn } from '../command.ts';
import { dryRunOf, fieldManagerFlag, WRITE_FLAGS } from '../common-flags.ts';
import { CommandError, ServerError, UsageError } from '../errors.ts';
import type { FlagTable } from '../flags.ts';
import { makePrinter } from '../printer.ts';
import { inOrder } from '../reading.ts';
import { CONFIG_MAPS, isWorkload, parseTargets, printed, type Target, WORKLOAD_TYPES } from '../resources.ts';
import { readContent } from './content.ts';
import { planCreate } from './plan.ts';

const MANAGER = 'kubectl-create';

const FLAGS = {
  ...WRITE_FLAGS,
  ...fieldManagerFlag(MANAGER),
  'from-file': {
    type: 'csv',
    usage:
      'Key file can be specified using its file path, in which case file basename will be used as configmap key, or optionally with a key and file path, in which case the given key will be used.  Specifying a directory will iterate each named file in the directory whose basename is a valid configmap key.',
  },
  'from-literal': {
    type: 'list',
    usage: 'Specify a key and literal value to insert in configmap (i.e. mykey=somevalue)',
  },
  'from-env-file': {
    type: 'csv',
    usage: 'Specify the path to a file to read lines of key=val pairs to create a configmap.',
  },
  owner: {
    type: 'csv',
    usage: `Workload that the ConfigMap rolls out to, as deployment/NAME. Can be repeated. Types: ${WORKLOAD_TYPES}.`,
  },
  declare: {
    type: 'switch',
    usage:
      'If true, name the owners in the annotation configrollout.dev/owners instead of in owner references: they need not exist yet, and deleting them does not delete the ConfigMap.',
  },
} as const satisfies FlagTable;

export const create = defineCommand({
  help: {
    summary: 'Create a ConfigMap that rolls out to workloads.',
    description: [
      ' Takes its content as "kubectl create configmap" does, from files, directories, literal values or env files.',
      ' Kubernetes deletes a ConfigMap when the last of its owners is deleted; with --declare it does not.',
    ],
    examples: [
      [
        'Create configmap foo, whose changes roll out to deployment bar',
        'kubectl config-rollout create foo --from-file=config.yml --owner deployment/bar',
      ],
      [
        'The same for two deployments, without tying its life to theirs',
        'kubectl config-rollout create foo --from-literal=k=v --owner deployment/bar --owner deployment/baz --declare',
      ],
      [
        'Update the content of configmap foo',
        'kubectl config-rollout create foo --from-file=config.yml --owner deployment/bar --dry-run=client -o yaml | kubectl apply -f -',
      ],
    ],
    usage:
      'kubectl config-rollout create NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--owner=deployment/NAME] [options]',
  },
  flags: FLAGS,
  run,
});

async function run(call: Call<typeof FLAGS>): Promise<number> {
  const { flags, shell, wording } = call;
  const name = nameOf(call.args);
  const targets = flags.owner.map(parseOwner);
  if (flags.declare && targets.length === 0)
    throw new UsageError('--declare needs an --owner, as in --owner deployment/bar');
  const dryRun = dryRunOf(flags, (text) => warn(shell, [text]));
  const printer = makePrinter(flags, dryRun);
  const sources = { files: flags['from-file'], literals: flags['from-literal'], envFiles: flags['from-env-file'] };
  const content = readContent(name, sources, shell.env);
  const owners = flags.declare || targets.length === 0 ? [] : await readOwners(await call.cluster(), targets, name);
  const plan = planCreate({
    name,
    // An object that is only printed gets a namespace only if one was asked for, as kubectl's does.
    namespace: dryRun === 'client' ? flags.namespace || undefined : (await call.cluster()).namespace,
    content,
    declared: flags.declare ? targets : [],
    owners,
    wording,
  });
  const options = { fieldManager: flags['field-manager'] ?? MANAGER, dryRun: dryRun === 'server' };
  const result = dryRun === 'client' ? plan.object : await post(call, plan.object, options);
  shell.out(await printer.print(`configmap/${name}`, 'created', result));
  warn(shell, plan.warnings);
  if (targets.length > 0 && dryRun !== 'client') {
    const unguarded = await admissionWarning(await call.cluster(), `configmap/${name}`);
    if (unguarded !== undefined) warn(shell, [unguarded]);
  }
  return 0;
}

async function post(call: Call<typeof FLAGS>, object: Json, options: { fieldManager: string; dryRun: boolean }) {
  try {
    return await (await call.cluster()).create(CONFIG_MAPS, object, options);
  } catch (error) {
    // kubectl prefixes what it created: `error: failed to create configmap: configmaps "foo" already exists`.
    if (error instanceof ServerError) throw new CommandError(`failed to create configmap: ${error.message}`);
    throw error;
  }
}

/** `foo`; also `configmap foo`, which is what the fingers type after `create`. */
function nameOf(args: readonly string[]): string {
  const [first = '', ...rest] = args;
  const names = CONFIG_MAPS.aliases.includes(first) && rest.length > 0 ? rest : args;
  const [name, ...more] = names;
  if (name === undefined || name === '' || more.length > 0) {
    throw new UsageError(`exactly one NAME is required, got ${names.length}`);
  }
  return name;
}

function parseOwner(text: string): Target {
  const [target] = text.includes('/') ? parseTargets([text]) : [];
  if (target === undefined || !isWorkload(target)) {
    throw new UsageError(
      `invalid argument "${text}" for "--owner" flag: it names no workload; write ${WORKLOAD_TYPES}/NAME`,
    );
  }
  return target;
}

async function readOwners(
  cluster: Cluster,
  targets: readonly Target[],
  name: string,
): Promise<{ target: Target; workload: Workload }[]> {
  return inOrder(
    targets.map(async (target) => {
      try {
        const raw = await cluster.get(target.resource, target.name);
        const workload = WORKLOAD_KINDS.find(({ kind }) => kind === target.resource.kind)?.project(raw);
        if (workload !== undefined) return { target, workload };
        throw new CommandError(`the server answered with something that is no ${target.resource.kind}`);
      } catch (error) {
        if (!(error instanceof ServerError && isFailure(error, 'NotFound'))) throw error;
        throw error.withHint(
          `configmap/${name} was not created; create ${printed(target)} first, or name it with --declare: it need not exist then`,
        );
      }
    }),
  );
}
