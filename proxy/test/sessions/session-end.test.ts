import t from 'tap';
import { CLOSE_ANSWER_MS } from '../../dist/sessions/awaited-close.js';
import { closeCodeOf, closePayload, encodeFrame, opcodes } from '../kit/clients/raw-frames.js';
import { until } from '../kit/until.js';
import { control, GRIP, type Joined, SessionFixture } from './session-fixture.js';

const { text, close } = opcodes;

const CLOSES = [
  ['a code and a reason', 4001, 'enough ✓'],
  ['a code alone', 1001, ''],
  ['the last code there is', 4999, 'r'.repeat(123)],
  ['neither', undefined, ''],
] as const;

for (const [says, code, reason] of CLOSES) {
  t.test(`a client’s close with ${says} reaches the origin as it is`, async (t) => {
    const fixture = await SessionFixture.open(t);
    const { client, origin } = await fixture.join();
    await client.text('last');
    await client.close(code, reason);
    t.strictSame(await origin.brief(), [text, 'last']);
    const frame = await origin.frame();
    t.strictSame([frame.opcode, frame.payload], [close, closePayload(code, reason)]);
    await origin.write(encodeFrame(close, frame.payload));
    t.same((await client.frame()).payload, closePayload(code, reason), 'the origin’s answer is the client’s');
    client.end();
    t.match(await fixture.ended(), { kind: 'ws', reason: 'client-closed' });
  });

  t.test(`an origin’s close with ${says} reaches the client as it is, after its last message`, async (t) => {
    const fixture = await SessionFixture.open(t);
    for (const accept of [[], GRIP]) {
      const { client, origin } = await fixture.join(accept);
      // All in one segment.
      const last = encodeFrame(text, 'm:last');
      await origin.write(Buffer.concat([last, encodeFrame(close, closePayload(code, reason))]));
      origin.end();
      t.strictSame(await client.brief(), [text, accept === GRIP ? 'last' : 'm:last']);
      const frame = await client.frame();
      t.strictSame([frame.opcode, frame.payload], [close, closePayload(code, reason)]);
      await client.write(client.encode(close, frame.payload));
      t.strictSame(await client.rest(), []);
      client.end();
    }
    t.match(await fixture.ended(2), { kind: 'ws', reason: 'origin-closed' });
  });
}

t.test('what an origin sends after a client’s close reaches the client, and then its own close', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join(GRIP);
  const { client, origin } = joined;
  await client.text('question');
  await client.close(4001, 'bye');
  t.strictSame(await origin.brief(), [text, 'question']);
  t.equal(closeCodeOf(await origin.frame()), 4001);
  t.match(await fixture.ended(), { reason: 'client-closed' });
  await origin.send(text, 'c:{"type":"subscribe","channel":"late"}');
  await origin.send(text, 'm:answer');
  await origin.close(4002, 'so long');
  t.strictSame(await client.brief(), [text, 'answer']);
  t.same((await client.frame()).payload, closePayload(4002, 'so long'));
  t.equal(fixture.registry.size, 0, 'no order is obeyed any more');
  t.equal(fixture.clock.pending, 0);
});

t.test('what a client sends after an origin’s close reaches the origin, and then its own close', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  await origin.close(4001, 'bye');
  t.equal(closeCodeOf(await client.frame()), 4001);
  await client.text('crossed on the way');
  await client.close(4002, 'so long');
  t.strictSame(await origin.brief(), [text, 'crossed on the way']);
  t.same((await origin.frame()).payload, closePayload(4002, 'so long'));
  t.equal(fixture.clock.pending, 0);
});

for (const [says, first] of [
  ['an origin', 'client'],
  ['a client', 'origin'],
] as const) {
  t.test(`${says} that does not answer a close is answered for, after ${CLOSE_ANSWER_MS} ms`, async (t) => {
    const fixture = await SessionFixture.open(t);
    const joined = await fixture.join([]);
    const second = first === 'client' ? 'origin' : 'client';
    await joined[first].close(4001, 'bye');
    t.equal(closeCodeOf(await joined[second].frame()), 4001);
    fixture.clock.advance(CLOSE_ANSWER_MS - 1);
    await joined[second].text('on time');
    t.strictSame(await joined[first].brief(), [text, 'on time']);
    fixture.clock.advance(1);
    t.same((await joined[first].frame()).payload, closePayload(4001, 'bye'));
    await joined[second].text('too late');
    t.strictSame(await joined[first].rest(), []);
  });
}

t.test('a client that ends its sending side behind its close is answered at once', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  await client.close(4001, 'bye');
  client.end();
  t.same((await client.frame()).payload, closePayload(4001, 'bye'));
  t.equal(closeCodeOf(await origin.frame()), 4001);
});

t.test('an origin that breaks off instead of answering a close: the client has its own', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  await client.close(4001, 'bye');
  await origin.frame();
  origin.reset();
  t.same((await client.frame()).payload, closePayload(4001, 'bye'));
  t.equal(fixture.clock.pending, 0);
});

t.test('a client that breaks off instead of answering a close: the origin has its own', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  await origin.close(4001, 'bye');
  await client.frame();
  client.reset();
  t.same((await origin.frame()).payload, closePayload(4001, 'bye'));
  t.equal(fixture.clock.pending, 0);
});

t.test('an origin’s close arrives behind what waits for a slow client', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  client.pause();
  const frames = 64;
  for (let i = 0; i < frames; i++) void origin.send(text, `m:${`${i}`.padEnd(65_536)}`);
  void origin.close(4000).then(() => origin.end());
  client.resume();
  for (let i = 0; i < frames; i++) t.equal(Number.parseInt((await client.brief())[1], 10), i);
  t.equal(closeCodeOf(await client.frame()), 4000);
});

type Break = (joined: Joined) => void;

const breaks: readonly (readonly [says: string, act: Break, reason: string, survivor: 'client' | 'origin'])[] = [
  ['a client that ends its connection', ({ client }) => client.end(), 'client-gone', 'origin'],
  ['a client that resets its connection', ({ client }) => client.reset(), 'client-gone', 'origin'],
  ['an origin that ends its connection', ({ origin }) => origin.end(), 'origin-failed', 'client'],
  ['an origin that resets its connection', ({ origin }) => origin.reset(), 'origin-failed', 'client'],
];

for (const [says, act, reason, survivor] of breaks) {
  t.test(`${says} without a close: the other side is cut without one too`, async (t) => {
    const fixture = await SessionFixture.open(t);
    const joined = await fixture.join();
    await control(joined, { type: 'subscribe', channel: 'a' });
    act(joined);
    t.strictSame(await joined[survivor].rest(), [], 'no Close frame');
    t.match(await fixture.ended(), { kind: 'ws', reason, channels: ['a'] });
    t.equal(fixture.registry.size, 0);
  });
}

t.test('a client that breaks the protocol is told so, and counts as its fault', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  await client.send(text, Buffer.from([0xff]));
  t.equal((await fixture.ended()).reason, 'client-fault');
  t.equal(closeCodeOf(await origin.frame()), 1007);
  await origin.send(text, 'm:before');
  await origin.close(1000);
  t.strictSame(await client.brief(), [text, 'before'], 'what answers what came before');
  t.equal(closeCodeOf(await client.frame()), 1007);
  client.end();
});

t.test('a client’s message over the limit closes it with 1009; an origin’s loses the origin', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { websocket_message_max: 1_000 } });
  const first = await fixture.join();
  await first.client.text('x'.repeat(1_001));
  t.equal(closeCodeOf(await first.origin.frame()), 1009);
  first.origin.end();
  t.equal(closeCodeOf(await first.client.frame()), 1009);
  first.client.end();
  t.equal((await fixture.ended()).reason, 'client-fault');
  const second = await fixture.join();
  await second.origin.text('x'.repeat(200_000));
  t.equal(closeCodeOf(await second.origin.frame()), 1009);
  second.origin.end();
  t.equal((await fixture.ended(2)).reason, 'origin-failed');
  t.strictSame(await second.client.rest(), []);
});

for (const [says, options, reason] of [
  ['with a reason where debug is on', { settings: { debug: true } }, 'The node went down.'],
  ['without a reason elsewhere', {}, ''],
] as const) {
  t.test(`a shutdown closes clients with 1012, ${says}`, async (t) => {
    const fixture = await SessionFixture.open(t, options);
    const joined = await fixture.join();
    await control(joined, { type: 'subscribe', channel: 'a' });
    for (const subscriber of fixture.registry.all()) subscriber.drain();
    t.same((await joined.client.frame()).payload, closePayload(1012, reason));
    t.equal((await fixture.ended()).reason, 'shutdown');
    t.strictSame(await joined.origin.rest(), []);
  });
}

const GAP = { channel: 'a', reason: 'trimmed', after: { epoch: 'e', offset: 1 }, until: undefined } as const;

t.test('items lost on a channel: the client is closed with 1012, soon, and gets nothing of what follows', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  fixture.delivery.onGap(GAP);
  fixture.publish('a', { content: 'after' });
  fixture.clock.advance(2_000);
  t.equal(closeCodeOf(await joined.client.frame()), 1012);
  t.equal((await fixture.ended()).reason, 'items-lost');
});

t.test('items lost on a channel, with the policy to continue: the session goes on', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { gap_policy: 'continue' } });
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  fixture.delivery.onGap(GAP);
  fixture.publish('a', { content: 'after' });
  t.equal((await joined.client.frame()).payload.toString(), 'after');
});

t.test('a kick closes the client with 1008, and cuts the origin; either id finds the session', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  const [session] = fixture.registry.all();
  const view = session?.view();
  t.match(view, { id: session?.id, session: session?.session, kind: 'ws', channels: ['a'], items: 0, waiting: 0 });
  for (const id of [session?.id, session?.session]) t.equal(fixture.registry.find(id ?? ''), session);
  session?.disconnect();
  t.same((await joined.client.frame()).payload, closePayload(1008, ''));
  t.equal((await fixture.ended()).reason, 'kicked');
  t.strictSame(await joined.origin.rest(), []);
  for (const id of [session?.id, session?.session]) t.equal(fixture.registry.find(id ?? ''), undefined);
});

t.test('a shutdown finds sessions without channels too', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client } = await fixture.join([]);
  t.equal(fixture.registry.size, 0);
  for (const subscriber of fixture.registry.all()) subscriber.drain();
  t.equal(closeCodeOf(await client.frame()), 1012);
  t.strictSame([...fixture.registry.all()], []);
});

t.test('a client that does not answer the proxy’s own close is cut off after a grace', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client } = await fixture.join();
  for (const subscriber of fixture.registry.all()) subscriber.drain();
  t.equal(closeCodeOf(await client.frame()), 1012);
  t.equal(fixture.connections, 1);
  fixture.clock.advance(4_999);
  t.equal(fixture.connections, 1);
  fixture.clock.advance(1);
  t.strictSame(await client.rest(), []);
  await until(() => fixture.connections === 0);
});

t.test('however a session ends, it is reported once and nothing of it is left', async (t) => {
  const fixture = await SessionFixture.open(t, { target: 'sub=fixed' });
  const ends: readonly (readonly [reason: string, act: Break | ((joined: Joined) => Promise<void>)])[] = [
    ...breaks.map(([, act, reason]) => [reason, act] as const),
    ['client-closed', ({ client }) => client.close(1000).then(() => client.end())],
    ['origin-closed', ({ origin }) => origin.close(1000).then(() => origin.end())],
    ['closed', () => fixture.publish('own', { action: 'close' })],
    ['shutdown', () => [...fixture.registry.all()].forEach((subscriber) => void subscriber.drain())],
    ['client-fault', ({ client }) => client.send(15, 'x').then(() => client.end())],
    [
      'filter-limit',
      ({ origin }) => origin.text('c:{"type":"subscribe","channel":"f","filters":["1","2","3","4","5","6"]}'),
    ],
    [
      'meta-limit',
      ({ origin }) => origin.text(`c:${JSON.stringify({ type: 'set-meta', name: 'n', value: 'x'.repeat(65_536) })}`),
    ],
    ['client-gone', ({ origin, client }) => origin.text('c:{"type":"detach"}').then(() => client.end())],
  ];
  for (const [i, [reason, act]] of ends.entries()) {
    const joined = await fixture.join();
    await control(
      joined,
      { type: 'subscribe', channel: 'own' },
      { type: 'keep-alive', content: 'x' },
      { type: 'send-delayed', content: 'x', timeout: 30 },
    );
    void act(joined);
    const end = await fixture.ended(i + 1);
    t.equal(end.reason, reason);
    t.strictSame([...end.channels].sort(), ['fixed', 'own']);
    t.equal(end.duration, 0);
    joined.client.socket.destroy();
    joined.origin.socket.destroy();
  }
  fixture.clock.advance(60_000);
  await until(() => fixture.connections === 0);
  t.equal(fixture.ends.length, ends.length);
  t.strictSame([fixture.counts.opened, fixture.counts.ended], [ends.length, ends.length]);
  t.strictSame([fixture.registry.size, fixture.registry.staying, fixture.clock.pending], [0, 0, 0]);
  t.equal(fixture.opened.length, ends.length);
});

t.test('an end tells how long the session lasted and how many items it got', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  fixture.publish('a', { content: '1' });
  fixture.publish('a', { content: '2' });
  fixture.clock.advance(1_234);
  joined.client.end();
  t.strictSame(await fixture.ended(), {
    ...{ kind: 'ws', reason: 'client-gone', items: 2, dropped: 0, duration: 1_234, channels: ['a'] },
  });
});
