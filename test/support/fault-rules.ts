// What goes wrong between the controller and the API server, as data: which request, by verb and resource, and how.

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** A request in the words of RBAC. */
export interface Asked {
  readonly verb: Verb;
  /** With its subresource: `configrollouts/status`. */
  readonly resource: string;
  /** For another page of a list. */
  readonly continued: boolean;
}

/** Answered in the API server's place, which never hears of the request. In the middle of a watch: an event ERROR. */
export interface Refusal {
  readonly status: number;
  /** In seconds. */
  readonly retryAfter?: number;
}

export interface Delay {
  readonly delayMs: number;
}

/**
 * `cut`, `reset`: the connection ends, with FIN or RST, and the request is lost. `black hole`: nothing comes, and the
 * connection stays. `lost answer`: the API server acts, and its answer is lost. The bodies: it acts, and half of its answer
 * arrives before the connection ends (`truncated`) or as if it were all of it (`halved`), or nothing that it said.
 */
export type Fault =
  | Refusal
  | Delay
  | 'cut'
  | 'reset'
  | 'black hole'
  | 'lost answer'
  | 'truncated body'
  | 'halved body'
  | 'malformed body'
  | 'wrong content type'
  | 'empty body';

/** All by which the API server has not acted; the next attempt meets the next of them. */
export const REFUSED: readonly Fault[] = [
  { status: 409 },
  { status: 410 },
  { status: 422 },
  { status: 429, retryAfter: 1 },
  { status: 500 },
  { status: 503 },
  'cut',
  'reset',
];

export interface FaultRule {
  readonly verb: Verb;
  readonly resource: string;
  readonly fault: Fault;
  /** How often; always, when absent. */
  readonly times?: number;
  /** In the middle of a watch: in the place of its next event. */
  readonly midway?: boolean;
  /** Only requests for another page of a list. */
  readonly continued?: boolean;
}

export interface Strike {
  readonly rule: FaultRule;
  readonly path: string;
  /** Monotonic, in ms. */
  readonly at: number;
}

/** The rules in force, each used up after its number of times; of several that fit, the first strikes. */
export class FaultRules {
  readonly strikes: Strike[] = [];
  #left: { readonly rule: FaultRule; times: number }[] = [];

  /** In the place of those in force. */
  set(rules: readonly FaultRule[]): void {
    this.#left = rules.map((rule) => ({ rule, times: rule.times ?? Number.POSITIVE_INFINITY }));
  }

  /** Those that have not struck as often as they may. */
  get unused(): FaultRule[] {
    return this.#left.filter(({ times }) => times > 0).map(({ rule }) => rule);
  }

  /** What happens to this request, or to this event of a watch. */
  strike({ verb, resource, continued }: Asked, path: string, midway = false): Fault | undefined {
    const found = this.#left.find(
      ({ rule, times }) =>
        times > 0 &&
        rule.verb === verb &&
        rule.resource === resource &&
        (rule.midway ?? false) === midway &&
        (continued || rule.continued !== true),
    );
    if (found === undefined) return undefined;
    found.times -= 1;
    this.strikes.push({ rule: found.rule, path, at: performance.now() });
    return found.rule.fault;
  }
}

const VERBS: Readonly<Record<string, Verb>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

/** @param url path and query, as they are asked for. */
export function askedBy(method: string, url: string): Asked {
  const { pathname, searchParams } = new URL(url, 'http://api');
  const parts = pathname.split('/').filter((part) => part !== '');
  const below = parts.slice(parts[0] === 'api' ? 2 : 3);
  const [resource = '', name, subresource] = below[0] === 'namespaces' && below.length > 2 ? below.slice(2) : below;
  const reading = name !== undefined ? 'get' : searchParams.has('watch') ? 'watch' : 'list';
  return {
    verb: VERBS[method] ?? reading,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    continued: searchParams.has('continue'),
  };
}

export function describeFault(fault: Fault): string {
  if (typeof fault === 'string') return fault;
  if ('delayMs' in fault) return `${fault.delayMs} ms late`;
  return fault.retryAfter === undefined ? `${fault.status}` : `${fault.status} with Retry-After: ${fault.retryAfter}`;
}
