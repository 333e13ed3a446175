// An address at which the API server reaches programs of this machine behind a Service: the addresses in an Endpoints
// object may not be of the loopback or the link-local block.

import { execFileSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { messageOf, Problem } from './problem.ts';

/** Of a block for documentation (RFC 5737): on a machine without a network, nobody else has it. */
const OWN = '203.0.113.1';

/** Gives a machine that has no such address one, on its loopback interface, where it harms nobody and stays. */
export function hostAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const usable = all.filter(({ family, address }) => family === 'IPv4' && !/^(127|169\.254)\./.test(address));
  const found = usable.find(({ internal }) => !internal) ?? usable[0];
  if (found !== undefined) return found.address;
  try {
    execFileSync('ip', ['addr', 'add', `${OWN}/32`, 'dev', 'lo'], { stdio: 'pipe' });
  } catch (error) {
    const why = messageOf(error).trim().split('\n').at(-1)?.replace(/\.$/, '');
    throw new Problem(
      `This machine has only loopback addresses, and the API server cannot call a webhook at one; "ip addr add ${OWN}/32 dev lo", which needs root, failed: ${why}.`,
    );
  }
  return OWN;
}
