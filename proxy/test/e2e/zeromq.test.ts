/** The ZeroMQ sockets of a whole node: commands with an answer, items by PUSH and by XPUB, and the statistics feed. */
import { join } from 'node:path';
import { decodePacket, decodeTnetstring, encodeTnetstring } from '@holdfast/grip';
import t, { type Test } from 'tap';
import * as zeromq from 'zeromq';
import { ask, open } from './client.js';
import { type Holdfast, newDirectory, responseItem, startHoldfast, streamItem } from './holdfast.js';
import { type Origin, responseHold, startOrigin, streamHold } from './origin.js';
import { until } from './until.js';
import { openWs, type WsClient, wsUrl } from './ws-client.js';
import { type EchoWitness, startEcho } from './ws-scene.js';

/** After this long a socket that nothing comes from fails its test. */
const PATIENCE_MS = 30_000;

type Fields = Readonly<Record<string, unknown>>;

/** A node with all four sockets, in front of an origin of holds and of both kinds of echo. */
interface Scene {
  readonly holdfast: Holdfast;
  readonly http: Origin;
  readonly events: EchoWitness;
  /** Addresses of the sockets. */
  readonly uris: Readonly<Record<'pull' | 'sub' | 'command' | 'stats', string>>;
  /** Calls a method of the command socket; resolves with the answer, whose byte strings are text. */
  call(method: string, args?: Fields): Promise<Fields>;
}

/** Byte strings as text, however deep. */
function textual(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString();
  if (Array.isArray(value)) return value.map(textual);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, textual(member)]));
}

async function startScene(t: Test, settings: Readonly<Record<string, string | number>> = {}): Promise<Scene> {
  const directory = newDirectory(t);
  const at = (name: string) => `ipc://${join(directory, name)}`;
  const uris = { pull: at('pull'), sub: at('sub'), command: at('command'), stats: at('stats') };
  const http = await startOrigin(t, (request, response, seen) => {
    const [, kind, channel = ''] = (request.url ?? '').split('/');
    if (kind === 'events-only') {
      response.writeHead(200, { 'Content-Type': 'application/websocket-events' });
      request.on('end', () => response.end(seen.body.startsWith('OPEN') ? 'OPEN\r\n' : ''));
    } else if (kind === 'stream') response.writeHead(200, streamHold(channel)).end('[open]\n');
    else if (kind === 'poll') response.writeHead(200, responseHold(channel)).end('nothing new\n');
    else response.end('plain\n');
  });
  const direct = await startEcho(t, 'direct');
  const events = await startEcho(t, 'over-http');
  const holdfast = await startHoldfast(t, {
    directory,
    routes: [
      `*,id=site,proto=http ${http.target}`,
      `*,proto=ws,id=direct,path_beg=/direct ${direct.target}`,
      `*,proto=ws,id=events-only,path_beg=/events-only ${http.target},over_http`,
      `*,proto=ws,id=events ${events.target},over_http`,
    ],
    settings: {
      push_in_spec: uris.pull,
      push_in_sub_specs: uris.sub,
      command_spec: uris.command,
      stats_spec: uris.stats,
      // Clients that go away are not given the time of those that only have no more to say.
      client_half_close_grace: 0,
      ...settings,
    },
  });
  const requester = new zeromq.Request({ linger: 0, receiveTimeout: PATIENCE_MS });
  t.teardown(() => requester.close());
  requester.connect(uris.command);
  let calls = 0;
  const call = async (method: string, args: Fields = {}) => {
    const id = `call-${++calls}`;
    await requester.send(encodeTnetstring({ id, method, args }));
    const [reply] = await requester.receive();
    const { id: answered, ...rest } = textual(decodeTnetstring(reply as Buffer)) as Fields;
    if (answered !== id) throw new Error(`answer to ${answered} instead of ${id}`);
    return rest;
  };
  return { holdfast, http, events, uris, call };
}

/** Hears the statistics, and keeps them. */
class Monitor {
  readonly #packets: { readonly type: string; readonly fields: Fields }[] = [];

  /** Subscribes to all types; the feed may hear of that later. */
  constructor(t: Test, { uris }: Scene) {
    const socket = new zeromq.Subscriber({ linger: 0 });
    socket.connect(uris.stats);
    socket.subscribe();
    void this.#read(socket);
    t.teardown(() => socket.close());
  }

  /** Waits for a packet with these fields among others; `undefined` stands for a field that is absent. */
  packet(type: string, fields: Fields): Promise<Fields> {
    const matches = (present: Fields) => Object.entries(fields).every(([name, value]) => present[name] === value);
    return until(
      `${type} ${JSON.stringify(fields)}`,
      () => this.#packets.find((packet) => packet.type === type && matches(packet.fields))?.fields,
      () => this.#packets.map((packet) => JSON.stringify(packet)).join('\n'),
    );
  }

  get size(): number {
    return this.#packets.length;
  }

  /** All packets of a type so far. */
  all(type: string): Fields[] {
    return this.#packets.filter((packet) => packet.type === type).map(({ fields }) => fields);
  }

  async #read(socket: zeromq.Subscriber): Promise<void> {
    for await (const [message] of socket) {
      const bytes = message as Buffer;
      const space = bytes.indexOf(' ');
      const fields = textual(decodePacket(bytes.subarray(space + 1))) as Fields;
      this.#packets.push({ type: bytes.toString('latin1', 0, space), fields });
    }
  }
}

/** A monitor whose subscription has reached the feed: requests are made until it hears of one. */
async function monitored(t: Test, scene: Scene): Promise<Monitor> {
  const monitor = new Monitor(t, scene);
  await until('a first packet', async () => {
    await ask(t, `${scene.holdfast.clients}/plain`);
    return monitor.size > 0;
  });
  return monitor;
}

/** Opens a session that is subscribed to a channel, with its id. */
async function openSession(t: Test, scene: Scene, monitor: Monitor, path: string): Promise<[WsClient, string]> {
  const route = path.slice(1);
  const client = await openWs(t, wsUrl(scene.holdfast.clients, path));
  client.send('!subscribe room');
  await client.ping('subscribed');
  const { id } = await monitor.packet('conn', { type: 'ws', route });
  return [client, id as string];
}

t.test('publish: items by the command socket and by PUSH reach a held stream, in order', async (t) => {
  const { holdfast, uris, call } = await startScene(t);
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
  const { uris, call } = await startScene(t);
  const value = { command: uris.command, 'publish-pull': uris.pull, 'publish-sub': uris.sub };
  t.strictSame(await call('get-zmq-uris'), { success: true, value });
  t.strictSame(await call('no-such'), { success: false, condition: 'method-not-found' });
});

t.test('conncheck finds held requests and sessions by their ids, until they go', async (t) => {
  const scene = await startScene(t);
  const monitor = await monitored(t, scene);
  const { holdfast, http, call } = scene;
  const stream = await open(t, `${holdfast.clients}/stream/room`);
  await stream.until('[open]\n');
  const { id: held } = await monitor.packet('conn', { type: 'http', route: 'site' });
  const [direct, directId] = await openSession(t, scene, monitor, '/direct');
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
  const scene = await startScene(t);
  const monitor = await monitored(t, scene);
  const { events, call } = scene;
  const [, id] = await openSession(t, scene, monitor, '/events');
  const [, directId] = await openSession(t, scene, monitor, '/direct');
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
  const scene = await startScene(t);
  const monitor = await monitored(t, scene);
  const { holdfast, http, call } = scene;
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
  const { holdfast, uris } = await startScene(t);
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
  const scene = await startScene(t, { stats_report_interval: 1, subscription_linger: 0, message_block_size: 4 });
  const monitor = await monitored(t, scene);
  const { holdfast } = scene;
  const stream = await open(t, `${holdfast.clients}/stream/room`);
  await stream.until('[open]\n');
  const polling = ask(t, `${holdfast.clients}/poll/room`);
  const [client, id] = await openSession(t, scene, monitor, '/events');
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
  await monitor.packet('report', { route: 'events', sent: 1, connections: 1, minutes: 1 });
  await monitor.packet('report', { route: undefined, received: 1, 'blocks-received': 3 });
});

t.test('stats_format, and connections that are only counted', async (t) => {
  const scene = await startScene(t, { stats_format: 'json', stats_connection_send: 'false' });
  const monitor = await monitored(t, scene);
  const stream = await open(t, `${scene.holdfast.clients}/stream/room`);
  await stream.until('[open]\n');
  t.match(await monitor.packet('conn-max', { route: 'site' }), { max: 1, ttl: 60 });
  t.strictSame(monitor.all('conn'), []);
});
