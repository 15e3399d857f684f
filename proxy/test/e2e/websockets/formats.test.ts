/** Items in all formats, for every kind of client on one channel; and WebSocket clients that do not read. */
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { startEcho, startEchoFixture } from '../../kit/echo-fixture.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { type Kind, kinds } from '../../kit/origins/echo-origin.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';

/** The buffers between the proxy and a client that does not read take a few MiB; so many items fill any of them. */
const ITEMS_MAX = 1_000;
const BYTES = 65_536;
const QUEUE = 4 * BYTES;
const DROPPED = 'holdfast_items_dropped_total{kind="ws",reason="slow-client"}';

const wsItem = (channel: string, content: string) => ({ channel, formats: { 'ws-message': { content } } });

/** Item number `n`. */
const itemText = (n: number) => `<${n}>`.padEnd(BYTES, '.');

t.test('one item in three formats: a long poll, a stream and both kinds of WebSocket get their own', async (t) => {
  const http = await startOrigin(t, (request, response) => {
    if (request.url === '/stream') response.writeHead(200, streamHold('room')).end('opened\n');
    else response.writeHead(200, responseHold('room')).end('nothing new\n');
  });
  const direct = await startEcho(t, 'direct');
  const events = await startEcho(t, 'over-http');
  const holdfast = await startHoldfast(t, {
    routes: [
      `* ${http.target}`,
      `*,proto=ws,path_beg=/direct ${direct.target}`,
      `*,proto=ws,path_beg=/events ${events.target},over_http`,
      `*,proto=ws,path_beg=/implicit ${direct.target},sub=room`,
      '*,proto=ws,path_beg=/built-in test,channels=room',
    ],
  });
  const polling = ask(t, `${holdfast.clients}/poll`);
  const stream = await open(t, `${holdfast.clients}/stream`);
  await stream.until('opened\n');
  const paths = ['/direct', '/events', '/implicit', '/built-in/ws?channel=room'];
  const clients = await Promise.all(paths.map((path) => openWs(t, wsUrl(holdfast.clients, path))));
  for (const client of clients.slice(0, 2)) client.send('!subscribe room');
  await Promise.all(clients.map((client) => client.ping('subscribed')));
  await holdfast.holds('response', 1);

  const [receipt] = await holdfast.publish({
    channel: 'room',
    id: 'item-1',
    formats: {
      'http-response': { body: 'for the long poll\n' },
      'http-stream': { content: 'for the stream\n' },
      'ws-message': { content: 'for the WebSockets' },
    },
  });
  t.match(receipt, { id: 'item-1', subscribers: 6 });
  t.match(await polling, { status: 200, text: 'for the long poll\n' });
  await stream.until('opened\nfor the stream\n');
  for (const [i, client] of clients.entries()) t.equal(await client.text(), 'for the WebSockets', `${paths[i]}`);

  // An item without a form for a kind of client, and a hint, are nothing to it.
  await holdfast.publish(
    { channel: 'room', formats: { 'http-stream': { content: 'streams only\n' } } },
    { channel: 'room', formats: { 'ws-message': { action: 'hint' }, 'http-stream': { content: 'a hint\n' } } },
  );
  await stream.until('streams only\na hint\n');
  await Promise.all(clients.map((client) => client.ping('after')));
  t.strictSame(
    clients.map((client) => client.untaken),
    [0, 0, 0, 0],
  );
});

t.test('a refresh asks an origin behind HTTP for news, and is nothing to others', async (t) => {
  for (const kind of Object.keys(kinds) as Kind[]) {
    const { origin, holdfast } = await startEchoFixture(t, kind);
    const client = await openWs(t, wsUrl(holdfast.clients));
    client.send('!subscribe room');
    await client.ping('subscribed');
    const before = origin.seen.length;
    await holdfast.publish({ channel: 'room', formats: { 'ws-message': { action: 'refresh' } } });
    client.send('after');
    t.equal(await client.text(), 'after');
    const news = origin.seen.slice(before).filter((line) => line === 'asked');
    t.strictSame(news, kind === 'direct' ? [] : ['asked'], kind);
  }
});

/** A client that has stopped reading, and one that reads, on the same channel. */
async function startSlow(t: Test, policy: string): Promise<{ holdfast: Holdfast; slow: WsClient; reader: WsClient }> {
  const settings = { client_queue_size: QUEUE, slow_client_policy: policy };
  const { holdfast } = await startEchoFixture(t, 'direct', { settings });
  const slow = await openWs(t, wsUrl(holdfast.clients, '/slow'));
  const reader = await openWs(t, wsUrl(holdfast.clients, '/reader'));
  for (const client of [slow, reader]) {
    client.send('!subscribe room');
    await client.ping('subscribed');
  }
  slow.socket.pause();
  return { holdfast, slow, reader };
}

/** Publishes one item after the other, each when the reader has the one before, until one is dropped, and ten more. */
async function publishUntilDropped(holdfast: Holdfast, reader: WsClient): Promise<number> {
  let last = ITEMS_MAX;
  for (let n = 0; n < last; n++) {
    await holdfast.publish(wsItem('room', itemText(n)));
    if ((await reader.text()) !== itemText(n)) throw new Error(`the reader did not get item ${n}`);
    if (last === ITEMS_MAX && (await holdfast.metric(DROPPED)) > 0) last = n + 10;
  }
  if (last === ITEMS_MAX) throw new Error(`nothing dropped within ${ITEMS_MAX} items`);
  return last;
}

/** The numbers of all items that a client has not been asked for yet; fails for an item that is not whole. */
async function numbersOf(client: WsClient): Promise<number[]> {
  const numbers: number[] = [];
  while (client.untaken > 0) {
    const text = await client.text();
    const number = Number(/^<(\d+)>/.exec(text)?.[1]);
    if (text !== itemText(number)) throw new Error(`item ${number} is not whole`);
    numbers.push(number);
  }
  return numbers;
}

/** The log lines of the session of a path, which has ended. */
async function linesOf(holdfast: Holdfast, path: string) {
  const { id } = await holdfast.record(`of ${path}`, ({ url }) => String(url).endsWith(path));
  await holdfast.record(`of the end of ${path}`, (record) => record.id === id && record.reason !== undefined);
  return holdfast.records().filter((record) => record.id === id);
}

t.test('policy close: a client that does not read is closed with 1013; others miss nothing', async (t) => {
  const { holdfast, slow, reader } = await startSlow(t, 'close');
  const count = await publishUntilDropped(holdfast, reader);
  await holdfast.holds('ws', 1);
  t.equal(await holdfast.metric(DROPPED), 1, 'closed at the first item that did not fit');
  slow.socket.resume();
  t.strictSame(await slow.end(), { code: 1013, reason: '' });
  const numbers = await numbersOf(slow);
  t.ok(numbers.length < count && numbers.every((n, i) => n === i), 'what it did get is the beginning');

  const lines = await linesOf(holdfast, '/slow');
  t.match(lines, [
    { status: 101 },
    { level: 'warn', part: 'session', msg: 'slow client: closing its session' },
    { kind: 'ws', reason: 'slow-client', dropped: 1, items: numbers.length },
  ]);
  t.ok(Number(lines[1]?.waiting) <= QUEUE, `${lines[1]?.waiting} bytes waited`);
  t.equal(await holdfast.metric('holdfast_holds_ended_total{kind="ws",reason="slow-client"}'), 1);
});

t.test('policy drop: a client that does not read stays and misses whole items, counted and logged once', async (t) => {
  const { holdfast, slow, reader } = await startSlow(t, 'drop');
  const count = await publishUntilDropped(holdfast, reader);
  const dropped = await holdfast.metric(DROPPED);
  t.ok(dropped >= 10, `${dropped} items dropped`);
  slow.socket.resume();
  // Comes after all that waited: the origin answers through the same queue.
  await slow.ping('reading again');
  await holdfast.publish(wsItem('room', itemText(count)));
  await reader.text();
  await slow.ping('and after the last item');
  const numbers = await numbersOf(slow);
  t.ok(
    numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? n)),
    'none twice, and in order',
  );
  t.equal(numbers.length, count - dropped + 1, 'all but the dropped ones');
  t.equal(numbers.at(-1), count, 'the newest among them');

  await slow.close(1000);
  await holdfast.holds('ws', 1);
  const lines = await linesOf(holdfast, '/slow');
  t.match(lines, [
    { status: 101 },
    { level: 'warn', msg: 'slow client: dropping items' },
    { kind: 'ws', reason: 'client-closed', dropped, items: numbers.length },
  ]);
});
