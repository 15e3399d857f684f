/** A wire between clients and a server that a test can cut. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

/** A port in front of another. */
export interface Cuttable {
  /** Base URL, without a slash at its end. */
  readonly url: string;
  /** Resets all connections; new ones may come. */
  cut(): void;
  /** The same, and new ones are refused, until `mend`. */
  sever(): void;
  mend(): Promise<void>;
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
  const listen = (at: number) => new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
  await listen(0);
  const { port: own } = server.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  t.teardown(() => {
    cut();
    server.close();
  });
  const sever = () => {
    server.close();
    cut();
  };
  return { url: `http://127.0.0.1:${own}`, cut, sever, mend: () => listen(own) };
}
