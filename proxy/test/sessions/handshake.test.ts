import { verifyGripSig } from '@holdfast/grip';
import t from 'tap';
import { opcodes } from '../kit/clients/raw-frames.js';
import { connected, handshake } from '../kit/clients/raw-socket.js';
import { deadPort } from '../kit/ports.js';
import { until } from '../kit/until.js';
import { GRIP, gripSig, PROXY_KEY, SessionFixture, UPSTREAM } from './session-fixture.js';

const { text } = opcodes;

t.test('the handshake reaches the origin with path, headers and subprotocols, and grip offered', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { x_forwarded_for: 'append' } });
  const lines = [
    ...['Cookie: a=1', 'X-CaSe: kept', 'Sec-WebSocket-Protocol: v1, v2', 'Origin: https://a.example'],
    ...['Sec-WebSocket-Extensions: permessage-deflate', 'Grip-Sig: forged', 'Keep-Alive: x'],
  ];
  const { handshake, client } = await fixture.join(['Sec-WebSocket-Protocol: v2'], lines, '/a/../b%2F|?q="x"');
  t.equal(handshake.line, 'GET /a/../b%2F|?q="x" HTTP/1.1');
  t.strictSame(handshake.values('host'), ['test']);
  t.strictSame(handshake.values('cookie'), ['a=1']);
  t.ok(handshake.fields.includes('X-CaSe'));
  t.strictSame(handshake.values('sec-websocket-protocol'), ['v1, v2']);
  t.strictSame(handshake.values('origin'), ['https://a.example']);
  t.strictSame(handshake.values('sec-websocket-extensions'), ['grip'], 'the client’s own offer is of its hop');
  t.match(handshake.values('grip-feature'), [/link:next/]);
  const [sig = '', ...others] = handshake.values('grip-sig');
  const key = { kind: 'secret', secret: Buffer.from(PROXY_KEY) } as const;
  t.ok(verifyGripSig(sig, key, fixture.clock.wall() / 1_000));
  t.strictSame(others, [], 'a client cannot sign for the proxy');
  t.strictSame(handshake.values('keep-alive'), []);
  t.strictSame(handshake.values('x-forwarded-for'), ['127.0.0.1']);
  t.equal(client.socket.destroyed, false);
});

t.test('the client gets the origin’s subprotocol and headers, but not its grip', async (t) => {
  const fixture = await SessionFixture.open(t);
  const asked = fixture.ask(['Sec-WebSocket-Protocol: v1, v2', 'Sec-WebSocket-Extensions: grip']);
  (await fixture.origin.next()).accept([
    ...GRIP,
    ...['Sec-WebSocket-Protocol: v2', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'X-Latin: J\xfcrgen', 'Date: then'],
    ...['Content-Type: application/chat', 'Keep-Alive: timeout=5'],
  ]);
  const { answer } = await asked;
  t.strictSame(answer.fields.slice(6), [
    ...['Sec-WebSocket-Protocol', 'v2', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Latin', 'J\xfcrgen'],
    ...['Date', 'then', 'Content-Type', 'application/chat'],
  ]);
});

for (const offered of [true, false]) {
  const says = offered
    ? 'passes through, with messages as they are'
    : 'is not offered when the client does not offer it';
  for (const [who, options] of [
    ['a no_grip route', { route: 'no_grip' }],
    ['a trusted client', {}],
  ] as const) {
    t.test(`grip of ${who} ${says}`, async (t) => {
      const settings = { ...UPSTREAM, allow_compression: true };
      const fixture = await SessionFixture.open(t, { ...options, settings });
      const trust = who === 'a trusted client' ? [`Grip-Sig: ${gripSig(fixture.clock)}`] : [];
      const lines = [...trust, ...(offered ? ['Sec-WebSocket-Extensions: permessage-deflate; x, grip'] : [])];
      const asked = fixture.ask(lines);
      const handshake = await fixture.origin.next();
      const grip = 'grip; message-prefix="x:"';
      const offers = handshake.values('sec-websocket-extensions').join(', ');
      t.equal(/\bgrip\b/.test(offers), offered);
      t.match(offers, /permessage-deflate/, 'compression is of the proxy’s own hop');
      t.strictSame(handshake.values('grip-feature'), []);
      const answer = offered ? `${grip}, permessage-deflate` : 'permessage-deflate';
      const origin = handshake.accept([`Sec-WebSocket-Extensions: ${answer}`]);
      const { socket: client, answer: got } = await asked;
      t.equal(got.header('sec-websocket-extensions'), offered ? grip : undefined);
      await origin.text('c:{"type":"subscribe","channel":"a"}');
      await origin.text('unprefixed');
      t.strictSame(await client?.brief(), [text, 'c:{"type":"subscribe","channel":"a"}']);
      t.strictSame(await client?.brief(), [text, 'unprefixed']);
      t.equal(fixture.registry.size, 0, 'the proxy before us acts on it');
    });
  }
}

t.test('Grip-Sig of a trusted client passes', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: UPSTREAM });
  const signed = gripSig(fixture.clock);
  const { handshake } = await fixture.join([], [`Grip-Sig: ${signed}`, 'Grip-Feature: theirs']);
  t.strictSame(handshake.values('grip-sig'), [signed]);
  t.strictSame(handshake.values('grip-feature'), ['theirs']);
});

t.test('a refusal of the origin is relayed with status, reason, headers and body', async (t) => {
  const fixture = await SessionFixture.open(t);
  const asked = fixture.ask();
  const body = 'b'.repeat(50_000);
  (await fixture.origin.next()).answer(
    `HTTP/1.1 401 Who Are You\r\nWWW-Authenticate: Basic\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n` +
      `Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  );
  const { answer } = await asked;
  t.match(answer, { status: 401, reason: 'Who Are You', whole: true });
  t.equal(answer.body.toString(), body);
  t.equal(answer.header('www-authenticate'), 'Basic');
  t.strictSame(
    answer.fields.filter((_, i) => answer.fields[i - 1] === 'Set-Cookie'),
    ['a=1', 'b=2'],
  );
  t.equal(answer.header('content-length'), '50000');
  t.match(fixture.opened, [{ status: 401, error: undefined, target: { port: fixture.origin.port } }]);
  t.strictSame([fixture.opened.length, fixture.counts.opened], [1, 0], 'it has never been a session');
});

t.test('a refusal with too long a body is answered 500', async (t) => {
  const fixture = await SessionFixture.open(t);
  const asked = fixture.ask();
  (await fixture.origin.next()).answer(
    `HTTP/1.1 403 Forbidden\r\nContent-Length: 100001\r\n\r\n${'b'.repeat(100_001)}`,
  );
  const { answer } = await asked;
  t.equal(answer.status, 500);
  t.equal(answer.body.toString(), 'Non-101 response body size exceeded limit of 100000 bytes.');
});

for (const [says, debug, expected] of [
  ['', {}, 'Error while proxying to origin.\n'],
  [
    ', and why on debug routes',
    { route: 'debug' },
    /^Unable to connect to any targets\. Tried: 127\.0\.0\.1:\d+, \[::1\]:1, 127\.0\.0\.1:\d+\n$/,
  ],
] as const) {
  t.test(`targets are tried in order; when none can be had the client gets 502${says}`, async (t) => {
    const fixture = await SessionFixture.open(t, { before: `127.0.0.1:${await deadPort()} [::1]:1`, ...debug });
    fixture.origin.server.close();
    const { answer } = await fixture.ask();
    t.equal(answer.status, 502);
    t.match(answer.body.toString(), expected);
    t.equal(answer.header('content-type'), 'text/plain');
    t.match(fixture.opened, [{ status: 502, error: 'ERR_ORIGIN_CONNECT', target: { port: fixture.origin.port } }]);
    t.equal(fixture.opened.length, 1);
  });
}

t.test('a target that cannot be connected to is followed by the next, whose channels count', async (t) => {
  const fixture = await SessionFixture.open(t, {
    before: `127.0.0.1:${await deadPort()},sub=first`,
    target: 'sub=second',
  });
  const { client } = await fixture.join([]);
  fixture.publish('first', { content: '1' });
  fixture.publish('second', { content: '2' });
  t.strictSame(await client.brief(), [text, '2']);
  t.match(fixture.opened, [{ status: 101, target: { port: fixture.origin.port } }]);
});

t.test('so is one whose client certificate cannot be read, and one that is blocked', async (t) => {
  const before = '127.0.0.1:1,ssl,client_cert=/nonexistent/a.crt,client_key=/nonexistent/a.key 127.0.0.1:2,untrusted';
  const fixture = await SessionFixture.open(t, { before });
  const { client, origin } = await fixture.join([]);
  await origin.text('third time lucky');
  t.strictSame(await client.brief(), [text, 'third time lucky']);
});

t.test('a blocked target that is the last is answered 502', async (t) => {
  const fixture = await SessionFixture.open(t, { target: 'untrusted', route: 'debug' });
  const { answer } = await fixture.ask();
  t.strictSame([answer.status, answer.body.toString()], [502, 'Error: Origin host/IP blocked.\n']);
  t.match(fixture.opened, [{ status: 502, error: 'ERR_ORIGIN_BLOCKED' }]);
  t.equal(fixture.origin.connections, 0);
});

t.test('an origin that has seen the handshake and fails is not followed by another', async (t) => {
  const fixture = await SessionFixture.open(t);
  const asked = fixture.ask();
  (await fixture.origin.next()).socket.destroy();
  const { answer } = await asked;
  t.strictSame([answer.status, answer.body.toString()], [502, 'Error while proxying to origin.\n']);
  t.match(fixture.opened, [{ status: 502, error: 'ERR_ORIGIN_CLOSED' }]);
});

t.test('a client that goes before the origin has answered takes its handshake with it', async (t) => {
  const fixture = await SessionFixture.open(t);
  const client = await connected(t, fixture.port);
  client.write(handshake());
  const { socket } = await fixture.origin.next();
  const ended = new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
  socket.resume();
  fixture.clock.advance(250);
  client.resetAndDestroy();
  await ended;
  await until(() => fixture.opened.length > 0);
  t.match(fixture.opened, [{ status: 0, error: 'ERR_REQUEST_CLIENT_GONE', duration: 250 }]);
  t.strictSame([fixture.counts.opened, fixture.ends.length], [0, 0]);
});

t.test('a client that goes while the origin accepts is no session either', async (t) => {
  const fixture = await SessionFixture.open(t);
  const client = await connected(t, fixture.port);
  client.write(handshake());
  const taken = await fixture.origin.next();
  client.end();
  await until(() => fixture.clock.pending > 0);
  const origin = taken.accept(GRIP);
  t.strictSame(await origin.rest(), []);
  t.match(fixture.opened, [{ status: 0, error: 'ERR_REQUEST_CLIENT_GONE' }]);
  t.strictSame([fixture.opened.length, fixture.counts.opened, fixture.registry.staying], [1, 0, 0]);
});
