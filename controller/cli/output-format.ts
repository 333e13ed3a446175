// What -o asks for.

import { UsageError } from './errors.ts';

/** As commands that list take -o; nothing is a table. */
export type ListFormat = 'table' | 'wide' | 'json' | 'yaml' | 'name';

export const LIST_FORMATS = ['json', 'name', 'wide', 'yaml'] as const;

/** @throws UsageError, in kubectl's words, for what is not allowed. */
export function formatOf<F extends string, D extends string>(
  output: string | undefined,
  allowed: readonly F[],
  byDefault: D,
): F | D {
  if (output === undefined || output === '') return byDefault;
  const format = allowed.find((each) => each === output);
  if (format !== undefined) return format;
  throw new UsageError(
    `unable to match a printer suitable for the output format "${output}", allowed formats are: ${allowed.join(',')}`,
  );
}
