/** An origin for WebSockets that says by a control message who the user of a session is, and subscribes it to `room`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { WebSocketServer } from 'ws';

/** Starts it; `127.0.0.1:port`. The user is that of the query; `ready?` is answered `ready`, `i-am NAME` makes it another. */
export async function startSocketOrigin(t: Test): Promise<string> {
  const server = createServer((_, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ server });
  sockets.on('headers', (headers) => headers.push('Sec-WebSocket-Extensions: grip'));
  sockets.on('connection', (socket, { url = '' }) => {
    const control = (message: object) => socket.send(`c:${JSON.stringify(message)}`);
    const identify = (user: string | null) => {
      if (user !== null) control({ type: 'set-meta', name: 'user', value: user });
    };
    control({ type: 'subscribe', channel: 'room' });
    identify(new URL(url, 'http://origin').searchParams.get('user'));
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const text = String(data);
      if (text.startsWith('i-am ')) identify(text.slice('i-am '.length));
      socket.send('m:ready');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
