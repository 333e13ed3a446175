// The fence of leader election: whoever does not lead any more writes nothing, whatever was planned before.

import { ClusterError } from './errors.ts';
import type { ClusterPort } from './ports.ts';

const READS: readonly PropertyKey[] = ['readSource', 'readMetadata', 'isMounted'] satisfies (keyof ClusterPort)[];

/** The port, but for what is not known to read only: that throws unless `mayWrite` says yes, right then. */
export function fenced(port: ClusterPort, mayWrite: () => boolean): ClusterPort {
  return new Proxy(port, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]): unknown => {
        if (!READS.includes(name) && !mayWrite())
          throw new ClusterError('Unavailable', 'this replica does not lead any more, and writes nothing');
        return Reflect.apply(method, target, args);
      };
    },
  });
}
