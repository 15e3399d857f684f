import t from 'tap';
import { closeCodeOf, opcodes } from '../kit/clients/raw-frames.js';
import { settled } from '../kit/until.js';
import { control, reached, SessionScene } from './session-scene.js';

const { text, binary, ping, pong, close } = opcodes;

t.test('subscribe: items of the channel reach the client, without a prefix', async (t) => {
  const scene = await SessionScene.open(t);
  const joined = await scene.join();
  await control(joined, { type: 'subscribe', channel: 'news' });
  scene.publish('news', { content: 'hello' });
  scene.publish('other', { content: 'not for it' });
  t.strictSame(await joined.client.brief(), [text, 'hello']);
  await reached(joined);
});

t.test('subscribe: the route’s prefix goes before the channel, but not before sub= channels', async (t) => {
  const scene = await SessionScene.open(t, { route: 'prefix=p-', target: 'sub=fixed' });
  const joined = await scene.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  t.strictSame(
    ['p-a', 'a', 'fixed', 'p-fixed'].map((channel) => scene.registry.count(channel)),
    [1, 0, 1, 0],
  );
  scene.publish('p-a', { content: '1' });
  scene.publish('fixed', { content: '2' });
  t.strictSame(await joined.client.brief(), [text, '1']);
  t.strictSame(await joined.client.brief(), [text, '2']);
});

t.test('sub=: the session has the target’s channels although its origin does not speak GRIP', async (t) => {
  const scene = await SessionScene.open(t, { target: 'sub=one,sub=two' });
  const { client } = await scene.join([]);
  scene.publish('one', { content: '1' });
  scene.publish('two', { content: '2' });
  t.strictSame(await client.brief(), [text, '1']);
  t.strictSame(await client.brief(), [text, '2']);
});

t.test('subscribe: twice is once, and one unsubscribe ends it', async (t) => {
  const scene = await SessionScene.open(t);
  const joined = await scene.join();
  const subscribe = { type: 'subscribe', channel: 'a' };
  await control(joined, subscribe, subscribe);
  scene.publish('a', { content: 'once' });
  t.strictSame(await joined.client.brief(), [text, 'once']);
  await control(joined, { type: 'unsubscribe', channel: 'a' });
  t.equal(scene.registry.count('a'), 0);
  scene.publish('a', { content: 'too late' });
  await reached(joined);
});

t.test('unsubscribe: a channel of the target stays, one that is unknown changes nothing', async (t) => {
  const scene = await SessionScene.open(t, { target: 'sub=fixed' });
  const joined = await scene.join();
  await control(
    joined,
    { type: 'unsubscribe', channel: 'fixed' },
    { type: 'unsubscribe', channel: 'unknown' },
    { type: 'subscribe', channel: 'fixed' },
    { type: 'unsubscribe', channel: 'fixed' },
  );
  scene.publish('fixed', { content: 'still' });
  t.strictSame(await joined.client.brief(), [text, 'still']);
});

t.test(
  'subscribe: no more channels than allowed, those of the target aside; a known one may be repeated',
  async (t) => {
    const scene = await SessionScene.open(t, { connectionSubscriptionMax: 2, target: 'sub=fixed' });
    const joined = await scene.join();
    const subscribe = (channel: string) => ({ type: 'subscribe', channel });
    await control(joined, ...['a', 'b', 'c', 'b'].map(subscribe));
    const counts = () => ['a', 'b', 'c', 'd', 'fixed'].map((channel) => scene.registry.count(channel));
    t.strictSame(counts(), [1, 1, 0, 0, 1]);
    t.match(scene.logged('warn'), [
      /^the origin of route \S+ names 3 channels for one connection: those beyond connection_subscription_max \(2\) are ignored$/,
    ]);
    await control(joined, { type: 'unsubscribe', channel: 'a' }, subscribe('d'));
    t.strictSame(counts(), [0, 1, 0, 1, 1]);
  },
);

for (const [says, options, reason] of [
  ['with a reason on debug routes', { route: 'debug' }, "too many filters for channel 'a'"],
  ['with a reason where debug is on', { debug: true }, "too many filters for channel 'a'"],
  ['without a reason elsewhere', {}, ''],
] as const) {
  t.test(`subscribe: more than five filters close the session with 1011, ${says}`, async (t) => {
    const scene = await SessionScene.open(t, options);
    const joined = await scene.join();
    const filters = ['1', '2', '3', '4', '5'];
    await control(joined, { type: 'subscribe', channel: 'b', filters });
    t.equal(scene.registry.count('b'), 1, 'five are allowed');
    await joined.origin.text(`c:${JSON.stringify({ type: 'subscribe', channel: 'a', filters: [...filters, '6'] })}`);
    const frame = await joined.client.frame();
    t.strictSame([frame.opcode, closeCodeOf(frame), frame.payload.toString('utf8', 2)], [close, 1011, reason]);
    t.equal((await scene.ended()).reason, 'filter-limit');
    t.equal(scene.registry.size, 0);
    await joined.origin.ended();
  });
}

t.test('detach: the origin is closed with 1000, the client stays and goes on getting items', async (t) => {
  const scene = await SessionScene.open(t);
  const { client, origin } = await scene.join();
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
  scene.publish('a', { content: 'still here' });
  t.strictSame(await client.brief(), [text, 'still here']);
  t.strictSame(scene.ends, []);
  await client.close(1000);
  client.end();
  t.equal((await scene.ended()).reason, 'client-closed');
});

t.test('detach: a client that was held back is read again, so that its end is seen', async (t) => {
  const scene = await SessionScene.open(t, { websocketMessageMax: 2 ** 20 });
  const { client, origin } = await scene.join();
  origin.pause();
  let taken = 0;
  for (let i = 0; i < 200; i++) void client.send(binary, Buffer.alloc(262_144)).then(() => taken++);
  t.ok((await settled(() => taken)) < 200);
  await origin.text('c:{"type":"detach"}');
  void client.close(1000).then(() => client.end());
  t.equal((await scene.ended()).reason, 'client-closed');
  t.equal(taken, 200);
});

t.test('detach: timed messages and items go on; a close of the item’s needs no origin', async (t) => {
  const scene = await SessionScene.open(t);
  const { client, origin } = await scene.join();
  for (const message of [
    { type: 'subscribe', channel: 'a' },
    { type: 'send-delayed', content: 'later', timeout: 2 },
    { type: 'detach' },
  ]) {
    await origin.text(`c:${JSON.stringify(message)}`);
  }
  await origin.frame();
  scene.clock.advance(2_000);
  t.strictSame(await client.brief(), [text, 'later']);
  scene.publish('a', { action: 'close', code: 4000 });
  t.equal(closeCodeOf(await client.frame()), 4000);
});

t.test('set-meta: more than a session may have closes it with 1011, and says so on debug routes', async (t) => {
  const scene = await SessionScene.open(t, { debug: true });
  const joined = await scene.join();
  const setMeta = (name: string, length: number) => ({ type: 'set-meta', name, value: 'x'.repeat(length) });
  await control(joined, setMeta('a', 60_000), setMeta('b', 5_000), setMeta('a', 50_000));
  await joined.origin.text(`c:${JSON.stringify(setMeta('c', 20_000))}`);
  const frame = await joined.client.frame();
  const text = 'more than 65536 bytes of meta';
  t.strictSame([frame.opcode, closeCodeOf(frame), frame.payload.toString('utf8', 2)], [close, 1011, text]);
  t.equal((await scene.ended()).reason, 'meta-limit');
  await joined.origin.ended();
});

t.test('session and set-meta are taken without a word', async (t) => {
  const scene = await SessionScene.open(t);
  const joined = await scene.join();
  await control(
    joined,
    { type: 'session', id: 'user-1' },
    { type: 'session' },
    { type: 'set-meta', name: 'user', value: 'alice' },
    { type: 'set-meta', name: '__proto__', value: 'x' },
    { type: 'set-meta', name: 'user' },
  );
  t.strictSame(scene.logged('debug'), []);
});

t.test('what is no control message is ignored, and the session goes on', async (t) => {
  const scene = await SessionScene.open(t);
  const joined = await scene.join();
  const messages = [
    ...['', 'x', '[]', 'null', '{}', '{"type":5}', '{"type":"unknown"}', '{"type":"subscribe"}'],
    ...['{"type":"subscribe","channel":""}', '{"type":"subscribe","channel":5}', '{"type":"unsubscribe"}'],
    ...['{"type":"subscribe","channel":"a","filters":"x"}', '{"type":"set-meta"}', '{"type":"send-delayed"}'],
    ...['{"type":"keep-alive","content":"x","message-type":"odd"}', '{"type":"set-hold"}', '{"type":"ack"}'],
    `{"type":"keep-alive","message-type":"ping","content":"${'x'.repeat(126)}"}`,
  ];
  for (const message of messages) await joined.origin.text(`c:${message}`);
  await reached(joined);
  t.equal(scene.logged('debug').length, messages.length, 'each is in the debug log');
  t.equal(scene.registry.size, 0);
  t.equal(scene.clock.pending, 0);
});

t.test('keep-alive: every kind of message, when idle; whatever goes to the client puts it off', async (t) => {
  const scene = await SessionScene.open(t);
  const joined = await scene.join();
  for (const [type, opcode] of Object.entries({ text, binary, ping, pong })) {
    await control(joined, { type: 'keep-alive', content: 'alive', 'message-type': type, timeout: 10 });
    scene.clock.advance(9_999);
    await reached(joined);
    scene.clock.advance(9_999);
    await reached(joined);
    scene.clock.advance(10_000);
    t.strictSame(await joined.client.brief(), [opcode, 'alive']);
    scene.clock.advance(10_000);
    t.strictSame(await joined.client.brief(), [opcode, 'alive'], 'and again');
  }
});

t.test('keep-alive: items put it off too; what the client sends does not', async (t) => {
  const scene = await SessionScene.open(t);
  const joined = await scene.join();
  const keepAlive = { type: 'keep-alive', content: 'alive', timeout: 10 };
  await control(joined, { type: 'subscribe', channel: 'a' }, keepAlive);
  scene.clock.advance(6_000);
  scene.publish('a', { content: 'item' });
  t.strictSame(await joined.client.brief(), [text, 'item']);
  scene.clock.advance(6_000);
  await joined.client.text('from the client');
  t.strictSame(await joined.origin.brief(), [text, 'from the client']);
  scene.clock.advance(4_000);
  t.strictSame(await joined.client.brief(), [text, 'alive']);
});

t.test('keep-alive: at intervals nothing puts it off; without content it ends', async (t) => {
  const scene = await SessionScene.open(t);
  const joined = await scene.join();
  const keepAlive = { type: 'keep-alive', mode: 'interval', timeout: 10 };
  await control(joined, { ...keepAlive, 'content-bin': '4oKs' });
  scene.clock.advance(9_000);
  await reached(joined);
  scene.clock.advance(1_000);
  t.strictSame(await joined.client.brief(), [text, '€'], 'text although content-bin: as asked');
  await control(joined, { ...keepAlive, 'content-bin': 'AP8=' });
  scene.clock.advance(10_000);
  const frame = await joined.client.frame();
  t.strictSame([frame.opcode, frame.payload.toString('hex')], [binary, '00ff'], 'no text where it is not UTF-8');
  await control(joined, { type: 'keep-alive' });
  t.equal(scene.clock.pending, 0);
  scene.clock.advance(100_000);
  await reached(joined);
});

t.test('send-delayed and flush-delayed: once, later or now; a second one sends the first', async (t) => {
  const scene = await SessionScene.open(t);
  const joined = await scene.join();
  await control(joined, { type: 'send-delayed', content: 'after a second' });
  scene.clock.advance(999);
  await reached(joined);
  scene.clock.advance(1);
  t.strictSame(await joined.client.brief(), [text, 'after a second']);
  const delayed = (content: string) =>
    `c:${JSON.stringify({ type: 'send-delayed', content, 'message-type': 'binary', timeout: 60 })}`;
  await joined.origin.text(delayed('first'));
  await joined.origin.text(delayed('second'));
  t.strictSame(await joined.client.brief(), [binary, 'first']);
  await joined.origin.text('c:{"type":"flush-delayed"}');
  t.strictSame(await joined.client.brief(), [binary, 'second']);
  t.equal(scene.clock.pending, 0);
  await control(joined, { type: 'flush-delayed' });
});
