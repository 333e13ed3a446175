// Free ports of the loopback interface, so that any number of clusters run side by side.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below those that Linux gives to connections, and to whoever asks for any port: nobody takes one of these between now and
// its use. Above the well-known ones.
const [FIRST, LAST] = [20_000, 29_999];

const given = new Set<number>();

/** One for each name; none that was given before by this process. */
export async function freePorts<const Name extends string>(...names: Name[]): Promise<Record<Name, number>> {
  const entries = await Promise.all(names.map(async (name) => [name, await freePort()] as const));
  return Object.fromEntries(entries) as Record<Name, number>;
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST + 1);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
