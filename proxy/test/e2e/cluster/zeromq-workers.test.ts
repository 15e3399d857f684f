/** The ZeroMQ sockets of a node whose clients are served by workers: the sockets are the primary's, what is asked is not. */
import t from 'tap';
import * as zeromq from 'zeromq';
import { open } from '../../kit/clients/http-client.js';
import { streamItem } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';
import { monitored, openSession, PATIENCE_MS, startZeroMqFixture } from '../../kit/zeromq-fixture.js';

const workers = 3;

t.test('workers: conncheck finds the connections of all workers, and refresh the one that has it', async (t) => {
  const fixture = await startZeroMqFixture(t, { workers });
  const monitor = await monitored(t, fixture);
  const { holdfast, events, call } = fixture;
  const streams = await Promise.all(Array.from({ length: 6 }, () => open(t, `${holdfast.clients}/stream/room`)));
  await holdfast.holds('stream', 6);
  await until('all announced', () => monitor.all('conn').length === 6);
  const ids = monitor.all('conn').map(({ id }) => id as string);
  t.strictSame(await call('conncheck', { ids: ['nobody', ...ids] }), { success: true, value: ids });
  const [, id] = await openSession(t, fixture, monitor, '/events');
  t.strictSame(await call('refresh', { cid: id }), { success: true, value: null });
  await events.saw('asked', 1);
  t.strictSame(await call('refresh', { cid: 'nobody' }), { success: false, condition: 'item-not-found' });
  t.strictSame(await call('publish', { items: [streamItem('room', 'one\n')] }), { success: true, value: null });
  for (const stream of streams) await stream.until('one\n');
});

t.test('workers: an XPUB publisher sees each channel once, whichever workers hold it', async (t) => {
  const { holdfast, uris } = await startZeroMqFixture(t, { workers });
  const publisher = new zeromq.XPublisher({ linger: 0, receiveTimeout: PATIENCE_MS });
  t.teardown(() => publisher.close());
  publisher.connect(uris.sub);
  const change = async () => {
    const [message] = await publisher.receive();
    return `${message?.[0] === 1 ? '+' : '-'}${message?.toString('utf8', 1)}`;
  };
  const streams = await Promise.all(Array.from({ length: 6 }, () => open(t, `${holdfast.clients}/stream/a`)));
  t.equal(await change(), '+a');
  const { channel: _, ...item } = streamItem('a', 'by topic\n');
  await publisher.send(['a', `J${JSON.stringify(item)}`]);
  for (const stream of streams) await stream.until('by topic\n');
  for (const stream of streams) stream.drop();
  t.equal(await change(), '-a');
});
