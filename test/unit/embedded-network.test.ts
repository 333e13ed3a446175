import { describe, expect, test } from '@jest/globals';
import { blocksInUse, bridgeName } from '../../hack/embedded/node-network.ts';

const header = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT';
const route = (destination: string, mask: string) => `eth0\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0`;

describe('blocks of addresses for the pods of a real node', () => {
  test('avoid the addresses of this machine', () => {
    expect([...blocksInUse(['127.0.0.1', '10.130.4.5', '::1', '192.168.10.1'], header)]).toEqual([130]);
  });

  test('avoid its routes, narrow and wide, but not the default one', () => {
    const routes = [
      header,
      route('00000000', '00000000'),
      route('0000820A', '00F0FFFF'),
      route('0000F80A', '0000FCFF'),
      route('000200C0', '00FFFFFF'),
    ];
    expect([...blocksInUse([], routes.join('\n'))]).toEqual([130, 248, 249, 250, 251]);
  });

  test('the name of a bridge is stable, and short enough for the kernel', () => {
    expect(bridgeName('/tmp/a')).toBe(bridgeName('/tmp/a'));
    expect(bridgeName('/tmp/a')).not.toBe(bridgeName('/tmp/b'));
    expect(bridgeName('/a/very/long/path'.repeat(10)).length).toBeLessThanOrEqual(15);
  });
});
