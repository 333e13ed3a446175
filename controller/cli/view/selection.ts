// Which workloads a command is about: those that were named, or all of a type, perhaps with a label selector, as with
// `kubectl get`.

import { UsageError } from '../errors.ts';
import {
  isWorkload,
  parseTargets,
  type Resource,
  type Target,
  typed,
  WORKLOAD_TYPES,
  WORKLOADS,
} from '../resources.ts';

/** `targets` have to exist. Of `kinds` there may be none. */
export type Selection =
  | { readonly targets: readonly Target[] }
  | { readonly kinds: readonly Resource[]; readonly labelSelector?: string };

/**
 * Reads TYPE/NAME …, TYPE NAME …, and TYPE[,TYPE] alone for all of the type; no words mean all types.
 *
 * @throws UsageError, CommandError as parseTargets does
 */
export function parseSelection(words: readonly string[], labelSelector: string | undefined): Selection {
  const [types, ...more] = words;
  const kinds = types === undefined ? WORKLOADS : workloadTypes(types);
  if (kinds !== undefined && more.length === 0) return { kinds, ...(labelSelector && { labelSelector }) };
  if (labelSelector) throw new UsageError('name cannot be provided when a selector is specified');
  const targets = parseTargets(words);
  const other = targets.find((target) => !isWorkload(target));
  if (other !== undefined) {
    throw new UsageError(`${typed(other)} is no workload; name workloads, as ${WORKLOAD_TYPES}/NAME`);
  }
  return { targets: [...new Map(targets.map((target) => [typed(target), target])).values()] };
}

/** Reads the workloads that were named, one at least. Throws UsageError for none. */
export function parseSome(words: readonly string[]): readonly Target[] {
  const selection = words.length === 0 ? { targets: [] } : parseSelection(words, undefined);
  if ('targets' in selection && selection.targets.length > 0) return selection.targets;
  throw new UsageError(`name one or more workloads, as ${WORKLOAD_TYPES}/NAME`);
}

/** Reads the one workload that a command is about. Throws UsageError for none, or several. */
export function parseOne(words: readonly string[]): Target {
  const selection = words.length === 0 ? { targets: [] } : parseSelection(words, undefined);
  const [target, ...more] = 'targets' in selection ? selection.targets : [];
  if (target !== undefined && more.length === 0) return target;
  throw new UsageError(`name one workload, as ${WORKLOAD_TYPES}/NAME`);
}

/** `deploy,sts`; undefined when one of them is no type of workload. */
function workloadTypes(word: string): Resource[] | undefined {
  const found = word.split(',').map((type) => WORKLOADS.find(({ aliases }) => aliases.includes(type.toLowerCase())));
  return found.every((each) => each !== undefined) ? found : undefined;
}
