/** Uploads that an origin does not wait for, or does not want: what it sees of them, and what clients hear, on both edges. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { connectTo } from '../../kit/clients/raw-client.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';

const SIZE = 32 * 2 ** 20;

/** An origin that has its connections; resolves with `127.0.0.1:port`. */
async function bareOrigin(t: Test, take: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    t.teardown(() => socket.destroy());
    take(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

for (const edge of ['node', 'uws'] as const) {
  t.test(`${edge}: the head of an upload is with the origin before its first byte`, async (t) => {
    let received = '';
    const target = await bareOrigin(t, (socket) =>
      socket.setEncoding('latin1').on('data', (text) => {
        received += text;
        if (received.endsWith('\r\n\r\nthe end')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone');
      }),
    );
    const { clients } = await startHoldfast(t, { settings: { edge, request_body_max: 5 }, routes: [`* ${target}`] });
    const client = await connectTo(t, clients);
    client.send('POST /up HTTP/1.1', 'Host: a', 'Content-Length: 7', '');
    await until('the head', () => /^POST \/up HTTP\/1\.1\r\n[\s\S]*content-length: 7\r\n\r\n$/i.test(received));
    client.socket.write('the end');
    await client.until('done');
    t.equal(received.split('POST').length, 2, 'and comes once');
  });

  t.test(`${edge}: the refusal of an upload reaches the client, though the origin resets the connection`, async (t) => {
    const target = await bareOrigin(t, (socket) =>
      socket.once('data', () => {
        const refusal = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large';
        socket.pause().write(refusal, () => setImmediate(() => socket.resetAndDestroy()));
      }),
    );
    const { clients } = await startHoldfast(t, { settings: { edge }, routes: [`* ${target}`] });
    for (let i = 0; i < 10; i++) {
      const client = await connectTo(t, clients);
      client.send('PUT /up HTTP/1.1', 'Host: a', `Content-Length: ${SIZE}`, '');
      client.socket.write(Buffer.alloc(SIZE));
      await client.until('too large');
      t.match(client.text, /^HTTP\/1\.1 413 Content Too Large\r\n/);
      client.socket.destroy();
    }
  });
}
