// What goes wrong between a controller and its API server in an hour: one thing after the other, with calm in between.

import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultRule, Verb, Fault as Wrong } from '../../test/support/fault-rules.ts';
import type { FaultProxy } from '../../test/support/proxy.ts';
import type { Random } from './random.ts';

type Fault = (proxy: FaultProxy, ms: number, signal: AbortSignal) => Promise<void>;

// So short that two minutes hold one of each.
const CALM_MS = { least: 4_000, most: 12_000 };
const FAULT_MS = { least: 500, most: 5_000 };

const EVERY_VERB: readonly Verb[] = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
const EVERY_RESOURCE =
  'configmaps configrollouts configrollouts/status controllerrevisions daemonsets deployments events replicasets rollouts statefulsets';

const FAULTS: Readonly<Record<string, Fault>> = {
  'cut off, and healed': async (proxy, ms, signal) => {
    proxy.cut();
    await pause(ms, signal);
    proxy.heal();
  },
  'a write and all after it dropped': judged('drop'),
  'an answer and all after it lost': judged('lose'),
  'connections reset': ruled('reset'),
  'too many requests': ruled({ status: 429, retryAfter: 1 }),
  'internal errors': ruled({ status: 500 }),
  'no server behind the load balancer': ruled({ status: 503 }),
  'slow answers': ruled({ delayMs: 500 }),
  'half of each answer': ruled('truncated body'),
  'watches ended': midway('cut'),
  'watches too old': midway({ status: 410 }),
};

/** Each in its turn, until the signal aborts; the way is free again when it resolves. */
export async function makeFaults(
  proxy: FaultProxy,
  random: Random,
  onFault: (name: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const between = ({ least, most }: typeof CALM_MS) => least + random() * (most - least);
  const all = Object.entries(FAULTS);
  for (let turn = Math.floor(random() * all.length); ; turn++) {
    await pause(between(CALM_MS), signal);
    const [name, fault] = all[turn % all.length] ?? [];
    if (signal.aborted || name === undefined || fault === undefined) return;
    onFault(name);
    await fault(proxy, between(FAULT_MS), signal);
  }
}

function judged(verdict: 'drop' | 'lose'): Fault {
  return async (proxy, ms, signal) => {
    proxy.judge = () => verdict;
    await pause(ms, signal);
    proxy.judge = () => 'pass';
  };
}

/** Every request goes wrong like this. */
function ruled(fault: Wrong): Fault {
  return inForce(EVERY_VERB.flatMap((verb) => resources().map((resource) => ({ verb, resource, fault }))));
}

/** Every watch does, at its next event. */
function midway(fault: Wrong): Fault {
  return inForce(resources().map((resource) => ({ verb: 'watch', resource, fault, midway: true })));
}

function resources(): readonly string[] {
  return EVERY_RESOURCE.split(' ');
}

function inForce(rules: readonly FaultRule[]): Fault {
  return async (proxy, ms, signal) => {
    proxy.rules.set(rules);
    await pause(ms, signal);
    proxy.rules.set([]);
  };
}

/** Ends early, and quietly, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
