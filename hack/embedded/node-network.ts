// The network of a real node: a bridge of its own, with a block of addresses that nothing else on this machine uses.
// Pods reach the machine and each other; nothing is translated or forwarded, so no firewall rule or kernel setting
// changes.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { withLock } from './lock.ts';
import { cacheFolder } from './paths.ts';

export interface NodeNetwork {
  readonly bridge: string;
  /** Of the machine, on the bridge. */
  readonly address: string;
  readonly podRange: string;
  readonly serviceRange: string;
  /** Of the Service `kubernetes`, the first of the range. */
  readonly apiService: string;
}

export function bridgeName(dataDir: string): string {
  return `cro-${createHash('sha256').update(dataDir).digest('hex').slice(0, 8)}`;
}

/** Of its own: a bridge otherwise takes one of its ports', another one when that pod goes, and all others lose the way. */
function hardwareAddress(bridge: string): string {
  const bytes = createHash('sha256').update(bridge).digest().subarray(0, 5);
  return ['02', ...[...bytes].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

export function networkOf(bridge: string, block: number): NodeNetwork {
  const at = (rest: string) => `10.${block}.${rest}`;
  return {
    bridge,
    address: at('0.1'),
    podRange: at('0.0/20'),
    serviceRange: at('128.0/20'),
    apiService: at('128.1'),
  };
}

/** Second bytes of the blocks 10.x.0.0/16 that an address or route of this machine lies in. */
export function blocksInUse(addresses: readonly string[], routes: string): ReadonlySet<number> {
  const used = new Set<number>();
  for (const address of addresses) {
    const found = /^10\.(\d+)\./.exec(address);
    if (found?.[1] !== undefined) used.add(Number(found[1]));
  }
  for (const line of routes.split('\n').slice(1)) {
    const [, destination = '', , , , , , mask = ''] = line.split(/\s+/);
    // Hexadecimal, the first byte of the address last.
    if (!destination.endsWith('0A') || mask === '00000000') continue;
    const [first, bits] = [destination, mask].map((text) => Number.parseInt(text.slice(4, 6), 16));
    if (first === undefined || bits === undefined) continue;
    for (let block = first; block <= (first | (~bits & 0xff)); block += 1) used.add(block);
  }
  return used;
}

async function busyboxRun(busybox: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(busybox, args);
}

/** `onName` hears of the bridge before it exists, so that it is found again whatever happens. */
export async function createNetwork(busybox: string, bridge: string, onName: () => void): Promise<NodeNetwork> {
  return withLock(join(cacheFolder(), 'network.lock'), {}, async () => {
    const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
    const used = blocksInUse(addresses, readFileSync('/proc/net/route', 'utf8'));
    const block = Array.from({ length: 120 }, (_, index) => 130 + index).find((candidate) => !used.has(candidate));
    if (block === undefined) throw new Error('no free block of addresses between 10.130.0.0 and 10.249.0.0');
    const network = networkOf(bridge, block);
    onName();
    await busyboxRun(busybox, 'brctl', 'addbr', bridge);
    await busyboxRun(busybox, 'ip', 'link', 'set', bridge, 'address', hardwareAddress(bridge));
    await busyboxRun(busybox, 'ip', 'addr', 'add', `${network.address}/20`, 'dev', bridge);
    await busyboxRun(busybox, 'ip', 'addr', 'add', `${network.apiService}/32`, 'dev', bridge);
    await busyboxRun(busybox, 'ip', 'link', 'set', bridge, 'up');
    return network;
  });
}

/** The pods' interfaces go with their namespaces, which takes the kernel a moment. */
export async function removeNetwork(busybox: string, bridge: string): Promise<void> {
  const folder = `/sys/class/net/${bridge}`;
  if (!existsSync(folder)) return;
  const ports = () => (existsSync(`${folder}/brif`) ? readdirSync(`${folder}/brif`) : []);
  for (let round = 0; round < 100 && ports().length > 0; round += 1) await sleep(50);
  for (const port of ports()) await busyboxRun(busybox, 'ip', 'link', 'del', port);
  await busyboxRun(busybox, 'ip', 'link', 'set', bridge, 'down');
  await busyboxRun(busybox, 'brctl', 'delbr', bridge);
}
