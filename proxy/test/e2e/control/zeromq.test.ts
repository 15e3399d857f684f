/** The ZeroMQ sockets of a whole node: commands with an answer, items by PUSH and by XPUB, and the statistics feed. */
import { encodeTnetstring } from '@holdfast/grip';
import t from 'tap';
import * as zeromq from 'zeromq';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { responseItem, streamItem } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';
import { monitored, openSession, PATIENCE_MS, startZeroMqFixture } from '../../kit/zeromq-fixture.js';

/** For the tests that need no statistics, in which each connection shows. */
const quiet = await startZeroMqFixture(t);

t.test('publish: items by the command socket and by PUSH reach a held stream, in order', async (t) => {
  const { holdfast, uris, call } = quiet;
  const stream = await open(t, `${holdfast.clients}/stream/room`);
  await stream.until('[open]\n');
  t.strictSame(await call('publish', { items: [streamItem('room', 'one\n')] }), { success: true, value: null });
  await stream.until('one\n');
  const push = new zeromq.Push({ linger: 0 });
  t.teardown(() => push.close());
  push.connect(uris.pull);
  await push.send(`J${JSON.stringify(streamItem('room', 'two\n'))}`);
  await push.send(Buffer.concat([Buffer.from('T'), encodeTnetstring(streamItem('room', 'three\n'))]));
  await stream.until('three\n');
  t.equal(stream.text, '[open]\none\ntwo\nthree\n');
  t.match(await call('publish', {}), { success: false, condition: 'bad-request', value: /items/ });
});

t.test('get-zmq-uris names the sockets, and other methods are not found', async (t) => {
  const { uris, call } = quiet;
  const value = { command: uris.command, 'publish-pull': uris.pull, 'publish-sub': uris.sub };
  t.strictSame(await call('get-zmq-uris'), { success: true, value });
  t.strictSame(await call('no-such'), { success: false, condition: 'method-not-found' });
});

t.test('conncheck finds held requests and sessions by their ids, until they go', async (t) => {
  const fixture = await startZeroMqFixture(t);
  const monitor = await monitored(t, fixture);
  const { holdfast, http, call } = fixture;
  const stream = await open(t, `${holdfast.clients}/stream/room`);
  await stream.until('[open]\n');
  const { id: held } = await monitor.packet('conn', { type: 'http', route: 'site' });
  const [direct, directId] = await openSession(t, fixture, monitor, '/direct');
  await openWs(t, wsUrl(holdfast.clients, '/events-only'));
  const { id: eventsId } = await monitor.packet('conn', { route: 'events-only' });
  const opening = http.seen.find(({ url }) => url === '/events-only');
  t.equal(opening?.headers['connection-id'], eventsId, 'over HTTP the origin knows the session by the same id');
  const ids = [held as string, 'nobody', directId, eventsId as string];
  t.strictSame(await call('conncheck', { ids }), { success: true, value: [held, directId, eventsId] });
  stream.drop();
  await direct.close();
  await monitor.packet('conn', { id: held, unavailable: true });
  await monitor.packet('conn', { id: directId, unavailable: true });
  t.strictSame(await call('conncheck', { ids }), { success: true, value: [eventsId] });
  t.match(await call('conncheck', { ids: 'no list' }), { success: false, condition: 'bad-request' });
});

t.test('refresh makes an empty request for a session over HTTP, by its id and by channel', async (t) => {
  const fixture = await startZeroMqFixture(t);
  const monitor = await monitored(t, fixture);
  const { events, call } = fixture;
  const [, id] = await openSession(t, fixture, monitor, '/events');
  const [, directId] = await openSession(t, fixture, monitor, '/direct');
  const done = { success: true, value: null };
  t.strictSame(await call('refresh', { cid: id }), done);
  await events.saw('asked', 1);
  t.strictSame(await call('refresh', { channel: 'room' }), done);
  await events.saw('asked', 2);
  t.strictSame(await call('refresh', { cid: directId }), done, 'a session that needs no asking is there');
  t.strictSame(await call('refresh', { channel: 'nobody' }), done);
  t.strictSame(await call('refresh', { cid: 'nobody' }), { success: false, condition: 'item-not-found' });
});

t.test('recover has a held poll ask its origin again; it stays the same connection', async (t) => {
  const fixture = await startZeroMqFixture(t);
  const monitor = await monitored(t, fixture);
  const { holdfast, http, call } = fixture;
  const polling = ask(t, `${holdfast.clients}/poll/room`);
  const { id } = await monitor.packet('conn', { type: 'http' });
  const polls = () => http.seen.filter(({ url }) => url === '/poll/room').length;
  t.equal(polls(), 1);
  t.strictSame(await call('recover'), { success: true, value: null });
  await until('the second request', () => polls() === 2);
  await until('the second announcement', () => monitor.all('conn').length === 2);
  await holdfast.holds('response', 1);
  await holdfast.publish(responseItem('room', 'news\n'));
  t.match(await polling, { text: 'news\n' });
  await monitor.packet('conn', { unavailable: true });
  const seen = monitor.all('conn').map((conn) => ({ id: conn.id, gone: conn.unavailable === true }));
  t.strictSame(seen, [
    { id, gone: false },
    { id, gone: false },
    { id, gone: true },
  ]);
});

t.test('an XPUB publisher sees exactly the channels that are held, each once', async (t) => {
  const { holdfast, uris } = await startZeroMqFixture(t);
  const publisher = new zeromq.XPublisher({ linger: 0, receiveTimeout: PATIENCE_MS });
  t.teardown(() => publisher.close());
  publisher.connect(uris.sub);
  const change = async () => {
    const [message] = await publisher.receive();
    return `${message?.[0] === 1 ? '+' : '-'}${message?.toString('utf8', 1)}`;
  };
  const first = await open(t, `${holdfast.clients}/stream/a`);
  t.equal(await change(), '+a');
  const second = await open(t, `${holdfast.clients}/stream/a`);
  const other = await open(t, `${holdfast.clients}/stream/b`);
  t.equal(await change(), '+b', 'the second stream on a channel is no news');
  await second.until('[open]\n');
  first.drop();
  await holdfast.holds('stream', 2);
  other.drop();
  t.equal(await change(), '-b', 'nor is the first to leave it');
  const { channel: _, ...item } = streamItem('a', 'by topic\n');
  await publisher.send(['a', `J${JSON.stringify(item)}`]);
  await second.until('by topic\n');
  second.drop();
  t.equal(await change(), '-a');
});

t.test('the statistics tell of requests, connections, subscriptions and items, by route', async (t) => {
  const fixture = await startZeroMqFixture(t, {
    stats_report_interval: 1,
    subscription_linger: 0,
    message_block_size: 4,
  });
  const monitor = await monitored(t, fixture);
  const { holdfast } = fixture;
  const stream = await open(t, `${holdfast.clients}/stream/room`);
  await stream.until('[open]\n');
  const polling = ask(t, `${holdfast.clients}/poll/room`);
  const [client, id] = await openSession(t, fixture, monitor, '/events');
  await holdfast.holds('response', 1);
  const activity = await monitor.packet('activity', { route: 'events' });
  t.match(activity, { count: 1, from: /^holdfast_\d+$/ });
  t.match(await monitor.packet('counts', {}), { 'requests-received': Number });
  t.strictSame(await monitor.packet('conn', { id }), {
    from: activity.from,
    id,
    'peer-address': '127.0.0.1',
    route: 'events',
    ttl: 120,
    type: 'ws',
  });
  for (const mode of ['response', 'stream', 'ws']) {
    await monitor.packet('sub', { mode, channel: 'room', subscribers: 1, ttl: 60, unavailable: undefined });
  }
  await holdfast.publish({
    channel: 'room',
    id: 'item-1',
    formats: {
      'http-response': { body: '1234' },
      'http-stream': { content: '12345\n' },
      'ws-message': { content: '123456789' },
    },
  });
  t.equal((await polling).text, '1234');
  for (const [transport, blocks] of [
    ['http-response', 1],
    ['http-stream', 2],
    ['ws-message', 3],
  ] as const) {
    await monitor.packet('message', { transport, channel: 'room', 'item-id': 'item-1', count: 1, blocks });
  }
  await monitor.packet('sub', { mode: 'response', channel: 'room', unavailable: true });
  stream.drop();
  await client.close();
  for (const mode of ['stream', 'ws']) await monitor.packet('sub', { mode, channel: 'room', unavailable: true });
  await monitor.packet('conn', { id, route: 'events', unavailable: true });
  await monitor.packet('report', { route: 'site', sent: 2, 'http-response-sent': 1 });
  // One report each second: what comes first and what comes last may be in two of them.
  await monitor.packet('report', { route: 'events', connections: 1, minutes: 1 });
  await monitor.packet('report', { route: 'events', sent: 1 });
  await monitor.packet('report', { route: undefined, received: 1, 'blocks-received': 3 });
});

t.test('stats_format, and connections that are only counted', async (t) => {
  const fixture = await startZeroMqFixture(t, { stats_format: 'json', stats_connection_send: 'false' });
  const monitor = await monitored(t, fixture);
  const stream = await open(t, `${fixture.holdfast.clients}/stream/room`);
  await stream.until('[open]\n');
  t.match(await monitor.packet('conn-max', { route: 'site' }), { max: 1, ttl: 60 });
  t.strictSame(monitor.all('conn'), []);
});
