// Where pods expect the API server, at its Service's address, this passes connections on to the loopback port where it
// listens. A process of its own: relay.ts FROM-ADDRESS FROM-PORT TO-PORT.

import { connect, createServer } from 'node:net';

const [address = '', from = '', to = ''] = process.argv.slice(2);

createServer({ allowHalfOpen: true }, (incoming) => {
  const outgoing = connect({ host: '127.0.0.1', port: Number(to), allowHalfOpen: true });
  incoming.on('error', () => outgoing.destroy());
  outgoing.on('error', () => incoming.destroy());
  incoming.pipe(outgoing).pipe(incoming);
}).listen(Number(from), address);
