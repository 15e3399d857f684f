/** The PULL socket, with PUSH publishers. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { encodePacket, encodeTnetstring } from '@holdfast/grip';
import t from 'tap';
import { ControlError, LocalBackplane, silentLog } from '../../dist/index.js';
import { PENDING_LIMIT } from '../../dist/zmq/intake.js';
import { ANY, change, makeSockets, newDirectory, openSockets, push, until, xpub } from './zeromq-fixture.js';

const item = (channel: string, id: string, content: string | Buffer = id) => ({
  channel,
  id,
  formats: { 'http-stream': { content } },
});

t.test('one item a message: J and JSON, T and a tnetstring, or a bare tnetstring; in order', async (t) => {
  const { listener, events, uri } = await openSockets(t, { pushInSpec: ANY });
  const publisher = push(t, uri('publish items'));
  await publisher.send(encodePacket(item('a', '1'), 'json'));
  await publisher.send(encodePacket(item('b', '2'), 'tnetstring'));
  await publisher.send(encodeTnetstring(item('a', '3', Buffer.from([0xff, 0]))));
  await listener.saw('a/3');
  t.same(listener.labels, ['a/1', 'b/2', 'a/3']);
  t.match(listener.messages[2], { item: { formats: { httpStream: { content: Buffer.from([0xff, 0]) } } } });
  t.same(events.seen, ['published 1', 'published 1', 'published 1']);
});

t.test('an item that names channels is published to each, in either form', async (t) => {
  const { listener, events, uri } = await openSockets(t, { pushInSpec: ANY });
  const publisher = push(t, uri('publish items'));
  const { channel, ...rest } = item('a', '1');
  await publisher.send(encodePacket({ ...rest, channels: [channel, 'b'] }, 'json'));
  await publisher.send(encodePacket({ ...rest, id: '2', channels: ['b', channel] }, 'tnetstring'));
  await listener.saw('a/2');
  t.same(listener.labels, ['a/1', 'b/1', 'b/2', 'a/2']);
  t.same(events.seen, ['published 2', 'published 2']);
});

t.test('bad messages are dropped, counted and logged, and the next one is taken', async (t) => {
  const { listener, events, log, uri } = await openSockets(t, { pushInSpec: ANY });
  const publisher = push(t, uri('publish items'));
  await publisher.send('');
  await publisher.send('J{');
  await publisher.send('hello');
  await publisher.send(encodePacket({ channel: 'a' }, 'json'));
  await publisher.send(encodePacket({ items: [item('a', '0')] }, 'json'));
  await publisher.send(['a', encodePacket(item('a', '0'), 'json')]);
  await publisher.send(encodePacket(item('a', '1'), 'json'));
  await listener.saw('a/1');
  t.same(listener.labels, ['a/1']);
  t.same(
    events.seen.filter((event) => event.startsWith('rejected')),
    [
      'rejected ERR_GRIP_PACKET',
      'rejected ERR_GRIP_PACKET',
      'rejected ERR_GRIP_PACKET',
      'rejected ERR_GRIP_ITEM',
      'rejected ERR_GRIP_ITEM',
      'rejected ERR_ZMQ_MESSAGE',
    ],
  );
  t.match(log.at('warn')[3], { message: 'ZeroMQ item dropped', fields: { reason: 'no formats specified' } });
  t.equal(log.at('warn').length, 6);
});

t.test('an item that the backplane does not accept is dropped, counted and logged', async (t) => {
  const { backplane, events, log, uri } = await openSockets(t, { pushInSpec: ANY });
  await backplane.close();
  await push(t, uri('publish items')).send(encodePacket(item('a', '1'), 'json'));
  await until('the drop', () => events.seen.length > 0);
  t.same(events.seen, ['rejected ERR_BACKPLANE_CLOSED']);
  t.match(log.at('warn'), [{ fields: { code: 'ERR_BACKPLANE_CLOSED' } }]);
});

t.test('a slow backplane holds the socket back at the limit, and nothing is lost', async (t) => {
  const accept: (() => void)[] = [];
  const slow = new (class extends LocalBackplane {
    override async publish(messages: Parameters<LocalBackplane['publish']>[0]) {
      const acceptances = await super.publish(messages);
      await new Promise<void>((resolve) => accept.push(resolve));
      return acceptances;
    }
  })(silentLog);
  const { listener, uri } = await openSockets(t, { pushInSpec: ANY }, { backplane: slow });
  const publisher = push(t, uri('publish items'));
  const total = PENDING_LIMIT + 50;
  for (let i = 1; i <= total; i++) await publisher.send(encodePacket(item('a', String(i)), 'json'));
  await listener.saw(`a/${PENDING_LIMIT}`);
  // Reading on would need a turn of the event loop at most; it gets several.
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  t.equal(listener.labels.length, PENDING_LIMIT);
  for (const resolve of accept.splice(0)) resolve();
  await listener.saw(`a/${total}`);
  t.same(
    listener.labels,
    Array.from({ length: total }, (_, i) => `a/${i + 1}`),
  );
});

t.test('ten thousand items of two publishers arrive, each publisher in order', async (t) => {
  const { listener, uri } = await openSockets(t, { pushInSpec: ANY });
  const publishers = ['a', 'b'].map((channel) => ({ channel, socket: push(t, uri('publish items')) }));
  await Promise.all(
    publishers.map(async ({ channel, socket }) => {
      for (let i = 0; i < 5000; i++) await socket.send(encodeTnetstring(item(channel, String(i))));
    }),
  );
  await Promise.all([listener.saw('a/4999'), listener.saw('b/4999')]);
  for (const channel of ['a', 'b']) {
    const ids = listener.labels.filter((label) => label.startsWith(channel));
    t.same(
      ids,
      Array.from({ length: 5000 }, (_, i) => `${channel}/${i}`),
    );
  }
});

t.test('an ipc socket: its directory is made, its file has the configured mode', async (t) => {
  const path = join(newDirectory(t), 'run', 'pull');
  const { listener, uri } = await openSockets(t, { pushInSpec: `ipc://${path}`, ipcFileMode: 0o660 });
  t.equal(uri('publish items'), `ipc://${path}`);
  t.equal(statSync(path).mode & 0o777, 0o660);
  await push(t, `ipc://${path}`).send(encodePacket(item('a', '1'), 'json'));
  await listener.saw('a/1');
});

t.test('IPv6 addresses and the wildcard are taken', async (t) => {
  const six = await openSockets(t, { pushInSpec: 'tcp://[::1]:*' });
  t.match(six.uri('publish items'), /^tcp:\/\/\[::1\]:\d+$/);
  const all = await openSockets(t, { pushInSpec: 'tcp://*:0' });
  t.match(all.uri('publish items'), /^tcp:\/\/\*:[1-9]\d*$/);
  const port = all.uri('publish items').replace(/.*:/, '');
  await push(t, `tcp://127.0.0.1:${port}`).send(encodePacket(item('a', '1'), 'json'));
  await all.listener.saw('a/1');
});

t.test('a port that is taken is one clear error', async (t) => {
  const { uri } = await openSockets(t, { pushInSpec: ANY });
  const taken = uri('publish items');
  await t.rejects(openSockets(t, { pushInSpec: taken }), {
    constructor: ControlError,
    code: 'ERR_ZMQ_OPEN',
    message: `A ZeroMQ socket cannot listen on ${taken}: another process already listens there.`,
  });
});

const formats = (content: string) => ({ id: content, formats: { 'http-stream': { content } } });

t.test('a publisher sees the subscriptions of exactly the channels with interest', async (t) => {
  const { sockets, uri } = await openSockets(t, { pushInSubSpecs: [ANY] });
  const publisher = xpub(t, uri('published items'));
  sockets.subscribed('a');
  t.equal(await change(publisher), '+a');
  sockets.subscribed('a');
  sockets.subscribed('ab');
  t.equal(await change(publisher), '+ab', 'a channel that is subscribed to already is not announced again');
  sockets.unsubscribed('a');
  t.equal(await change(publisher), '-a', 'and one call takes it off');
  sockets.unsubscribed('a');
  sockets.unsubscribed('never');
  sockets.subscribed('é');
  t.equal(await change(publisher), '+é');
  sockets.unsubscribed('ab');
  t.equal(await change(publisher), '-ab');
});

t.test(
  'a publisher that comes later gets the channels that there are, those from before the start included',
  async (t) => {
    const { sockets } = await makeSockets(t, { pushInSubSpecs: [ANY] });
    sockets.subscribed('gone');
    sockets.subscribed('early');
    sockets.unsubscribed('gone');
    const [address] = await sockets.open();
    sockets.subscribed('late');
    const publisher = xpub(t, address?.uri ?? '');
    t.same([await change(publisher), await change(publisher)].sort(), ['+early', '+late']);
  },
);

t.test('the topic is the channel, whatever the item says; items are in all three forms', async (t) => {
  const { sockets, listener, uri } = await openSockets(t, { pushInSubSpecs: [ANY] });
  const publisher = xpub(t, uri('published items'));
  sockets.subscribed('a');
  await change(publisher);
  await publisher.send(['a', encodePacket(formats('1'), 'json')]);
  await publisher.send(['a', encodePacket({ ...formats('2'), channel: 'b' }, 'tnetstring')]);
  await publisher.send(['a', encodeTnetstring(formats('3'))]);
  await listener.saw('a/3');
  t.same(listener.labels, ['a/1', 'a/2', 'a/3']);
});

t.test('a topic that only begins like a subscribed channel is the channel of its own name', async (t) => {
  const { sockets, listener, backplane, uri } = await openSockets(t, { pushInSubSpecs: [ANY] });
  await backplane.subscribe('ab');
  const publisher = xpub(t, uri('published items'));
  sockets.subscribed('a');
  await change(publisher);
  await publisher.send(['ab', encodePacket(formats('1'), 'json')]);
  await publisher.send(['a', encodePacket(formats('2'), 'json')]);
  await listener.saw('a/2');
  t.same(listener.labels, ['ab/1', 'a/2']);
});

t.test('messages of other than two parts, and bad items, are dropped and counted', async (t) => {
  const { sockets, listener, events, uri } = await openSockets(t, { pushInSubSpecs: [ANY] });
  const publisher = xpub(t, uri('published items'));
  sockets.subscribed('a');
  await change(publisher);
  await publisher.send('a');
  await publisher.send(['a', encodePacket(formats('0'), 'json'), 'more']);
  await publisher.send(['a', 'J{}']);
  await publisher.send(['a', encodePacket(formats('1'), 'json')]);
  await listener.saw('a/1');
  t.same(listener.labels, ['a/1']);
  t.same(events.seen.slice(0, 3), ['rejected ERR_ZMQ_MESSAGE', 'rejected ERR_ZMQ_MESSAGE', 'rejected ERR_GRIP_ITEM']);
});

t.test('only the first spec is bound', async (t) => {
  const { addresses } = await openSockets(t, { pushInSubSpecs: [ANY, 'tcp://127.0.0.1:1'] });
  t.match(addresses, [{ what: 'published items', uri: /^tcp:\/\/127\.0\.0\.1:\d+$/, connects: false }]);
});

t.test('or it connects to all of them, whether they are there or not, and gets the items of each', async (t) => {
  const publishers = [xpub(t), xpub(t)];
  await Promise.all(publishers.map((publisher) => publisher.bind(ANY)));
  const sub = [...publishers.map((publisher) => publisher.lastEndpoint ?? ''), 'tcp://127.0.0.1:1'];
  const { sockets, listener, addresses } = await openSockets(t, { pushInSubSpecs: sub, pushInSubConnect: true });
  t.same(addresses, [{ what: 'published items', uri: sub.join(','), connects: true }]);
  sockets.subscribed('a');
  for (const [index, publisher] of publishers.entries()) {
    t.equal(await change(publisher), '+a');
    await publisher.send(['a', encodePacket(formats(String(index)), 'json')]);
    await listener.saw(`a/${index}`);
  }
  sockets.close();
  for (const publisher of publishers)
    t.equal(await change(publisher), '-a', 'a node that goes takes its interest along');
});
