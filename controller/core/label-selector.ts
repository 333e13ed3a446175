// Label selectors, in the language of `kubectl -l`: apimachinery's labels.Parse and Selector.Matches.

interface Requirement {
  readonly key: string;
  readonly operator: 'in' | 'notin' | 'exists' | 'absent' | '>' | '<';
  readonly values: readonly string[];
}

/** What labels have to be like: all of the requirements hold. */
export type LabelSelector = readonly Requirement[];

const SPACE = '[ \\t\\r\\n]';
const WORD = '[^ \\t\\r\\n=!(),<>]';
// One requirement, and the comma or the end after it. What is in it is validated afterwards, for better messages.
const REQUIREMENT = new RegExp(
  `${SPACE}*(?:` +
    `!${SPACE}*(?<absent>${WORD}+)|` +
    `(?<key>${WORD}+)(?:` +
    `${SPACE}*(?<operator>==?|!=|[<>])${SPACE}*(?<value>${WORD}*)|` +
    `${SPACE}+(?<set>in|notin)${SPACE}*\\((?<values>[^()]*)\\))?` +
    `)${SPACE}*(?<end>,|$)`,
  'y',
);
const OPERATORS = { '=': 'in', '==': 'in', '!=': 'notin', '>': '>', '<': '<' } as const;

// The API server's own rules for labels.
const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const DNS_SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const LARGEST_INTEGER = 2n ** 63n - 1n;

/**
 * Reads `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x)`, `a`, `!a`, `a>1`, `a<1`, joined by commas. Empty text selects
 * everything.
 *
 * @throws Error that names the part that is wrong.
 */
export function parseLabelSelector(text: string): LabelSelector {
  if (/^[ \t\r\n]*$/.test(text)) return [];
  const selector: Requirement[] = [];
  for (let position = 0; ; position = REQUIREMENT.lastIndex) {
    REQUIREMENT.lastIndex = position;
    const groups = REQUIREMENT.exec(text)?.groups;
    if (groups === undefined) {
      const rest = text.slice(position).trim();
      throw new Error(`cannot read ${rest === '' ? 'what comes after the last comma' : `"${rest}"`}`);
    }
    selector.push(validated(requirementOf(groups)));
    if (groups['end'] === '') return selector;
  }
}

/** Whether an object with these labels is selected. */
export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every(({ key, operator, values }) => {
    // A label may well be called `constructor`.
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (value === undefined) return operator === 'notin' || operator === 'absent';
    switch (operator) {
      case 'exists':
        return true;
      case 'absent':
        return false;
      case 'in':
        return values.includes(value);
      case 'notin':
        return !values.includes(value);
      default:
        return isInteger(value) && values.every((bound) => isBeyond(BigInt(value), operator, BigInt(bound)));
    }
  });
}

function requirementOf(groups: Readonly<Record<string, string | undefined>>): Requirement {
  const { absent, key = '', operator, value = '', set, values = '' } = groups;
  if (absent !== undefined) return { key: absent, operator: 'absent', values: [] };
  if (operator !== undefined) return { key, operator: OPERATORS[operator as keyof typeof OPERATORS], values: [value] };
  if (set === undefined) return { key, operator: 'exists', values: [] };
  return { key, operator: set === 'in' ? 'in' : 'notin', values: values.split(',').map((each) => each.trim()) };
}

function validated(requirement: Requirement): Requirement {
  const { key, operator, values } = requirement;
  const slash = key.indexOf('/');
  if (!NAME.test(key.slice(slash + 1)) || (slash !== -1 && !DNS_SUBDOMAIN.test(key.slice(0, slash)))) {
    throw new Error(`"${key}" is no valid label key`);
  }
  const wrong = values.find((value) => value !== '' && !NAME.test(value));
  if (wrong !== undefined) throw new Error(`"${wrong}", for label ${key}, is no valid label value`);
  if ((operator === '>' || operator === '<') && !values.every(isInteger)) {
    throw new Error(`"${values.join()}", for label ${key}, is no integer to compare with`);
  }
  return requirement;
}

function isBeyond(value: bigint, operator: '>' | '<', bound: bigint): boolean {
  return operator === '>' ? value > bound : value < bound;
}

function isInteger(value: string): boolean {
  return /^\d+$/.test(value) && BigInt(value) <= LARGEST_INTEGER;
}
