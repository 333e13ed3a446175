// Health probes in the manner of kube-apiserver: `ok`, or the list of checks with what is wrong; `?verbose` shows the list
// either way, and `/readyz/<check>` asks for one of them.

import { messageOf } from '../runtime/failure.ts';
import type { Reply, Route } from './plain-http.ts';

/** One condition. What it says is shown to whoever asks: nothing secret. */
export interface Check {
  /** One word; it is part of a path. */
  readonly name: string;
  /** Undefined when all is well, else what is not. */
  readonly check: () => string | undefined;
}

/** Probe → its checks: `healthz` fails when only a restart helps, `readyz` while others should be asked. */
export interface ProbeChecks {
  readonly healthz: readonly Check[];
  readonly readyz: readonly Check[];
}

export const PROBE_PATHS = ['/healthz', '/readyz'] as const;

// That an answer comes at all.
const PING: Check = { name: 'ping', check: () => undefined };

/** Answers both probes, each check of them, and nothing else. */
export function probeRoute({ healthz, readyz }: ProbeChecks): Route {
  const probes = new Map([
    ['healthz', [PING, ...healthz]],
    ['readyz', [PING, ...readyz]],
  ]);
  return ({ pathname, searchParams }) => {
    const [, probe = '', name, ...rest] = pathname.split('/');
    const all = probes.get(probe);
    if (all === undefined || rest.length > 0) return undefined;
    const asked = name === undefined ? all : all.filter((check) => check.name === name);
    return asked.length === 0 ? undefined : answer(probe, asked, searchParams.has('verbose'));
  };
}

function answer(probe: string, checks: readonly Check[], isVerbose: boolean): Reply {
  const failures = new Map(checks.map((check) => [check.name, run(check)]));
  const isWell = [...failures.values()].every((failure) => failure === undefined);
  if (isWell && !isVerbose) return { status: 200, text: 'ok' };
  const lines = [...failures].map(([name, failure]) =>
    failure === undefined ? `[+]${name} ok` : `[-]${name} failed: ${failure}`,
  );
  const verdict = `${probe} check ${isWell ? 'passed' : 'failed'}`;
  return { status: isWell ? 200 : 503, text: `${[...lines, verdict].join('\n')}\n` };
}

function run({ check }: Check): string | undefined {
  try {
    return check();
  } catch (error) {
    return messageOf(error);
  }
}
