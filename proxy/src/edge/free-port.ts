/** Owns: a port that the system chooses for several processes. Does not own: their listeners. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { listenError } from './listen-error.js';

/**
 * A port of this address that was free a moment ago.
 * @throws EdgeError when there is none, or no such address
 */
export async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, { host, port: 0 })));
    server.listen({ host, port: 0, exclusive: true }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}
