// What the annotations of Stakater Reloader ask for, with the meaning that they have there, so that a team can change
// tools before it changes manifests: docs/migrating-from-reloader.md.

import { SOURCE_KINDS } from './names.ts';
import type { SourceKind } from './types.ts';

type Annotations = Readonly<Record<string, string>>;

/** What a workload asks for, of the sources of one kind. */
interface ReloaderRequest {
  /** Whatever it references. */
  readonly auto: boolean;
  /** What is marked for it. */
  readonly search: boolean;
  readonly named: readonly string[];
  /** Those of `named` that are regular expressions, and can be run without harm. */
  readonly patterns: readonly string[];
  /** Names, never patterns. Wins over all of the above. */
  readonly excluded: readonly string[];
}

/** What Reloader's annotations ask for, on a workload. Each kind of source has its own place to read them from. */
export type ReloaderOptIn = Readonly<Partial<Record<SourceKind, ReloaderRequest>>>;

/** What they say on a source. */
export interface ReloaderMarks {
  readonly match: boolean;
  readonly ignore: boolean;
}

const DOMAIN = 'reloader.stakater.com';
const AUTO = `${DOMAIN}/auto`;
const SEARCH = `${DOMAIN}/search`;
// Only `auto` is read this generously there; `search`, `match` and `ignore` are "true" to the letter.
const TRUE = /^(?:1|t|T|true|True|TRUE)$/;

/** Undefined when there is none of them, the common case: projections are kept by the thousand. */
export function reloaderOptIn(
  annotations: Annotations | undefined,
  templateAnnotations: Annotations | undefined,
): ReloaderOptIn | undefined {
  const requests = SOURCE_KINDS.flatMap((kind) => {
    const request = requestFor(kind, annotations ?? {}, templateAnnotations ?? {});
    return request === undefined ? [] : [[kind, request] as const];
  });
  return requests.length === 0 ? undefined : Object.fromEntries(requests);
}

/** Undefined when they say nothing. Reloader reads annotations here, too, and never labels. */
export function reloaderMarks(annotations: Annotations | undefined): ReloaderMarks | undefined {
  const match = annotations?.[`${DOMAIN}/match`] === 'true';
  const ignore = annotations?.[`${DOMAIN}/ignore`] === 'true';
  return match || ignore ? { match, ignore } : undefined;
}

/** Whether the workload asks for this source (which its template references; that is checked elsewhere). */
export function reloaderAsksFor(
  optIn: ReloaderOptIn,
  source: { readonly kind: SourceKind; readonly name: string; readonly reloader: ReloaderMarks | undefined },
): boolean {
  const { kind, name, reloader } = source;
  const request = optIn[kind];
  if (request === undefined || reloader?.ignore === true || request.excluded.includes(name)) return false;
  if (request.auto || (request.search && reloader?.match === true) || request.named.includes(name)) return true;
  return request.patterns.some((pattern) => regularExpression(pattern)?.test(name));
}

function requestFor(kind: SourceKind, own: Annotations, template: Annotations): ReloaderRequest | undefined {
  const type = kind.toLowerCase();
  const typedAuto = `${type}.${DOMAIN}/auto`;
  const reload = `${type}.${DOMAIN}/reload`;
  const exclude = `${type}s.exclude.${DOMAIN}/reload`;
  // Places are not merged: one word on the workload, and be it auto: "false", hides all that the template says.
  const place = [AUTO, typedAuto, SEARCH, reload].some((key) => own[key] !== undefined) ? own : template;
  const auto = TRUE.test(place[AUTO] ?? '') || TRUE.test(place[typedAuto] ?? '');
  const search = place[SEARCH] === 'true';
  const named = entries(place[reload]);
  if (!auto && !search && named.length === 0) return undefined;
  // Reloader 1 reads this on the workload alone, Reloader 2 beside the rest: what either leaves alone is left alone.
  const excluded = [...new Set([...entries(own[exclude]), ...entries(place[exclude])])];
  return { auto, search, named, patterns: harmlessPatterns(named), excluded };
}

function entries(list: string | undefined): string[] {
  // The template of a custom resource may hold anything, such as numbers; and an annotation 256 KiB.
  const all = String(list ?? '');
  // Of one that is too long, the entries that end within the limit.
  const read = all.length > LONGEST_LIST ? all.slice(0, all.lastIndexOf(',', LONGEST_LIST) + 1) : all;
  const texts = read.split(',');
  return texts.map((text) => text.trim()).filter((entry) => entry !== '');
}

// Who may edit a workload writes patterns that run in this process, and JavaScript's engine goes back and forth where
// Go's does not. So an entry is a pattern only if it consists of what both read alike and repeats no group, and a list
// gets so many steps, a fraction of a second at the very worst. Any other is a name, and matches only itself.
const LONGEST_LIST = 4096;
const LONGEST_NAME = 253;
const MOST_STEPS = 2 ** 22;
const STEPS_TO_COMPILE = 2 ** 14;
const PIECE = /\\[-._dDwWsS]|\[\^?(?:\\[-.dws]|[\w.-])+\]|\((?:\?:)?|\{\d{1,3}\}|[\w.^$|)*+?-]/g;
const REPEATED_GROUP = /\)[*+{]/;
// One that is in no group: Reloader's ^ and $ make of `a|b` "begins with a, or ends with b".
const OUTER_BAR = /(?:^|\))[^()]*\|[^()]*(?:\(|$)/;

function harmlessPatterns(named: readonly string[]): string[] {
  let steps = MOST_STEPS;
  // In Go, a * after Reloader's ^ repeats the ^: their "*-config" works like the glob that it looks like.
  const patterns = named.map((entry) => entry.replace(/^[*?]/, '.*'));
  return patterns.filter((pattern) => {
    if (/^[\w-]*$/.test(pattern) || pattern.length > LONGEST_NAME || REPEATED_GROUP.test(pattern)) return false;
    if (pattern.replace(PIECE, '') !== '' || regularExpression(pattern) === undefined) return false;
    const cost = worstSteps(pattern);
    if (cost > steps) return false;
    steps -= cost;
    return true;
  });
}

/** More than can be tried on the longest name: a repetition may end anywhere, any alternative may be the wrong one. */
function worstSteps(pattern: string): number {
  const counts = [...pattern.matchAll(/\{(\d+)\}/g)].map(([, count]) => Number(count) + 1);
  const repetitions = pattern.replace(/[^*+]/g, '').length + Number(OUTER_BAR.test(pattern));
  const alternatives = pattern.replace(/[^?|]/g, '').length;
  const steps = LONGEST_NAME ** repetitions * 4 ** alternatives;
  return STEPS_TO_COMPILE + counts.reduce((product, count) => product * count, steps);
}

/** Undefined for one that is not valid. Which ones are is not the same in Go and in JavaScript. */
function regularExpression(pattern: string): RegExp | undefined {
  try {
    return new RegExp(`^${pattern}$`);
  } catch {
    return undefined;
  }
}
