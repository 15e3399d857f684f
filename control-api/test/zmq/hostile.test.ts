/** ZeroMQ sockets and what nobody means well: each message is counted or answered, and the next good one is taken. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { decodeTnetstring, encodePacket, encodeTnetstring } from '@holdfast/grip';
import t from 'tap';
import * as zeromq from 'zeromq';
import { statsTypes } from '../../dist/index.js';
import { WINDOW_LINES, WINDOW_MS } from '../../dist/runtime/bounded-logs.js';
import { CALLS_LIMIT } from '../../dist/zmq/command.js';
import { MAX_PART_BYTES } from '../../dist/zmq/library.js';
import { MAX_SUBSCRIPTION_BYTES } from '../../dist/zmq/stats-socket.js';
import { ANY, client, openSockets, push, req, until, xpub } from './zeromq-fixture.js';

t.setTimeout(120_000);

const item = (id: string) => ({ channel: 'a', id, formats: { 'http-stream': { content: id } } });
const good = (id: string) => encodePacket(item(id), 'json');

/** Bytes that are no item. */
const garbage: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.alloc(0),
  'a letter': Buffer.from('J'),
  'half of JSON': Buffer.from('J{"channel":'),
  'JSON of another kind': Buffer.from('J[]'),
  'JSON with __proto__': Buffer.from('J{"__proto__":{"channel":"a"}}'),
  'a length without end': Buffer.from('T99999999999999999999:a,'),
  'a length beyond the message': Buffer.from('T9999999999:a,'),
  'a negative length': Buffer.from('T-1:,'),
  'a length in letters': Buffer.from('Tx:,'),
  'no length': Buffer.from('T:,'),
  'a map of half a pair': Buffer.from('T4:1:a,}'),
  'a map with a number for a key': Buffer.from('T8:1:1#1:a,}'),
  'a map with __proto__': Buffer.from('T20:9:__proto__,4:1:a,]}'),
  'lists without end': Buffer.from(`T${'1:'.repeat(10_000)}]`),
  'a number beyond numbers': Buffer.from('T30:7:channel,16:9999999999999999#}'),
  zeros: Buffer.alloc(100_000),
  'half a megabyte of brackets': Buffer.from(`J${'['.repeat(500_000)}`),
};

for (const [what, bytes] of Object.entries(garbage)) {
  t.test(`${what}: dropped and counted by PULL and SUB, without an answer by the command socket`, async (t) => {
    const opened = await openSockets(t, { pushInSpec: ANY, pushInSubSpecs: [ANY], commandSpec: ANY });
    const { uri, events, listener, log } = opened;
    const pushing = push(t, uri('publish items'));
    await pushing.send(bytes);
    await pushing.send(good('pull'));
    await listener.saw('a/pull');
    t.equal(events.seen.filter((event) => event.startsWith('rejected')).length, 1);
    const asking = client(t, () => new zeromq.Dealer({ linger: 0 }), uri('commands'));
    await asking.send(['', bytes]);
    await asking.send(['', encodeTnetstring({ id: '1', method: 'get-zmq-uris' })]);
    const [, reply] = await asking.receive();
    t.match(decodeTnetstring(reply as Buffer), { success: true });
    t.strictSame(log.at('error'), []);
  });
}

t.test('messages of a hundred thousand parts are one refusal each', async (t) => {
  const { uri, events, listener } = await openSockets(t, { pushInSpec: ANY, commandSpec: ANY });
  const pushing = push(t, uri('publish items'));
  await pushing.send(Array(100_000).fill(''));
  await pushing.send(Array(100_000).fill('x'));
  await pushing.send(good('1'));
  await listener.saw('a/1');
  t.strictSame(events.seen.slice(0, 2), Array(2).fill('rejected ERR_ZMQ_MESSAGE'));
});

t.test('a flood of garbage has its number in the log, and not a line each', async (t) => {
  const { uri, events, listener, log, clock } = await openSockets(t, { pushInSpec: ANY });
  const pushing = push(t, uri('publish items'));
  const count = 20 * WINDOW_LINES;
  for (let i = 0; i < count; i += 1) await pushing.send('garbage');
  await pushing.send(good('1'));
  await listener.saw('a/1');
  t.equal(events.seen.filter((event) => event.startsWith('rejected')).length, count);
  t.equal(log.at('warn').length, WINDOW_LINES);
  clock.advance(WINDOW_MS);
  t.match(log.at('warn').at(-1), { fields: { leftOut: count - WINDOW_LINES } });
});

t.test('a part beyond MAX_PART_BYTES never comes into memory; others are taken on', async (t) => {
  const { uri, events, listener } = await openSockets(t, { pushInSpec: ANY, commandSpec: ANY });
  const large = push(t, uri('publish items'));
  await large.send(Buffer.alloc(MAX_PART_BYTES + 1));
  const pushing = push(t, uri('publish items'));
  await pushing.send(good('1'));
  await listener.saw('a/1');
  t.strictSame(events.seen, ['published 1']);
});

t.test('commands with wrong types everywhere are answered, and publish nothing', async (t) => {
  const { uri, listener, log } = await openSockets(t, { commandSpec: ANY });
  const asking = req(t, uri('commands'));
  const values = [null, true, 0, -1, 1.5, '', 'x', [], {}, [[]], [null], { __proto__: null, a: 1 }];
  for (const method of ['publish', 'recover', 'conncheck', 'refresh', 'get-zmq-uris', 'toString', '__proto__', '']) {
    for (const value of values) {
      for (const args of [
        { items: value },
        { items: [value] },
        { ids: value },
        { ids: [value] },
        { cid: value },
        { channel: value },
      ]) {
        await asking.send(encodeTnetstring({ id: 'i', method, args }));
        const [reply] = await asking.receive();
        t.type((decodeTnetstring(reply as Buffer) as { success?: unknown }).success, 'boolean');
      }
    }
  }
  t.strictSame(
    listener.labels.filter((label) => label.startsWith('a/')),
    [],
  );
  t.strictSame(log.at('error'), []);
});

t.test('over CALLS_LIMIT commands under way the socket is not read; all are answered in the end', async (t) => {
  const waiting: (() => void)[] = [];
  const connected = (ids: readonly string[]) =>
    new Promise<readonly string[]>((resolve) => waiting.push(() => resolve(ids)));
  const { uri } = await openSockets(t, { commandSpec: ANY }, { connections: { connected, refresh: () => false } });
  const asking = client(t, () => new zeromq.Dealer({ linger: 0 }), uri('commands'));
  const count = 3 * CALLS_LIMIT;
  for (let i = 0; i < count; i += 1)
    await asking.send(['', encodeTnetstring({ id: String(i), method: 'conncheck', args: { ids: [] } })]);
  await until('the limit', () => waiting.length === CALLS_LIMIT);
  // A turn of the loop would bring more of those that wait in the socket.
  for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
  t.equal(waiting.length, CALLS_LIMIT);
  for (let answered = 0; answered < count; answered += 1) {
    while (waiting.length > 0) waiting.shift()?.();
    await asking.receive();
  }
});

t.test('thousands of subscriptions to statistics are reported once, and counted', async (t) => {
  let changes = 0;
  const { uri, sockets } = await openSockets(
    t,
    { statsSpec: ANY },
    {
      wantsChanged: () => {
        changes += 1;
      },
    },
  );
  // Few for each: the library drops subscriptions beyond what waits on one connection.
  const subscribers = Array.from({ length: 20 }, (_, n) => {
    const subscriber = client(t, () => new zeromq.Subscriber({ linger: 0 }), uri('statistics'));
    for (let i = 0; i < 500; i += 1) subscriber.subscribe(`conn ${n}/${i}`);
    return subscriber;
  });
  await until('the first', () => sockets.wants('conn'));
  // It comes in a command that is some bytes longer, which count too.
  subscribers[0]?.subscribe('sub', 'x'.repeat(MAX_SUBSCRIPTION_BYTES - 16));
  await until('the last', () => sockets.wants('sub'));
  t.strictSame(
    statsTypes.filter((type) => sockets.wants(type)),
    ['conn', 'sub'],
  );
  t.equal(changes, 2);
  for (const subscriber of subscribers) subscriber.close();
  await until('their end', () => !sockets.wants('conn') && !sockets.wants('sub'));
  t.equal(changes, 4);
});

t.test('a thousand packets of statistics in one turn all go out', async (t) => {
  const { uri, sockets } = await openSockets(t, { statsSpec: ANY });
  const subscriber = client(t, () => new zeromq.Subscriber({ linger: 0, receiveHighWaterMark: 0 }), uri('statistics'));
  subscriber.subscribe('conn');
  await until('the subscription', () => sockets.wants('conn'));
  for (let i = 0; i < 1_000; i += 1) sockets.send(Buffer.from(`conn ${i}`));
  for (let i = 0; i < 1_000; i += 1) t.equal(String((await subscriber.receive())[0]), `conn ${i}`);
});

t.test('bytes that are no ZeroMQ at all harm nobody', async (t) => {
  const opened = await openSockets(t, { pushInSpec: ANY, pushInSubSpecs: [ANY], commandSpec: ANY, statsSpec: ANY });
  const greeting = Buffer.concat([
    Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]),
    Buffer.from('NULL'.padEnd(20, '\0')),
    Buffer.alloc(32),
  ]);
  const endless = Buffer.from([0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  const ready = Buffer.from([0x04, 0x06, 0x05, 0x52, 0x45, 0x41, 0x44, 0x59]);
  const attempts = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.alloc(1_000, 0xff),
    Buffer.alloc(1_000),
    greeting,
    Buffer.concat([greeting, endless]),
    Buffer.concat([greeting, Buffer.from([0x04, 0xff]), Buffer.alloc(255, 0xff)]),
    Buffer.concat([greeting, ready, endless]),
    Buffer.concat([greeting, ready, Buffer.alloc(1_000, 0x01)]),
  ];
  for (const { uri } of opened.addresses) {
    for (const bytes of attempts) {
      const socket = connect({ host: '127.0.0.1', port: Number(/\d+$/.exec(uri)?.[0]) }).on('error', () => {});
      t.teardown(() => socket.destroy());
      await once(socket, 'connect');
      await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
      socket.end();
    }
  }
  await push(t, opened.uri('publish items')).send(good('1'));
  await opened.listener.saw('a/1');
  const publisher = xpub(t, opened.uri('published items'));
  t.ok(publisher);
});
