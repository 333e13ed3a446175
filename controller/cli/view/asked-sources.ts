// `--source configmap/foo`: which of a workload's sources a command is about.

import { display } from '../../core/types.ts';
import { CommandError, UsageError } from '../errors.ts';
import type { FlagTable } from '../flags.ts';
import { isSource, parseTargets, printed, typed } from '../resources.ts';
import type { SourceName, WorkloadLook } from './namespace-view.ts';

export const SOURCE_FLAG = {
  source: {
    type: 'list',
    usage: 'Only this ConfigMap or Secret, as configmap/NAME or secret/NAME; may be repeated. All of them otherwise.',
  },
} as const satisfies FlagTable;

/**
 * The sources that were named, or all.
 *
 * @throws UsageError for what is no source, CommandError for one that the workload has nothing to do with
 */
export function askedSources(look: WorkloadLook, words: readonly string[]): readonly SourceName[] {
  if (words.length === 0) return look.sources;
  const asked = parseTargets(words).map((target) => {
    if (isSource(target)) return { kind: target.resource.kind, namespace: look.namespace, name: target.name };
    throw new UsageError(`--source ${typed(target)} is no ConfigMap or Secret`);
  });
  const others = asked.filter((source) => !look.sources.some((each) => display(each) === display(source)));
  const [other] = others;
  if (other === undefined) return asked;
  throw new CommandError(
    `${display(other)} is not among the sources of ${printed(look)} (they are: ${look.sources.map(display).join(', ')})`,
  );
}
