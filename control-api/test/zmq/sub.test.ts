/** The SUB socket, with XPUB publishers. */
import { encodePacket, encodeTnetstring } from '@holdfast/grip';
import t from 'tap';
import { ANY, change, makeSockets, openSockets, xpub } from './zeromq-fixture.js';

const formats = (content: string) => ({ id: content, formats: { 'http-stream': { content } } });

t.test('a publisher sees the subscriptions of exactly the channels with interest', async (t) => {
  const { sockets, uri } = await openSockets(t, { pushInSubSpecs: [ANY] });
  const publisher = xpub(t, uri('published items'));
  sockets.subscribed('a');
  t.equal(await change(publisher), '+a');
  sockets.subscribed('a');
  sockets.subscribed('ab');
  t.equal(await change(publisher), '+ab', 'a channel that is subscribed to already is not told again');
  sockets.unsubscribed('a');
  t.equal(await change(publisher), '-a', 'and one call takes it off');
  sockets.unsubscribed('a');
  sockets.unsubscribed('never');
  sockets.subscribed('é');
  t.equal(await change(publisher), '+é');
  sockets.unsubscribed('ab');
  t.equal(await change(publisher), '-ab');
});

t.test('a publisher that comes later is told what there is, those from before the start included', async (t) => {
  const { sockets } = await makeSockets(t, { pushInSubSpecs: [ANY] });
  sockets.subscribed('gone');
  sockets.subscribed('early');
  sockets.unsubscribed('gone');
  const [address] = await sockets.open();
  sockets.subscribed('late');
  const publisher = xpub(t, address?.uri ?? '');
  t.same([await change(publisher), await change(publisher)].sort(), ['+early', '+late']);
});

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
