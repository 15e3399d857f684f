import t from 'tap';
import { FramePiece } from '../../dist/websocket/message-socket.js';
import { encodeFrame, opcodes } from '../kit/clients/raw-frames.js';
import { answered, handshake } from '../kit/clients/raw-socket.js';
import { until } from '../kit/until.js';
import { Listener } from '../websocket/open-socket.js';
import { invalid, valid } from './handshake-cases.js';
import { HandshakeFixture } from './handshake-fixture.js';
import { makeUwsEdge, uwsEdge } from './uws-edge-maker.js';

const text = (payload: string): Buffer => encodeFrame(opcodes.text, payload, { mask: true });

for (const [says, lines] of valid) {
  t.test(`uws: a handshake ${says} is handed over, and can be accepted`, async (t) => {
    const fixture = await HandshakeFixture.open(t, { make: makeUwsEdge });
    const client = await fixture.send(handshake(lines, '/chat?a=%20|"'));
    const taken = await fixture.next();
    t.match(taken.request, { method: 'GET', path: '/chat?a=%20|"', host: 'test', version: '1.1', body: undefined });
    taken.handshake.accept([])?.setHandler(new Listener());
    t.equal((await answered(client)).answer.status, 101);
    t.strictSame(fixture.refused, []);
  });
}

for (const [says, request, status, body] of invalid) {
  // The library's own parser answers the first two; chunked bodies are refused before: `uws-check`.
  if (says === 'HTTP/1.0' || says === 'no Host' || says === 'a chunked body') continue;
  t.test(`uws: a handshake with ${says} is answered ${status} and goes no further (RFC 6455 §4.2.1)`, async (t) => {
    const fixture = await HandshakeFixture.open(t, { make: makeUwsEdge });
    const client = await fixture.send(request);
    const { answer } = await answered(client);
    t.equal(answer.status, status);
    t.equal(answer.body.toString(), body);
    t.strictSame(fixture.handler.handshakes, []);
    t.strictSame(fixture.refused, [body.trimEnd()], 'and is reported');
    await until(() => fixture.edge.connections === 0);
  });
}

t.test('uws: a handshake that the library takes for the last of its connection is answered 400', async (t) => {
  const fixture = await HandshakeFixture.open(t, { make: makeUwsEdge });
  for (const first of ['close', 'CLOSE', 'other']) {
    const client = await fixture.send(handshake([`Connection: ${first}`, 'Connection: Upgrade']));
    const { answer } = await answered(client);
    t.equal(answer.status, 400);
    t.equal(
      answer.body.toString(),
      'Failed to parse request: a handshake with a Connection field that asks for a close\n',
    );
  }
  t.strictSame(fixture.handler.handshakes, []);
  await until(() => fixture.edge.connections === 0);
});

t.test('uws: Upgrade without Connection is no wish at all, and a key without Upgrade neither', async (t) => {
  const fixture = await HandshakeFixture.open(t, { make: makeUwsEdge });
  for (const request of [handshake(['Connection: keep-alive']), handshake().replace('Upgrade: websocket\r\n', '')]) {
    const client = await fixture.send(request);
    (await fixture.handler.next()).answer('plain');
    t.equal((await answered(client)).answer.body.toString(), 'plain');
  }
});

t.test('uws: the 101 has the origin’s fields in order, case and number, and one Date', async (t) => {
  const fixture = await HandshakeFixture.open(t, { make: makeUwsEdge });
  const client = await fixture.send(handshake());
  const taken = await fixture.next();
  taken.handshake.accept(
    [
      ...['Sec-WebSocket-Protocol', 'chat.v2', 'Set-Cookie', 'a=1', 'X-CaSe', 'J\xfcrgen', 'Set-Cookie', 'b=2'],
      ...['Date', 'Thu, 01 Jan 1970 00:00:00 GMT', 'Sec-WebSocket-Accept', 'of the other hop', 'Connection', 'Upgrade'],
    ],
    'grip; message-prefix="x:"',
  );
  const { answer } = await answered(client);
  t.strictSame(answer.fields.slice(0, 10), [
    ...['Sec-WebSocket-Protocol', 'chat.v2', 'Set-Cookie', 'a=1', 'X-CaSe', 'J\xfcrgen', 'Set-Cookie', 'b=2'],
    ...['Sec-WebSocket-Extensions', 'grip; message-prefix="x:"'],
  ]);
  t.equal(answer.fields.filter((name) => name === 'Date').length, 1);
  t.equal(answer.fields.filter((name) => name === 'Sec-WebSocket-Accept').length, 1);
  t.not(answer.header('date'), 'Thu, 01 Jan 1970 00:00:00 GMT');
});

t.test('uws: a refusal closes the connection, with its body complete', async (t) => {
  const fixture = await HandshakeFixture.open(t, { make: makeUwsEdge });
  const client = await fixture.send(handshake());
  (await fixture.next()).refuse(403, 'not you', ['X-Why', 'because']);
  const { answer } = await answered(client);
  t.strictSame([answer.status, answer.header('x-why'), answer.header('connection')], [403, 'because', 'close']);
  t.equal(answer.body.toString(), 'not you');
  await until(() => fixture.edge.connections === 0);
});

t.test('uws: a client that goes during the handshake is reported, once, and cannot be accepted', async (t) => {
  const fixture = await HandshakeFixture.open(t, { make: makeUwsEdge });
  const client = await fixture.send(handshake());
  const taken = await fixture.next();
  client.resetAndDestroy();
  await until(() => taken.gones > 0);
  t.equal(taken.handshake.accept([]), undefined);
  taken.refuse(403, 'too late');
  t.equal(taken.gones, 1);
});

/** An accepted client and both ends. */
async function open(t: Parameters<typeof HandshakeFixture.open>[0], make = makeUwsEdge) {
  const fixture = await HandshakeFixture.open(t, { make });
  const client = await fixture.send(handshake());
  const socket = (await fixture.next()).handshake.accept([]);
  if (socket === undefined) throw new Error('the client is gone');
  const { socket: other } = await answered(client);
  if (other === undefined) throw new Error('not accepted');
  return { fixture, socket, other };
}

t.test('uws: messages, pings and pongs come in order, and wait until somebody owns the socket', async (t) => {
  const { socket, other } = await open(t);
  await other.write(Buffer.concat([text('1'), encodeFrame(opcodes.ping, 'p', { mask: true }), text('2')]));
  t.strictSame(await other.brief(), [opcodes.pong, 'p'], 'the library answers by itself');
  const listener = new Listener();
  socket.setHandler(listener);
  t.strictSame(
    [await listener.next(), await listener.next(), await listener.next()],
    [
      ['text', '1'],
      ['ping', 'p'],
      ['text', '2'],
    ],
  );
  socket.pause();
  await other.write(Buffer.concat([text('3'), encodeFrame(opcodes.binary, '4', { mask: true })]));
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.strictSame(listener.heard, [], 'nothing while it is paused');
  socket.resume();
  t.strictSame(
    [await listener.next(), await listener.next()],
    [
      ['text', '3'],
      ['binary', '4'],
    ],
  );
});

t.test('uws: send and push take effect in the order of the calls, pieces of a turn together', async (t) => {
  const { socket, other } = await open(t);
  const piece = (payload: string) => new FramePiece('text', Buffer.from(payload));
  socket.push(piece('1'));
  socket.send('binary', Buffer.from('2'));
  socket.push(piece('3'));
  socket.push(piece('4'));
  socket.push(new FramePiece('ping', Buffer.from('5')));
  const seen = [];
  for (let i = 0; i < 5; i++) seen.push(await other.brief());
  t.strictSame(seen, [
    [opcodes.text, '1'],
    [opcodes.binary, '2'],
    [opcodes.text, '3'],
    [opcodes.text, '4'],
    [opcodes.ping, '5'],
  ]);
});

t.test('uws: closes carry code and reason in both directions', async (t) => {
  const ours = await open(t);
  ours.socket.close(4000, Buffer.from('bye'));
  const { opcode, payload } = await ours.other.frame();
  t.strictSame([opcode, payload.readUInt16BE(), payload.toString('utf8', 2)], [opcodes.close, 4000, 'bye']);
  const theirs = await open(t);
  const listener = new Listener();
  theirs.socket.setHandler(listener);
  await theirs.other.close(4001, 'why');
  t.strictSame(await listener.next(), ['close', 4001, 'why']);
  for (const code of [1012, 1014, 3000, 3999]) {
    const unknown = await open(t);
    const listener = new Listener();
    unknown.socket.setHandler(listener);
    await unknown.other.close(code, 'why');
    t.strictSame(
      await listener.next(),
      ['close', undefined, ''],
      `the library does not tell ${code}, which is no fault`,
    );
  }
  const lost = await open(t);
  const heard = new Listener();
  lost.socket.setHandler(heard);
  lost.other.reset();
  t.match(await heard.next(), ['lost']);
  await until(() => lost.fixture.edge.connections === 0);
});

t.test('uws: a client that ends without a Close has gone, one that breaks the protocol is at fault', async (t) => {
  const lost = async (leave: (client: Awaited<ReturnType<typeof open>>['other']) => unknown) => {
    const { socket, other } = await open(t);
    const listener = new Listener();
    socket.setHandler(listener);
    leave(other);
    const [how, fault] = await listener.next();
    t.equal(how, 'lost');
    return (fault as Error | undefined)?.message;
  };
  t.equal(await lost((client) => client.socket.end()), undefined);
  t.equal(await lost((client) => client.reset()), undefined);
  t.equal(
    await lost((client) => client.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]))),
    'Received invalid WebSocket frame',
  );
});

t.test('uws: a Close waits for what is before it', async (t) => {
  const { socket, other } = await open(t);
  other.pause();
  const block = Buffer.alloc(2 ** 20, 'x');
  let sent = 0;
  do {
    socket.send('binary', block);
    sent++;
  } while (socket.waiting < 4 * block.length);
  socket.close(1000);
  other.resume();
  const frames = await other.rest();
  t.strictSame(
    frames.map(({ payload }) => payload.length),
    [...Array(sent).fill(block.length), 2],
  );
});

t.test('uws: a sender is held back at 256 KiB, told when it may go on, and waiting counts exactly', async (t) => {
  const { socket, other } = await open(t);
  const listener = new Listener();
  socket.setHandler(listener);
  other.pause();
  const block = Buffer.alloc(65_536, 'x');
  let sent = 1;
  while (socket.send('binary', block)) sent++;
  t.ok(socket.waiting >= 262_144);
  other.resume();
  await listener.until(() => listener.writables > 0);
  t.ok(socket.waiting < 262_144);
  for (let i = 0; i < sent; i++) t.equal((await other.frame()).payload.length, block.length);
  t.equal(socket.waiting, 0);
});

t.test(
  'uws: a client is cut when more than 16 MiB of its messages wait for an origin that does not take them',
  async (t) => {
    const make = (surroundings: Parameters<typeof makeUwsEdge>[0]) =>
      uwsEdge(surroundings, { websocketMessageMax: 2 ** 20 });
    const { socket, other } = await open(t, make);
    const listener = new Listener();
    socket.setHandler(listener);
    socket.pause();
    const frame = other.encode(opcodes.binary, Buffer.alloc(2 ** 20));
    for (let i = 0; i < 18; i++) void other.write(frame);
    await other.ended();
    const heard = await listener.next();
    t.equal(heard[0], 'lost');
    t.match((heard[1] as Error).message, /16777216 bytes wait for the origin/);
  },
);
