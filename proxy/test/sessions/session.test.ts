import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { opcodes } from '../kit/clients/raw-frames.js';
import { until } from '../kit/until.js';
import { control, GRIP, reached, SessionFixture } from './session-fixture.js';

const { text, binary, ping, pong } = opcodes;

t.test('what the client sends reaches the origin as it is, in GRIP mode too', async (t) => {
  const fixture = await SessionFixture.open(t);
  for (const accept of [[], GRIP]) {
    const { client, origin } = await fixture.join(accept);
    await client.text('hello');
    await client.text('c:{"type":"detach"}');
    await client.text('');
    await client.send(binary, Buffer.from([0, 255]));
    await client.send(ping, 'are you there');
    await client.send(pong, 'unasked');
    t.strictSame(await origin.brief(), [text, 'hello']);
    t.strictSame(await origin.brief(), [text, 'c:{"type":"detach"}'], 'a client cannot give orders');
    t.strictSame(await origin.brief(), [text, '']);
    t.same((await origin.frame()).payload, Buffer.from([0, 255]));
    t.strictSame(await origin.brief(), [ping, 'are you there']);
    t.strictSame(await origin.brief(), [pong, 'unasked']);
  }
});

t.test('without GRIP everything the origin sends reaches the client as it is', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join([]);
  await origin.text('hello');
  await origin.text('c:{"type":"subscribe","channel":"a"}');
  await origin.text('m:kept');
  await origin.send(binary, 'm:kept');
  await origin.send(ping, 'x');
  t.strictSame(await client.brief(), [text, 'hello']);
  t.strictSame(await client.brief(), [text, 'c:{"type":"subscribe","channel":"a"}']);
  t.strictSame(await client.brief(), [text, 'm:kept']);
  t.strictSame(await client.brief(), [binary, 'm:kept']);
  t.strictSame(await client.brief(), [ping, 'x']);
  t.equal(fixture.registry.size, 0);
});

t.test('the proxy itself answers no ping of either side', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  await joined.origin.send(ping, 'to the client');
  t.strictSame(await joined.client.brief(), [ping, 'to the client']);
  await joined.client.send(pong, 'to the client');
  t.strictSame(await joined.origin.brief(), [pong, 'to the client'], 'the first that the origin gets is the client’s');
  await joined.client.send(ping, 'to the origin');
  t.strictSame(await joined.origin.brief(), [ping, 'to the origin']);
  await reached(joined);
});

for (const [says, extension, prefix] of [
  ['the default prefix', 'grip', 'm:'],
  ['a prefix of its own', 'grip; message-prefix="x-"', 'x-'],
  ['a prefix without quotes', 'grip; message-prefix=y', 'y'],
  ['a prefix outside ASCII', 'grip; message-prefix="\xe2\x82\xac"', '€'],
] as const) {
  t.test(`with ${says}, it is taken off, and messages without it are dropped`, async (t) => {
    const fixture = await SessionFixture.open(t);
    const { client, origin } = await fixture.join([`Sec-WebSocket-Extensions: ${extension}`]);
    await origin.text('unprefixed');
    await origin.send(binary, 'unprefixed');
    await origin.text('');
    await origin.text(`${prefix}text`);
    await origin.send(binary, `${prefix}binary`);
    await origin.text(prefix);
    await origin.text(`${prefix}${prefix}`);
    await origin.send(binary, `${prefix}c:{"type":"detach"}`);
    await origin.send(ping, 'unprefixed');
    t.strictSame(await client.brief(), [text, 'text']);
    t.strictSame(await client.brief(), [binary, 'binary']);
    t.strictSame(await client.brief(), [text, '']);
    t.strictSame(await client.brief(), [text, prefix]);
    t.strictSame(await client.brief(), [binary, 'c:{"type":"detach"}']);
    t.strictSame(await client.brief(), [ping, 'unprefixed'], 'control frames need no prefix');
    t.equal(fixture.logged('debug').filter((line) => /neither of its prefixes/.test(line)).length, 3);
  });
}

t.test('with an empty prefix all but control messages are for the client', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join(['Sec-WebSocket-Extensions: grip; message-prefix=""']);
  await joined.origin.text('anything');
  await joined.origin.text('c:{"type":"subscribe","channel":"a"}');
  await joined.origin.send(binary, 'c:{"type":"subscribe","channel":"b"}');
  t.strictSame(await joined.client.brief(), [text, 'anything']);
  t.strictSame(await joined.client.brief(), [binary, 'c:{"type":"subscribe","channel":"b"}']);
  t.strictSame([fixture.registry.count('a'), fixture.registry.count('b')], [1, 0]);
});

t.test('fragments of either side arrive as one message, and the prefix may be cut by them', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  await origin.send(text, 'm', { fin: false });
  await origin.send(0, ':frag', { fin: false });
  await origin.send(ping, 'between');
  await origin.send(0, 'ment');
  t.strictSame(await client.brief(), [ping, 'between']);
  t.strictSame(await client.brief(), [text, 'fragment']);
  await client.send(text, 'frag', { fin: false });
  await client.send(0, 'ment');
  t.strictSame(await origin.brief(), [text, 'fragment']);
});

t.test('what either side sent before the session stood is delivered', async (t) => {
  const fixture = await SessionFixture.open(t);
  const asked = fixture.ask();
  const handshake = await fixture.origin.next();
  const early = Buffer.concat(
    ['c:{"type":"subscribe","channel":"a"}', 'm:first'].map((line) =>
      Buffer.from([0x81, line.length, ...Buffer.from(line)]),
    ),
  );
  handshake.accept(GRIP, early);
  const { socket: client } = await asked;
  t.strictSame(await client?.brief(), [text, 'first']);
  t.equal(fixture.registry.count('a'), 1);
});

t.test('messages of 16 MiB pass in both directions, over compression too', async (t) => {
  for (const compression of [false, true]) {
    const fixture = await SessionFixture.open(t, { settings: { allow_compression: compression } });
    const offer = 'Sec-WebSocket-Extensions: permessage-deflate';
    const { client, origin } = await fixture.join(GRIP, compression ? [offer] : []);
    const bytes = Buffer.alloc(16 * 2 ** 20 - 2, 'Holdfast ');
    void origin.send(binary, Buffer.concat([Buffer.from('m:'), bytes]));
    const frame = await client.frame();
    if (compression) t.strictSame([frame.rsv, frame.payload.length < bytes.length / 10], [4, true]);
    else t.ok(frame.payload.equals(bytes));
    void client.send(binary, bytes);
    t.ok((await origin.frame()).payload.equals(bytes), 'the origin did not negotiate compression');
  }
});

t.test('an opening is reported once, with its status, target and id', async (t) => {
  const fixture = await SessionFixture.open(t);
  await control(await fixture.join(), { type: 'subscribe', channel: 'a' });
  t.equal(fixture.opened.length, 1);
  t.match(fixture.opened[0], {
    status: 101,
    error: undefined,
    request: { id: /-1$/ },
    target: { port: fixture.origin.port },
  });
  t.strictSame(fixture.counts, { opened: 1, ended: 0, sent: 0, dropped: 0, delivered: 0 });
});

t.test('nobody keeps what only the handshake needed', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  t.equal(fixture.handshakes.length, 2);
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const left = await until('the end of the handshake', () => {
    collect();
    return fixture.handshakes.every((handshake) => handshake.deref() === undefined) && 'nothing';
  });
  t.equal(left, 'nothing');
  fixture.publish('a', { content: 'still there' });
  t.strictSame(await joined.client.brief(), [text, 'still there']);
});
