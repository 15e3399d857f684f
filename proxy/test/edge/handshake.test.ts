import t from 'tap';
import { RawClient } from '../kit/clients/raw-client.js';
import { encodeFrame, opcodes } from '../kit/clients/raw-frames.js';
import { answered, handshake } from '../kit/clients/raw-socket.js';
import { until } from '../kit/until.js';
import { Listener } from '../websocket/open-socket.js';
import { invalid, valid } from './handshake-cases.js';
import { HandshakeFixture } from './handshake-fixture.js';

const text = (payload: string): Buffer => encodeFrame(opcodes.text, payload, { mask: true });

for (const [says, lines] of valid) {
  t.test(`a handshake ${says} is handed over, and can be accepted`, async (t) => {
    const fixture = await HandshakeFixture.open(t);
    const client = await fixture.send(handshake(lines, '/chat?a=%20|"'));
    const taken = await fixture.next();
    t.match(taken.request, { method: 'GET', path: '/chat?a=%20|"', host: 'test', version: '1.1', body: undefined });
    for (const line of lines) {
      const at = line.indexOf(':');
      const fields = taken.request.headers;
      const found = fields.some((name, i) => i % 2 === 0 && `${name}: ${fields[i + 1]}` === line);
      t.ok(found, `${line.slice(0, at)} is kept as it came`);
    }
    const socket = taken.handshake.accept([]);
    socket?.setHandler(new Listener());
    const { answer } = await answered(client);
    t.equal(answer.status, 101);
    t.strictSame(fixture.refused, []);
  });
}

for (const [says, request, status, body] of invalid) {
  t.test(`a handshake with ${says} is answered ${status} and goes no further (RFC 6455 §4.2.1)`, async (t) => {
    const fixture = await HandshakeFixture.open(t);
    const client = await fixture.send(request);
    const { answer } = await answered(client);
    t.equal(answer.status, status);
    t.equal(answer.body.toString(), body);
    t.equal(answer.header('content-type'), 'text/plain');
    if (status === 426) t.equal(answer.header('sec-websocket-version'), '13', 'says which it may ask for (§4.4)');
    t.strictSame(fixture.handler.handshakes, []);
    t.equal(fixture.handler.count, 0);
    t.strictSame(fixture.refused, [body.trimEnd()], 'and is reported');
    client.end();
    await until(() => fixture.edge.connections === 0);
  });
}

t.test('frames in the segment of the handshake, and others before the 101, are kept in order', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(Buffer.concat([Buffer.from(handshake()), text('first'), text('second')]));
  const taken = await fixture.next();
  client.write(text('third'));
  client.write(text('4'.repeat(50_000)));
  await until(() => client.bytesWritten > 50_000 && client.writableLength === 0);
  const listener = new Listener();
  taken.handshake.accept([])?.setHandler(listener);
  client.write(text('fifth'));
  t.strictSame(await listener.next(), ['text', 'first']);
  t.strictSame(await listener.next(), ['text', 'second']);
  t.strictSame(await listener.next(), ['text', 'third']);
  t.strictSame(await listener.next(), ['text', '4'.repeat(200)], 'of which the listener shows the beginning');
  t.strictSame(await listener.next(), ['text', 'fifth']);
});

t.test('a handshake in the segment of a request that is answered at once comes after that answer', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  fixture.handler.onRequest = (_request, response) => {
    response.writeHead({ status: 200, reason: 'OK', headers: [] }, 2);
    response.end(Buffer.from('ok'));
  };
  const before = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';
  for (const requests of [1, 2, 3]) {
    const client = await RawClient.to(t, { port: fixture.port });
    await client.write(before.repeat(requests) + handshake());
    (await fixture.next()).handshake.accept([])?.setHandler(new Listener());
    await until(() => client.received.includes(' 101 '));
    const statuses = client.received.toString('latin1').match(/(?<=HTTP\/1\.1 )\d+/g);
    t.strictSame(statuses, [...Array(requests).fill('200'), '101']);
  }
});

const behind = {
  CONNECT: 'CONNECT test:443 HTTP/1.1\r\nHost: test\r\n\r\n',
  'an upgrade to another protocol': 'GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  'a handshake': handshake(),
};

for (const [what, bytes] of Object.entries(behind)) {
  t.test(`a client that is reset while ${what} waits for an answer is gone, and nothing else happens`, async (t) => {
    const fixture = await HandshakeFixture.open(t);
    const client = await fixture.send(`GET / HTTP/1.1\r\nHost: test\r\n\r\n${bytes}`);
    const taken = await fixture.handler.next();
    taken.start();
    taken.response.write(Buffer.from('some'));
    await until(() => client.bytesRead > 0);
    client.resetAndDestroy();
    await until(() => fixture.edge.connections === 0);
    t.equal(taken.gones, 1);
  });
}

t.test('a megabyte of frames before the 101 waits with the client', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake());
  const taken = await fixture.next();
  const frames = 100;
  for (let i = 0; i < frames; i++) client.write(text(`${i}`.padEnd(10_000)));
  const listener = new Listener();
  taken.handshake.accept([])?.setHandler(listener);
  for (let i = 0; i < frames; i++) t.equal(Number.parseInt((await listener.next())[1] as string, 10), i);
});

t.test('a refusal closes the connection, with its body complete', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake());
  const body = Buffer.alloc(100_000, 'r');
  (await fixture.next()).refuse(403, body, ['X-Why', 'not you', 'Connection', 'keep-alive', 'Upgrade', 'x']);
  const { answer } = await answered(client);
  t.strictSame([answer.status, answer.reason, answer.header('x-why')], [403, 'Refused', 'not you']);
  t.ok(answer.body.equals(body));
  t.equal(answer.header('connection'), 'close');
  t.equal(answer.header('upgrade'), undefined);
  client.end();
  await until(() => fixture.edge.connections === 0);
});

t.test('a refusal reaches a client that has sent frames already', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await RawClient.to(t, { port: fixture.port });
  await client.write(handshake());
  const taken = await fixture.next();
  for (let i = 0; i < 20; i++) await client.write(text('too early '.repeat(1_000)));
  const body = Buffer.alloc(1_000_000, 'r');
  taken.refuse(403, body);
  const answer = await client.answer();
  t.ok(answer.body.equals(body));
  t.ok(answer.whole);
  t.equal(await client.closed(), 'fin', 'a reset could have destroyed it on its way');
});

t.test('a refusal may come in pieces', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const client = await fixture.send(handshake());
  const { response } = (await fixture.next()).handshake;
  response.writeHead({ status: 500, reason: '', headers: [] }, undefined);
  response.write(Buffer.from('a'));
  response.write(Buffer.from('b'));
  response.end(Buffer.from('c'));
  t.strictSame((await answered(client)).answer.chunks, ['a', 'b', 'c']);
});

for (const how of ['reset', 'end'] as const) {
  t.test(`a client that goes during the handshake (${how}) is reported, once`, async (t) => {
    const fixture = await HandshakeFixture.open(t);
    const client = await fixture.send(handshake());
    const taken = await fixture.next();
    if (how === 'reset') client.resetAndDestroy();
    else {
      client.destroy();
      await until(() => fixture.clock.pending > 0);
      t.equal(taken.gones, 0, 'a FIN may be a half-close');
      fixture.clock.advance(fixture.limits.clientHalfCloseGrace);
    }
    await until(() => taken.gones > 0);
    t.equal(taken.handshake.accept([]), undefined, 'and cannot be accepted any more');
    taken.refuse(403, 'too late');
    await until(() => fixture.edge.connections === 0);
    t.equal(taken.gones, 1);
  });
}

t.test('a client that has half-closed its connection cannot be accepted, but can be refused', async (t) => {
  const fixture = await HandshakeFixture.open(t);
  const gone = await fixture.send(handshake());
  gone.end();
  const first = await fixture.next();
  await until(() => fixture.clock.pending > 0);
  t.equal(first.handshake.accept([]), undefined);
  const waiting = await fixture.send(handshake());
  waiting.end();
  (await fixture.next()).refuse(404, 'no');
  t.equal((await answered(waiting)).answer.body.toString(), 'no');
});
