import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { head, RawClient } from '../kit/clients/raw-client.js';
import { encodeFrame, opcodes } from '../kit/clients/raw-frames.js';
import { answered, handshake } from '../kit/clients/raw-socket.js';
import { until } from '../kit/until.js';
import { Listener } from '../websocket/open-socket.js';
import { HandshakeFixture } from './handshake-fixture.js';
import { makeUwsEdge } from './uws-edge-maker.js';

t.test('the 101 has the handshake’s own fields and those of the origin, in order, case and number', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake(['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']));
  const { handshake: taken } = await fixture.next();
  taken.accept([
    ...['Sec-WebSocket-Protocol', 'chat.v2', 'Set-Cookie', 'a=1', 'X-CaSe', 'kept', 'Set-Cookie', 'b=2'],
    ...['Date', 'Thu, 01 Jan 1970 00:00:00 GMT', 'X-Empty', ''],
  ]);
  const { answer } = await answered(client);
  t.equal(answer.reason, 'Switching Protocols');
  t.strictSame(answer.fields, [
    ...['Upgrade', 'websocket', 'Connection', 'Upgrade'],
    ...['Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
    ...['Sec-WebSocket-Protocol', 'chat.v2', 'Set-Cookie', 'a=1', 'X-CaSe', 'kept', 'Set-Cookie', 'b=2'],
    ...['Date', 'Thu, 01 Jan 1970 00:00:00 GMT', 'X-Empty', ''],
  ]);
});

t.test('fields of the hop to the origin, and of its handshake, do not reach the client', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake(['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']));
  (await fixture.next()).handshake.accept([
    ...['Upgrade', 'websocket', 'Connection', 'Upgrade, X-Hop', 'Keep-Alive', 'timeout=5'],
    ...['Sec-WebSocket-Accept', 'of the other hop', 'sec-websocket-extensions', 'grip, permessage-deflate'],
    ...['Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', 'x', 'Content-Length', '5', 'Transfer-Encoding', 'chunked'],
    ...['Proxy-Connection', 'x', 'Trailer', 'x', 'Server', 'kept'],
  ]);
  const { answer } = await answered(client);
  t.strictSame(answer.fields, [
    ...['Upgrade', 'websocket', 'Connection', 'Upgrade'],
    ...['Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'Server', 'kept'],
  ]);
});

t.test('bytes above 0x7f in header fields pass as they are, and text after them as UTF-8', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake(['X-Name: J\xfcrgen \xe2\x82\xac']));
  const taken = await fixture.next();
  const { headers } = taken.request;
  t.equal(headers[headers.indexOf('X-Name') + 1], 'J\xfcrgen \xe2\x82\xac');
  const socket = taken.handshake.accept(['X-Name', 'J\xfcrgen \xe2\x82\xac']);
  socket?.setHandler(new Listener());
  const { answer, socket: open } = await answered(client);
  t.equal(answer.header('x-name'), 'J\xfcrgen \xe2\x82\xac');
  socket?.send('text', Buffer.from('Jürgen €'));
  t.strictSame(await open?.brief(), [opcodes.text, 'Jürgen €']);
});

for (const [edge, options] of [
  ['node', {}],
  ['uws', { make: makeUwsEdge }],
] as const) {
  t.test(`${edge}: fields that HTTP cannot carry throw, and the client can still be refused`, async (t) => {
    const fixture = await HandshakeFixture.open(t, options);
    for (const field of [
      ['X-A', 'a\r\nX-Evil: 1'],
      ['X-A', 'a\u010d\u010aX-Evil: 1'],
      ['X-A', 'a\u0001'],
      ['X A', 'a'],
      ['Sec-WebSocket-Protocol', 'a\n'],
    ]) {
      const client = await fixture.send(handshake());
      const taken = await fixture.next();
      t.throws(() => taken.handshake.accept(['Server', 'a', ...field]), { code: 'ERR_EDGE_HEAD' }, field.join());
      t.throws(() => taken.handshake.accept([], 'grip\r\nX-Evil: 1'), { code: 'ERR_EDGE_HEAD' });
      taken.refuse(502, 'no');
      const { answer } = await answered(client);
      t.strictSame([answer.status, answer.header('x-evil')], [502, undefined]);
    }
  });
}

t.test('extensions for a client that is a GRIP proxy are sent as they are', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake(['Sec-WebSocket-Extensions: grip']));
  (await fixture.next()).handshake.accept([], 'grip; message-prefix="x:"');
  t.equal((await answered(client)).answer.header('sec-websocket-extensions'), 'grip; message-prefix="x:"');
});

t.test('a message sent right after the 101 arrives behind it', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake());
  const socket = (await fixture.next()).handshake.accept([]);
  socket?.setHandler(new Listener());
  socket?.send('text', Buffer.from('at once'));
  const { socket: open } = await answered(client);
  t.strictSame(await open?.brief(), [opcodes.text, 'at once']);
});

// From the fourth on nothing more is read until there are fewer.
for (const pending of [1, 2, 3, 4, 5, 6]) {
  t.test(`a handshake behind ${pending} unfinished answer(s) on its connection waits for its turn`, async (t) => {
    const fixture = await HandshakeFixture.open(t);
    const client = await RawClient.to(t, { port: fixture.port });
    const frame = encodeFrame(opcodes.text, 'early', { mask: true });
    const requests = Array.from({ length: pending }, (_, i) => head('GET', `/${i}`)).join('');
    void client.write(Buffer.concat([Buffer.from(requests + handshake()), frame]));
    for (let i = 0; i < pending; i++) {
      const request = await fixture.handler.next();
      t.strictSame(fixture.handler.handshakes, [], 'not handed over before its turn');
      void client.write(encodeFrame(opcodes.text, `behind ${i}`, { mask: true }));
      request.answer(`answer ${i}`);
      t.equal((await client.answer()).body.toString(), `answer ${i}`);
    }
    const listener = new Listener();
    const taken = await fixture.next();
    // What is read now, and by nobody, would be lost.
    await delay(20);
    const socket = taken.handshake.accept([]);
    socket?.setHandler(listener);
    t.equal((await client.answer()).status, 101);
    t.strictSame(await listener.next(), ['text', 'early']);
    for (let i = 0; i < pending; i++) t.strictSame(await listener.next(), ['text', `behind ${i}`]);
    socket?.send('text', Buffer.from('answer'));
    await client.receives('answer');
    t.equal(client.socket.readyState, 'open');
  });
}

t.test('the time limit between two requests is not for a handshake that waits for its origin', async (t) => {
  const fixture = await HandshakeFixture.open(t, { clientKeepAliveTimeout: 50 });
  const client = await RawClient.to(t, { port: fixture.port });
  void client.write(head('GET', '/') + handshake());
  (await fixture.handler.next()).answer('first');
  await client.answer();
  const taken = await fixture.next();
  for (let i = 0; i < 2; i++) {
    const idle = await RawClient.to(t, { port: fixture.port });
    void idle.write(head('GET', '/'));
    (await fixture.handler.next()).answer('x');
    await idle.closed();
  }
  t.equal(taken.gones, 0, 'other connections ran into it meanwhile');
  taken.handshake.accept([])?.setHandler(new Listener());
  t.equal((await client.answer()).status, 101);
});

t.test('a handshake behind an unfinished answer can be refused, and is when it is invalid', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  for (const lines of [[], ['Sec-WebSocket-Version: 8']]) {
    const client = await RawClient.to(t, { port: fixture.port });
    void client.write(head('GET', '/') + handshake(lines));
    (await fixture.handler.next()).answer('first');
    t.equal((await client.answer()).body.toString(), 'first');
    if (lines.length === 0) (await fixture.next()).refuse(403, 'no');
    t.equal((await client.answer()).status, lines.length === 0 ? 403 : 426);
    client.end();
    t.equal(await client.closed(), 'fin');
  }
});

t.test('a handshake on a connection that was kept alive is as good as on a new one', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await RawClient.to(t, { port: fixture.port });
  void client.write(head('GET', '/'));
  (await fixture.handler.next()).answer('first');
  await client.answer();
  void client.write(handshake());
  const listener = new Listener();
  (await fixture.next()).handshake.accept([])?.setHandler(listener);
  t.equal((await client.answer()).status, 101);
  void client.write(encodeFrame(opcodes.text, 'hello', { mask: true }));
  t.strictSame(await listener.next(), ['text', 'hello']);
});

const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'];

t.test(
  'a wish for another protocol is passed over (RFC 9110 §7.8): the request is served as a plain one',
  async (t) => {
    const fixture = await HandshakeFixture.open(t);
    const client = await RawClient.to(t, { port: fixture.port });
    void client.write(head('GET', '/h2c?x=1', [...h2c, 'X-A: 1']));
    const taken = await fixture.handler.next();
    t.match(taken.request, { method: 'GET', path: '/h2c?x=1', host: 'test', clientAddress: '127.0.0.1' });
    t.ok(taken.request.headers.includes('X-A'));
    taken.answer('plain');
    const answer = await client.answer();
    t.strictSame([answer.status, answer.body.toString()], [200, 'plain']);
    void client.write(head('GET', '/next'));
    const next = await fixture.handler.next();
    t.equal(next.request.path, '/next', 'and its connection goes on');
    next.answer('next');
    t.equal((await client.answer()).body.toString(), 'next');
  },
);

t.test('the body of such a request arrives, whole or in parts', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await RawClient.to(t, { port: fixture.port });
  for (const parts of [['hello'], ['hel', 'lo']]) {
    await client.write(head('POST', '/', [...h2c, 'Content-Length: 5']) + (parts[0] as string));
    const taken = await fixture.handler.next();
    const body = taken.read();
    if (parts[1] !== undefined) void client.write(parts[1]);
    t.equal((await body).bytes.toString(), 'hello');
    taken.answer('thanks');
    t.equal((await client.answer()).body.toString(), 'thanks');
  }
  void client.write(`${head('POST', '/', [...h2c, 'Transfer-Encoding: chunked'])}5\r\nhello\r\n0\r\n\r\n`);
  const taken = await fixture.handler.next();
  t.equal((await taken.read()).bytes.toString(), 'hello');
  taken.answer('thanks');
  t.equal((await client.answer()).body.toString(), 'thanks');
});

t.test('on one connection h2c, a plain request and a handshake may follow each other', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await RawClient.to(t, { port: fixture.port });
  for (const lines of [h2c, [], h2c]) {
    void client.write(head('GET', '/', lines));
    (await fixture.handler.next()).answer('x');
    await client.answer();
  }
  void client.write(handshake());
  (await fixture.next()).handshake.accept([])?.setHandler(new Listener());
  t.equal((await client.answer()).status, 101);
  t.equal(fixture.edge.connections, 1);
});

for (const pending of [1, 3, 4, 5, 6]) {
  t.test(`what follows a wish for another protocol behind ${pending} unfinished answer(s) is read whole`, async (t) => {
    const fixture = await HandshakeFixture.open(t);
    const client = await RawClient.to(t, { port: fixture.port });
    const requests = Array.from({ length: pending }, (_, i) => head('GET', `/${i}`)).join('');
    await client.write(`${requests}${head('GET', '/h2c', h2c)}POST /next HTTP/1.1\r\nHost: te`);
    for (let i = 0; i < pending; i++) {
      const taken = await fixture.handler.next();
      if (i === 0) {
        // In pieces: none of them may be lost, or what is left of a request would be another one.
        await client.write('st\r\nContent-Length: 5\r\n\r\nhel');
        await delay(20);
      }
      taken.answer(`answer ${i}`);
      t.equal((await client.answer()).body.toString(), `answer ${i}`);
      await delay(5);
    }
    await client.write('lo');
    const plain = await fixture.handler.next();
    t.equal(plain.request.path, '/h2c');
    plain.answer('plain');
    t.equal((await client.answer()).body.toString(), 'plain');
    const next = await fixture.handler.next();
    t.equal(next.request.path, '/next');
    t.equal((await next.read()).bytes.toString(), 'hello');
    next.answer('next');
    t.equal((await client.answer()).body.toString(), 'next');
  });
}

t.test('Upgrade without Connection is no wish at all (RFC 9110 §7.8)', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake(['Connection: keep-alive']));
  (await fixture.handler.next()).answer('plain');
  t.equal((await answered(client)).answer.body.toString(), 'plain');
});

t.test('an edge that stops accepting lets an open WebSocket be, and closes it with the rest', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake());
  const listener = new Listener();
  const socket = (await fixture.next()).handshake.accept([]);
  socket?.setHandler(listener);
  const { socket: open } = await answered(client);
  fixture.edge.stopAccepting();
  socket?.send('text', Buffer.from('still here'));
  t.strictSame(await open?.brief(), [opcodes.text, 'still here']);
  await fixture.edge.close();
  t.strictSame(await listener.next(), ['lost', undefined]);
  await until(() => fixture.edge.connections === 0);
});
