/** A wire between clients and a server that a test can cut. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

/** A port in front of another. */
export interface Cuttable {
  /** Base URL, without a slash at its end. */
  readonly url: string;
  /** Resets all connections; new ones may come. */
  cut(): void;
}

/** Listens in front of the server with this base URL, until the test ends. */
export async function makeCuttable(t: Test, url: string): Promise<Cuttable> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const there = connect(Number(port), hostname);
    keep(client);
    keep(there);
    client.pipe(there).on('close', () => client.destroy());
    there.pipe(client).on('close', () => there.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  t.teardown(() => {
    cut();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut };
}
