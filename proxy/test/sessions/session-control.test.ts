import t from 'tap';
import { closeCodeOf, opcodes } from '../kit/clients/raw-frames.js';
import { settled } from '../kit/until.js';
import { control, reached, SessionFixture } from './session-fixture.js';

const { text, binary, ping, pong, close } = opcodes;

t.test('subscribe: items of the channel reach the client, without a prefix', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'news' });
  fixture.publish('news', { content: 'hello' });
  fixture.publish('other', { content: 'not for it' });
  t.strictSame(await joined.client.brief(), [text, 'hello']);
  await reached(joined);
});

t.test('subscribe: the route’s prefix goes before the channel, but not before sub= channels', async (t) => {
  const fixture = await SessionFixture.open(t, { route: 'prefix=p-', target: 'sub=fixed' });
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  t.strictSame(
    ['p-a', 'a', 'fixed', 'p-fixed'].map((channel) => fixture.registry.count(channel)),
    [1, 0, 1, 0],
  );
  fixture.publish('p-a', { content: '1' });
  fixture.publish('fixed', { content: '2' });
  t.strictSame(await joined.client.brief(), [text, '1']);
  t.strictSame(await joined.client.brief(), [text, '2']);
});

t.test('sub=: the session has the target’s channels although its origin does not speak GRIP', async (t) => {
  const fixture = await SessionFixture.open(t, { target: 'sub=one,sub=two' });
  const { client } = await fixture.join([]);
  fixture.publish('one', { content: '1' });
  fixture.publish('two', { content: '2' });
  t.strictSame(await client.brief(), [text, '1']);
  t.strictSame(await client.brief(), [text, '2']);
});

t.test('subscribe: twice is once, and one unsubscribe ends it', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  const subscribe = { type: 'subscribe', channel: 'a' };
  await control(joined, subscribe, subscribe);
  fixture.publish('a', { content: 'once' });
  t.strictSame(await joined.client.brief(), [text, 'once']);
  await control(joined, { type: 'unsubscribe', channel: 'a' });
  t.equal(fixture.registry.count('a'), 0);
  fixture.publish('a', { content: 'too late' });
  await reached(joined);
});

t.test('unsubscribe: a channel of the target stays, one that is unknown changes nothing', async (t) => {
  const fixture = await SessionFixture.open(t, { target: 'sub=fixed' });
  const joined = await fixture.join();
  await control(
    joined,
    { type: 'unsubscribe', channel: 'fixed' },
    { type: 'unsubscribe', channel: 'unknown' },
    { type: 'subscribe', channel: 'fixed' },
    { type: 'unsubscribe', channel: 'fixed' },
  );
  fixture.publish('fixed', { content: 'still' });
  t.strictSame(await joined.client.brief(), [text, 'still']);
});

t.test(
  'subscribe: no more channels than allowed, those of the target aside; a known one may be repeated',
  async (t) => {
    const fixture = await SessionFixture.open(t, { settings: { connection_subscription_max: 2 }, target: 'sub=fixed' });
    const joined = await fixture.join();
    const subscribe = (channel: string) => ({ type: 'subscribe', channel });
    await control(joined, ...['a', 'b', 'c', 'b'].map(subscribe));
    const counts = () => ['a', 'b', 'c', 'd', 'fixed'].map((channel) => fixture.registry.count(channel));
    t.strictSame(counts(), [1, 1, 0, 0, 1]);
    t.match(fixture.logged('warn'), [
      /^the origin of route \S+ names 3 channels for one connection: those beyond connection_subscription_max \(2\) are ignored$/,
    ]);
    await control(joined, { type: 'unsubscribe', channel: 'a' }, subscribe('d'));
    t.strictSame(counts(), [0, 1, 0, 1, 1]);
  },
);

for (const [says, options, reason] of [
  ['with a reason on debug routes', { route: 'debug' }, "too many filters for channel 'a'"],
  ['with a reason where debug is on', { settings: { debug: true } }, "too many filters for channel 'a'"],
  ['without a reason elsewhere', {}, ''],
] as const) {
  t.test(`subscribe: more than five filters close the session with 1011, ${says}`, async (t) => {
    const fixture = await SessionFixture.open(t, options);
    const joined = await fixture.join();
    const filters = ['1', '2', '3', '4', '5'];
    await control(joined, { type: 'subscribe', channel: 'b', filters });
    t.equal(fixture.registry.count('b'), 1, 'five are allowed');
    await joined.origin.text(`c:${JSON.stringify({ type: 'subscribe', channel: 'a', filters: [...filters, '6'] })}`);
    const frame = await joined.client.frame();
    t.strictSame([frame.opcode, closeCodeOf(frame), frame.payload.toString('utf8', 2)], [close, 1011, reason]);
    t.equal((await fixture.ended()).reason, 'filter-limit');
    t.equal(fixture.registry.size, 0);
    await joined.origin.ended();
  });
}

t.test('detach: the origin is closed with 1000, the client stays and goes on getting items', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  for (const message of [{ type: 'subscribe', channel: 'a' }, { type: 'detach' }]) {
    await origin.text(`c:${JSON.stringify(message)}`);
  }
  const frame = await origin.frame();
  t.strictSame([frame.opcode, closeCodeOf(frame)], [close, 1000]);
  await origin.text('m:after the detach');
  await origin.close(1000);
  origin.end();
  t.strictSame(await origin.rest(), []);
  await client.text('for nobody');
  await client.send(ping, 'for nobody');
  fixture.publish('a', { content: 'still here' });
  t.strictSame(await client.brief(), [text, 'still here']);
  t.strictSame(fixture.ends, []);
  await client.close(1000);
  client.end();
  t.equal((await fixture.ended()).reason, 'client-closed');
});

t.test('detach: a client that was held back is read again, so that its end is seen', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { websocket_message_max: 2 ** 20 } });
  const { client, origin } = await fixture.join();
  origin.pause();
  let taken = 0;
  for (let i = 0; i < 200; i++) void client.send(binary, Buffer.alloc(262_144)).then(() => taken++);
  t.ok((await settled(() => taken)) < 200);
  await origin.text('c:{"type":"detach"}');
  void client.close(1000).then(() => client.end());
  t.equal((await fixture.ended()).reason, 'client-closed');
  t.equal(taken, 200);
});

t.test('detach: timed messages and items go on; a close of the item’s needs no origin', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  for (const message of [
    { type: 'subscribe', channel: 'a' },
    { type: 'send-delayed', content: 'later', timeout: 2 },
    { type: 'detach' },
  ]) {
    await origin.text(`c:${JSON.stringify(message)}`);
  }
  await origin.frame();
  fixture.clock.advance(2_000);
  t.strictSame(await client.brief(), [text, 'later']);
  fixture.publish('a', { action: 'close', code: 4000 });
  t.equal(closeCodeOf(await client.frame()), 4000);
});

t.test('set-meta: more than a session may have closes it with 1011, and says so on debug routes', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { debug: true } });
  const joined = await fixture.join();
  const setMeta = (name: string, length: number) => ({ type: 'set-meta', name, value: 'x'.repeat(length) });
  await control(joined, setMeta('a', 60_000), setMeta('b', 5_000), setMeta('a', 50_000));
  await joined.origin.text(`c:${JSON.stringify(setMeta('c', 20_000))}`);
  const frame = await joined.client.frame();
  const text = 'more than 65536 bytes of meta';
  t.strictSame([frame.opcode, closeCodeOf(frame), frame.payload.toString('utf8', 2)], [close, 1011, text]);
  t.equal((await fixture.ended()).reason, 'meta-limit');
  await joined.origin.ended();
});

t.test('session and set-meta are taken without a word', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  await control(
    joined,
    { type: 'session', id: 'user-1' },
    { type: 'session' },
    { type: 'set-meta', name: 'user', value: 'alice' },
    { type: 'set-meta', name: '__proto__', value: 'x' },
    { type: 'set-meta', name: 'user' },
  );
  t.strictSame(fixture.logged('debug'), []);
});

t.test('what is no control message is ignored, and the session goes on', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  const messages = [
    ...['', 'x', '[]', 'null', '{}', '{"type":5}', '{"type":"unknown"}', '{"type":"subscribe"}'],
    ...['{"type":"subscribe","channel":""}', '{"type":"subscribe","channel":5}', '{"type":"unsubscribe"}'],
    ...['{"type":"subscribe","channel":"a","filters":"x"}', '{"type":"set-meta"}', '{"type":"send-delayed"}'],
    ...['{"type":"keep-alive","content":"x","message-type":"odd"}', '{"type":"set-hold"}', '{"type":"ack"}'],
    `{"type":"keep-alive","message-type":"ping","content":"${'x'.repeat(126)}"}`,
  ];
  for (const message of messages) await joined.origin.text(`c:${message}`);
  await reached(joined);
  t.equal(fixture.logged('debug').length, messages.length, 'each is in the debug log');
  t.equal(fixture.registry.size, 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('keep-alive: every kind of message, when idle; whatever goes to the client puts it off', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  for (const [type, opcode] of Object.entries({ text, binary, ping, pong })) {
    await control(joined, { type: 'keep-alive', content: 'alive', 'message-type': type, timeout: 10 });
    fixture.clock.advance(9_999);
    await reached(joined);
    fixture.clock.advance(9_999);
    await reached(joined);
    fixture.clock.advance(10_000);
    t.strictSame(await joined.client.brief(), [opcode, 'alive']);
    fixture.clock.advance(10_000);
    t.strictSame(await joined.client.brief(), [opcode, 'alive'], 'and again');
  }
});

t.test('keep-alive: items put it off too; what the client sends does not', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  const keepAlive = { type: 'keep-alive', content: 'alive', timeout: 10 };
  await control(joined, { type: 'subscribe', channel: 'a' }, keepAlive);
  fixture.clock.advance(6_000);
  fixture.publish('a', { content: 'item' });
  t.strictSame(await joined.client.brief(), [text, 'item']);
  fixture.clock.advance(6_000);
  await joined.client.text('from the client');
  t.strictSame(await joined.origin.brief(), [text, 'from the client']);
  fixture.clock.advance(4_000);
  t.strictSame(await joined.client.brief(), [text, 'alive']);
});

t.test('keep-alive: at intervals nothing puts it off; without content it ends', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  const keepAlive = { type: 'keep-alive', mode: 'interval', timeout: 10 };
  await control(joined, { ...keepAlive, 'content-bin': '4oKs' });
  fixture.clock.advance(9_000);
  await reached(joined);
  fixture.clock.advance(1_000);
  t.strictSame(await joined.client.brief(), [text, '€'], 'text although content-bin: as asked');
  await control(joined, { ...keepAlive, 'content-bin': 'AP8=' });
  fixture.clock.advance(10_000);
  const frame = await joined.client.frame();
  t.strictSame([frame.opcode, frame.payload.toString('hex')], [binary, '00ff'], 'no text where it is not UTF-8');
  await control(joined, { type: 'keep-alive' });
  t.equal(fixture.clock.pending, 0);
  fixture.clock.advance(100_000);
  await reached(joined);
});

t.test('send-delayed and flush-delayed: once, later or now; a second one sends the first', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  await control(joined, { type: 'send-delayed', content: 'after a second' });
  fixture.clock.advance(999);
  await reached(joined);
  fixture.clock.advance(1);
  t.strictSame(await joined.client.brief(), [text, 'after a second']);
  const delayed = (content: string) =>
    `c:${JSON.stringify({ type: 'send-delayed', content, 'message-type': 'binary', timeout: 60 })}`;
  await joined.origin.text(delayed('first'));
  await joined.origin.text(delayed('second'));
  t.strictSame(await joined.client.brief(), [binary, 'first']);
  await joined.origin.text('c:{"type":"flush-delayed"}');
  t.strictSame(await joined.client.brief(), [binary, 'second']);
  t.equal(fixture.clock.pending, 0);
  await control(joined, { type: 'flush-delayed' });
});
