/** The PULL socket, with PUSH publishers. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { encodePacket, encodeTnetstring } from '@holdfast/grip';
import t from 'tap';
import { ControlError, LocalBackplane, silentLog } from '../../dist/index.js';
import { PENDING_LIMIT } from '../../dist/zmq/intake.js';
import { ANY, newDirectory, openSockets, push, until } from './zeromq-fixture.js';

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
